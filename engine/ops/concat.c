/* SPDX-License-Identifier: Apache-2.0 */

#include "base/limits.h"
#include "ops/copy.h"

typedef struct ConcatParams {
    int64_t axis;
} ConcatParams;

static int concat_prepare(const NnNode *node, void *params, NnError *error)
{
    ConcatParams *p = params;
    if (!nn_node_attribute(node, "axis"))
        return nn_error_set(error, -EBADMSG, "axis is missing");
    return nn_node_int(node, "axis", 0, &p->axis, error);
}

static int add_input(const NnCall *call, size_t index, int axis, int64_t *dims)
{
    const NnTensor *in = call->in[index];
    char shape[128];
    int r = nn_check_same_dtype(call, index);
    if (r < 0)
        return r;
    bool fits = in->rank == call->in[0]->rank;
    for (int i = 0; fits && i < in->rank; i++)
        fits = i == axis || in->dims[i] == dims[i];
    if (!fits)
        return nn_error_set(call->error, -EBADMSG, "input %zu is %s, which does not fit input 0",
                            index, nn_tensor_shape_string(in, shape, sizeof(shape)));
    if (__builtin_add_overflow(dims[axis], in->dims[axis], &dims[axis]))
        return nn_error_set(call->error, -E2BIG, "the output would be too large");
    return 0;
}

static int concat_infer(const NnCall *call)
{
    const ConcatParams *p = call->params;
    int64_t dims[NN_RANK_MAX];
    int axis = 0;
    int r = nn_check_inputs(call, NN_MAX(call->n_in, 1));
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r < 0)
        return r;
    const NnTensor *first = call->in[0];
    r = nn_resolve_axis(call, p->axis, first->rank, &axis);
    if (r < 0)
        return r;
    memcpy(dims, first->dims, sizeof(dims));
    for (size_t i = 1; i < call->n_in; i++) {
        r = add_input(call, i, axis, dims);
        if (r < 0)
            return r;
    }
    return nn_set_output(call, 0, first->dtype, first->rank, dims);
}

static int concat_run(const NnCall *call)
{
    const ConcatParams *p = call->params;
    const NnTensor *out = call->out[0];
    int axis = (int)(p->axis < 0 ? p->axis + out->rank : p->axis);
    int64_t outer = nn_product(out->dims, 0, axis), at = 0;
    int64_t row = nn_product(out->dims, axis, out->rank);
    size_t size = nn_dtype_size(out->dtype);
    for (size_t i = 0; i < call->n_in; i++) {
        const NnTensor *in = call->in[i];
        int64_t n = nn_product(in->dims, axis, in->rank);
        NnCopy copy = { .size = size, .source = in->data,
                        .target = (char *)out->data + (size_t)at * size };
        nn_copy_dim(&copy, outer, n, row);
        nn_copy_dim(&copy, n, 1, 1);
        nn_copy_run(&copy, call->pool);
        at += n;
    }
    return 0;
}

const NnOp nn_op_concat = {
    .type = "Concat",
    .domain = "",
    .since = 4,
    .min_inputs = 1,
    .max_inputs = NN_LIMIT_NODE_INPUTS,
    .max_outputs = 1,
    .params_bytes = sizeof(ConcatParams),
    .prepare = concat_prepare,
    .infer = concat_infer,
    .run = concat_run,
};
