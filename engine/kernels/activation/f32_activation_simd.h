/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The activations over the vectors of one simd/f32_*.h, included before. */

#include "kernels/kernels.h"

/* e^x as 2^n · e^r with |r| <= ln(2)/2, ln(2) split in two for an exact r, and a
 * polynomial fitted for the least relative error (1.1e-7). Infinite from 88.4 on,
 * 1.2e-38 at least. */
VEC_INLINE Vec vec_exp(Vec x)
{
    Vec n, r, p;

    x = vec_max(vec_min(x, vec_set(88.7f)), vec_set(-87.3f));
    n = vec_round(vec_mul(x, vec_set(1.44269504f)));
    r = vec_fma(x, n, vec_set(-0.693359375f));
    r = vec_fma(r, n, vec_set(0.000212194442f));
    p = vec_fma(vec_set(0.0418903306f), vec_set(0.00831250194f), r);
    p = vec_fma(vec_set(0.166671157f), p, r);
    p = vec_fma(vec_set(0.499992311f), p, r);
    p = vec_fma(vec_add(r, vec_set(1.0f)), vec_mul(r, r), p);
    return vec_mul(p, vec_exp2(n));
}

VEC_INLINE Vec vec_sigmoid(Vec x)
{
    Vec e = vec_exp(vec_sub(vec_set(0.0f), x));

    return vec_reciprocal(vec_add(vec_set(1.0f), e));
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
        return vec_mul(x, vec_sigmoid(x));
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
