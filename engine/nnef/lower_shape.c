/* SPDX-License-Identifier: Apache-2.0 */

/* Operations that move elements. */

#include "base/limits.h"
#include "nnef/lower.h"

/* Dimensions of a tensor and those that a reshape puts into their middle. */
static int reshape_dims(NnefCall *call, const NnTensor *from, NnTensor *to)
{
    int64_t shape[NN_RANK_MAX], start = nn_nnef_integer(call, "axis_start");
    int64_t count = nn_nnef_integer(call, "axis_count"), volume = 1, left = 1;
    size_t n = nn_nnef_integers(call, "shape", shape);
    int open = -1;

    if (count == -1)
        count = from->rank - start;
    if (start < 0 || count < 0 || start > from->rank || count > from->rank - start)
        return -EBADMSG;
    *to = (NnTensor){ .dtype = from->dtype };
    if (from->rank - count + (int64_t)n > NN_RANK_MAX)
        return -E2BIG;
    for (int64_t i = 0; i < start; i++)
        to->dims[to->rank++] = from->dims[i];
    for (int64_t i = 0; i < count; i++)
        volume *= from->dims[start + i];
    for (size_t i = 0; i < n; i++) {
        if (shape[i] == 0 && (int64_t)i < count)
            shape[i] = from->dims[start + (int64_t)i];
        if (shape[i] < -1 || (shape[i] == -1 && open >= 0))
            return -EBADMSG;
        if (shape[i] == -1)
            open = to->rank;
        else if (__builtin_mul_overflow(left, shape[i], &left))
            return -EBADMSG;
        to->dims[to->rank++] = shape[i];
    }
    if (open >= 0) {
        if (left == 0 || volume % left)
            return -EBADMSG;
        to->dims[open] = volume / left;
        left = volume;
    }
    for (int64_t i = start + count; i < from->rank; i++)
        to->dims[to->rank++] = from->dims[i];
    return left == volume ? 0 : -EBADMSG;
}

int nn_nnef_lower_reshape(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    NnTensor to;
    char text[128];
    int r;

    if (!from)
        return 0;
    r = reshape_dims(call, from, &to);
    if (r < 0 && call->build->status >= 0)
        return nn_error_set(call->build->error, r, "the new shape does not fit the elements of %s",
                            nn_tensor_shape_string(from, text, sizeof(text)));
    if (r >= 0)
        nn_nnef_result(call, 0,
                       nn_nnef_build(call->build, "Reshape", NULL, x,
                                     nn_nnef_build_ints(call->build, to.dims, (size_t)to.rank)));
    return 0;
}

int nn_nnef_lower_transpose(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    int64_t axes[NN_RANK_MAX];
    size_t n;

    if (!from)
        return 0;
    n = nn_nnef_axes(call, "axes", from->rank, axes);
    for (size_t i = 0; i < n; i++)
        if (axes[i] >= (int64_t)n)
            return nn_error_set(call->build->error, -EBADMSG,
                                "'axes' is no permutation of its %zu items", n);
    for (; n < (size_t)from->rank; n++)
        axes[n] = (int64_t)n;
    nn_nnef_result(call, 0, nn_nnef_build(call->build, "Transpose",
                                          NNEF_ATTRIBUTES(NNEF_INTS("perm", axes, n)), x));
    return 0;
}

int nn_nnef_lower_squeeze(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    int64_t axes[NN_RANK_MAX];
    size_t n;

    if (!from)
        return 0;
    n = nn_nnef_axes(call, "axes", from->rank, axes);
    if (n)
        x = nn_nnef_build(call->build, "Squeeze", NULL, x,
                          nn_nnef_build_ints(call->build, axes, n));
    nn_nnef_result(call, 0, x);
    return 0;
}

int nn_nnef_lower_unsqueeze(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    int64_t axes[NN_RANK_MAX];
    size_t n;

    if (!from)
        return 0;
    n = nn_nnef_argument(call, "axes")->n;
    if (from->rank + (int64_t)n > NN_RANK_MAX)
        return nn_error_set(call->build->error, -E2BIG, "more than %d dimensions", NN_RANK_MAX);
    n = nn_nnef_axes(call, "axes", from->rank + (int)n, axes);
    if (n)
        x = nn_nnef_build(call->build, "Unsqueeze", NULL, x,
                          nn_nnef_build_ints(call->build, axes, n));
    nn_nnef_result(call, 0, x);
    return 0;
}

