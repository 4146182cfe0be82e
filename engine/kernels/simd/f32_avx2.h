/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Vectors of floats with AVX2 and FMA; every simd/f32_*.h offers the same. */

#include <immintrin.h>
#include <stdint.h>

#define VEC_LANES 8
#define VEC_INLINE static inline __attribute__((always_inline))

typedef __m256 Vec;

VEC_INLINE Vec vec_set(float x)
{
    return _mm256_set1_ps(x);
}

VEC_INLINE Vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

VEC_INLINE void vec_store(float *p, Vec x)
{
    _mm256_storeu_ps(p, x);
}

VEC_INLINE __m256i vec_mask(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first 0 < n < VEC_LANES; no other byte is touched. */
VEC_INLINE Vec vec_load_part(const float *p, int64_t n)
{
    return _mm256_maskload_ps(p, vec_mask(n));
}

VEC_INLINE void vec_store_part(float *p, Vec x, int64_t n)
{
    _mm256_maskstore_ps(p, vec_mask(n), x);
}

VEC_INLINE Vec vec_add(Vec a, Vec b)
{
    return _mm256_add_ps(a, b);
}

VEC_INLINE Vec vec_sub(Vec a, Vec b)
{
    return _mm256_sub_ps(a, b);
}

VEC_INLINE Vec vec_mul(Vec a, Vec b)
{
    return _mm256_mul_ps(a, b);
}

/* c + a * b */
VEC_INLINE Vec vec_fma(Vec c, Vec a, Vec b)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* Of min and max: when x is NaN so is the result. MINPS returns its second
 * operand then. */
VEC_INLINE Vec vec_min(Vec x, Vec limit)
{
    return _mm256_min_ps(limit, x);
}

VEC_INLINE Vec vec_max(Vec x, Vec limit)
{
    return _mm256_max_ps(limit, x);
}

/* x < 0 ? a : b, by the sign bit: -0 takes a. */
VEC_INLINE Vec vec_if_negative(Vec x, Vec a, Vec b)
{
    return _mm256_blendv_ps(b, a, x);
}

/* x / d for 1 <= d < 2^127: the estimate's 12 bits, and a step that leaves the square of
 * its error. */
VEC_INLINE Vec vec_divide(Vec x, Vec d)
{
    Vec y = _mm256_rcp_ps(d), e = _mm256_fnmadd_ps(d, y, _mm256_set1_ps(1.0f));

    return _mm256_mul_ps(x, _mm256_fmadd_ps(y, e, y));
}

/* p · 2^n where the low bits of `n` hold an integer, by p's exponent. */
VEC_INLINE Vec vec_scale_exp2(Vec p, Vec n)
{
    __m256i shifted = _mm256_slli_epi32(_mm256_castps_si256(n), 23);

    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shifted));
}
