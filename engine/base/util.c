/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

/* Length of the UTF-8 character there, 0 when it is none or controls a terminal:
 * names come from files. */
static size_t printable(const char *s)
{
    const uint8_t *b = (const uint8_t *)s;
    size_t n = b[0] < 0x80 ? 1 : b[0] >= 0xc2 && b[0] < 0xe0 ? 2 : b[0] >= 0xe0 && b[0] < 0xf0 ? 3
               : b[0] >= 0xf0 && b[0] < 0xf5 ? 4 : 0;

    for (size_t i = 1; i < n; i++)
        if (b[i] < 0x80 || b[i] >= 0xc0)
            return 0;
    return b[0] < ' ' || b[0] == 0x7f || (b[0] == 0xc2 && b[1] < 0xa0) ? 0 : n;
}

/* A sentence stays one line of text, cut off between characters. */
static void make_printable(char *s)
{
    while (*s) {
        size_t n = printable(s);

        if (n == 0)
            *s = '?';
        s += NN_MAX(n, 1);
    }
}

int nn_error_set(NnError *error, int code, const char *format, ...)
{
    if (error) {
        va_list args;

        va_start(args, format);
        vsnprintf(error->message, sizeof(error->message), format, args);
        va_end(args);
        make_printable(error->message);
    }
    return code;
}

int nn_error_prefix(NnError *error, int code, const char *format, ...)
{
    NnError whole;
    va_list args;
    size_t n;

    if (!error)
        return code;
    va_start(args, format);
    vsnprintf(whole.message, sizeof(whole.message), format, args);
    va_end(args);
    n = strlen(whole.message);
    strncat(whole.message, ": ", sizeof(whole.message) - n - 1);
    n = strlen(whole.message);
    strncat(whole.message, error->message, sizeof(whole.message) - n - 1);
    make_printable(whole.message);
    *error = whole;
    return code;
}

void *nn_aligned_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX - 64)
        return NULL;
    return aligned_alloc(64, nn_align_up(NN_MAX(bytes, 1), 64));
}

void *nn_huge_alloc(size_t bytes)
{
    size_t whole = bytes / HUGE_PAGE * HUGE_PAGE;
    void *p;

    if (whole == 0 || bytes > SIZE_MAX - HUGE_PAGE)
        return nn_aligned_alloc(bytes);
    p = aligned_alloc(HUGE_PAGE, nn_align_up(bytes, HUGE_PAGE));
    /* The last part stays in small pages: what is not used is not there. */
    if (p)
        (void)madvise(p, whole, MADV_HUGEPAGE);
    return p;
}

void nn_free_large(void *p, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = nn_align_up((uintptr_t)p, page), end = ((uintptr_t)p + bytes) / page * page;

    if (p && end > begin)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    free(p);
}
