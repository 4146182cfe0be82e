/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The transforms of winograd/matrices.h over the vectors of one simd/f32_*.h: a vector
 * is as many channels of one pixel. Lines of a patch are combined in groups that share
 * their sums, and each group is carried through the second axis while it is in
 * registers: reading the patch again is cheaper than keeping 36 or 64 vectors. */

#include "kernels/activation/f32_activation_simd.h"
#include "kernels/winograd/matrices.h"

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

/* One vector of channels of a patch. */
VEC_INLINE void input_vector(int m, const NnWinogradPatch *p, int64_t c, float *v)
{
    const int alpha = m + 2, groups = m / 2 + 2;

#pragma GCC unroll 8
    for (int g = 0; g < groups; g++) {
        const int first = g ? 2 * g - 1 : 0, rows = g == 0 || g == groups - 1 ? 1 : 2;
        Vec line[2][8];

#pragma GCC unroll 8
        for (int j = 0; j < alpha; j++) {
            Vec d[8], t[2];

#pragma GCC unroll 8
            for (int i = 0; i < alpha; i++)
                d[i] = vec_load(p->x + i * p->row_stride + j * p->pitch + c);
            input_group(m, g, d, t);
#pragma GCC unroll 2
            for (int i = 0; i < rows; i++)
                line[i][j] = t[i];
        }
#pragma GCC unroll 2
        for (int i = 0; i < rows; i++) {
            float *to = v + (first + i) * alpha * p->position_stride;

#pragma GCC unroll 8
            for (int h = 0; h < groups; h++) {
                const int n = h == 0 || h == groups - 1 ? 1 : 2;
                Vec t[2];

                input_group(m, h, line[i], t);
#pragma GCC unroll 2
                for (int k = 0; k < n; k++, to += p->position_stride)
                    vec_store(to, t[k]);
            }
        }
    }
}

VEC_INLINE void input_as(int m, const NnWinogradPatch *patch)
{
    const NnWinogradPatch p = *patch;

    for (int64_t c = 0; c < p.channels; c += NN_WINOGRAD_LINE) {
        float *v = p.v + c * p.rows;

        for (int64_t i = 0; i < NN_WINOGRAD_LINE && c + i < p.channels; i += VEC_LANES)
            input_vector(m, &p, c + i, v + i);
    }
}

static inline void input_all(const NnWinogradPatch *patch)
{
    switch (patch->m) {
    case 2:
        input_as(2, patch);
        break;
    case 4:
        input_as(4, patch);
        break;
    default:
        input_as(6, patch);
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
    else if (m == 4)
        output_half_4(odd, s, y);
    else
        output_half_6(odd, s, y);
}

VEC_INLINE void output_vector(int m, NnActivationKind kind, bool residual,
                              const NnWinogradProduct *p, int64_t c, Vec bias)
{
    const int alpha = m + 2;

#pragma GCC unroll 2
    for (int odd = 0; odd < 2; odd++) {
        Vec line[3][8];

#pragma GCC unroll 8
        for (int j = 0; j < alpha; j++) {
            Vec s[8], y[3];

#pragma GCC unroll 8
            for (int i = 0; i < alpha; i++)
                s[i] = vec_load(p->products + (i * alpha + j) * p->position_stride + c);
            output_half(m, odd, s, y);
#pragma GCC unroll 3
            for (int i = 0; i < m / 2; i++)
                line[i][j] = y[i];
        }
#pragma GCC unroll 3
        for (int i = 0; i < m / 2; i++) {
            const float *r = residual ? p->residual + (2 * i + odd) * p->residual_row + c : NULL;
            float *to = p->y + (2 * i + odd) * p->y_row + c;

#pragma GCC unroll 2
            for (int k = 0; k < 2; k++) {
                Vec y[3];

                output_half(m, k, line[i], y);
#pragma GCC unroll 3
                for (int h = 0; h < m / 2; h++) {
                    Vec x = vec_add(y[h], bias);

                    if (residual)
                        x = vec_add(x, vec_load(r + (2 * h + k) * p->residual_pitch));
                    vec_store(to + (2 * h + k) * p->y_pitch, vec_activate(p->activation, kind, x));
                }
            }
        }
    }
}

VEC_INLINE void output_as(int m, NnActivationKind kind, const NnWinogradProduct *product)
{
    const NnWinogradProduct p = *product;

    for (int64_t c = 0; c < p.channels; c += VEC_LANES) {
        Vec bias = p.bias ? vec_load(p.bias + c) : vec_set(0.0f);

        if (p.residual)
            output_vector(m, kind, true, &p, c, bias);
        else
            output_vector(m, kind, false, &p, c, bias);
    }
}

/* One loop for each kind of activation, so that none decides anything within. */
VEC_INLINE void output_kind(int m, const NnWinogradProduct *product)
{
#define CASE(kind)                              \
    case kind:                                  \
        output_as(m, kind, product);            \
        break
    switch (product->activation ? product->activation->kind : NN_ACTIVATION_NONE) {
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

static inline void output_all(const NnWinogradProduct *product)
{
    switch (product->m) {
    case 2:
        output_kind(2, product);
        break;
    case 4:
        output_kind(4, product);
        break;
    default:
        output_kind(6, product);
    }
}
