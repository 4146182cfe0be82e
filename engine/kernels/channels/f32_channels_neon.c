/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_neon.h"

#include "kernels/channels/f32_channels_simd.h"

void nn_f32_channels__neon(const NnChannelTaps *taps, float *y, int64_t count)
{
    channels_all(taps, y, count);
}
