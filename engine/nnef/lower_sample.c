/* SPDX-License-Identifier: Apache-2.0 */

/* Maxima with their places, and what takes from and puts to such places. An index
 * is the place in its window, counted row by row. */

#include "base/limits.h"
#include "nnef/window.h"

/* The windows of a call over the dimensions behind batch and channels. */
static bool start(NnefCall *call, const NnTensor *x, bool transposed, NnefWindow *ret)
{
    int64_t size[NN_RANK_MAX], volume = 1;
    size_t n = nn_nnef_integers(call, "size", size);
    NnefWindow w;

    if (n != (size_t)x->rank || n < 3 || n > 5) {
        nn_nnef_build_fail(call->build, -EBADMSG, "'size' has %zu items for %d dimensions", n,
                           x->rank);
        return false;
    }
    if (transposed ? !nn_nnef_window_transposed(call, x->dims, size, x->rank, &w)
                   : !nn_nnef_window(call, x->dims, size, x->rank, &w))
        return false;
    for (int i = 0; i < 2; i++)
        if (w.size[i] != 1 || w.stride[i] != 1 || w.before[i] || w.after[i]) {
            nn_nnef_build_fail(call->build, -ENOTSUP,
                               "windows over batch or channels are not supported here");
            return false;
        }
    for (int i = 2; i < w.rank; i++)
        if (__builtin_mul_overflow(volume, w.size[i], &volume) || volume > NNEF_EXTENT_MAX) {
            nn_nnef_build_fail(call->build, -E2BIG, "a window of more than %lld elements",
                               (long long)NNEF_EXTENT_MAX);
            return false;
        }
    *ret = w;
    return true;
}

