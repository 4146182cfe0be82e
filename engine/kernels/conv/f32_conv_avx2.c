/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx2.h"

#define CONV_MR 6

#include "kernels/conv/f32_conv_x86.h"

CONV_RUNS(1) CONV_RUNS(2) CONV_RUNS(3) CONV_RUNS(4) CONV_RUNS(5) CONV_RUNS(6)

void nn_f32_conv_6x16__avx2(const NnConvPanel *panel)
{
    static const ConvRun runs[CONV_MR][CONV_VECTORS] = {
        CONV_RUN_OF(1), CONV_RUN_OF(2), CONV_RUN_OF(3),
        CONV_RUN_OF(4), CONV_RUN_OF(5), CONV_RUN_OF(6),
    };

    conv_run(panel, runs);
}
