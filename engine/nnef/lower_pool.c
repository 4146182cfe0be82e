/* SPDX-License-Identifier: Apache-2.0 */

/* Windows over all dimensions: sums, means, maxima. Those over the last
 * dimensions alone are pools of ONNX; the others go one dimension after the
 * other, which is the same for a sum and a maximum. */

#include "nnef/window.h"

static bool start(NnefCall *call, const char *name, NnValueId *ret_input, NnefWindow *window)
{
    const NnTensor *x;
    int64_t size[NN_RANK_MAX];
    size_t n = nn_nnef_integers(call, "size", size);

    *ret_input = nn_nnef_tensor(call, name);
    x = nn_nnef_build_tensor(call->build, *ret_input);
    if (!x)
        return false;
    if (n != (size_t)x->rank) {
        nn_nnef_build_fail(call->build, -EBADMSG, "'size' has %zu items for %d dimensions", n,
                           x->rank);
        return false;
    }
    return nn_nnef_window(call, x->dims, size, x->rank, window);
}

static bool is_trivial(const NnefWindow *w, int i)
{
    return w->size[i] == 1 && w->stride[i] == 1 && w->before[i] == 0 && w->after[i] == 0;
}

/* Batch and channels stay as they are, and there are one to three more. */
static bool is_spatial(const NnefWindow *w)
{
    return w->rank >= 3 && w->rank <= 5 && is_trivial(w, 0) && is_trivial(w, 1);
}

static NnefWindow spatial_part(const NnefWindow *w)
{
    NnefWindow s = { .rank = w->rank - 2, .padded = w->padded };

    for (int i = 0; i < s.rank; i++) {
        s.size[i] = w->size[i + 2];
        s.stride[i] = w->stride[i + 2];
        s.dilation[i] = w->dilation[i + 2];
        s.before[i] = w->before[i + 2];
        s.after[i] = w->after[i + 2];
        s.in[i] = w->in[i + 2];
        s.out[i] = w->out[i + 2];
    }
    return s;
}

/* One dimension as the third of four. */
static NnValueId fold_around(NnefBuild *build, NnValueId id, const int64_t *dims, int rank,
                             int axis)
{
    int64_t folded[4] = { 1, 1, dims[axis], 1 };

    for (int i = 0; i < rank; i++)
        if (i != axis)
            folded[i < axis ? 0 : 3] *= dims[i];
    return nn_nnef_build_reshape(build, id, folded, 4);
}

static NnValueId pool_node(NnefBuild *build, const char *op, NnValueId id, const NnefWindow *w,
                           const NnefAttribute *extra)
{
    size_t n = (size_t)w->rank, at = 3;
    int64_t pads[2 * NN_RANK_MAX];
    NnefAttribute attributes[6] = {
        NNEF_INTS("kernel_shape", w->size, n),
        NNEF_INTS("strides", w->stride, n),
        NNEF_INTS("pads", pads, 2 * n),
    };

    nn_nnef_window_pads(w, pads);
    if (strcmp(op, "MaxPool") == 0)
        attributes[at++] = (NnefAttribute)NNEF_INTS("dilations", w->dilation, n);
    if (extra)
        attributes[at++] = *extra;
    return nn_nnef_build_output(build, op, attributes, &id, 1);
}

/* Applies `along` to each dimension that its window changes. */
static NnValueId each_axis(NnefBuild *build, NnValueId id, const NnefWindow *w,
                           NnValueId (*along)(NnefBuild *, NnValueId, const NnefWindow *))
{
    int64_t dims[NN_RANK_MAX];

    for (int i = 0; i < w->rank; i++)
        dims[i] = w->in[i];
    for (int i = 0; i < w->rank; i++) {
        NnefWindow one = {
            .rank = 2,
            .size = { w->size[i], 1 },
            .stride = { w->stride[i], 1 },
            .dilation = { w->dilation[i], 1 },
            .before = { w->before[i], 0 },
            .after = { w->after[i], 0 },
        };

        if (is_trivial(w, i))
            continue;
        id = along(build, fold_around(build, id, dims, w->rank, i), &one);
        dims[i] = w->out[i];
        id = nn_nnef_build_reshape(build, id, dims, w->rank);
    }
    return id;
}

static NnValueId sum_along(NnefBuild *build, NnValueId id, const NnefWindow *w)
{
    const int64_t ones[4] = { 1, 1, w->size[0], 1 };
    int64_t pads[2 * NN_RANK_MAX];

    nn_nnef_window_pads(w, pads);
    return nn_nnef_build(build, "Conv",
                         NNEF_ATTRIBUTES(NNEF_INTS("strides", w->stride, 2),
                                         NNEF_INTS("dilations", w->dilation, 2),
                                         NNEF_INTS("pads", pads, 4)),
                         id, nn_nnef_build_fill(build, ones, 4, 1.0));
}