/* The axis argument, from 0 to `max`. */
static bool axis_of(NnefCall *call, int64_t max, int64_t *ret)
{
    *ret = nn_nnef_integer(call, "axis");
    if (*ret < 0 || *ret > max)
        nn_nnef_build_fail(call->build, -EBADMSG, "'axis' is %lld, 0 to %lld was expected",
                           (long long)*ret, (long long)max);
    return call->build->status >= 0;
}

int nn_nnef_lower_concat(NnefCall *call)
{
    size_t n = 0;
    NnValueId *ids = nn_nnef_tensors(call, "values", &n);
    const NnTensor *first = ids ? nn_nnef_build_tensor(call->build, ids[0]) : NULL;
    int64_t axis;

    if (!first || !axis_of(call, first->rank - 1, &axis))
        return 0;
    nn_nnef_result(call, 0, nn_nnef_build_output(call->build, "Concat",
                                                 NNEF_ATTRIBUTES(NNEF_INT("axis", axis)), ids, n));
    return 0;
}

int nn_nnef_lower_stack(NnefCall *call)
{
    size_t n = 0;
    NnValueId *ids = nn_nnef_tensors(call, "values", &n);
    const NnTensor *first = ids ? nn_nnef_build_tensor(call->build, ids[0]) : NULL;
    int64_t axis;

    if (!first || !axis_of(call, first->rank, &axis))
        return 0;
    for (size_t i = 0; i < n; i++)
        ids[i] = nn_nnef_build(call->build, "Unsqueeze", NULL, ids[i],
                               nn_nnef_build_ints(call->build, &axis, 1));
    nn_nnef_result(call, 0, nn_nnef_build_output(call->build, "Concat",
                                                 NNEF_ATTRIBUTES(NNEF_INT("axis", axis)), ids, n));
    return 0;
}

static int split(NnefCall *call, NnValueId x, int64_t axis, const int64_t *sizes, size_t n,
                 bool squeeze)
{
    NnValueId *ids = nn_nnef_alloc(call->eval->memory, n, sizeof(ids[0]));
    NnValueId inputs[2] = { x, nn_nnef_build_ints(call->build, sizes, n) };

    if (!ids)
        return nn_error_set(call->build->error, -ENOMEM, "out of memory");
    nn_nnef_build_outputs(call->build, "", "Split", NNEF_ATTRIBUTES(NNEF_INT("axis", axis)), inputs,
                          2, ids, n);
    for (size_t i = 0; squeeze && i < n; i++)
        ids[i] = nn_nnef_build(call->build, "Squeeze", NULL, ids[i],
                               nn_nnef_build_ints(call->build, &axis, 1));
    return nn_nnef_result_array(call, ids, n);
}

int nn_nnef_lower_split(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "value");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    const NnefValue *ratios = nn_nnef_argument(call, "ratios");
    int64_t axis, total = 0, *sizes;

    if (!from || !axis_of(call, from->rank - 1, &axis))
        return 0;
    if (ratios->n == 0 || ratios->n > NN_LIMIT_NODE_INPUTS)
        return nn_error_set(call->build->error, -EBADMSG, "'ratios' has %zu items", ratios->n);
    sizes = nn_nnef_alloc(call->eval->memory, ratios->n, sizeof(sizes[0]));
    if (!sizes)
        return nn_error_set(call->build->error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < ratios->n; i++) {
        sizes[i] = ratios->items[i].i;
        if (sizes[i] < 1 || sizes[i] > NNEF_EXTENT_MAX)
            return nn_error_set(call->build->error, -EBADMSG, "a ratio is %lld",
                                (long long)sizes[i]);
        total += sizes[i];
    }
    if (from->dims[axis] % total)
        return nn_error_set(call->build->error, -EBADMSG,
                            "the ratios sum up to %lld, which does not divide %lld",
                            (long long)total, (long long)from->dims[axis]);
    for (size_t i = 0; i < ratios->n; i++)
        sizes[i] *= from->dims[axis] / total;
    return split(call, x, axis, sizes, ratios->n, false);
}

