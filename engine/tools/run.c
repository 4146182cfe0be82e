/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "graph/graph.h"
#include "npy.h"
#include "tool.h"

NN_MUST_CHECK static int load_and_run(const Options *options, Loaded *loaded)
{
    NnError error;
    int r;

    r = tool_load(options, false, loaded);
    if (r < 0)
        return r;
    r = tool_fill_inputs(options, loaded, false);
    if (r < 0)
        return r;
    r = nn_session_run(loaded->session, &error);
    if (r < 0)
        fprintf(stderr, "plated-nn: %s\n", error.message);
    return r;
}

/* A name of the model as a file name: what could leave the directory becomes _. */
static int output_path(const Options *options, const char *name, char *path, size_t n)
{
    int length = snprintf(path, n, "%s/%s.npy", options->output_dir, name);

    if (length < 0 || (size_t)length >= n)
        return -ENAMETOOLONG;
    for (char *at = path + strlen(options->output_dir) + 1; *at; at++)
        if (*at == '/' || *at == ':' || *at == '\\')
            *at = '_';
    return 0;
}

int cmd_run(const Options *options)
{
    _cleanup_(tool_unload) Loaded loaded = { 0 };
    char path[4096], text[128];
    NnError error;
    int r;

    if (!options->output_dir) {
        fprintf(stderr, "plated-nn: run needs --output-dir DIR\n");
        return -EINVAL;
    }
    r = load_and_run(options, &loaded);
    if (r < 0)
        return r;
    if (mkdir(options->output_dir, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "plated-nn: %s: %s\n", options->output_dir, strerror(errno));
        return -errno;
    }
    for (size_t i = 0; i < nn_model_n_outputs(loaded.model); i++) {
        const NnTensor *tensor = nn_session_output(loaded.session, i);
        const char *name = nn_model_output_name(loaded.model, i);

        r = output_path(options, name, path, sizeof(path));
        if (r >= 0)
            r = npy_write(path, tensor, &error);
        else
            nn_error_set(&error, r, "output '%s': the path is too long", name);
        if (r < 0) {
            fprintf(stderr, "plated-nn: %s\n", error.message);
            return r;
        }
        printf("%s %s %s\n", path, nn_dtype_name(tensor->dtype),
               nn_tensor_shape_string(tensor, text, sizeof(text)));
    }
    return 0;
}

/* How far an element is over |a - b| <= atol + rtol·|b|, as numpy.allclose has
 * it: at most 1 is equal. NaN equals NaN, an infinity itself. */
static double excess(double a, double b, const Options *options)
{
    double d = fabs(a - b);

    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    d /= options->atol + options->rtol * fabs(b);
    return isnan(d) ? INFINITY : d;
}

static int compare(const char *name, const NnTensor *actual, const NnTensor *expected,
                   const Options *options)
{
    char have[128], want[128];
    double worst = 0, difference = 0, largest = 0;
    int64_t n, at = 0;

    if (actual->dtype != expected->dtype || !nn_tensor_same_shape(actual, expected)) {
        fprintf(stderr, "plated-nn: output '%s' is %s %s, expected %s %s\n", name,
                nn_dtype_name(actual->dtype), nn_tensor_shape_string(actual, have, sizeof(have)),
                nn_dtype_name(expected->dtype),
                nn_tensor_shape_string(expected, want, sizeof(want)));
        return -EBADMSG;
    }
    n = nn_tensor_elements(expected);
    for (int64_t i = 0; i < n; i++) {
        double a = tool_element(actual, i), b = tool_element(expected, i),
               e = excess(a, b, options);

        difference = fmax(difference, e > 0 ? fabs(a - b) : 0);
        largest = fmax(largest, fabs(b));
        if (e > worst) {
            worst = e;
            at = i;
        }
    }
    if (worst > 1) {
        fprintf(stderr,
                "plated-nn: output '%s' differs at element %lld: %.9g, expected %.9g "
                "(rtol %g, atol %g)\n",
                name, (long long)at, tool_element(actual, at), tool_element(expected, at),
                options->rtol, options->atol);
        return -ERANGE;
    }
    printf("%s: equal, largest difference %.3g, largest value %.6g\n", name, difference, largest);
    return 0;
}

int cmd_verify(const Options *options)
{
    _cleanup_(tool_unload) Loaded loaded = { 0 };
    int r, result = 0;

    if (options->n_expects == 0) {
        fprintf(stderr, "plated-nn: verify needs --expect NAME=FILE.npy\n");
        return -EINVAL;
    }
    r = load_and_run(options, &loaded);
    if (r < 0)
        return r;
    for (size_t i = 0; i < options->n_expects; i++) {
        NnTensor expected;
        NnError error;
        int index = tool_find_output(loaded.model, options->expects[i].name);

        if (index < 0)
            return index;
        r = npy_read(options->expects[i].value, &expected, &error);
        if (r < 0) {
            fprintf(stderr, "plated-nn: %s\n", error.message);
            return r;
        }
        r = compare(options->expects[i].name, nn_session_output(loaded.session, index), &expected,
                    options);
        free(expected.data);
        result = r < 0 ? r : result;
    }
    return result;
}