static NnValueId max_along(NnefBuild *build, NnValueId id, const NnefWindow *w)
{
    return pool_node(build, "MaxPool", id, w, NULL);
}

static double volume(const NnefWindow *w)
{
    double v = 1.0;

    for (int i = 0; i < w->rank; i++)
        v *= (double)w->size[i];
    return v;
}

/* Divides by how many elements of each window are no border. */
static NnValueId over_counts(NnefBuild *build, NnValueId id, const NnefWindow *w)
{
    for (int axis = 0; axis < w->rank; axis++) {
        NnTensor counts = { .dtype = NN_DTYPE_F32, .rank = w->rank };
        size_t bytes;
        float *to;

        if (is_trivial(w, axis))
            continue;
        for (int i = 0; i < w->rank; i++)
            counts.dims[i] = i == axis ? w->out[i] : 1;
        if (nn_tensor_bytes(&counts, &bytes) < 0 || w->out[axis] * w->size[axis] > 1 << 28) {
            nn_nnef_build_fail(build, -E2BIG, "a window of %lld over %lld elements",
                               (long long)w->size[axis], (long long)w->in[axis]);
            return NN_NO_VALUE;
        }
        counts.data = to = nn_nnef_build_alloc(build, bytes);
        for (int64_t o = 0; to && o < w->out[axis]; o++) {
            to[o] = 0.0f;
            for (int64_t k = 0; k < w->size[axis]; k++) {
                int64_t at = o * w->stride[axis] + k * w->dilation[axis] - w->before[axis];

                to[o] += at >= 0 && at < w->in[axis];
            }
        }
        id = nn_nnef_with(build, "Div", id, nn_nnef_build_constant(build, &counts));
    }
    return id;
}

static bool is_average_pool(const NnefWindow *w)
{
    for (int i = 2; i < w->rank; i++)
        if (w->dilation[i] != 1 || w->before[i] >= w->size[i] || w->after[i] >= w->size[i])
            return false;
    return is_spatial(w);
}

/* Sum or mean; with `ignore` the border does not count. */
static NnValueId box(NnefBuild *build, NnValueId id, const NnefWindow *w, bool normalize,
                     bool ignore)
{
    if (is_average_pool(w)) {
        NnefWindow s = spatial_part(w);
        NnefAttribute include = NNEF_INT("count_include_pad", !(normalize && ignore));

        id = pool_node(build, "AveragePool", id, &s, &include);
        return normalize ? id : nn_nnef_with_number(build, "Mul", id, volume(w));
    }
    id = each_axis(build, id, w, sum_along);
    if (normalize && ignore)
        return over_counts(build, id, w);
    return normalize ? nn_nnef_with_number(build, "Div", id, volume(w)) : id;
}

NnValueId nn_nnef_box(NnefCall *call, NnValueId input, bool normalize)
{
    const char *border = nn_nnef_text(call, "border");
    bool ignore = strcmp(border, "ignore") == 0;
    NnefWindow w;
    NnValueId same;

    if (!start(call, "input", &same, &w))
        return NN_NO_VALUE;
    if (!ignore && strcmp(border, "constant") != 0)
        input = nn_nnef_window_pad(call->build, input, border, &w);
    return box(call->build, input, &w, normalize, ignore);
}

NnValueId nn_nnef_box_sizes(NnefBuild *build, NnValueId input, const int64_t *size, bool normalize)
{
    const NnTensor *x = nn_nnef_build_tensor(build, input);
    NnefWindow w = { 0 };

    if (!x)
        return NN_NO_VALUE;
    w.rank = x->rank;
    for (int i = 0; i < w.rank; i++) {
        w.size[i] = size[i];
        w.stride[i] = w.dilation[i] = 1;
        w.before[i] = (size[i] - 1) / 2;
        w.after[i] = size[i] - 1 - w.before[i];
        w.in[i] = w.out[i] = x->dims[i];
    }
    return box(build, input, &w, normalize, false);
}

int nn_nnef_lower_box(NnefCall *call)
{
    nn_nnef_result(call, 0, nn_nnef_box(call, nn_nnef_tensor(call, "input"),
                                        nn_nnef_logical(call, "normalize")));
    return 0;
}

int nn_nnef_lower_avg_pool(NnefCall *call)
{
    nn_nnef_result(call, 0, nn_nnef_box(call, nn_nnef_tensor(call, "input"), true));
    return 0;
}

int nn_nnef_lower_rms_pool(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");

    x = nn_nnef_box(call, nn_nnef_with(call->build, "Mul", x, x), true);
    nn_nnef_result(call, 0, nn_nnef_build(call->build, "Sqrt", NULL, x));
    return 0;
}

