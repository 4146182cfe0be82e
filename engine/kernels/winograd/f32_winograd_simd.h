/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The transforms of winograd/matrices.h over the vectors of one simd/f32_*.h: a vector
 * is as many channels of one pixel. */

#include "kernels/activation/f32_activation_simd.h"
#include "kernels/winograd/matrices.h"

/* Pictures whose rows are a multiple of this many bytes are copied column by column; 0:
 * the cache has ways enough. */
#ifndef WINOGRAD_SET_BYTES
#define WINOGRAD_SET_BYTES 0
#endif

/* Known here, so that all products of a tile lie at constant distances. */
#define WINOGRAD_CHUNK (VEC_LANES > 8 ? 64 : 32)

/* even ± f·odd */
VEC_INLINE void pair(Vec even, float f, Vec odd, Vec *plus, Vec *minus)
{
    *plus = vec_fma(even, odd, vec_set(f));
    *minus = vec_fma(even, odd, vec_set(-f));
}

/* Groups of rows of Bᵀ: the first row, pairs of opposite points, the last row. */
VEC_INLINE void input_group_2(int group, const Vec *d, Vec *t)
{
    switch (group) {
    case 0:
        t[0] = vec_sub(d[0], d[2]);
        break;
    case 1:
        t[0] = vec_add(d[2], d[1]);
        t[1] = vec_sub(d[2], d[1]);
        break;
    default:
        t[0] = vec_sub(d[3], d[1]);
    }
}

VEC_INLINE void input_group_4(int group, const Vec *d, Vec *t)
{
    switch (group) {
    case 0:
        t[0] = vec_fma(vec_add(d[0], d[4]), d[2], vec_set(-2.5f));
        break;
    case 1:
        pair(vec_fma(d[4], d[2], vec_set(-0.5f)), WINOGRAD_SQRT2,
             vec_fma(d[3], d[1], vec_set(-0.5f)), &t[0], &t[1]);
        break;
    case 2:
        pair(vec_fma(d[4], d[2], vec_set(-2.0f)), 0.5f * WINOGRAD_SQRT2,
             vec_fma(d[3], d[1], vec_set(-2.0f)), &t[0], &t[1]);
        break;
    default:
        t[0] = vec_fma(vec_add(d[1], d[5]), d[3], vec_set(-2.5f));
    }
}

VEC_INLINE void input_group_6(int group, const Vec *d, Vec *t)
{
    switch (group) {
    case 0:
        t[0] = vec_fma(vec_sub(d[0], d[6]), vec_sub(d[4], d[2]), vec_set(5.25f));
        break;
    case 1:
        pair(vec_fma(vec_add(d[6], d[2]), d[4], vec_set(-4.25f)), 1.0f,
             vec_fma(vec_add(d[5], d[1]), d[3], vec_set(-4.25f)), &t[0], &t[1]);
        break;
    case 2:
        pair(vec_fma(vec_fma(d[6], d[4], vec_set(-1.25f)), d[2], vec_set(0.25f)), 2.0f,
             vec_fma(vec_fma(d[5], d[3], vec_set(-1.25f)), d[1], vec_set(0.25f)), &t[0], &t[1]);
        break;
    case 3:
        pair(vec_fma(vec_fma(d[6], d[4], vec_set(-5.0f)), d[2], vec_set(4.0f)), 0.5f,
             vec_fma(vec_fma(d[5], d[3], vec_set(-5.0f)), d[1], vec_set(4.0f)), &t[0], &t[1]);
        break;
    default:
        t[0] = vec_fma(vec_sub(d[7], d[1]), vec_sub(d[3], d[5]), vec_set(5.25f));
    }
}

VEC_INLINE void input_group(int m, int group, const Vec *d, Vec *t)
{
    if (m == 2)
        input_group_2(group, d, t);
    else if (m == 4)
        input_group_4(group, d, t);
    else
        input_group_6(group, d, t);
}

/* Stops gcc from keeping a multiple of every stride for the next round, on the stack. */
#define FORGET(stride) __asm__("" : "+r"(stride))

/* Even pixels, then odd ones. */
VEC_INLINE void input_line_3(const Vec *d, Vec *t)
{
    t[0] = vec_sub(d[0], d[4]);
    t[1] = vec_add(d[4], d[2]);
    t[2] = vec_sub(d[4], d[2]);
    t[3] = vec_sub(d[6], d[2]);
    t[4] = d[1];
    t[5] = d[3];
    t[6] = d[5];
}