int nn_nnef_lower_unstack(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "value");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    int64_t axis, n, *sizes;

    if (!from || !axis_of(call, from->rank - 1, &axis))
        return 0;
    n = from->dims[axis];
    if (n < 1 || n > NN_LIMIT_NODE_INPUTS)
        return nn_error_set(call->build->error, -E2BIG, "%lld results, at most %d are possible",
                            (long long)n, NN_LIMIT_NODE_INPUTS);
    sizes = nn_nnef_alloc(call->eval->memory, (size_t)n, sizeof(sizes[0]));
    if (!sizes)
        return nn_error_set(call->build->error, -ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++)
        sizes[i] = 1;
    return split(call, x, axis, sizes, (size_t)n, true);
}

/* One dimension of a slice. Negative offsets count from the end; an end of 0
 * stands for the end itself where the stride is 1. The same in ONNX, whose end
 * before the first element is the smallest number. */
static bool slice_dim(int64_t extent, int64_t stride, bool open, int64_t *begin, int64_t *end)
{
    if (stride == 0 || *begin < -NNEF_EXTENT_MAX || *begin > NNEF_EXTENT_MAX ||
        *end < -NNEF_EXTENT_MAX || *end > NNEF_EXTENT_MAX)
        return false;
    if (open && *end == 0)
        *end = extent;
    *begin += *begin < 0 ? extent : 0;
    *end += *end < 0 ? extent : 0;
    *begin = NN_MAX(-1, NN_MIN(*begin, extent));
    *end = NN_MAX(-1, NN_MIN(*end, extent));
    if (stride > 0 ? *begin < 0 || *begin >= *end : *begin <= *end || *begin >= extent)
        return false;
    if (*end < 0)
        *end = INT64_MIN;
    return true;
}

int nn_nnef_lower_slice(NnefCall *call)
{
    NnefBuild *build = call->build;
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *from = nn_nnef_build_tensor(build, x);
    int64_t axes[NN_RANK_MAX], begin[NN_RANK_MAX], end[NN_RANK_MAX], stride[NN_RANK_MAX];
    size_t n, n_stride;
    bool open = true;

    if (!from)
        return 0;
    n = nn_nnef_axes(call, "axes", from->rank, axes);
    n_stride = nn_nnef_integers(call, "stride", stride);
    if (nn_nnef_integers(call, "begin", begin) != n || nn_nnef_integers(call, "end", end) != n ||
        (n_stride && n_stride != n))
        nn_nnef_build_fail(build, -EBADMSG,
                           "'axes', 'begin', 'end' and 'stride' differ in length");
    if (build->status < 0)
        return 0;
    for (size_t i = n_stride; i < n; i++)
        stride[i] = 1;
    for (size_t i = 0; i < n; i++)
        open = open && stride[i] == 1;
    for (size_t i = 0; i < n; i++)
        if (!slice_dim(from->dims[axes[i]], stride[i], open, &begin[i], &end[i]))
            return nn_error_set(build->error, -EBADMSG,
                                "it takes nothing of dimension %lld, whose extent is %lld",
                                (long long)axes[i], (long long)from->dims[axes[i]]);
    if (n)
        x = nn_nnef_build(build, "Slice", NULL, x, nn_nnef_build_ints(build, begin, n),
                          nn_nnef_build_ints(build, end, n), nn_nnef_build_ints(build, axes, n),
                          nn_nnef_build_ints(build, stride, n));
    nn_nnef_result(call, 0, x);
    return 0;
}

int nn_nnef_lower_tile(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    int64_t repeats[NN_RANK_MAX];
    size_t n = nn_nnef_integers(call, "repeats", repeats);

    if (!from)
        return 0;
    if (n != (size_t)from->rank)
        return nn_error_set(call->build->error, -EBADMSG,
                            "'repeats' has %zu items for %d dimensions", n, from->rank);
    nn_nnef_result(call, 0, nn_nnef_build(call->build, "Tile", NULL, x,
                                          nn_nnef_build_ints(call->build, repeats, n)));
    return 0;
}

