/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Cleanup attributes, checked arithmetic, errors: what every file leans on. */

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nn.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

#define NN_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define NN_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Half precision as it is stored; arithmetic is done in float. Clang 14 has
 * _Float16 on few targets, gcc has no __fp16 on x86. */
#ifdef __clang__
typedef __fp16 NnF16;
#else
typedef _Float16 NnF16;
#endif

/* Hands a pointer on and forgets it, so that cleanup does not free it. */
#define NN_TAKE(p)                   \
    ({                               \
        __typeof__(p) _taken = (p);  \
        (p) = NULL;                  \
        _taken;                      \
    })

/* Defines NAME##p, which frees what a cleanup variable points at. */
#define NN_DEFINE_CLEANUP(type, name)        \
    static inline void name##p(type **p)     \
    {                                        \
        if (*p)                              \
            name(*p);                        \
    }

static inline void nn_freep(void *p)
{
    free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(nn_freep)

/* Puts "prefix: " before the sentence that is already there; returns `code`. */
int nn_error_prefix(NnError *error, int code, const char *format, ...) NN_PRINTF(3, 4);

/* 0, or -E2BIG where the result does not fit. */
static inline int nn_mul_size(size_t a, size_t b, size_t *ret)
{
    return __builtin_mul_overflow(a, b, ret) ? -E2BIG : 0;
}

static inline int nn_add_size(size_t a, size_t b, size_t *ret)
{
    return __builtin_add_overflow(a, b, ret) ? -E2BIG : 0;
}

static inline size_t nn_align_up(size_t n, size_t alignment)
{
    return (n + alignment - 1) / alignment * alignment;
}

static inline int64_t nn_div_up(int64_t n, int64_t d)
{
    return (n + d - 1) / d;
}

/* 64-byte aligned, not initialised; free() frees it. NULL when there is none. */
void *nn_aligned_alloc(size_t bytes);

/* The same for what is large and read all over: in huge pages, where the kernel has
 * them. Pages cost memory and time when they are first touched. */
void *nn_huge_alloc(size_t bytes);

/* Frees `bytes` of malloc'd memory, whose pages go back to the system at once, even where
 * they lie between others of the heap. NULL is fine. */
void nn_free_large(void *p, size_t bytes);
