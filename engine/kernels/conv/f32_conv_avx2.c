/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx2.h"

#include "kernels/conv/f32_conv_x86.h"

TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)

void nn_f32_conv_6x16__avx2(const NnConvTile *tile)
{
    static void (*const runs[6][CONV_VECTORS])(const NnConvTile *) = {
        { run_1x1, run_1x2 }, { run_2x1, run_2x2 }, { run_3x1, run_3x2 },
        { run_4x1, run_4x2 }, { run_5x1, run_5x2 }, { run_6x1, run_6x2 },
    };

    runs[tile->pixels - 1][tile->columns > VEC_LANES](tile);
}
