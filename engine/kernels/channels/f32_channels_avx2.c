/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx2.h"

#include "kernels/channels/f32_channels_simd.h"

void nn_f32_channels__avx2(const NnChannelTaps *taps, float *y, int64_t count)
{
    channels_all(taps, y, count);
}
