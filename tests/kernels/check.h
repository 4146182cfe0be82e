/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the kernel checks share: a seed that is printed and can be set (first
 * argument or CHECK_SEED), random floats, arrays between guard bytes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Check {
    uint64_t seed, state;
    const char *kernel;     /* under test, for messages */
    long long n_compared;
} Check;

void check_start(Check *check, const char *name, int argc, char **argv);

/* Prints how much was compared; fails when that is nothing. */
int check_end(const Check *check);

uint32_t check_random(Check *check);
int64_t check_between(Check *check, int64_t low, int64_t high);

/* Between -1 and 1. */
float check_float(Check *check);
void check_fill(Check *check, float *x, int64_t n);

/* n floats, `misalign` floats (0…15) past a 64-byte boundary, between guards. */
typedef struct Guarded {
    float *data;
    int64_t n;
    unsigned char *memory;
    size_t bytes;
} Guarded;

Guarded check_alloc(int64_t n, int misalign);

/* Ends the program when a guard was written; frees. */
void check_free(const Check *check, Guarded *guarded, const char *what);

/* Ends the program with all there is to know. */
__attribute__((format(printf, 2, 3), noreturn))
void check_fail(const Check *check, const char *format, ...);
