/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx512.h"

#include "kernels/fma/f32_fma_simd.h"
#include "kernels/kernels.h"

void nn_f32_fma__avx512(int64_t n, float x, float y, float *sums)
{
    vec_fma_chains(n, x, y, sums);
}
