/* SPDX-License-Identifier: Apache-2.0 */

/* Shape and Size: the dims of a tensor as numbers. */

#include "ops/support.h"

typedef struct ShapeParams {
    int64_t start, end;
} ShapeParams;

static int shape_prepare(const NnNode *node, void *params, NnError *error)
{
    ShapeParams *p = params;
    int r = nn_node_int(node, "start", 0, &p->start, error);
    return r < 0 ? r : nn_node_int(node, "end", NN_RANK_MAX, &p->end, error);
}

static int64_t clamp_axis(int64_t axis, int rank)
{
    if (axis < 0)
        axis += rank;
    return NN_MIN(NN_MAX(axis, 0), rank);
}

static int shape_infer(const NnCall *call)
{
    const ShapeParams *p = call->params;
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    int rank = call->in[0]->rank;
    int64_t n = clamp_axis(p->end, rank) - clamp_axis(p->start, rank);
    return nn_set_output(call, 0, NN_DTYPE_I64, 1, &(int64_t){ NN_MAX(n, 0) });
}

static int shape_run(const NnCall *call)
{
    const ShapeParams *p = call->params;
    int64_t start = clamp_axis(p->start, call->in[0]->rank);
    memcpy(call->out[0]->data, call->in[0]->dims + start,
           (size_t)call->out[0]->dims[0] * sizeof(int64_t));
    return 0;
}

const NnOp nn_op_shape = {
    .type = "Shape",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_DIMS_ONLY,
    .params_bytes = sizeof(ShapeParams),
    .prepare = shape_prepare,
    .infer = shape_infer,
    .run = shape_run,
};

static int size_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 1);
    return r < 0 ? r : nn_set_output(call, 0, NN_DTYPE_I64, 0, NULL);
}

static int size_run(const NnCall *call)
{
    *(int64_t *)call->out[0]->data = nn_tensor_elements(call->in[0]);
    return 0;
}

const NnOp nn_op_size = {
    .type = "Size",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_DIMS_ONLY,
    .infer = size_infer,
    .run = size_run,
};
