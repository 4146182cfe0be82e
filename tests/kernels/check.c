/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GUARD_BYTES 256
#define GUARD 0xa5

void check_start(Check *check, const char *name, int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : getenv("CHECK_SEED");

    *check = (Check){ .seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) };
    check->state = check->seed;
    printf("%s: seed %llu\n", name, (unsigned long long)check->seed);
    fflush(stdout);
}

int check_end(const Check *check)
{
    printf("%lld values compared\n", check->n_compared);
    return check->n_compared > 0 ? 0 : 1;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint32_t check_random(Check *check)
{
    uint64_t z = check->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

int64_t check_between(Check *check, int64_t low, int64_t high)
{
    return low + (int64_t)(check_random(check) % (uint64_t)(high - low + 1));
}

float check_float(Check *check)
{
    return (float)check_random(check) * (2.0f / 4294967296.0f) - 1.0f;
}

void check_fill(Check *check, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = check_float(check);
}

Guarded check_alloc(int64_t n, int misalign)
{
    Guarded g = { .n = n };

    g.bytes = ((size_t)n + 16) * sizeof(float) + 2 * GUARD_BYTES;
    g.bytes = (g.bytes + 63) / 64 * 64;
    g.memory = aligned_alloc(64, g.bytes);
    if (!g.memory) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    memset(g.memory, GUARD, g.bytes);
    g.data = (float *)(g.memory + GUARD_BYTES) + misalign;
    return g;
}

void check_free(const Check *check, Guarded *g, const char *what)
{
    size_t begin = (size_t)((unsigned char *)g->data - g->memory);
    size_t end = begin + (size_t)g->n * sizeof(float);

    for (size_t i = 0; i < g->bytes; i++)
        if ((i < begin || i >= end) && g->memory[i] != GUARD)
            check_fail(check, "%s: byte %lld outside its %lld floats was written", what,
                       (long long)i - (long long)begin, (long long)g->n);
    free(g->memory);
    g->memory = NULL;
}

void check_fail(const Check *check, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "FAILED seed %llu, %s: ", (unsigned long long)check->seed,
            check->kernel ? check->kernel : "?");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(1);
}
