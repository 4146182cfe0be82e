/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/window.h"

/* A list of one number for each spatial dimension, between low and INT32_MAX. */
static int read_list(const NnNode *node, const char *name, int64_t low, int64_t fallback, int n,
                     int64_t *ret, NnError *error)
{
    size_t given;
    for (int i = 0; i < n; i++)
        ret[i] = fallback;
    int r = nn_node_ints(node, name, ret, (size_t)n, &given, error);
    if (r < 0)
        return r;
    if (given != 0 && given != (size_t)n)
        return nn_error_set(error, -EBADMSG, "%s has %zu numbers, expected %d", name, given, n);
    for (int i = 0; i < n; i++)
        if (ret[i] < low || ret[i] > INT32_MAX)
            return nn_error_set(error, -EBADMSG, "%s holds %lld", name, (long long)ret[i]);
    return 0;
}

int nn_spatial_list(const NnNode *node, const char *name, int per_axis, int64_t low, int64_t *ret,
                    int *spatial, NnError *error)
{
    int64_t values[2 * NN_SPATIAL_MAX];
    size_t n;
    int r = nn_node_ints(node, name, values, (size_t)(per_axis * NN_SPATIAL_MAX), &n, error);
    if (r < 0 || n == 0)
        return r;
    if (n % (size_t)per_axis != 0 || (*spatial && n != (size_t)(*spatial * per_axis)))
        return nn_error_set(error, -EBADMSG, "attribute '%s' has %zu values for %d spatial "
                            "dimensions", name, n, *spatial);
    for (size_t i = 0; i < n; i++)
        if (values[i] < low || values[i] > NN_SPATIAL_LIST_MAX)
            return nn_error_set(error, -EBADMSG, "attribute '%s' holds %lld", name,
                                (long long)values[i]);
    memcpy(ret, values, n * sizeof(values[0]));
    *spatial = (int)n / per_axis;
    return 0;
}

int nn_auto_pad_read(const NnNode *node, NnAutoPad *ret, NnError *error)
{
    static const char *const names[] = {
        [NN_AUTO_PAD_NOTSET] = "NOTSET",
        [NN_AUTO_PAD_SAME_UPPER] = "SAME_UPPER",
        [NN_AUTO_PAD_SAME_LOWER] = "SAME_LOWER",
        [NN_AUTO_PAD_VALID] = "VALID",
    };
    const char *name;
    int r = nn_node_string(node, "auto_pad", "NOTSET", &name, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (NnAutoPad)i;
            return 0;
        }
    }
    return nn_error_set(error, -EBADMSG, "auto_pad is '%s', which the standard does not know",
                        name);
}

/* All but the size of the window, for `spatial` dimensions. */
static int read_steps(const NnNode *node, int spatial, NnWindow *window, NnError *error)
{
    NnWindow w = *window;
    int64_t pads[2 * NN_SPATIAL_MAX];
    size_t n = (size_t)spatial;
    w.spatial = spatial;
    int r = read_list(node, "strides", 1, 1, w.spatial, w.strides, error);
    if (r < 0)
        return r;
    r = read_list(node, "dilations", 1, 1, w.spatial, w.dilations, error);
    if (r < 0)
        return r;
    r = read_list(node, "pads", 0, 0, 2 * w.spatial, pads, error);
    if (r < 0)
        return r;
    memcpy(w.before, pads, n * sizeof(pads[0]));
    memcpy(w.after, pads + n, n * sizeof(pads[0]));
    r = nn_auto_pad_read(node, &w.auto_pad, error);
    if (r < 0)
        return r;
    *window = w;
    return 0;
}

int nn_window_read(const NnNode *node, NnWindow *window, NnError *error)
{
    NnWindow w = { 0 };
    size_t n;
    int r = nn_node_ints(node, "kernel_shape", w.kernel, NN_SPATIAL_MAX, &n, error);
    if (r < 0)
        return r;
    if (n == 0)
        return nn_error_set(error, -EBADMSG, "kernel_shape is missing");
    r = read_list(node, "kernel_shape", 1, 1, (int)n, w.kernel, error);
    if (r < 0)
        return r;
    r = read_steps(node, (int)n, &w, error);
    if (r < 0)
        return r;
    *window = w;
    return 0;
}