/* All rows of Bᵀ. */
VEC_INLINE void input_line(int m, const Vec *d, Vec *t)
{
    if (m == 3) {
        input_line_3(d, t);
        return;
    }
#pragma GCC unroll 8
    for (int g = 0; g < m / 2 + 2; g++)
        input_group(m, g, d, t + (g ? 2 * g - 1 : 0));
}

/* One pixel column of a strip along its height, from `from` on. `checked`: not all of its
 * rows lie in the picture, or not all floats of a vector are channels. */
VEC_INLINE void input_column(int m, bool checked, const NnWinogradStrip *s, const float *from,
                             int64_t row_stride, int64_t c, float *half)
{
    const int alpha = nn_winograd_alpha(m);
    int64_t n = NN_MIN(s->channels - c, VEC_LANES);
    Vec d[8], t[8];

    FORGET(row_stride);
#pragma GCC unroll 8
    for (int i = 0; i < alpha; i++) {
        if (!checked)
            d[i] = vec_load(from + i * row_stride);
        else if (i < s->top || i >= s->bottom)
            d[i] = vec_set(0.0f);
        else
            d[i] = n < VEC_LANES ? vec_load_part(from + i * row_stride, n)
                                 : vec_load(from + i * row_stride);
    }
    input_line(m, d, t);
#pragma GCC unroll 8
    for (int i = 0; i < alpha; i++)
        vec_store(half + i * NN_WINOGRAD_LINE, t[i]);
}

/* The patch of one tile along its width. */
VEC_INLINE void input_tile(int m, const float *half, float *v, int64_t position_stride)
{
    const int alpha = nn_winograd_alpha(m);

    FORGET(position_stride);
#pragma GCC unroll 8
    for (int i = 0; i < alpha; i++) {
        Vec d[8], t[8];

#pragma GCC unroll 8
        for (int j = 0; j < alpha; j++)
            d[j] = vec_load(half + (j * alpha + i) * NN_WINOGRAD_LINE);
        input_line(m, d, t);
#pragma GCC unroll 8
        for (int j = 0; j < alpha; j++, v += position_stride)
            vec_store(v, t[j]);
    }
}

/* One line of channels of a column whose rows share so few sets of the first-level cache
 * that it would be read anew for each vector: a copy of it. */
VEC_INLINE void gather_column(int alpha, const float *from, int64_t row_stride, int64_t n,
                              float *to)
{
#pragma GCC unroll 8
    for (int i = 0; i < alpha; i++)
        for (int64_t j = 0; j < n; j += VEC_LANES)
            vec_store(to + i * NN_WINOGRAD_LINE + j, vec_load(from + i * row_stride + j));
}

static inline bool rows_collide(const NnWinogradStrip *s)
{
    return WINOGRAD_SET_BYTES > 0 &&
           s->row_stride * (int64_t)sizeof(float) % NN_MAX(WINOGRAD_SET_BYTES, 1) == 0;
}

/* Columns first to last of a strip, of one line of channels. */
VEC_INLINE void input_columns(int m, const NnWinogradStrip *s, int64_t c, int64_t first,
                              int64_t last, float *half)
{
    const int alpha = nn_winograd_alpha(m);
    int64_t n = NN_MIN(s->channels - c, NN_WINOGRAD_LINE), row_stride = s->row_stride;
    bool rows = s->top <= 0 && s->bottom >= alpha;
    bool gathered = rows && n % VEC_LANES == 0 && rows_collide(s);

    for (int64_t x = first; x <= last; x++) {
        const float *from = s->x + x * s->pitch + c;
        float *to = half + x * alpha * NN_WINOGRAD_LINE;
        _Alignas(64) float copy[8 * NN_WINOGRAD_LINE];

        if (x < s->left || x >= s->right) {
            memset(to, 0, (size_t)(alpha * NN_WINOGRAD_LINE) * sizeof(float));
            continue;
        }
        if (gathered) {
            gather_column(alpha, from, row_stride, n, copy);
            from = copy;
            row_stride = NN_WINOGRAD_LINE;
        }
        for (int64_t i = 0; i < n; i += VEC_LANES)
            if (rows && i + VEC_LANES <= n)
                input_column(m, false, s, from + i, row_stride, c + i, to + i);
            else
                input_column(m, true, s, from + i, row_stride, c + i, to + i);
        row_stride = s->row_stride;
    }
}

