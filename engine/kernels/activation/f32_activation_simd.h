/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The activations over the vectors of one simd/f32_*.h, included before. */

#include "kernels/kernels.h"

/* 1 + e^-x for x between -88 and 88. With n = -x/ln(2) rounded, which adding and
 * subtracting 1.5·2^23 does and leaves n in the low bits, e^-x is 2^n·e^-r, where
 * |r| <= ln(2)/2; a polynomial fitted for the least relative error (1.1e-7). */
VEC_INLINE Vec vec_one_and_exp(Vec x)
{
    Vec shift = vec_set(12582912.0f), one = vec_set(1.0f), n, r, p;

    n = vec_fma(shift, x, vec_set(-1.44269504f));
    r = vec_fma(x, vec_sub(n, shift), vec_set(0.693147182f));
    p = vec_fma(vec_set(0.0418903306f), vec_set(-0.00831250194f), r);
    p = vec_fma(vec_set(-0.166671157f), p, r);
    p = vec_fma(vec_set(0.499992311f), p, r);
    p = vec_fma(vec_set(-1.0f), p, r);
    p = vec_fma(one, p, r);
    return vec_add(one, vec_scale_exp2(p, n));
}

/* Where e^-x is no number the result is as good as that at the bound: below 2e-36. */
#define SIGMOID_MAX 87.3f

VEC_INLINE Vec vec_sigmoid(Vec x)
{
    Vec within = vec_min(vec_max(x, vec_set(-SIGMOID_MAX)), vec_set(SIGMOID_MAX));
    Vec one = vec_fma(vec_set(1.0f), within, vec_set(0.0f)); /* or NaN */

    return vec_divide(one, vec_one_and_exp(within));
}

VEC_INLINE Vec vec_silu(Vec x)
{
    Vec above = vec_max(x, vec_set(-SIGMOID_MAX));

    return vec_divide(above, vec_one_and_exp(vec_min(above, vec_set(SIGMOID_MAX))));
}

VEC_INLINE Vec vec_activate(const NnActivation *activation, NnActivationKind kind, Vec x)
{
    Vec zero = vec_set(0.0f);

    switch (kind) {
    case NN_ACTIVATION_RELU:
        return vec_max(x, zero);
    case NN_ACTIVATION_LEAKY_RELU:
        return vec_if_negative(x, vec_mul(x, vec_set(activation->alpha)), x);
    case NN_ACTIVATION_SILU:
        return vec_silu(x);
    case NN_ACTIVATION_SIGMOID:
        return vec_sigmoid(x);
    case NN_ACTIVATION_HARD_SWISH: {
        Vec gate = vec_fma(vec_set(0.5f), x, vec_set(1.0f / 6.0f));
        return vec_mul(x, vec_min(vec_max(gate, zero), vec_set(1.0f)));
    }
    case NN_ACTIVATION_CLIP:
        return vec_min(vec_max(x, vec_set(activation->low)), vec_set(activation->high));
    default:
        return x;
    }
}

VEC_INLINE void activate_as(const NnActivation *activation, NnActivationKind kind, const float *x,
                            float *y, int64_t n)
{
    int64_t whole = n / VEC_LANES * VEC_LANES;

    for (int64_t i = 0; i < whole; i += VEC_LANES)
        vec_store(y + i, vec_activate(activation, kind, vec_load(x + i)));
    if (whole < n)
        vec_store_part(y + whole,
                       vec_activate(activation, kind, vec_load_part(x + whole, n - whole)),
                       n - whole);
}

/* One loop for each kind, so that none decides anything within. */
static inline void vec_activate_all(const NnActivation *activation, const float *x, float *y,
                                    int64_t n)
{
#define CASE(kind)                                      \
    case kind:                                          \
        activate_as(activation, kind, x, y, n);         \
        break
    switch (activation->kind) {
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