int nn_window_read_weights(const NnNode *node, const NnTensor *weights, NnWindow *window,
                           NnError *error)
{
    NnWindow w = { 0 };
    int64_t kernel[NN_SPATIAL_MAX];
    int spatial = weights->rank - 2;
    size_t n;
    if (spatial < 1 || spatial > NN_SPATIAL_MAX)
        return nn_error_set(error, -ENOTSUP, "weights of %d dimensions, 3 to %d are done",
                            weights->rank, NN_SPATIAL_MAX + 2);
    int r = nn_node_ints(node, "kernel_shape", kernel, NN_SPATIAL_MAX, &n, error);
    if (r < 0)
        return r;
    for (int i = 0; i < spatial; i++) {
        w.kernel[i] = weights->dims[2 + i];
        if (w.kernel[i] < 1 || w.kernel[i] > INT32_MAX)
            return nn_error_set(error, -EBADMSG, "dimension %d of the weights is %lld", 2 + i,
                                (long long)w.kernel[i]);
    }
    if (n != 0 && (n != (size_t)spatial || memcmp(kernel, w.kernel, n * sizeof(kernel[0])) != 0))
        return nn_error_set(error, -EBADMSG, "kernel_shape does not fit the weights");
    r = read_steps(node, spatial, &w, error);
    if (r < 0)
        return r;
    *window = w;
    return 0;
}

/* Positions of the window along one dimension; fixes the pads for auto_pad. */
static int64_t positions(NnWindow *w, int i, int64_t in, bool ceil_mode)
{
    int64_t extent = (w->kernel[i] - 1) * w->dilations[i] + 1, stride = w->strides[i];
    if (w->auto_pad == NN_AUTO_PAD_SAME_UPPER || w->auto_pad == NN_AUTO_PAD_SAME_LOWER) {
        int64_t out = nn_div_up(in, stride);
        int64_t total = NN_MAX((out - 1) * stride + extent - in, 0);
        w->before[i] = w->auto_pad == NN_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->after[i] = total - w->before[i];
        return out;
    }
    if (w->auto_pad == NN_AUTO_PAD_VALID)
        w->before[i] = w->after[i] = 0;
    int64_t room = in + w->before[i] + w->after[i] - extent;
    if (room < 0)
        return -1;
    int64_t out = (ceil_mode ? nn_div_up(room, stride) : room / stride) + 1;
    /* A window may not begin behind the input: it would see padding alone. */
    if (ceil_mode && (out - 1) * stride >= in + w->before[i])
        out--;
    return out;
}

int nn_window_resolve(const NnCall *call, const NnWindow *window, bool ceil_mode,
                      NnWindow *ret_window, int64_t *ret_dims)
{
    const NnTensor *in = call->in[0];
    NnWindow w = *window;
    if (in->rank != w.spatial + 2)
        return nn_error_set(call->error, -EBADMSG,
                            "input 0 has %d dimensions, the window needs %d", in->rank,
                            w.spatial + 2);
    memcpy(ret_dims, in->dims, sizeof(in->dims));
    for (int i = 0; i < w.spatial; i++) {
        int64_t dim = in->dims[2 + i];
        if (dim < 1 || dim > INT32_MAX)
            return nn_error_set(call->error, -EBADMSG, "spatial dimension %d is %lld", i,
                                (long long)dim);
        ret_dims[2 + i] = positions(&w, i, dim, ceil_mode);
        if (ret_dims[2 + i] < 1)
            return nn_error_set(call->error, -EBADMSG,
                                "a window of %lld does not fit spatial dimension %d of %lld",
                                (long long)w.kernel[i], i, (long long)dim);
    }
    *ret_window = w;
    return 0;
}