/* Neighbours share columns: two, or one with stride 2. */
VEC_INLINE void input_as(int m, const NnWinogradStrip *strip)
{
    const int alpha = nn_winograd_alpha(m), step = nn_winograd_step(m), shared = alpha - step;
    const NnWinogradStrip s = *strip;

    for (int64_t c = 0; c < s.channels; c += NN_WINOGRAD_LINE) {
        int64_t n = NN_MIN(s.channels - c, NN_WINOGRAD_LINE);

        input_columns(m, &s, c, 0, shared - 1, s.half);
        for (int64_t tile = 0; tile < s.tiles; tile++) {
            const float *half = s.half + tile * step * alpha * NN_WINOGRAD_LINE;
            float *v = s.v + c * s.rows + tile * NN_WINOGRAD_LINE;

            input_columns(m, &s, c, tile * step + shared, tile * step + alpha - 1, s.half);
            for (int64_t i = 0; i < n; i += VEC_LANES)
                input_tile(m, half + i, v + i, s.position_stride);
        }
    }
}

static inline void input_all(const NnWinogradStrip *strip)
{
    switch (strip->m) {
    case 2:
        input_as(2, strip);
        break;
    case 3:
        input_as(3, strip);
        break;
    case 4:
        input_as(4, strip);
        break;
    default:
        input_as(6, strip);
    }
}

/* Rows 0, 2, 4 (`odd` 0) or 1, 3, 5 of Aᵀ: the even powers of opposite points are
 * equal, the odd ones opposite. */
VEC_INLINE void output_half_2(int odd, const Vec *s, Vec *y)
{
    if (odd)
        y[0] = vec_add(vec_sub(s[1], s[2]), s[3]);
    else
        y[0] = vec_add(vec_add(s[1], s[2]), s[0]);
}

VEC_INLINE void output_half_3(int odd, const Vec *s, Vec *y)
{
    if (odd) {
        y[0] = vec_add(vec_sub(s[1], s[2]), s[5]);
    } else {
        Vec a = vec_add(s[1], s[2]);

        y[0] = vec_add(vec_add(s[0], a), s[4]);
        y[1] = vec_add(vec_add(s[3], a), s[6]);
    }
}

VEC_INLINE void output_half_4(int odd, const Vec *s, Vec *y)
{
    const float root = WINOGRAD_SQRT2, half_root = 0.5f * WINOGRAD_SQRT2;

    if (odd) {
        Vec a = vec_sub(s[1], s[2]), b = vec_sub(s[3], s[4]);

        y[0] = vec_add(a, b);
        y[1] = vec_fma(vec_fma(s[5], a, vec_set(2.0f)), b, vec_set(0.5f));
    } else {
        Vec a = vec_add(s[1], s[2]), b = vec_add(s[3], s[4]);

        y[0] = vec_fma(vec_fma(s[0], a, vec_set(half_root)), b, vec_set(root));
        y[1] = vec_fma(vec_mul(a, vec_set(root)), b, vec_set(half_root));
    }
}

VEC_INLINE void output_half_6(int odd, const Vec *s, Vec *y)
{
    if (odd) {
        Vec a = vec_sub(s[1], s[2]), b = vec_sub(s[3], s[4]), c = vec_sub(s[5], s[6]);

        y[0] = vec_fma(vec_fma(a, b, vec_set(2.0f)), c, vec_set(0.5f));
        y[1] = vec_fma(vec_fma(a, b, vec_set(8.0f)), c, vec_set(0.125f));
        y[2] = vec_fma(vec_fma(vec_add(s[7], a), b, vec_set(32.0f)), c, vec_set(1.0f / 32));
    } else {
        Vec a = vec_add(s[1], s[2]), b = vec_add(s[3], s[4]), c = vec_add(s[5], s[6]);

        y[0] = vec_add(vec_add(s[0], a), vec_add(b, c));
        y[1] = vec_fma(vec_fma(a, b, vec_set(4.0f)), c, vec_set(0.25f));
        y[2] = vec_fma(vec_fma(a, b, vec_set(16.0f)), c, vec_set(1.0f / 16));
    }
}

VEC_INLINE void output_half(int m, int odd, const Vec *s, Vec *y)
{
    if (m == 2)
        output_half_2(odd, s, y);
    else if (m == 3)
        output_half_3(odd, s, y);
    else if (m == 4)
        output_half_4(odd, s, y);
    else
        output_half_6(odd, s, y);
}

