/* SPDX-License-Identifier: Apache-2.0 */

/* BatchNormalization. As inference does it: one multiplication and one addition
 * for each element; the passes fold it into a convolution where there is one. In
 * training mode, from opset 14 on, with the statistics of the input. */

#include <math.h>

#include "ops/support.h"

static int prepare(const NnNode *node, void *params, NnError *error)
{
    NnBatchNormParams *p = params;
    int64_t training, spatial;
    int r = nn_node_float(node, "epsilon", 1e-5f, &p->epsilon, error);
    if (r < 0)
        return r;
    r = nn_node_float(node, "momentum", 0.9f, &p->momentum, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "training_mode", 0, &training, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "spatial", 1, &spatial, error);
    if (r < 0)
        return r;
    p->training = training != 0 && node->opset >= 14;
    return spatial ? 0 : nn_error_set(error, -ENOTSUP, "spatial 0 is not supported");
}

/* Before opset 14 more than one output meant training, with two outputs more. */
static int set_statistics(const NnCall *call)
{
    const NnBatchNormParams *p = call->params;
    int r = 0;
    for (size_t i = 1; r >= 0 && i < call->n_out; i++)
        r = p->training && i < 3
                ? nn_set_output(call, i, call->in[0]->dtype, 1, &call->in[0]->dims[1])
                : nn_check_unused_output(call, i);
    return r;
}

static int infer(const NnCall *call)
{
    const NnBatchNormParams *p = call->params;
    int r = nn_check_inputs(call, 5);
    if (r < 0)
        return r;
    r = p->training ? 0 : nn_check_first_output(call);
    if (r < 0)
        return r;
    r = nn_check_rank(call, 0, 2, NN_RANK_MAX);
    for (size_t i = 1; r >= 0 && i < 5; i++) {
        r = nn_check_same_dtype(call, i);
        if (r >= 0)
            r = nn_check_vector(call, i, call->in[0]->dims[1]);
    }
    if (r >= 0)
        r = set_statistics(call);
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

/* A block for each element of a channel, with `x` the element and `i` its index. */
#define FOR_CHANNEL(in, c, n, ...)                                        \
    for (int64_t batch = 0; batch < (in)->dims[0]; batch++) {             \
        int64_t first = (batch * (in)->dims[1] + (c)) * (n);              \
        for (int64_t i = first; i < first + (n); i++) {                   \
            double x = (double)((const T *)(in)->data)[i];                \
            __VA_ARGS__;                                                  \
        }                                                                 \
    }

/* What stood before counts by momentum, what was seen by the rest. */
static void train_channels(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnBatchNormParams *p = call->params;
    const NnTensor *in = call->in[0];
    NnTensor *out = nn_output(call, 0), *means = nn_output(call, 1);
    NnTensor *variances = nn_output(call, 2);
    int64_t n = nn_product(in->dims, 2, in->rank);
    double old = (double)p->momentum, elements = (double)(in->dims[0] * n);
    (void)worker;
    NN_SWITCH_FLOAT(in->dtype, {
        for (int64_t c = begin; c < end; c++) {
            double sum = 0, squares = 0;
            FOR_CHANNEL(in, c, n, sum += x)
            double mean = sum / elements;
            FOR_CHANNEL(in, c, n, squares += (x - mean) * (x - mean))
            double variance = squares / elements;
            double factor = (double)((const T *)call->in[1]->data)[c] /
                            sqrt(variance + (double)p->epsilon);
            double offset = (double)((const T *)call->in[2]->data)[c] - mean * factor;
            if (out)
                FOR_CHANNEL(in, c, n, ((T *)out->data)[i] = (T)(x * factor + offset))
            if (means)
                ((T *)means->data)[c] = (T)((double)((const T *)call->in[3]->data)[c] * old +
                                            mean * (1 - old));
            if (variances)
                ((T *)variances->data)[c] = (T)((double)((const T *)call->in[4]->data)[c] * old +
                                                variance * (1 - old));
        }
    })
}

static int run(const NnCall *call)
{
    const NnBatchNormParams *p = call->params;
    const NnTensor *in = call->in[0];
    if (p->training) {
        int64_t elements = in->dims[0] * nn_product(in->dims, 2, in->rank);
        nn_range_run(call->pool, in->dims[1], nn_grain(4 * elements), train_channels,
                     (void *)call);
        return 0;
    }
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
