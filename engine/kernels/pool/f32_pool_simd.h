/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Rows combined over the vectors of one simd/f32_*.h, included before. */

#include "kernels/kernels.h"

/* Vectors side by side, so that sums do not wait for each other. */
#define POOL_VECTORS 4

VEC_INLINE Vec pool_combine(bool average, Vec x, Vec next)
{
    return average ? vec_add(x, next) : vec_max(next, x);
}

VEC_INLINE void pool_block(const NnPoolRows *pool, bool average, float *y, int64_t at)
{
    Vec x[POOL_VECTORS], scale = vec_set(pool->scale);

#pragma GCC unroll 4
    for (int v = 0; v < POOL_VECTORS; v++)
        x[v] = vec_load(pool->rows[0] + at + v * VEC_LANES);
    for (int64_t j = 1; j < pool->n; j++)
#pragma GCC unroll 4
        for (int v = 0; v < POOL_VECTORS; v++)
            x[v] = pool_combine(average, x[v], vec_load(pool->rows[j] + at + v * VEC_LANES));
#pragma GCC unroll 4
    for (int v = 0; v < POOL_VECTORS; v++)
        vec_store(y + at + v * VEC_LANES, average ? vec_mul(x[v], scale) : x[v]);
}

VEC_INLINE void pool_vector(const NnPoolRows *pool, bool average, float *y, int64_t at)
{
    Vec x = vec_load(pool->rows[0] + at);

    for (int64_t j = 1; j < pool->n; j++)
        x = pool_combine(average, x, vec_load(pool->rows[j] + at));
    vec_store(y + at, average ? vec_mul(x, vec_set(pool->scale)) : x);
}

VEC_INLINE void pool_part(const NnPoolRows *pool, bool average, float *y, int64_t at, int64_t n)
{
    Vec x = vec_load_part(pool->rows[0] + at, n);

    for (int64_t j = 1; j < pool->n; j++)
        x = pool_combine(average, x, vec_load_part(pool->rows[j] + at, n));
    vec_store_part(y + at, average ? vec_mul(x, vec_set(pool->scale)) : x, n);
}

VEC_INLINE void pool_as(const NnPoolRows *pool, bool average, float *y, int64_t count)
{
    int64_t at = 0;

    for (; at + POOL_VECTORS * VEC_LANES <= count; at += POOL_VECTORS * VEC_LANES)
        pool_block(pool, average, y, at);
    for (; at + VEC_LANES <= count; at += VEC_LANES)
        pool_vector(pool, average, y, at);
    if (at < count)
        pool_part(pool, average, y, at, count - at);
}

VEC_INLINE void pool_all(const NnPoolRows *pool, float *y, int64_t count)
{
    if (pool->average)
        pool_as(pool, true, y, count);
    else
        pool_as(pool, false, y, count);
}
