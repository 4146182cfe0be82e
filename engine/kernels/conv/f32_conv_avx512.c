/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx512.h"

#define CONV_MR 14

#include "kernels/conv/f32_conv_x86.h"

CONV_RUNS(1) CONV_RUNS(2) CONV_RUNS(3) CONV_RUNS(4) CONV_RUNS(5) CONV_RUNS(6) CONV_RUNS(7)
CONV_RUNS(8) CONV_RUNS(9) CONV_RUNS(10) CONV_RUNS(11) CONV_RUNS(12) CONV_RUNS(13) CONV_RUNS(14)

void nn_f32_conv_14x32__avx512(const NnConvPanel *panel)
{
    static const ConvRun runs[CONV_MR][CONV_VECTORS] = {
        CONV_RUN_OF(1), CONV_RUN_OF(2),  CONV_RUN_OF(3),  CONV_RUN_OF(4),  CONV_RUN_OF(5),
        CONV_RUN_OF(6), CONV_RUN_OF(7),  CONV_RUN_OF(8),  CONV_RUN_OF(9),  CONV_RUN_OF(10),
        CONV_RUN_OF(11), CONV_RUN_OF(12), CONV_RUN_OF(13), CONV_RUN_OF(14),
    };

    conv_run(panel, runs);
}
