/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx2.h"

#include "kernels/gemm/f32_gemm_simd.h"

#define MR 6
#define NR 16

/* Twelve accumulators: two FMA a cycle with a latency of four or five each. */
VEC_INLINE void tile_of(const NnGemmTile *t, int n_vectors)
{
    const float *a = t->a, *b = t->b;
    Vec acc[MR][NR / VEC_LANES];

#pragma GCC unroll 6
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n_vectors; j++)
            acc[i][j] = vec_set(0.0f);

    for (int64_t k = 0; k < t->k; k++, a += MR, b += NR) {
        Vec vb[NR / VEC_LANES];
#pragma GCC unroll 2
        for (int j = 0; j < n_vectors; j++)
            vb[j] = vec_load(b + j * VEC_LANES);
#pragma GCC unroll 6
        for (int i = 0; i < MR; i++) {
            Vec va = vec_set(a[i]);
#pragma GCC unroll 2
            for (int j = 0; j < n_vectors; j++)
                acc[i][j] = vec_fma(acc[i][j], va, vb[j]);
        }
    }

#pragma GCC unroll 6
    for (int i = 0; i < MR; i++)
        gemm_finish_row(t, i, acc[i], n_vectors);
    gemm_activate(t);
}

void nn_f32_gemm_6x16__avx2(const NnGemmTile *tile)
{
    if (tile->columns > VEC_LANES)
        tile_of(tile, 2);
    else
        tile_of(tile, 1);
}
