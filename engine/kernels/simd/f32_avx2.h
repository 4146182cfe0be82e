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

VEC_INLINE Vec vec_reciprocal(Vec x)
{
    return _mm256_div_ps(_mm256_set1_ps(1.0f), x);
}

VEC_INLINE Vec vec_round(Vec x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* 2^n of an integral n in -126…128, where 128 is infinity. */
VEC_INLINE Vec vec_exp2(Vec n)
{
    __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));

    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
