/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx2.h"

#include "kernels/activation/f32_activation_simd.h"

void nn_f32_activation__avx2(const NnActivation *activation, const float *x, float *y, int64_t n)
{
    vec_activate_all(activation, x, y, n);
}
