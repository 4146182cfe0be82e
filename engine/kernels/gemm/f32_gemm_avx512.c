/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx512.h"

#include "kernels/gemm/f32_gemm_simd.h"

#define MR 8
#define NR 48

/* Eight rows divide the usual channel counts; three vectors of columns let one
 * broadcast serve three FMA, so that loads never limit. */
VEC_INLINE void multiply(const NnGemmTile *t, int n_vectors, float *sums)
{
    const float *a = t->a, *b = t->b;
    Vec acc[MR][NR / VEC_LANES];

#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
        for (int j = 0; j < n_vectors; j++)
            acc[i][j] = vec_set(0.0f);

    for (int64_t k = 0; k < t->k; k++, a += MR, b += NR) {
        Vec vb[NR / VEC_LANES];
#pragma GCC unroll 3
        for (int j = 0; j < n_vectors; j++)
            vb[j] = vec_load(b + j * VEC_LANES);
#pragma GCC unroll 8
        for (int i = 0; i < MR; i++) {
            Vec va = vec_set(a[i]);
#pragma GCC unroll 3
            for (int j = 0; j < n_vectors; j++)
                acc[i][j] = vec_fma(acc[i][j], va, vb[j]);
        }
    }

#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
        for (int j = 0; j < n_vectors; j++)
            vec_store(sums + i * NR + j * VEC_LANES, acc[i][j]);
}

void nn_f32_gemm_8x48__avx512(const NnGemmTile *tile)
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