/* Zeros of border 'constant' take part in a maximum, those of 'ignore' do not. */
int nn_nnef_lower_max_pool(NnefCall *call)
{
    const char *border = nn_nnef_text(call, "border");
    NnefWindow w, s;
    NnValueId x;

    if (!start(call, "input", &x, &w))
        return 0;
    if (strcmp(border, "ignore") != 0)
        x = nn_nnef_window_pad(call->build, x, border, &w);
    if (is_spatial(&w)) {
        s = spatial_part(&w);
        x = pool_node(call->build, "MaxPool", x, &s, NULL);
    } else
        x = each_axis(call->build, x, &w, max_along);
    nn_nnef_result(call, 0, x);
    return 0;
}

static NnValueId scatter_along(NnefBuild *build, NnValueId id, const NnefWindow *w)
{
    const int64_t ones[4] = { 1, 1, w->size[0], 1 };
    const int64_t excess[2] = { w->in[0] + w->before[0] + w->after[0] -
                                    (w->out[0] - 1) * w->stride[0] -
                                    (w->size[0] - 1) * w->dilation[0] - 1,
                                0 };
    int64_t pads[2 * NN_RANK_MAX];

    nn_nnef_window_pads(w, pads);
    return nn_nnef_build(build, "ConvTranspose",
                         NNEF_ATTRIBUTES(NNEF_INTS("strides", w->stride, 2),
                                         NNEF_INTS("dilations", w->dilation, 2),
                                         NNEF_INTS("pads", pads, 4),
                                         NNEF_INTS("output_padding", excess, 2)),
                         id, nn_nnef_build_fill(build, ones, 4, 1.0));
}

/* Each element is added to the window that a box would have taken it from. */
static NnValueId unbox(NnefBuild *build, NnValueId id, const NnefWindow *w)
{
    int64_t dims[NN_RANK_MAX];

    for (int i = 0; i < w->rank; i++)
        dims[i] = w->out[i];
    for (int i = 0; i < w->rank; i++) {
        NnefWindow one = {
            .rank = 2,
            .size = { w->size[i], 1 },
            .stride = { w->stride[i], 1 },
            .dilation = { w->dilation[i], 1 },
            .before = { w->before[i], 0 },
            .after = { w->after[i], 0 },
            .in = { w->in[i], 1 },
            .out = { w->out[i], 1 },
        };

        if (is_trivial(w, i))
            continue;
        id = scatter_along(build, fold_around(build, id, dims, w->rank, i), &one);
        dims[i] = w->in[i];
        id = nn_nnef_build_reshape(build, id, dims, w->rank);
    }
    return id;
}

/* Windows that touch and do not overlap repeat each element. */
static bool is_repetition(const NnefWindow *w)
{
    for (int i = 0; i < w->rank; i++)
        if (w->size[i] != w->stride[i] || (w->dilation[i] != 1 && w->size[i] != 1) ||
            w->in[i] != w->out[i] * w->stride[i])
            return false;
    return !w->padded;
}

static NnValueId repeat(NnefBuild *build, NnValueId id, const NnefWindow *w)
{
    NnTensor scales = { .dtype = NN_DTYPE_F32, .rank = 1, .dims = { w->rank } };
    float *to = nn_nnef_build_alloc(build, (size_t)w->rank * sizeof(float));

    for (int i = 0; to && i < w->rank; i++)
        to[i] = (float)w->stride[i];
    scales.data = to;
    return nn_nnef_build(build, "Resize",
                         NNEF_ATTRIBUTES(NNEF_TEXT("mode", "nearest"),
                                         NNEF_TEXT("coordinate_transformation_mode", "asymmetric"),
                                         NNEF_TEXT("nearest_mode", "floor")),
                         id, NN_NO_VALUE, nn_nnef_build_constant(build, &scales));
}

int nn_nnef_lower_debox(NnefCall *call)
{
    const char *border = nn_nnef_text(call, "border");
    bool ignore = strcmp(border, "ignore") == 0;
    bool normalize = strcmp(call->fragment->name, "avg_unpool") == 0 ||
                     nn_nnef_logical(call, "normalize");
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *tensor = nn_nnef_build_tensor(call->build, x);
    int64_t size[NN_RANK_MAX];
    size_t n = nn_nnef_integers(call, "size", size);
    NnefWindow w;

    if (!tensor)
        return 0;
    if (n != (size_t)tensor->rank)
        return nn_error_set(call->build->error, -EBADMSG, "'size' has %zu items for %d dimensions",
                            n, tensor->rank);
    if (!nn_nnef_window_transposed(call, tensor->dims, size, tensor->rank, &w))
        return 0;
    if (w.padded && (ignore ? normalize : strcmp(border, "constant") != 0))
        return nn_error_set(call->build->error, -ENOTSUP, "border '%s' is not supported here",
                            border);
    x = is_repetition(&w) ? repeat(call->build, x, &w) : unbox(call->build, x, &w);
    if (normalize)
        x = nn_nnef_with_number(call->build, "Div", x, volume(&w));
    nn_nnef_result(call, 0, x);
    return 0;
}
