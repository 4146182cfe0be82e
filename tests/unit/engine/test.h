/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Failures print both values and end the program. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEST_FAIL(...)                                   \
    do {                                                 \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);  \
        fprintf(stderr, __VA_ARGS__);                    \
        fputc('\n', stderr);                             \
        exit(1);                                         \
    } while (0)

#define TEST_INT(got, expected)                                                     \
    do {                                                                            \
        long long _got = (long long)(got), _expected = (long long)(expected);       \
        if (_got != _expected)                                                      \
            TEST_FAIL("%s is %lld, expected %lld", #got, _got, _expected);          \
    } while (0)

#define TEST_TRUE(what)                              \
    do {                                             \
        if (!(what))                                 \
            TEST_FAIL("%s does not hold", #what);    \
    } while (0)

#define TEST_STRING(got, expected)                                                  \
    do {                                                                            \
        if (strcmp((got), (expected)) != 0)                                         \
            TEST_FAIL("\"%s\", expected \"%s\"", (got), (expected));                \
    } while (0)

/* The sentence must contain the words. */
#define TEST_WORDS(sentence, words)                                           \
    do {                                                                      \
        if (!strstr((sentence), (words)))                                     \
            TEST_FAIL("\"%s\" does not contain \"%s\"", (sentence), (words)); \
    } while (0)
