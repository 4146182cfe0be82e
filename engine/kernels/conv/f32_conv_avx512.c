/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_avx512.h"

#include "kernels/conv/f32_conv_x86.h"

TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6) TILES(7)
TILES(8) TILES(9) TILES(10) TILES(11) TILES(12) TILES(13) TILES(14)

void nn_f32_conv_14x32__avx512(const NnConvTile *tile)
{
    static void (*const runs[14][CONV_VECTORS])(const NnConvTile *) = {
        { run_1x1, run_1x2 },   { run_2x1, run_2x2 },   { run_3x1, run_3x2 },
        { run_4x1, run_4x2 },   { run_5x1, run_5x2 },   { run_6x1, run_6x2 },
        { run_7x1, run_7x2 },   { run_8x1, run_8x2 },   { run_9x1, run_9x2 },
        { run_10x1, run_10x2 }, { run_11x1, run_11x2 }, { run_12x1, run_12x2 },
        { run_13x1, run_13x2 }, { run_14x1, run_14x2 },
    };

    runs[tile->pixels - 1][tile->columns > VEC_LANES](tile);
}
