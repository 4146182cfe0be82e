/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_neon.h"

#include "kernels/conv/f32_conv_simd.h"

#define MR 8

/* FMLA by lane takes its multiplier straight from the vector of a pixel; a lane
 * must be a constant expression, hence a macro. */
#define FMA_LANE(lane)                                                                  \
    do {                                                                                \
        Vec w0 = vec_load(w + (lane) * n * VEC_LANES);                                  \
        Vec w1 = n > 1 ? vec_load(w + ((lane) * n + 1) * VEC_LANES) : w0;               \
        _Pragma("GCC unroll 8") for (int i = 0; i < m; i++)                             \
        {                                                                               \
            sums[i][0] = vfmaq_laneq_f32(sums[i][0], w0, x[i], lane);                   \
            if (n > 1)                                                                  \
                sums[i][1] = vfmaq_laneq_f32(sums[i][1], w1, x[i], lane);               \
        }                                                                               \
    } while (0)

/* Four channels of eight pixels in eight vectors, and two of weights for each
 * channel: 64 FMLA for 16 loads, with all in 32 registers. */
VEC_INLINE void add_tap(const NnConvTap *tap, const float *w, int64_t channels, int m, int n,
                        ConvRow *sums)
{
    const float *p[MR];
    int64_t c = channels;

#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
        p[i] = tap->x + i * tap->stride;
    for (; c >= VEC_LANES; c -= VEC_LANES, w += n * VEC_LANES * VEC_LANES) {
        Vec x[MR];

#pragma GCC unroll 8
        for (int i = 0; i < m; i++) {
            x[i] = vec_load(p[i]);
            p[i] += VEC_LANES;
        }
        FMA_LANE(0);
        FMA_LANE(1);
        FMA_LANE(2);
        FMA_LANE(3);
    }
    for (; c > 0; c--, w += n * VEC_LANES) {
        Vec x[MR];

#pragma GCC unroll 8
        for (int i = 0; i < m; i++)
            x[i] = vld1q_dup_f32(p[i]++);
        FMA_LANE(0);
    }
}

VEC_INLINE void run_tile(const NnConvTile *t, int m, int n)
{
    ConvRow sums[MR];

#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n; j++)
            sums[i][j] = vec_set(0.0f);
    for (int64_t i = 0; i < t->n_taps; i++)
        add_tap(&t->taps[i], t->weights + t->taps[i].k * n * VEC_LANES, t->channels, m, n, sums);
    conv_finish(t, m, n, sums);
}

#define TILES(m)                                                                        \
    static void run_##m##x4(const NnConvTile *t)                                        \
    {                                                                                   \
        run_tile(t, m, 1);                                                              \
    }                                                                                   \
    static void run_##m##x8(const NnConvTile *t)                                        \
    {                                                                                   \
        run_tile(t, m, 2);                                                              \
    }
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6) TILES(7) TILES(8)

void nn_f32_conv_8x8__neon(const NnConvTile *tile)
{
    static void (*const runs[MR][CONV_VECTORS])(const NnConvTile *) = {
        { run_1x4, run_1x8 }, { run_2x4, run_2x8 }, { run_3x4, run_3x8 }, { run_4x4, run_4x8 },
        { run_5x4, run_5x8 }, { run_6x4, run_6x8 }, { run_7x4, run_7x8 }, { run_8x4, run_8x8 },
    };

    runs[tile->pixels - 1][tile->columns > VEC_LANES](tile);
}
