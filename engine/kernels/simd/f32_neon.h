/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Vectors of floats with the NEON of ARMv8.0. */

#include <arm_neon.h>
#include <stdint.h>

#define VEC_LANES 4
#define VEC_INLINE static inline __attribute__((always_inline))

typedef float32x4_t Vec;

VEC_INLINE Vec vec_set(float x)
{
    return vdupq_n_f32(x);
}

VEC_INLINE Vec vec_load(const float *p)
{
    return vld1q_f32(p);
}

VEC_INLINE void vec_store(float *p, Vec x)
{
    vst1q_f32(p, x);
}

/* The first 0 < n < VEC_LANES; no other byte is touched. */
VEC_INLINE Vec vec_load_part(const float *p, int64_t n)
{
    Vec x = vld1q_lane_f32(p, vdupq_n_f32(0.0f), 0);

    if (n > 1)
        x = vld1q_lane_f32(p + 1, x, 1);
    if (n > 2)
        x = vld1q_lane_f32(p + 2, x, 2);
    return x;
}

VEC_INLINE void vec_store_part(float *p, Vec x, int64_t n)
{
    vst1q_lane_f32(p, x, 0);
    if (n > 1)
        vst1q_lane_f32(p + 1, x, 1);
    if (n > 2)
        vst1q_lane_f32(p + 2, x, 2);
}

VEC_INLINE Vec vec_add(Vec a, Vec b)
{
    return vaddq_f32(a, b);
}

VEC_INLINE Vec vec_sub(Vec a, Vec b)
{
    return vsubq_f32(a, b);
}

VEC_INLINE Vec vec_mul(Vec a, Vec b)
{
    return vmulq_f32(a, b);
}

/* c + a * b */
VEC_INLINE Vec vec_fma(Vec c, Vec a, Vec b)
{
    return vfmaq_f32(c, a, b);
}

/* Of min and max: when x is NaN so is the result. */
VEC_INLINE Vec vec_min(Vec x, Vec limit)
{
    return vminq_f32(x, limit);
}

VEC_INLINE Vec vec_max(Vec x, Vec limit)
{
    return vmaxq_f32(x, limit);
}

/* x < 0 ? a : b; -0 may take either. */
VEC_INLINE Vec vec_if_negative(Vec x, Vec a, Vec b)
{
    return vbslq_f32(vcltzq_f32(x), a, b);
}

/* x / d for 1 <= d < 2^127. FDIV takes 34 cycles on a Cortex-A72: from the estimate's 8
 * bits a step of third order comes to all 24. */
VEC_INLINE Vec vec_divide(Vec x, Vec d)
{
    Vec y = vrecpeq_f32(d), e = vfmsq_f32(vdupq_n_f32(1.0f), d, y);

    return vmulq_f32(x, vfmaq_f32(y, y, vfmaq_f32(e, e, e)));
}

/* p · 2^n where the low bits of `n` hold an integer, by p's exponent. */
VEC_INLINE Vec vec_scale_exp2(Vec p, Vec n)
{
    int32x4_t shifted = vshlq_n_s32(vreinterpretq_s32_f32(n), 23);

    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), shifted));
}
