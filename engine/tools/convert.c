/* SPDX-License-Identifier: Apache-2.0 */

/* Writes a model as NNEF, reads it back and compares what both compute. */

#include <math.h>
#include <stdio.h>

#include "exec/exec.h"
#include "nnef/nnef.h"
#include "tool.h"

/* A difference that counts as none, relative to the largest value of an output. */
#define TOLERANCE 1e-6

/* The graph as it is loaded, without optimising passes. */
static int write_nnef(const Options *options)
{
    _cleanup_(tool_unload) Loaded loaded = { 0 };
    NnError error;
    int r;

    r = tool_load(options, true, &loaded);
    if (r < 0)
        return r;
    r = nn_nnef_export(nn_model_graph(loaded.model), options->output_dir, &error);
    if (r < 0)
        fprintf(stderr, "plated-nn: %s\n", error.message);
    return r;
}

static int run(Loaded *loaded)
{
    NnError error;
    int r;

    r = nn_session_run(loaded->session, &error);
    if (r < 0)
        fprintf(stderr, "plated-nn: running it failed: %s\n", error.message);
    return r;
}

static int differs(const char *what, const char *name)
{
    fprintf(stderr, "plated-nn: read back, %s '%s' is not what it was\n", what, name);
    return -EBADMSG;
}

/* Same inputs, with the same values. */
static int copy_inputs(const Loaded *from, Loaded *to)
{
    size_t n = nn_model_n_inputs(from->model), bytes;
    int r;

    if (nn_model_n_inputs(to->model) != n)
        return differs("the number of inputs of", "graph.nnef");
    for (size_t i = 0; i < n; i++) {
        const NnTensor *a = nn_session_input(from->session, i);
        NnTensor *b = nn_session_input(to->session, i);
        const char *name = nn_model_input_name(from->model, i);

        if (strcmp(name, nn_model_input_name(to->model, i)) != 0 || a->dtype != b->dtype ||
            !nn_tensor_same_shape(a, b))
            return differs("input", name);
        r = nn_tensor_bytes(a, &bytes);
        if (r < 0)
            return r;
        if (bytes)
            memcpy(b->data, a->data, bytes);
    }
    return 0;
}

/* The largest difference of two outputs, and the largest value. */
static void measure(const NnTensor *a, const NnTensor *b, double *difference, double *largest)
{
    int64_t n = nn_tensor_elements(a);

    *difference = *largest = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = tool_element(a, i), y = tool_element(b, i);

        if (isfinite(x))
            *largest = fmax(*largest, fabs(x));
        if (x != y && !(isnan(x) && isnan(y)))
            *difference = isfinite(x - y) ? fmax(*difference, fabs(x - y)) : INFINITY;
    }
}

static int compare(const Loaded *before, const Loaded *after)
{
    size_t n = nn_model_n_outputs(before->model);
    double difference, largest, worst = 0;

    if (nn_model_n_outputs(after->model) != n)
        return differs("the number of outputs of", "graph.nnef");
    for (size_t i = 0; i < n; i++) {
        const NnTensor *a = nn_session_output(before->session, i);
        const NnTensor *b = nn_session_output(after->session, i);
        const char *name = nn_model_output_name(before->model, i);

        if (strcmp(name, nn_model_output_name(after->model, i)) != 0 || a->dtype != b->dtype ||
            !nn_tensor_same_shape(a, b))
            return differs("output", name);
        measure(a, b, &difference, &largest);
        if (difference > TOLERANCE * largest) {
            fprintf(
                stderr,
                "plated-nn: read back, output '%s' differs by %.3g, its largest value is %.6g\n",
                name, difference, largest);
            return -ERANGE;
        }
        worst = fmax(worst, difference);
    }
    printf("equal when read back: %zu outputs, largest difference %.3g\n", n, worst);
    return 0;
}

static int compare_metadata(const Loaded *before, const Loaded *after)
{
    const NnGraph *graph = nn_model_graph(before->model);

    for (size_t i = 0; i < graph->n_metadata; i++) {
        const char *value = nn_model_metadata(after->model, graph->metadata[i].key);

        if (!value || strcmp(value, nn_model_metadata(before->model, graph->metadata[i].key)) != 0)
            return differs("metadata", graph->metadata[i].key);
    }
    return 0;
}

int cmd_convert(const Options *options)
{
    _cleanup_(tool_unload) Loaded before = { 0 }, after = { 0 };
    Options written = { .model = options->output_dir, .isa = options->isa,
                        .threads = options->threads };
    int r;

    r = write_nnef(options);
    if (r < 0)
        return r;
    r = tool_load(options, false, &before);
    if (r >= 0)
        r = tool_load(&written, false, &after);
    if (r >= 0)
        r = tool_fill_inputs(options, &before, true);
    if (r >= 0)
        r = copy_inputs(&before, &after);
    if (r >= 0)
        r = run(&before);
    if (r >= 0)
        r = run(&after);
    if (r >= 0)
        r = compare_metadata(&before, &after);
    return r < 0 ? r : compare(&before, &after);
}
