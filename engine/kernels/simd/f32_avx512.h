/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Vectors of floats with AVX-512 (F and DQ). */

#include <immintrin.h>
#include <stdint.h>

#define VEC_LANES 16
#define VEC_INLINE static inline __attribute__((always_inline))

typedef __m512 Vec;

VEC_INLINE Vec vec_set(float x)
{
    return _mm512_set1_ps(x);
}

VEC_INLINE Vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

VEC_INLINE void vec_store(float *p, Vec x)
{
    _mm512_storeu_ps(p, x);
}

VEC_INLINE __mmask16 vec_mask(int64_t n)
{
    return (__mmask16)((1u << n) - 1);
}

/* The first 0 < n < VEC_LANES; no other byte is touched. */
VEC_INLINE Vec vec_load_part(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(vec_mask(n), p);
}

VEC_INLINE void vec_store_part(float *p, Vec x, int64_t n)
{
    _mm512_mask_storeu_ps(p, vec_mask(n), x);
}

VEC_INLINE Vec vec_add(Vec a, Vec b)
{
    return _mm512_add_ps(a, b);
}

VEC_INLINE Vec vec_sub(Vec a, Vec b)
{
    return _mm512_sub_ps(a, b);
}

VEC_INLINE Vec vec_mul(Vec a, Vec b)
{
    return _mm512_mul_ps(a, b);
}

/* c + a * b */
VEC_INLINE Vec vec_fma(Vec c, Vec a, Vec b)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* Of min and max: when x is NaN so is the result. MINPS returns its second
 * operand then. */
VEC_INLINE Vec vec_min(Vec x, Vec limit)
{
    return _mm512_min_ps(limit, x);
}

VEC_INLINE Vec vec_max(Vec x, Vec limit)
{
    return _mm512_max_ps(limit, x);
}

/* x < 0 ? a : b, by the sign bit: -0 takes a. */
VEC_INLINE Vec vec_if_negative(Vec x, Vec a, Vec b)
{
    return _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(x)), b, a);
}

/* x / d for 1 <= d < 2^127: the estimate's 14 bits, and a step that leaves the square of
 * its error. */
VEC_INLINE Vec vec_divide(Vec x, Vec d)
{
    Vec y = _mm512_rcp14_ps(d), e = _mm512_fnmadd_ps(d, y, _mm512_set1_ps(1.0f));

    return _mm512_mul_ps(x, _mm512_fmadd_ps(y, e, y));
}

/* p · 2^n where the low bits of `n` hold an integer, by p's exponent. */
VEC_INLINE Vec vec_scale_exp2(Vec p, Vec n)
{
    __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(n), 23);

    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), shifted));
}
