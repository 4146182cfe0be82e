/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx2.h"

#include "kernels/pool/f32_pool_simd.h"

void nn_f32_pool__avx2(const NnPoolRows *pool, float *y, int64_t count)
{
    pool_all(pool, y, count);
}
