/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_neon.h"

#include "kernels/gemm/f32_gemm_simd.h"

#define MR 8
#define NR 12

/* FMLA by lane takes its multiplier straight from the A vector; a lane must be a
 * constant expression, hence a macro and no loop over rows. */
#define FMA_ROW(row, va, lane)                                             \
    do {                                                                   \
        acc[row][0] = vfmaq_laneq_f32(acc[row][0], vb[0], va, lane);       \
        if (n_vectors > 1)                                                 \
            acc[row][1] = vfmaq_laneq_f32(acc[row][1], vb[1], va, lane);   \
        if (n_vectors > 2)                                                 \
            acc[row][2] = vfmaq_laneq_f32(acc[row][2], vb[2], va, lane);   \
    } while (0)

/* 24 accumulators, three vectors of B and two of A: 24 FMLA for five loads. A
 * Cortex-A72 issues one FMLA .4s and one 128-bit load a cycle. */
VEC_INLINE void multiply(const NnGemmTile *t, int n_vectors, float *sums)
{
    const float *a = t->a, *b = t->b;
    Vec acc[MR][NR / VEC_LANES];

#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
        for (int j = 0; j < n_vectors; j++)
            acc[i][j] = vec_set(0.0f);

#pragma GCC unroll 4
    for (int64_t k = 0; k < t->k; k++, a += MR, b += NR) {
        Vec va0 = vec_load(a), va1 = vec_load(a + VEC_LANES);
        Vec vb[NR / VEC_LANES];
#pragma GCC unroll 3
        for (int j = 0; j < n_vectors; j++)
            vb[j] = vec_load(b + j * VEC_LANES);
        FMA_ROW(0, va0, 0);
        FMA_ROW(1, va0, 1);
        FMA_ROW(2, va0, 2);
        FMA_ROW(3, va0, 3);
        FMA_ROW(4, va1, 0);
        FMA_ROW(5, va1, 1);
        FMA_ROW(6, va1, 2);
        FMA_ROW(7, va1, 3);
    }

#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
        for (int j = 0; j < n_vectors; j++)
            vec_store(sums + i * NR + j * VEC_LANES, acc[i][j]);
}

void nn_f32_gemm_8x12__neon(const NnGemmTile *tile)
{
    _Alignas(64) float sums[MR * NR];

    if (tile->columns > 2 * VEC_LANES)
        multiply(tile, 3, sums);
    else if (tile->columns > VEC_LANES)
        multiply(tile, 2, sums);
    else
        multiply(tile, 1, sums);
    gemm_finish(tile, sums, NR);
}
