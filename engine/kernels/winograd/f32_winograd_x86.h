/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The products of a panel where a multiplier may come from memory: over the vectors of
 * simd/f32_avx2.h or simd/f32_avx512.h. `rows` and `vectors` are constants. */

#include "kernels/winograd/f32_winograd_simd.h"

VEC_INLINE void multiply(int rows, int vectors, const float *v, const float *u, int64_t channels,
                         float *products, int64_t stride)
{
    Vec acc[14][2];

#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            acc[i][j] = vec_set(0.0f);

    for (; channels > 0; channels -= NN_WINOGRAD_LINE, v += (rows - 1) * NN_WINOGRAD_LINE) {
        const float *end = v + NN_MIN(channels, NN_WINOGRAD_LINE);

#pragma GCC unroll 2
        for (; v < end; v++, u += vectors * VEC_LANES) {
            Vec b[2];

#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                b[j] = vec_load(u + j * VEC_LANES);
#pragma GCC unroll 14
            for (int i = 0; i < rows; i++) {
                Vec a = vec_set(v[i * NN_WINOGRAD_LINE]);

#pragma GCC unroll 2
                for (int j = 0; j < vectors; j++)
                    acc[i][j] = vec_fma(acc[i][j], a, b[j]);
            }
        }
    }

#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            vec_store(products + i * stride + j * VEC_LANES, acc[i][j]);
}
