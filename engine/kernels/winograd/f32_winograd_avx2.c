/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx2.h"

#include "kernels/winograd/f32_winograd_x86.h"

void nn_f32_winograd_input__avx2(const NnWinogradStrip *strip)
{
    input_all(strip);
}

/* Twelve accumulators of sixteen registers: two FMA a cycle with a latency of four. */
void nn_f32_winograd_multiply__avx2(const float *v, const float *u, int64_t channels, int rows,
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
    }
#undef CASE
}

void nn_f32_winograd_output__avx2(const NnWinogradProduct *product)
{
    output_all(product);
}
