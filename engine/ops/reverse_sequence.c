/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/support.h"

typedef struct ReverseParams {
    int64_t batch_axis, time_axis;
} ReverseParams;

static int reverse_prepare(const NnNode *node, void *params, NnError *error)
{
    ReverseParams *p = params;
    int r = nn_node_int(node, "batch_axis", 1, &p->batch_axis, error);
    if (r >= 0)
        r = nn_node_int(node, "time_axis", 0, &p->time_axis, error);
    if (r < 0)
        return r;
    if ((p->batch_axis != 0 && p->batch_axis != 1) || p->time_axis != 1 - p->batch_axis)
        return nn_error_set(error, -EBADMSG, "batch_axis %lld and time_axis %lld, expected 0 and 1",
                            (long long)p->batch_axis, (long long)p->time_axis);
    return 0;
}

static int reverse_infer(const NnCall *call)
{
    const ReverseParams *p = call->params;
    int r = nn_check_inputs(call, 2);
    if (r >= 0)
        r = nn_check_rank(call, 0, 2, NN_RANK_MAX);
    if (r >= 0)
        r = nn_check_dtype(call, 1, NN_BIT(NN_DTYPE_I64));
    if (r >= 0)
        r = nn_check_vector(call, 1, call->in[0]->dims[p->batch_axis]);
    return r < 0 ? r : nn_infer_same(call, NN_TYPES_ANY);
}

static int reverse_run(const NnCall *call)
{
    const ReverseParams *p = call->params;
    const NnTensor *in = call->in[0];
    const int64_t *lengths = call->in[1]->data;
    int64_t times = in->dims[p->time_axis], batches = in->dims[p->batch_axis];
    size_t bytes = (size_t)nn_product(in->dims, 2, in->rank) * nn_dtype_size(in->dtype);
    for (int64_t b = 0; b < batches; b++)
        if (lengths[b] < 0 || lengths[b] > times)
            return nn_error_set(call->error, -EDOM, "sequence %lld has a length of %lld of %lld",
                                (long long)b, (long long)lengths[b], (long long)times);
    for (int64_t i = 0; i < times * batches; i++) {
        int64_t b = p->batch_axis ? i % batches : i / times;
        int64_t t = p->batch_axis ? i / batches : i % times;
        int64_t from = t < lengths[b] ? lengths[b] - 1 - t : t;
        int64_t line = p->batch_axis ? from * batches + b : b * times + from;
        memcpy((char *)call->out[0]->data + (size_t)i * bytes,
               (const char *)in->data + (size_t)line * bytes, bytes);
    }
    return 0;
}

const NnOp nn_op_reverse_sequence = {
    .type = "ReverseSequence",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(ReverseParams),
    .prepare = reverse_prepare,
    .infer = reverse_infer,
    .run = reverse_run,
};
