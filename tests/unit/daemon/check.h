/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Checks that end the test and print both values. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_EQUAL(got, expected)                                                                 \
    do {                                                                                           \
        long long _got = (long long)(got), _expected = (long long)(expected);                      \
        if (_got != _expected) {                                                                   \
            fprintf(stderr, "%s:%d: %s: got %lld, expected %lld\n", __FILE__, __LINE__, #got,      \
                    _got, _expected);                                                              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_TEXT(got, expected)                                                                  \
    do {                                                                                           \
        const char *_got = (got), *_expected = (expected);                                         \
        if (!_got || strcmp(_got, _expected) != 0) {                                               \
            fprintf(stderr, "%s:%d: %s:\n     got '%s'\nexpected '%s'\n", __FILE__, __LINE__,      \
                    #got, _got ? _got : "(null)", _expected);                                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_CONTAINS(got, part)                                                                  \
    do {                                                                                           \
        const char *_got = (got), *_part = (part);                                                 \
        if (!_got || !strstr(_got, _part)) {                                                       \
            fprintf(stderr, "%s:%d: %s:\n     got '%s'\nwithout '%s'\n", __FILE__, __LINE__, #got, \
                    _got ? _got : "(null)", _part);                                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
