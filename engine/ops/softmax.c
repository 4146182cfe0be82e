/* SPDX-License-Identifier: Apache-2.0 */

/* Softmax, LogSoftmax and Hardmax. Up to opset 12 all dimensions from the axis on are one. */

#include <tgmath.h>

#include "ops/support.h"

typedef struct SoftmaxParams {
    int64_t axis;
} SoftmaxParams;

static int softmax_prepare(const NnNode *node, void *params, NnError *error)
{
    SoftmaxParams *p = params;
    return nn_node_int(node, "axis", node->opset < 13 ? 1 : -1, &p->axis, error);
}

static int softmax_infer(const NnCall *call)
{
    const SoftmaxParams *p = call->params;
    int axis = 0, r = nn_infer_same(call, NN_TYPES_FLOAT);
    if (r < 0)
        return r;
    return nn_resolve_axis(call, p->axis, call->in[0]->rank, &axis);
}

typedef struct Softmax {
    const NnCall *call;
    bool logarithm;
    int64_t n, inner;
} Softmax;

static void softmax_lines(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Softmax *s = argument;
    (void)worker;
    NN_SWITCH_FLOAT(s->call->in[0]->dtype, {
        for (int64_t line = begin; line < end; line++) {
            int64_t offset = line / s->inner * s->n * s->inner + line % s->inner;
            const T *from = (const T *)s->call->in[0]->data + offset;
            T *to = (T *)s->call->out[0]->data + offset;
            T max = from[0];
            double sum = 0;
            for (int64_t i = 1; i < s->n; i++)
                max = from[i * s->inner] > max ? from[i * s->inner] : max;
            for (int64_t i = 0; i < s->n; i++) {
                T shifted = from[i * s->inner] - max;
                T power = exp(shifted);
                sum += (double)power;
                to[i * s->inner] = s->logarithm ? shifted : power;
            }
            const T total = (T)(s->logarithm ? log(sum) : 1 / sum);
            for (int64_t i = 0; i < s->n; i++)
                to[i * s->inner] = s->logarithm ? to[i * s->inner] - total
                                                : to[i * s->inner] * total;
        }
    })
}

/* 1 for the first of the largest, 0 for all others. */
static void hardmax_lines(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Softmax *s = argument;
    (void)worker;
    NN_SWITCH_FLOAT(s->call->in[0]->dtype, {
        for (int64_t line = begin; line < end; line++) {
            int64_t offset = line / s->inner * s->n * s->inner + line % s->inner, best = 0;
            const T *from = (const T *)s->call->in[0]->data + offset;
            T *to = (T *)s->call->out[0]->data + offset;
            for (int64_t i = 1; i < s->n; i++)
                best = from[i * s->inner] > from[best * s->inner] ? i : best;
            for (int64_t i = 0; i < s->n; i++)
                to[i * s->inner] = (T)(i == best);
        }
    })
}

static int run_lines(const NnCall *call, NnRangeFunc lines, int64_t cost, bool logarithm)
{
    const SoftmaxParams *p = call->params;
    const NnTensor *in = call->in[0];
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    int last = call->node->opset < 13 ? in->rank : axis + 1;
    Softmax s = { .call = call, .logarithm = logarithm, .n = nn_product(in->dims, axis, last),
                  .inner = nn_product(in->dims, last, in->rank) };
    if (s.n > 0)
        nn_range_run(call->pool, nn_product(in->dims, 0, axis) * s.inner, nn_grain(cost * s.n),
                     lines, &s);
    return 0;
}

static int softmax_run(const NnCall *call)
{
    return run_lines(call, softmax_lines, 16, false);
}

static int log_softmax_run(const NnCall *call)
{
    return run_lines(call, softmax_lines, 16, true);
}

static int hardmax_run(const NnCall *call)
{
    return run_lines(call, hardmax_lines, 2, false);
}

#define SOFTMAX_OP(symbol, name)                    \
    const NnOp nn_op_##symbol = {                   \
        .type = name,                               \
        .domain = "",                               \
        .since = 1,                                 \
        .min_inputs = 1,                            \
        .max_inputs = 1,                            \
        .max_outputs = 1,                           \
        .flags = NN_OP_IN_PLACE,                    \
        .params_bytes = sizeof(SoftmaxParams),      \
        .prepare = softmax_prepare,                 \
        .infer = softmax_infer,                     \
        .run = symbol##_run,                        \
    };

SOFTMAX_OP(softmax, "Softmax")
SOFTMAX_OP(log_softmax, "LogSoftmax")
SOFTMAX_OP(hardmax, "Hardmax")
