/* SPDX-License-Identifier: Apache-2.0 */

/* BatchNormalization as inference does it: one multiplication and one addition
 * for each element. The passes fold it into a convolution where there is one. */

#include <math.h>

#include "ops/support.h"

static int prepare(const NnNode *node, void *params, NnError *error)
{
    NnBatchNormParams *p = params;
    int64_t training, spatial;
    int r = nn_node_float(node, "epsilon", 1e-5f, &p->epsilon, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "training_mode", 0, &training, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "spatial", 1, &spatial, error);
    if (r < 0)
        return r;
    if (training || !spatial)
        return nn_error_set(error, -ENOTSUP, "%s is not supported",
                            training ? "training_mode 1" : "spatial 0");
    return 0;
}

static int infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 5);
    if (r < 0)
        return r;
    r = nn_check_first_output(call);
    if (r < 0)
        return r;
    r = nn_check_rank(call, 0, 2, NN_RANK_MAX);
    for (size_t i = 1; r >= 0 && i < 5; i++) {
        r = nn_check_same_dtype(call, i);
        if (r >= 0)
            r = nn_check_vector(call, i, call->in[0]->dims[1]);
    }
    for (size_t i = 1; r >= 0 && i < call->n_out; i++)
        r = nn_check_unused_output(call, i);
    return r < 0 ? r : nn_infer_same(call, NN_TYPES_FLOAT);
}

static void planes(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnBatchNormParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t channels = in->dims[1], n = nn_product(in->dims, 2, in->rank);
    (void)worker;
    NN_SWITCH_FLOAT(in->dtype, {
        const T *scale = call->in[1]->data, *bias = call->in[2]->data;
        const T *mean = call->in[3]->data, *variance = call->in[4]->data;
        for (int64_t plane = begin; plane < end; plane++) {
            int64_t c = plane % channels;
            const T factor = (T)((double)scale[c] / sqrt((double)variance[c] + (double)p->epsilon));
            const T offset = (T)((double)bias[c] - (double)mean[c] * (double)factor);
            const T *from = (const T *)in->data + plane * n;
            T *to = (T *)call->out[0]->data + plane * n;
            NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
                to[i] = from[i] * factor + offset;
        }
    })
}

static int run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    nn_range_run(call->pool, in->dims[0] * in->dims[1],
                 nn_grain(nn_product(in->dims, 2, in->rank)), planes, (void *)call);
    return 0;
}

const NnOp nn_op_batch_normalization = {
    .type = "BatchNormalization",
    .domain = "",
    .since = 7,
    .min_inputs = 5,
    .max_inputs = 5,
    .max_outputs = 5,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(NnBatchNormParams),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