/* The index behind the border, where the border is the last element again. */
static NnValueId mirror(NnefBuild *build, NnValueId id, int axis, int64_t before, int64_t after)
{
    const NnTensor *tensor = nn_nnef_build_tensor(build, id);
    NnTensor indices = { .dtype = NN_DTYPE_I64, .rank = 1 };
    int64_t extent, *to;
    size_t bytes;

    if (!tensor)
        return NN_NO_VALUE;
    extent = tensor->dims[axis];
    indices.dims[0] = before + extent + after;
    if (extent < 1 || before > extent || after > extent || nn_tensor_bytes(&indices, &bytes) < 0) {
        nn_nnef_build_fail(build, -EBADMSG, "a padding is larger than the %lld elements there are",
                           (long long)extent);
        return NN_NO_VALUE;
    }
    indices.data = to = nn_nnef_build_alloc(build, bytes);
    for (int64_t i = -before; to && i < extent + after; i++)
        to[i + before] = i < 0 ? -1 - i : i >= extent ? 2 * extent - 1 - i : i;
    return nn_nnef_build(build, "Gather", NNEF_ATTRIBUTES(NNEF_INT("axis", axis)), id,
                         nn_nnef_build_constant(build, &indices));
}

NnValueId nn_nnef_pad(NnefBuild *build, NnValueId id, const char *border, double value,
                      const int64_t *before, const int64_t *after, int rank)
{
    static const char *const modes[][2] = { { "constant", "constant" },
                                            { "replicate", "edge" },
                                            { "reflect", "reflect" } };
    const NnTensor *tensor = nn_nnef_build_tensor(build, id);
    int64_t pads[2 * NN_RANK_MAX];
    const char *mode = NULL;
    bool any = false;
    NnDtype dtype;

    if (!tensor)
        return NN_NO_VALUE;
    dtype = tensor->dtype;
    for (int i = 0; i < rank; i++) {
        pads[i] = before[i];
        pads[rank + i] = after[i];
        any = any || before[i] || after[i];
    }
    if (!any)
        return id;
    if (strcmp(border, "reflect-even") == 0) {
        for (int i = 0; i < rank; i++)
            if (before[i] || after[i])
                id = mirror(build, id, i, before[i], after[i]);
        return id;
    }
    for (size_t i = 0; i < NN_ARRAY_SIZE(modes); i++)
        if (strcmp(border, modes[i][0]) == 0)
            mode = modes[i][1];
    if (!mode) {
        nn_nnef_build_fail(build, -ENOTSUP, "border '%s' is not supported here", border);
        return NN_NO_VALUE;
    }
    return nn_nnef_build(build, "Pad", NNEF_ATTRIBUTES(NNEF_TEXT("mode", mode)), id,
                         nn_nnef_build_ints(build, pads, 2 * (size_t)rank),
                         strcmp(mode, "constant") == 0
                             ? nn_nnef_build_cast(build,
                                                  nn_nnef_build_scalar(build, value, NN_DTYPE_F32),
                                                  dtype)
                             : NN_NO_VALUE);
}

int nn_nnef_lower_pad(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    const NnefValue *padding = nn_nnef_argument(call, "padding");
    int64_t before[NN_RANK_MAX], after[NN_RANK_MAX];

    if (!from)
        return 0;
    if (padding->n != (size_t)from->rank)
        return nn_error_set(call->build->error, -EBADMSG,
                            "'padding' has %zu items for %d dimensions", padding->n, from->rank);
    for (size_t i = 0; i < padding->n; i++) {
        before[i] = padding->items[i].items[0].i;
        after[i] = padding->items[i].items[1].i;
        if (before[i] < 0 || after[i] < 0 || before[i] > NNEF_EXTENT_MAX ||
            after[i] > NNEF_EXTENT_MAX)
            return nn_error_set(call->build->error, -EBADMSG, "a padding is (%lld, %lld)",
                                (long long)before[i], (long long)after[i]);
    }
    nn_nnef_result(call, 0, nn_nnef_pad(call->build, x, nn_nnef_text(call, "border"),
                                        nn_nnef_scalar(call, "value"), before, after, from->rank));
    return 0;
}

int nn_nnef_lower_gather(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input"), indices = nn_nnef_tensor(call, "indices");
    const NnTensor *from = nn_nnef_build_tensor(call->build, x);
    int64_t axis;

    if (!from || !axis_of(call, from->rank - 1, &axis))
        return 0;
    nn_nnef_result(call, 0, nn_nnef_build(call->build, "Gather",
                                          NNEF_ATTRIBUTES(NNEF_INT("axis", axis)), x, indices));
    return 0;
}
