/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Over the vectors of one simd/f32_*.h: as many chains as 16 registers hold beside
 * the operands, more than any core needs to hide the latency of its units. */

#define FMA_CHAINS 12

VEC_INLINE void vec_fma_chains(int64_t n, float x, float y, float *sums)
{
    Vec a = vec_set(x), b = vec_set(y), chains[FMA_CHAINS];

#pragma GCC unroll 12
    for (int j = 0; j < FMA_CHAINS; j++)
        chains[j] = vec_load(sums + j * VEC_LANES);
    for (int64_t i = 0; i < n; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < FMA_CHAINS; j++)
            chains[j] = vec_fma(chains[j], a, b);
    }
#pragma GCC unroll 12
    for (int j = 0; j < FMA_CHAINS; j++)
        vec_store(sums + j * VEC_LANES, chains[j]);
}
