/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What follows the inner loop of a GEMM tile, over the vectors of one
 * simd/f32_*.h. The accumulators come in a small buffer, since rows of C often
 * lie a large power of two apart and would evict each other from the first-level
 * cache before an activation could read them again. */

#include "kernels/activation/f32_activation_simd.h"

VEC_INLINE Vec gemm_load(const float *p, int64_t n)
{
    return n >= VEC_LANES ? vec_load(p) : vec_load_part(p, n);
}

/* One vector of C: n > 0 lanes of it count. */
VEC_INLINE void gemm_finish_vector(const NnGemmTile *t, NnActivationKind kind, Vec x, Vec bias,
                                   float *c, const float *residual, int64_t n)
{
    if (t->accumulate)
        x = vec_add(gemm_load(c, n), x);
    x = vec_add(x, bias);
    if (residual)
        x = vec_add(x, gemm_load(residual, n));
    x = vec_activate(t->activation, kind, x);
    if (n >= VEC_LANES)
        vec_store(c, x);
    else
        vec_store_part(c, x, n);
}

VEC_INLINE void gemm_finish_as(const NnGemmTile *t, NnActivationKind kind, const float *acc, int nr)
{
    for (int i = 0; i < t->rows; i++, acc += nr) {
        Vec bias = vec_set(t->bias ? t->bias[i] : 0.0f);
        float *c = t->c + i * t->ldc;
        const float *residual = t->residual ? t->residual + i * t->ldr : NULL;

        for (int j = 0; j < t->columns; j += VEC_LANES)
            gemm_finish_vector(t, kind, vec_load(acc + j), bias, c + j,
                               residual ? residual + j : NULL, t->columns - j);
    }
}

/* `acc` holds rows of nr floats. One loop for each kind of activation, so that
 * none decides anything within. */
static inline void gemm_finish(const NnGemmTile *t, const float *acc, int nr)
{
#define CASE(kind)                                \
    case kind:                                    \
        gemm_finish_as(t, kind, acc, nr);         \
        break
    switch (t->activation ? t->activation->kind : NN_ACTIVATION_NONE) {
        CASE(NN_ACTIVATION_NONE);
        CASE(NN_ACTIVATION_RELU);
        CASE(NN_ACTIVATION_LEAKY_RELU);
        CASE(NN_ACTIVATION_SILU);
        CASE(NN_ACTIVATION_SIGMOID);
        CASE(NN_ACTIVATION_HARD_SWISH);
        CASE(NN_ACTIVATION_CLIP);
    case _NN_ACTIVATION_MAX:
        break;
    }
#undef CASE
}
