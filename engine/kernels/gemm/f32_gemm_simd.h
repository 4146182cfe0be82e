/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What follows the inner loop of a GEMM tile, over the vectors of one
 * simd/f32_*.h. The accumulators come in a small buffer, since rows of C often
 * lie a large power of two apart and would evict each other from the first-level
 * cache before an activation could read them again. */

#include "kernels/activation/f32_activation_simd.h"

/* sums += rows of x: what C held, or the residual. */
VEC_INLINE void gemm_add_rows(const NnGemmTile *t, const float *x, int64_t stride, float *sums,
                              int nr)
{
    int whole = t->columns / VEC_LANES * VEC_LANES;

    for (int i = 0; i < t->rows; i++, x += stride, sums += nr) {
        for (int j = 0; j < whole; j += VEC_LANES)
            vec_store(sums + j, vec_add(vec_load(sums + j), vec_load(x + j)));
        if (whole < t->columns)
            vec_store(sums + whole, vec_add(vec_load(sums + whole),
                                            vec_load_part(x + whole, t->columns - whole)));
    }
}

VEC_INLINE void gemm_store_rows(const NnGemmTile *t, NnActivationKind kind, const float *sums,
                                int columns, int nr)
{
    int whole = columns / VEC_LANES * VEC_LANES;
    float *c = t->c;

    for (int i = 0; i < t->rows; i++, c += t->ldc, sums += nr) {
        Vec bias = vec_set(t->bias ? t->bias[i] : 0.0f);

#pragma GCC unroll 3
        for (int j = 0; j < whole; j += VEC_LANES)
            vec_store(c + j, vec_activate(t->activation, kind, vec_add(vec_load(sums + j), bias)));
        if (whole < columns)
            vec_store_part(c + whole,
                           vec_activate(t->activation, kind,
                                        vec_add(vec_load(sums + whole), bias)),
                           columns - whole);
    }
}

/* `sums` holds rows of nr floats. One loop for each kind of activation, so that
 * none decides anything within; whole rows have a loop of known length. */
VEC_INLINE void gemm_finish(const NnGemmTile *t, float *sums, int nr)
{
    if (t->accumulate)
        gemm_add_rows(t, t->c, t->ldc, sums, nr);
    if (t->residual)
        gemm_add_rows(t, t->residual, t->ldr, sums, nr);

#define CASE(kind)                                             \
    case kind:                                                 \
        if (t->columns == nr)                                  \
            gemm_store_rows(t, kind, sums, nr, nr);            \
        else                                                   \
            gemm_store_rows(t, kind, sums, t->columns, nr);    \
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