/* Rows of both parities, or of one: those of F(6,3) do not fit into 32 registers. */
VEC_INLINE void output_rows(int m, int first, int last, NnActivationKind kind, bool residual,
                            const NnWinogradProduct *p, int64_t c, Vec bias)
{
    const int alpha = nn_winograd_alpha(m), rows = first == last ? m / 2 : m;
    const float *products = p->products + c, *r = residual ? p->residual + c : NULL;
    int64_t y_row = p->y_row, y_pitch = p->y_pitch, r_row = p->residual_row;
    int64_t r_pitch = p->residual_pitch;
    float *y = p->y + c;
    Vec line[6][8];

    FORGET(y_row);
    FORGET(y_pitch);
#pragma GCC unroll 8
    for (int j = 0; j < alpha; j++) {
        Vec s[8], t[2][3];

#pragma GCC unroll 8
        for (int i = 0; i < alpha; i++)
            s[i] = vec_load(products + (i * alpha + j) * WINOGRAD_CHUNK);
#pragma GCC unroll 2
        for (int odd = first; odd <= last; odd++)
            output_half(m, odd, s, t[odd]);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++)
            line[i][j] = first == last ? t[first][i] : t[i % 2][i / 2];
    }

    y += first * y_row;
    r += residual ? first * r_row : 0;
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        const float *from = r;
        float *to = y;
        Vec t[2][3];

        output_half(m, 0, line[i], t[0]);
        output_half(m, 1, line[i], t[1]);
#pragma GCC unroll 6
        for (int j = 0; j < m; j++, to += y_pitch) {
            Vec x = vec_add(t[j % 2][j / 2], bias);

            if (residual) {
                x = vec_add(x, vec_load(from));
                from += r_pitch;
            }
            vec_store(to, vec_activate(p->activation, kind, x));
        }
        y += first == last ? 2 * y_row : y_row;
        if (residual)
            r += first == last ? 2 * r_row : r_row;
    }
}

VEC_INLINE void output_as(int m, NnActivationKind kind, bool residual,
                          const NnWinogradProduct *product)
{
    const NnWinogradProduct p = *product;

    for (int64_t c = 0; c < p.channels; c += VEC_LANES) {
        Vec bias = p.bias ? vec_load(p.bias + c) : vec_set(0.0f);

        if (m < 6) {
            output_rows(m, 0, 1, kind, residual, &p, c, bias);
        } else {
            output_rows(m, 0, 0, kind, residual, &p, c, bias);
            output_rows(m, 1, 1, kind, residual, &p, c, bias);
        }
    }
}

VEC_INLINE void output_again_as(const NnWinogradProduct *p, NnActivationKind kind)
{
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->m; j++) {
            float *y = p->y + i * p->y_row + j * p->y_pitch;

            for (int64_t c = 0; c < p->channels; c += VEC_LANES)
                vec_store(y + c, vec_activate(p->activation, kind, vec_load(y + c)));
        }
}

/* The activation over what was written. */
static __attribute__((noinline)) void output_again(const NnWinogradProduct *product)
{
#define CASE(kind)                              \
    case kind:                                  \
        output_again_as(product, kind);         \
        break
    switch (product->activation->kind) {
    case NN_ACTIVATION_NONE:
        break;
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

static bool output_has_loop(NnActivationKind kind, bool residual)
{
    switch (kind) {
    case NN_ACTIVATION_NONE:
    case NN_ACTIVATION_RELU:
        return true;
    case NN_ACTIVATION_LEAKY_RELU:
    case NN_ACTIVATION_SILU:
        return !residual;
    default:
        return false;
    }
}

/* One loop for each kind of activation that networks have behind convolutions of 3×3, so
 * that none decides anything within. The others go over the outputs once more: unrolled
 * code for all of them would be large. */
VEC_INLINE void output_kind(int m, const NnWinogradProduct *product)
{
    NnActivationKind kind = product->activation ? product->activation->kind : NN_ACTIVATION_NONE;
    bool residual = product->residual, again = !output_has_loop(kind, residual);

    if (again)
        kind = NN_ACTIVATION_NONE;
    if (kind == NN_ACTIVATION_NONE && !residual)
        output_as(m, NN_ACTIVATION_NONE, false, product);
    else if (kind == NN_ACTIVATION_NONE)
        output_as(m, NN_ACTIVATION_NONE, true, product);
    else if (kind == NN_ACTIVATION_RELU && !residual)
        output_as(m, NN_ACTIVATION_RELU, false, product);
    else if (kind == NN_ACTIVATION_RELU)
        output_as(m, NN_ACTIVATION_RELU, true, product);
    else if (kind == NN_ACTIVATION_LEAKY_RELU)
        output_as(m, NN_ACTIVATION_LEAKY_RELU, false, product);
    else
        output_as(m, NN_ACTIVATION_SILU, false, product);
    if (again)
        output_again(product);
}

static inline void output_all(const NnWinogradProduct *product)
{
    switch (product->m) {
    case 2:
        output_kind(2, product);
        break;
    case 3:
        output_kind(3, product);
        break;
    case 4:
        output_kind(4, product);
        break;
    default:
        output_kind(6, product);
    }
}
