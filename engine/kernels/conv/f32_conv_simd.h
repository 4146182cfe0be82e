/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What surrounds the inner loop of a convolution tile, over the vectors of one
 * simd/f32_*.h: what sums start from, and residual and cheap activations on them in
 * their registers. The dear activations go over a buffer of a tile's size: unrolled over
 * a whole tile they would fit neither registers nor instruction cache. */

#include "kernels/activation/f32_activation_simd.h"

#define CONV_VECTORS 2
#define CONV_PIXELS_MAX 14

typedef Vec ConvRow[CONV_VECTORS];

/* Activations by what they cost. */
typedef enum ConvEnd {
    CONV_END_PLAIN,
    CONV_END_CLAMP,             /* low <= x <= high */
    CONV_END_LEAK,              /* the larger of x and a·x: alpha is between 0 and 1 */
    CONV_END_BUFFER,
} ConvEnd;

static inline ConvEnd conv_end(const NnActivation *activation)
{
    if (!activation)
        return CONV_END_PLAIN;
    switch (activation->kind) {
    case NN_ACTIVATION_NONE:
        return CONV_END_PLAIN;
    case NN_ACTIVATION_RELU:
    case NN_ACTIVATION_CLIP:
        return CONV_END_CLAMP;
    case NN_ACTIVATION_LEAKY_RELU:
        return activation->alpha > 0 && activation->alpha <= 1 ? CONV_END_LEAK : CONV_END_BUFFER;
    default:
        return CONV_END_BUFFER;
    }
}

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

/* Loops over m pixels and n vectors of columns, unrolled. */
#define CONV_EACH(...)                                  \
    do {                                                \
        _Pragma("GCC unroll 16")                        \
        for (int i = 0; i < m; i++)                     \
            _Pragma("GCC unroll 2")                     \
            for (int j = 0; j < n; j++)                 \
                __VA_ARGS__;                            \
    } while (0)

/* What the sums of a tile start from. */
VEC_INLINE void conv_start(const NnConvPanel *p, const NnConvTile *t, int columns, int m, int n,
                           ConvRow *sums)
{
    if (p->accumulate)
        CONV_EACH(sums[i][j] = conv_load(t->y + i * p->ldy, columns, j));
    else if (p->bias)
        CONV_EACH(sums[i][j] = conv_load(p->bias, columns, j));
    else
        CONV_EACH(sums[i][j] = vec_set(0.0f));
}

VEC_INLINE void conv_activate_rows(const NnConvPanel *p, const NnConvTile *t,
                                   NnActivationKind kind, const float *from, int n)
{
    const NnActivation activation = *p->activation;
    int columns = p->columns, pixels = t->pixels;
    int64_t ldy = p->ldy;
    float *y = t->y;

    /* Vectors side by side, so that none waits for another. */
    for (; pixels >= 2 && columns == n * VEC_LANES; pixels -= 2, y += 2 * ldy) {
        Vec x[2][CONV_VECTORS];
        const int m = 2;

        CONV_EACH(x[i][j] = vec_load(from + (i * n + j) * VEC_LANES));
        CONV_EACH(x[i][j] = vec_activate(&activation, kind, x[i][j]));
        CONV_EACH(vec_store(y + i * ldy + j * VEC_LANES, x[i][j]));
        from += m * n * VEC_LANES;
    }
    for (; pixels > 0; pixels--, y += ldy)
        for (int j = 0; j < n; j++, from += VEC_LANES)
            conv_store(y, vec_activate(&activation, kind, vec_load(from)), columns, j);
}

/* Not inlined: one copy for all numbers of pixels. */
static __attribute__((noinline)) void conv_activate(const NnConvPanel *p, const NnConvTile *t,
                                                    const float *from, int n)
{
#define CASE(kind)                                              \
    case kind:                                                  \
        if (n == CONV_VECTORS)                                  \
            conv_activate_rows(p, t, kind, from, CONV_VECTORS); \
        else                                                    \
            conv_activate_rows(p, t, kind, from, 1);            \
        break
    switch (p->activation->kind) {
        CASE(NN_ACTIVATION_LEAKY_RELU);
        CASE(NN_ACTIVATION_SILU);
        CASE(NN_ACTIVATION_SIGMOID);
        CASE(NN_ACTIVATION_HARD_SWISH);
    default:
        break;
    }
#undef CASE
}

VEC_INLINE void conv_finish(const NnConvPanel *p, const NnConvTile *t, ConvEnd end, int columns,
                            int m, int n, ConvRow *sums)
{
    if (t->residual)
        CONV_EACH(sums[i][j] =
                      vec_add(sums[i][j], conv_load(t->residual + i * p->ldr, columns, j)));
    if (end == CONV_END_CLAMP) {
        bool relu = p->activation->kind == NN_ACTIVATION_RELU;
        Vec low = vec_set(relu ? 0.0f : p->activation->low);
        Vec high = vec_set(relu ? __builtin_inff() : p->activation->high);

        CONV_EACH(sums[i][j] = vec_min(vec_max(sums[i][j], low), high));
    } else if (end == CONV_END_LEAK) {
        Vec alpha = vec_set(p->activation->alpha);

        CONV_EACH(sums[i][j] = vec_max(sums[i][j], vec_mul(sums[i][j], alpha)));
    } else if (end == CONV_END_BUFFER) {
        _Alignas(64) float buffer[CONV_PIXELS_MAX * CONV_VECTORS * VEC_LANES];

        CONV_EACH(vec_store(buffer + (i * n + j) * VEC_LANES, sums[i][j]));
        conv_activate(p, t, buffer, n);
        return;
    }
    CONV_EACH(conv_store(t->y + i * p->ldy, sums[i][j], columns, j));
}
