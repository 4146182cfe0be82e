/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx512.h"

#include "kernels/winograd/f32_winograd_x86.h"

void nn_f32_winograd_input__avx512(const NnWinogradStrip *strip)
{
    input_all(strip);
}

/* 28 accumulators of 32 registers: a broadcast for two FMA. */
void nn_f32_winograd_multiply__avx512(const float *v, const float *u, int64_t channels, int rows,
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
        CASE(13);
        CASE(14);
    }
#undef CASE
}

void nn_f32_winograd_output__avx512(const NnWinogradProduct *product)
{
    output_all(product);
}