static NnefWindow spatial_part(const NnefWindow *w)
{
    NnefWindow s = *w;

    s.rank -= 2;
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

static NnValueId integer_op(NnefBuild *build, const char *op, NnValueId a, int64_t b)
{
    NnTensor tensor = { .dtype = NN_DTYPE_I64 };

    tensor.data = nn_nnef_build_alloc(build, sizeof(b));
    if (tensor.data)
        *(int64_t *)tensor.data = b;
    return nn_nnef_with(build, op, a, nn_nnef_build_constant(build, &tensor));
}

/* 0, step, 2·step, … along one of `rank` dimensions. */
static NnValueId steps(NnefBuild *build, int64_t n, int64_t step, int axis, int rank)
{
    NnTensor tensor = { .dtype = NN_DTYPE_I64, .rank = rank };
    size_t bytes;
    int64_t *to;

    for (int i = 0; i < rank; i++)
        tensor.dims[i] = i == axis ? n : 1;
    if (nn_tensor_bytes(&tensor, &bytes) < 0) {
        nn_nnef_build_fail(build, -E2BIG, "an extent of %lld", (long long)n);
        return NN_NO_VALUE;
    }
    tensor.data = to = nn_nnef_build_alloc(build, bytes);
    for (int64_t i = 0; to && i < n; i++)
        to[i] = i * step;
    return nn_nnef_build_constant(build, &tensor);
}

/* MaxPool tells the place in the whole tensor. */
static NnValueId place_in_window(NnefBuild *build, NnValueId index, const NnefWindow *w)
{
    int64_t inner = 1, inner_size = 1;
    NnValueId sum = NN_NO_VALUE;

    for (int i = w->rank - 1; i >= 0; i--) {
        NnValueId at = integer_op(build, "Mod", integer_op(build, "Div", index, inner), w->in[i]);

        at = integer_op(build, "Add", at, w->before[i]);
        at = nn_nnef_with(build, "Sub", at, steps(build, w->out[i], w->stride[i], i + 2,
                                                  w->rank + 2));
        at = integer_op(build, "Mul", integer_op(build, "Div", at, w->dilation[i]), inner_size);
        sum = sum == NN_NO_VALUE ? at : nn_nnef_with(build, "Add", sum, at);
        inner *= w->in[i];
        inner_size *= w->size[i];
    }
    return sum;
}

static bool max_and_place(NnefCall *call, NnValueId ret[2])
{
    const char *border = nn_nnef_text(call, "border");
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *tensor = nn_nnef_build_tensor(call->build, x);
    int64_t pads[2 * NN_RANK_MAX];
    NnefWindow w;
    size_t n;

    if (!tensor || !start(call, tensor, false, &w))
        return false;
    w = spatial_part(&w);
    if (strcmp(border, "ignore") != 0)
        x = nn_nnef_window_pad(call->build, x, border, &w);
    n = (size_t)w.rank;
    nn_nnef_window_pads(&w, pads);
    nn_nnef_build_outputs(call->build, "", "MaxPool",
                          NNEF_ATTRIBUTES(NNEF_INTS("kernel_shape", w.size, n),
                                          NNEF_INTS("strides", w.stride, n),
                                          NNEF_INTS("dilations", w.dilation, n),
                                          NNEF_INTS("pads", pads, 2 * n)),
                          &x, 1, ret, 2);
    ret[1] = place_in_window(call->build, ret[1], &w);
    return true;
}

int nn_nnef_lower_argmax_pool(NnefCall *call)
{
    NnValueId pair[2];

    if (max_and_place(call, pair))
        nn_nnef_result(call, 0, pair[1]);
    return 0;
}

int nn_nnef_lower_max_pool_with_index(NnefCall *call)
{
    NnValueId pair[2];

    if (max_and_place(call, pair)) {
        nn_nnef_result(call, 0, pair[0]);
        nn_nnef_result(call, 1, pair[1]);
    }
    return 0;
}

/* The opposite of the above: places in the padded tensor of `planes` planes. */
static NnValueId place_in_tensor(NnefBuild *build, NnValueId index, const NnefWindow *w,
                                 const int64_t *planes)
{
    int64_t inner = 1, inner_size = 1;
    int rank = w->rank + 2;
    NnValueId sum = NN_NO_VALUE;

    index = nn_nnef_build_cast(build, index, NN_DTYPE_I64);
    for (int i = w->rank - 1; i >= 0; i--) {
        NnValueId at = integer_op(build, "Mod", integer_op(build, "Div", index, inner_size),
                                  w->size[i]);

        at = integer_op(build, "Mul", at, w->dilation[i] * inner);
        at = nn_nnef_with(build, "Add", at, steps(build, w->out[i], w->stride[i] * inner, i + 2,
                                                  rank));
        sum = sum == NN_NO_VALUE ? at : nn_nnef_with(build, "Add", sum, at);
        if (__builtin_mul_overflow(inner, w->in[i] + w->before[i] + w->after[i], &inner) ||
            inner > NNEF_EXTENT_MAX) {
            nn_nnef_build_fail(build, -E2BIG, "more than %lld elements",
                               (long long)NNEF_EXTENT_MAX);
            return NN_NO_VALUE;
        }
        inner_size *= w->size[i];
    }
    sum = nn_nnef_with(build, "Add", sum, steps(build, planes[1], inner, 1, rank));
    return nn_nnef_with(build, "Add", sum, steps(build, planes[0], inner * planes[1], 0, rank));
}

static bool check_index(NnefCall *call, NnValueId index, const int64_t *planes,
                        const NnefWindow *w)
{
    const NnTensor *tensor = nn_nnef_build_tensor(call->build, index);
    bool fits = tensor && tensor->rank == w->rank + 2 && tensor->dims[0] == planes[0] &&
                tensor->dims[1] == planes[1];

    for (int i = 0; fits && i < w->rank; i++)
        fits = tensor->dims[i + 2] == w->out[i];
    if (!fits)
        nn_nnef_build_fail(call->build, -EBADMSG,
                           "the shape of 'index' is not that of the windows");
    return fits;
}

int nn_nnef_lower_sample(NnefCall *call)
{
    static const int64_t all = -1;
    const char *border = nn_nnef_text(call, "border");
    NnefBuild *build = call->build;
    NnValueId x = nn_nnef_tensor(call, "input"), index = nn_nnef_tensor(call, "index");
    const NnTensor *tensor = nn_nnef_build_tensor(build, x);
    int64_t planes[2];
    NnefWindow w;

    if (!tensor || !start(call, tensor, false, &w))
        return 0;
    planes[0] = tensor->dims[0];
    planes[1] = tensor->dims[1];
    w = spatial_part(&w);
    if (!check_index(call, index, planes, &w))
        return 0;
    x = nn_nnef_window_pad(build, x, strcmp(border, "ignore") == 0 ? "constant" : border, &w);
    x = nn_nnef_build(build, "Reshape", NULL, x, nn_nnef_build_ints(build, &all, 1));
    index = place_in_tensor(build, index, &w, planes);
    nn_nnef_result(call, 0, nn_nnef_build(build, "Gather", NULL, x, index));
    return 0;
}

/* Adds the elements to zeros, and takes the padding off. */
static NnValueId scatter(NnefBuild *build, NnValueId x, NnValueId index, const NnefWindow *w,
                         const int64_t *planes)
{
    static const int64_t all = -1, zero = 0;
    int64_t dims[NN_RANK_MAX] = { planes[0], planes[1] }, n = planes[0] * planes[1];
    int64_t begin[NN_RANK_MAX], end[NN_RANK_MAX], axes[NN_RANK_MAX];
    int opset = build->opset;
    NnValueId y;

    for (int i = 0; i < w->rank; i++) {
        dims[i + 2] = w->in[i] + w->before[i] + w->after[i];
        begin[i] = w->before[i];
        end[i] = w->before[i] + w->in[i];
        axes[i] = i + 2;
        if (__builtin_mul_overflow(n, dims[i + 2], &n))
            n = INT64_MAX;
    }
    y = nn_nnef_build_fill(build, &n, 1, 0.0);
    x = nn_nnef_build(build, "Reshape", NULL, x, nn_nnef_build_ints(build, &all, 1));
    index = nn_nnef_build(build, "Reshape", NULL, index, nn_nnef_build_ints(build, &all, 1));
    build->opset = NN_MAX(opset, 16); /* the first that adds */
    y = nn_nnef_build(build, "ScatterElements",
                      NNEF_ATTRIBUTES(NNEF_INT("axis", zero), NNEF_TEXT("reduction", "add")), y,
                      index, x);
    build->opset = opset;
    y = nn_nnef_build(build, "Reshape", NULL, y,
                      nn_nnef_build_ints(build, dims, (size_t)w->rank + 2));
    if (!w->padded)
        return y;
    return nn_nnef_build(build, "Slice", NULL, y, nn_nnef_build_ints(build, begin, (size_t)w->rank),
                         nn_nnef_build_ints(build, end, (size_t)w->rank),
                         nn_nnef_build_ints(build, axes, (size_t)w->rank));
}

int nn_nnef_lower_desample(NnefCall *call)
{
    NnefBuild *build = call->build;
    NnValueId x = nn_nnef_tensor(call, "input"), index = nn_nnef_tensor(call, "index");
    const NnTensor *tensor = nn_nnef_build_tensor(build, x);
    int64_t planes[2];
    NnefWindow w;

    if (!tensor || !start(call, tensor, true, &w))
        return 0;
    planes[0] = tensor->dims[0];
    planes[1] = tensor->dims[1];
    w = spatial_part(&w);
    if (!check_index(call, index, planes, &w))
        return 0;
    index = place_in_tensor(build, index, &w, planes);
    nn_nnef_result(call, 0, scatter(build, x, index, &w, planes));
    return 0;
}
