/* SPDX-License-Identifier: Apache-2.0 */
#include "fail_alloc.h"

#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    long at, count, live;
    bool on;
} state = { .at = -1 };

void fail_alloc_at(long k, bool on)
{
    state.at = k;
    state.on = on;
    state.count = 0;
}

long fail_alloc_count(void)
{
    return state.count;
}

long fail_alloc_live(void)
{
    return state.live;
}

static bool fails(void)
{
    long k = state.count++;

    if (state.at < 0 || k < state.at || (k > state.at && !state.on))
        return false;
    errno = ENOMEM;
    return true;
}

static void *made(void *p)
{
    state.live += p != NULL;
    return p;
}

/* The linker sends calls of NAME to __wrap_NAME and those of __real_NAME to libc. */
#define WRAP(type, name, ...)                \
    type __real_##name(__VA_ARGS__);         \
    type __wrap_##name(__VA_ARGS__);         \
    type __wrap_##name(__VA_ARGS__)

WRAP(void *, malloc, size_t n)
{
    return fails() ? NULL : made(__real_malloc(n));
}

WRAP(void *, calloc, size_t n, size_t size)
{
    return fails() ? NULL : made(__real_calloc(n, size));
}

WRAP(void *, realloc, void *p, size_t n)
{
    void *more = fails() ? NULL : __real_realloc(p, n);

    return p ? more : made(more);
}

WRAP(void *, reallocarray, void *p, size_t n, size_t size)
{
    void *more = fails() ? NULL : __real_reallocarray(p, n, size);

    return p ? more : made(more);
}

WRAP(void *, aligned_alloc, size_t alignment, size_t n)
{
    return fails() ? NULL : made(__real_aligned_alloc(alignment, n));
}

WRAP(char *, strdup, const char *s)
{
    return fails() ? NULL : made(__real_strdup(s));
}

WRAP(char *, strndup, const char *s, size_t n)
{
    return fails() ? NULL : made(__real_strndup(s, n));
}

int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **ret, const char *format, ...)
{
    va_list args;
    int n;

    if (fails())
        return -1;
    va_start(args, format);
    n = vasprintf(ret, format, args);
    va_end(args);
    state.live += n >= 0;
    return n;
}

/* Its nodes are freed by libc itself: it only fails. */
WRAP(void *, tsearch, const void *key, void **root, int (*compare)(const void *, const void *))
{
    return fails() ? NULL : __real_tsearch(key, root, compare);
}

WRAP(void, free, void *p)
{
    state.live -= p != NULL;
    __real_free(p);
}
