/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Channel by channel over the vectors of one simd/f32_*.h, included before. */

#include "kernels/activation/f32_activation_simd.h"

/* Vectors side by side, so that sums do not wait for each other. */
#define CHANNEL_VECTORS 4

VEC_INLINE void channels_block(const NnChannelTaps *t, NnActivationKind kind, float *y, int64_t at)
{
    Vec sums[CHANNEL_VECTORS];

#pragma GCC unroll 4
    for (int v = 0; v < CHANNEL_VECTORS; v++)
        sums[v] = t->bias ? vec_load(t->bias + at + v * VEC_LANES) : vec_set(0.0f);
    for (int64_t j = 0; j < t->n; j++)
#pragma GCC unroll 4
        for (int v = 0; v < CHANNEL_VECTORS; v++)
            sums[v] = vec_fma(sums[v], vec_load(t->x[j] + at + v * VEC_LANES),
                              vec_load(t->weights[j] + at + v * VEC_LANES));
#pragma GCC unroll 4
    for (int v = 0; v < CHANNEL_VECTORS; v++) {
        if (t->residual)
            sums[v] = vec_add(sums[v], vec_load(t->residual + at + v * VEC_LANES));
        vec_store(y + at + v * VEC_LANES, vec_activate(t->activation, kind, sums[v]));
    }
}

VEC_INLINE Vec channels_load(const float *p, int64_t n)
{
    return n >= VEC_LANES ? vec_load(p) : vec_load_part(p, n);
}

/* A vector, or what is left. */
VEC_INLINE void channels_rest(const NnChannelTaps *t, NnActivationKind kind, float *y, int64_t at,
                              int64_t n)
{
    Vec sum = t->bias ? channels_load(t->bias + at, n) : vec_set(0.0f);

    for (int64_t j = 0; j < t->n; j++)
        sum = vec_fma(sum, channels_load(t->x[j] + at, n), channels_load(t->weights[j] + at, n));
    if (t->residual)
        sum = vec_add(sum, channels_load(t->residual + at, n));
    sum = vec_activate(t->activation, kind, sum);
    if (n >= VEC_LANES)
        vec_store(y + at, sum);
    else
        vec_store_part(y + at, sum, n);
}

VEC_INLINE void channels_as(const NnChannelTaps *t, NnActivationKind kind, float *y, int64_t count)
{
    int64_t at = 0;

    for (; at + CHANNEL_VECTORS * VEC_LANES <= count; at += CHANNEL_VECTORS * VEC_LANES)
        channels_block(t, kind, y, at);
    for (; at < count; at += VEC_LANES)
        channels_rest(t, kind, y, at, count - at);
}

static inline void channels_all(const NnChannelTaps *t, float *y, int64_t count)
{
#define CASE(kind)                              \
    case kind:                                  \
        channels_as(t, kind, y, count);         \
        break
    switch (t->activation ? t->activation->kind : NN_ACTIVATION_NONE) {
        CASE(NN_ACTIVATION_NONE);
        CASE(NN_ACTIVATION_RELU);
        CASE(NN_ACTIVATION_LEAKY_RELU);
        CASE(NN_ACTIVATION_SILU);
        CASE(NN_ACTIVATION_SIGMOID);
        CASE(NN_ACTIVATION_HARD_SWISH);
        CASE(NN_ACTIVATION_CLIP);
    case _NN_ACTIVATION_MAX:
        break;
    }
#undef CASE
}
