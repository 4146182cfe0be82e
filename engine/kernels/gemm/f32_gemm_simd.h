/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What follows the inner loop of a GEMM tile, over the vectors of one
 * simd/f32_*.h. The accumulators are an array in the caller that the compiler
 * keeps in registers, so all of this is inlined and all loops are unrolled. */

#include "kernels/activation/f32_activation_simd.h"

VEC_INLINE Vec gemm_load(const float *p, int64_t n)
{
    return n >= VEC_LANES ? vec_load(p) : vec_load_part(p, n);
}

/* One vector of C: n > 0 lanes of it count. */
VEC_INLINE void gemm_finish_vector(const NnGemmTile *t, int row, int column, Vec x, int64_t n)
{
    float *c = t->c + row * t->ldc + column;

    if (t->accumulate)
        x = vec_add(gemm_load(c, n), x);
    if (t->bias)
        x = vec_add(x, vec_set(t->bias[row]));
    if (t->residual)
        x = vec_add(x, gemm_load(t->residual + row * t->ldr + column, n));
    if (n >= VEC_LANES)
        vec_store(c, x);
    else
        vec_store_part(c, x, n);
}

VEC_INLINE void gemm_finish_row(const NnGemmTile *t, int row, const Vec *acc, int n_vectors)
{
    if (row >= t->rows)
        return;
#pragma GCC unroll 4
    for (int j = 0; j < n_vectors; j++)
        if (j * VEC_LANES < t->columns)
            gemm_finish_vector(t, row, j * VEC_LANES, acc[j], t->columns - j * VEC_LANES);
}

/* The rows were just stored and are still in the first-level cache. */
VEC_INLINE void gemm_activate(const NnGemmTile *t)
{
    if (t->activation && t->activation->kind != NN_ACTIVATION_NONE)
        vec_activate_rows(t->activation, t->c, t->c, t->ldc, t->rows, t->columns);
}
