/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Makes operators of one tensor, element by element. */

#include <assert.h>
#include <tgmath.h>

#include "ops/support.h"

/* Params of all of them. Passes read `alpha` as NnLeakyReluParams. */
typedef struct NnUnaryParams {
    float alpha, beta;
} NnUnaryParams;
static_assert(offsetof(NnUnaryParams, alpha) == offsetof(NnLeakyReluParams, alpha),
              "passes read the params of LeakyRelu as NnLeakyReluParams");

/* Runs `range` over the elements; `cost` is that of one, in additions. */
static inline int nn_unary_run(const NnCall *call, NnRangeFunc range, int64_t cost)
{
    nn_range_run(call->pool, nn_tensor_elements(call->out[0]), nn_grain(cost), range, (void *)call);
    return 0;
}

/* The loop of an operator: R is the type of the result, `...` an expression in
 * x, a and b (alpha and beta). */
#define NN_UNARY_RANGE(symbol, SWITCH, R, ...)                                                    \
    static void symbol##_range(void *argument, int64_t begin, int64_t end, unsigned worker)       \
    {                                                                                             \
        const NnCall *call = argument;                                                            \
        const NnUnaryParams *p = call->params;                                                    \
        (void)p, (void)worker;                                                                    \
        SWITCH(call->in[0]->dtype, {                                                              \
            const T *from = call->in[0]->data;                                                    \
            R *to = call->out[0]->data;                                                           \
            const float a __attribute__((unused)) = p->alpha;                                     \
            const float b __attribute__((unused)) = p->beta;                                      \
            NN_INDEPENDENT for (int64_t i = begin; i < end; i++)                                  \
            {                                                                                     \
                const T x = from[i];                                                              \
                to[i] = (R)(__VA_ARGS__);                                                         \
            }                                                                                     \
        })                                                                                        \
    }

#define NN_UNARY_PREPARE(symbol, alpha_name, alpha_default, beta_name, beta_default)              \
    static int symbol##_prepare(const NnNode *node, void *params, NnError *error)                 \
    {                                                                                             \
        NnUnaryParams *p = params;                                                                \
        int r = nn_node_float(node, alpha_name, alpha_default, &p->alpha, error);                 \
        return r < 0 ? r : nn_node_float(node, beta_name, beta_default, &p->beta, error);         \
    }

#define NN_UNARY_OP(symbol, name, first, prepare_func, infer_func, run_func, op_flags)            \
    const NnOp nn_op_##symbol = {                                                                 \
        .type = name,                                                                             \
        .domain = "",                                                                             \
        .since = first,                                                                           \
        .min_inputs = 1,                                                                          \
        .max_inputs = 1,                                                                          \
        .max_outputs = 1,                                                                         \
        .flags = (op_flags) | NN_OP_ELEMENTWISE,                                                  \
        .params_bytes = sizeof(NnUnaryParams),                                                    \
        .prepare = prepare_func,                                                                  \
        .infer = infer_func,                                                                      \
        .run = run_func,                                                                          \
    };
