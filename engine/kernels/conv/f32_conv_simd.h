/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What follows the inner loop of a convolution tile, over the vectors of one
 * simd/f32_*.h: bias, residual and the cheap activations on the accumulators in
 * their registers; the dear ones over a buffer of a tile's size, for unrolled over
 * a whole tile they would not fit the instruction cache. */

#include "kernels/activation/f32_activation_simd.h"

#define CONV_VECTORS 2

typedef Vec ConvRow[CONV_VECTORS];

VEC_INLINE Vec conv_load(const float *p, int columns, int j)
{
    int left = columns - j * VEC_LANES;

    return left >= VEC_LANES ? vec_load(p + j * VEC_LANES)
                             : vec_load_part(p + j * VEC_LANES, left);
}

VEC_INLINE void conv_store(float *p, Vec x, int columns, int j)
{
    int left = columns - j * VEC_LANES;

    if (left >= VEC_LANES)
        vec_store(p + j * VEC_LANES, x);
    else
        vec_store_part(p + j * VEC_LANES, x, left);
}

/* sums += rows of x */
VEC_INLINE void conv_add(const float *x, int64_t stride, int columns, int m, int n, ConvRow *sums)
{
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n; j++)
            sums[i][j] = vec_add(sums[i][j], conv_load(x + i * stride, columns, j));
}

VEC_INLINE void conv_clamp(float low, float high, int m, int n, ConvRow *sums)
{
    Vec l = vec_set(low), h = vec_set(high);

#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n; j++)
            sums[i][j] = vec_min(vec_max(sums[i][j], l), h);
}

VEC_INLINE void conv_leak(float alpha, int m, int n, ConvRow *sums)
{
    Vec a = vec_set(alpha);

#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n; j++)
            sums[i][j] = vec_if_negative(sums[i][j], vec_mul(sums[i][j], a), sums[i][j]);
}

VEC_INLINE void conv_store_rows(float *y, int64_t stride, int columns, int m, int n,
                                const ConvRow *sums)
{
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n; j++)
            conv_store(y + i * stride, sums[i][j], columns, j);
}

VEC_INLINE void conv_activate_rows(const NnConvTile *t, NnActivationKind kind, const float *from,
                                   int n)
{
    for (int i = 0; i < t->pixels; i++)
#pragma GCC unroll 2
        for (int j = 0; j < n; j++)
            conv_store(t->y + i * t->ldy,
                       vec_activate(t->activation, kind,
                                    vec_load(from + (i * n + j) * VEC_LANES)), t->columns, j);
}

/* Not inlined: one copy for all numbers of pixels. */
static __attribute__((noinline)) void conv_activate(const NnConvTile *t, const float *from, int n)
{
    switch (t->activation->kind) {
    case NN_ACTIVATION_SILU:
        conv_activate_rows(t, NN_ACTIVATION_SILU, from, n);
        break;
    case NN_ACTIVATION_SIGMOID:
        conv_activate_rows(t, NN_ACTIVATION_SIGMOID, from, n);
        break;
    case NN_ACTIVATION_HARD_SWISH:
        conv_activate_rows(t, NN_ACTIVATION_HARD_SWISH, from, n);
        break;
    default:
        break;
    }
}

/* m pixels, n vectors of columns. */
VEC_INLINE void conv_finish(const NnConvTile *t, int m, int n, ConvRow *sums)
{
    NnActivationKind kind = t->activation ? t->activation->kind : NN_ACTIVATION_NONE;

    if (t->accumulate)
        conv_add(t->y, t->ldy, t->columns, m, n, sums);
    if (t->bias)
        conv_add(t->bias, 0, t->columns, m, n, sums);
    if (t->residual)
        conv_add(t->residual, t->ldr, t->columns, m, n, sums);
    if (kind == NN_ACTIVATION_RELU)
        conv_clamp(0.0f, __builtin_inff(), m, n, sums);
    else if (kind == NN_ACTIVATION_CLIP)
        conv_clamp(t->activation->low, t->activation->high, m, n, sums);
    else if (kind == NN_ACTIVATION_LEAKY_RELU)
        conv_leak(t->activation->alpha, m, n, sums);
    else if (kind != NN_ACTIVATION_NONE) {
        _Alignas(64) float buffer[16 * CONV_VECTORS * VEC_LANES];

        conv_store_rows(buffer, n * VEC_LANES, n * VEC_LANES, m, n, sums);
        conv_activate(t, buffer, n);
        return;
    }
    if (t->columns == n * VEC_LANES)
        conv_store_rows(t->y, t->ldy, n * VEC_LANES, m, n, sums);
    else
        conv_store_rows(t->y, t->ldy, t->columns, m, n, sums);
}
