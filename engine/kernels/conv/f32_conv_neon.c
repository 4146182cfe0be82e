/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/simd/f32_neon.h"

#include "kernels/conv/f32_conv_simd.h"

#define CONV_MR 8

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
    const float *p[CONV_MR];
    int64_t c = channels;

#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
        p[i] = tap->x + i * tap->stride;
    for (; c >= VEC_LANES; c -= VEC_LANES, w += n * VEC_LANES * VEC_LANES) {
        Vec x[CONV_MR];

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
        Vec x[CONV_MR];

#pragma GCC unroll 8
        for (int i = 0; i < m; i++)
            x[i] = vld1q_dup_f32(p[i]++);
        FMA_LANE(0);
    }
}

VEC_INLINE void run_tile(const NnConvPanel *p, const NnConvTile *t, ConvEnd end, int columns,
                         int m, int n)
{
    ConvRow sums[CONV_MR];

    conv_start(p, t, columns, m, n, sums);
    for (int64_t i = 0; i < t->n_taps; i++)
        add_tap(&t->taps[i], p->weights + t->taps[i].k * n * VEC_LANES, p->channels, m, n, sums);
    conv_finish(p, t, end, columns, m, n, sums);
}

#include "kernels/conv/f32_conv_run.h"

CONV_RUNS(1) CONV_RUNS(2) CONV_RUNS(3) CONV_RUNS(4)
CONV_RUNS(5) CONV_RUNS(6) CONV_RUNS(7) CONV_RUNS(8)

void nn_f32_conv_8x8__neon(const NnConvPanel *panel)
{
    static const ConvRun runs[CONV_MR][CONV_VECTORS] = {
        CONV_RUN_OF(1), CONV_RUN_OF(2), CONV_RUN_OF(3), CONV_RUN_OF(4),
        CONV_RUN_OF(5), CONV_RUN_OF(6), CONV_RUN_OF(7), CONV_RUN_OF(8),
    };

    conv_run(panel, runs);
}
