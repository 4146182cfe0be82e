/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The inner loop of a convolution tile with AVX2 or AVX-512: weights are loaded by
 * vectors, channels of pixels broadcast. */

#include "kernels/conv/f32_conv_simd.h"

#define ROWS_OF_BASE 5

/* Five pixels hang on one pointer, by 0, 1, 2, 3 and 4 strides, as far as x86 can
 * address them: pointers to 14 pixels would not fit its registers. */
VEC_INLINE const float *pixel(const char *const *base, int i, int64_t stride, int64_t stride_3)
{
    const char *p = base[i / ROWS_OF_BASE];

    switch (i % ROWS_OF_BASE) {
    case 1:
        return (const float *)(p + stride);
    case 2:
        return (const float *)(p + 2 * stride);
    case 3:
        return (const float *)(p + stride_3);
    case 4:
        return (const float *)(p + 4 * stride);
    default:
        return (const float *)p;
    }
}

VEC_INLINE void add_tap(const NnConvTap *tap, const float *w, int64_t channels, int m, int n,
                        ConvRow *sums)
{
    int64_t stride = tap->stride * (int64_t)sizeof(float), stride_3 = 3 * stride;
    const char *base[CONV_PIXELS_MAX / ROWS_OF_BASE + 1];

    /* Hides that the one is three times the other, which the compiler would use. */
    __asm__("" : "+r"(stride_3));
#pragma GCC unroll 3
    for (int i = 0; i * ROWS_OF_BASE < m; i++) {
        base[i] = (const char *)tap->x + i * ROWS_OF_BASE * stride;
        __asm__("" : "+r"(base[i]));
    }
    for (int64_t c = 0; c < channels; c++, w += n * VEC_LANES) {
        Vec vw[CONV_VECTORS];

#pragma GCC unroll 2
        for (int j = 0; j < n; j++)
            vw[j] = vec_load(w + j * VEC_LANES);
#pragma GCC unroll 16
        for (int i = 0; i < m; i++) {
            Vec x = vec_set(*pixel(base, i, stride, stride_3));

#pragma GCC unroll 2
            for (int j = 0; j < n; j++)
                sums[i][j] = vec_fma(sums[i][j], x, vw[j]);
        }
#pragma GCC unroll 3
        for (int i = 0; i * ROWS_OF_BASE < m; i++)
            base[i] += sizeof(float);
    }
}

VEC_INLINE void run_tile(const NnConvPanel *p, const NnConvTile *t, ConvEnd end, int columns,
                         int m, int n)
{
    ConvRow sums[CONV_PIXELS_MAX];

    conv_start(p, t, columns, m, n, sums);
    for (int64_t i = 0; i < t->n_taps; i++)
        add_tap(&t->taps[i], p->weights + t->taps[i].k * n * VEC_LANES, p->channels, m, n, sums);
    conv_finish(p, t, end, columns, m, n, sums);
}

#include "kernels/conv/f32_conv_run.h"
