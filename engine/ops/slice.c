/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/copy.h"

typedef struct Range {
    int64_t start, step, length;
} Range;

typedef struct Lists {
    int64_t starts[NN_RANK_MAX], ends[NN_RANK_MAX], axes[NN_RANK_MAX], steps[NN_RANK_MAX];
    size_t n;
} Lists;

static int check_length(const NnCall *call, const char *name, size_t n, size_t expected)
{
    if (n == expected)
        return 0;
    return nn_error_set(call->error, -EBADMSG, "%s has %zu elements, starts %zu", name, n,
                        expected);
}

static int read_lists(const NnCall *call, Lists *lists)
{
    const int last = 9;
    size_t n;
    bool given;
    int r = nn_list(call, "starts", last, 1, lists->starts, NN_RANK_MAX, &lists->n, &given);
    if (r < 0)
        return r;
    r = nn_list(call, "ends", last, 2, lists->ends, NN_RANK_MAX, &n, &given);
    if (r < 0)
        return r;
    r = check_length(call, "ends", n, lists->n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < lists->n; i++) {
        lists->axes[i] = (int64_t)i;
        lists->steps[i] = 1;
    }
    r = nn_list(call, "axes", last, 3, lists->axes, NN_RANK_MAX, &n, &given);
    if (r < 0)
        return r;
    r = given ? check_length(call, "axes", n, lists->n) : 0;
    if (r < 0 || call->node->opset <= last)
        return r;
    r = nn_list(call, "steps", last, 4, lists->steps, NN_RANK_MAX, &n, &given);
    if (r < 0)
        return r;
    return given ? check_length(call, "steps", n, lists->n) : 0;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Python's slice of a dimension of `dim` elements; `step` is not 0. */
static Range resolve(int64_t dim, int64_t start, int64_t end, int64_t step)
{
    Range range = { .step = step };
    if (dim == 0)
        return (Range){ .step = 1 };
    start = start < 0 ? start + dim : start;
    end = end < 0 ? end + dim : end;
    if (step > 0) {
        range.start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        range.length = end > range.start ? (end - range.start - 1) / step + 1 : 0;
    } else {
        range.start = clamp(start, 0, dim - 1);
        end = clamp(end, -1, dim - 1);
        /* −(step + 1) + 1 would overflow for the smallest step, whose length is 1. */
        range.length = range.start > end ? (range.start - end - 1) / -NN_MAX(step, -INT64_MAX) + 1
                                         : 0;
    }
    if (range.length <= 1)
        range.step = 1;
    return range;
}

static int slice_ranges(const NnCall *call, Range *ranges)
{
    const NnTensor *in = call->in[0];
    Lists lists;
    bool selected[NN_RANK_MAX];
    int r = read_lists(call, &lists);
    if (r < 0)
        return r;
    r = nn_resolve_axes(call, lists.axes, lists.n, in->rank, selected);
    if (r < 0)
        return r;
    for (int i = 0; i < in->rank; i++)
        ranges[i] = (Range){ .step = 1, .length = in->dims[i] };
    for (size_t i = 0; i < lists.n; i++) {
        int64_t axis = lists.axes[i] < 0 ? lists.axes[i] + in->rank : lists.axes[i];
        if (lists.steps[i] == 0)
            return nn_error_set(call->error, -EBADMSG, "the step of axis %d is 0", (int)axis);
        ranges[axis] = resolve(in->dims[axis], lists.starts[i], lists.ends[i], lists.steps[i]);
    }
    return 0;
}

static int slice_infer(const NnCall *call)
{
    Range ranges[NN_RANK_MAX];
    int64_t dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r < 0)
        return r;
    r = slice_ranges(call, ranges);
    if (r < 0)
        return r;
    for (int i = 0; i < call->in[0]->rank; i++)
        dims[i] = ranges[i].length;
    return nn_set_output(call, 0, call->in[0]->dtype, call->in[0]->rank, dims);
}

static int slice_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    Range ranges[NN_RANK_MAX];
    int64_t from[NN_RANK_MAX], to[NN_RANK_MAX], offset = 0;
    int r = slice_ranges(call, ranges);
    if (r < 0)
        return r;
    NnCopy copy = { .size = nn_dtype_size(in->dtype), .target = out->data };
    nn_strides(in, from);
    nn_strides(out, to);
    for (int i = 0; i < in->rank; i++) {
        offset += ranges[i].start * from[i];
        nn_copy_dim(&copy, ranges[i].length, ranges[i].step * from[i], to[i]);
    }
    copy.source = (const char *)in->data + offset * (int64_t)copy.size;
    nn_copy_run(&copy, call->pool);
    return 0;
}

const NnOp nn_op_slice = {
    .type = "Slice",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 5,
    .max_outputs = 1,
    .infer = slice_infer,
    .run = slice_run,
};
