/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_neon.h"

/* A Cortex-A72 has 32 KiB in two ways: four lines of rows that lie so far apart. */
#define WINOGRAD_SET_BYTES (8 << 10)

#include "kernels/winograd/f32_winograd_simd.h"

/* Two channels of one tile. The multipliers are lanes, loaded with 64 bits: 16 loads for
 * 48 FMLA with twelve tiles, and a Cortex-A72 issues one of each a cycle. In assembly,
 * since gcc 12 would load the lanes one by one and spill accumulators for it. */
VEC_INLINE void multiply_row(int vectors, Vec *acc, const Vec *b, const float *v)
{
    float32x2_t a;

    if (vectors > 1)
        __asm__ volatile("ldr %d[a], %[v]\n\t"
                         "fmla %[acc0].4s, %[b0].4s, %[a].s[0]\n\t"
                         "fmla %[acc1].4s, %[b1].4s, %[a].s[0]\n\t"
                         "fmla %[acc0].4s, %[b2].4s, %[a].s[1]\n\t"
                         "fmla %[acc1].4s, %[b3].4s, %[a].s[1]"
                         : [acc0] "+w"(acc[0]), [acc1] "+w"(acc[1]), [a] "=&w"(a)
                         : [b0] "w"(b[0]), [b1] "w"(b[1]), [b2] "w"(b[2]), [b3] "w"(b[3]),
                           [v] "m"(*(const float (*)[2])v));
    else
        __asm__ volatile("ldr %d[a], %[v]\n\t"
                         "fmla %[acc0].4s, %[b0].4s, %[a].s[0]\n\t"
                         "fmla %[acc0].4s, %[b1].4s, %[a].s[1]"
                         : [acc0] "+w"(acc[0]), [a] "=&w"(a)
                         : [b0] "w"(b[0]), [b1] "w"(b[1]), [v] "m"(*(const float (*)[2])v));
}

/* 24 accumulators of 32 registers. */
VEC_INLINE void multiply(int rows, int vectors, const float *v, const float *u, int64_t channels,
                         float *products, int64_t stride)
{
    Vec acc[12][2];

#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            acc[i][j] = vec_set(0.0f);

    for (; channels > 0; channels -= NN_WINOGRAD_LINE, v += (rows - 1) * NN_WINOGRAD_LINE) {
        const float *end = v + NN_MIN(channels, NN_WINOGRAD_LINE);

        for (; v < end; v += 2, u += 2 * vectors * VEC_LANES) {
            Vec b[4];

#pragma GCC unroll 4
            for (int j = 0; j < 2 * vectors; j++)
                b[j] = vec_load(u + j * VEC_LANES);
#pragma GCC unroll 12
            for (int i = 0; i < rows; i++)
                multiply_row(vectors, acc[i], b, v + i * NN_WINOGRAD_LINE);
        }
    }

#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            vec_store(products + i * stride + j * VEC_LANES, acc[i][j]);
}
void nn_f32_winograd_input__neon(const NnWinogradStrip *strip)
{
    input_all(strip);
}

void nn_f32_winograd_multiply__neon(const float *v, const float *u, int64_t channels, int rows,
                                    int columns, float *products, int64_t stride)
{
#define CASE(n)                                                        \
    case n:                                                            \
        if (columns > VEC_LANES)                                       \
            multiply(n, 2, v, u, channels, products, stride);          \
        else                                                           \
            multiply(n, 1, v, u, channels, products, stride);          \
        break
    switch (rows) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
    }
#undef CASE
}

void nn_f32_winograd_output__neon(const NnWinogradProduct *product)
{
    output_all(product);
}
