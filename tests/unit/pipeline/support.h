/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What tests of the pipeline make their inputs with. */

#include "../engine/test.h"
#include "head.h"
#include "lpr.h"

#define TEST_NEAR(got, expected, tolerance)                                          \
    do {                                                                             \
        double _got = (got), _expected = (expected);                                 \
        if (!(_got - _expected <= (tolerance) && _expected - _got <= (tolerance)))   \
            TEST_FAIL("%s is %g, expected %g", #got, _got, _expected);               \
    } while (0)

#define TEST_TEXT(got, expected)                                              \
    do {                                                                      \
        const char *_got = (got), *_expected = (expected);                    \
        if (strcmp(_got, _expected))                                          \
            TEST_FAIL("%s is \"%s\", expected \"%s\"", #got, _got, _expected); \
    } while (0)

/* A grey frame whose pixel (x, y) is value(x, y); value NULL: black. */
LprFrame *test_frame(int width, int height, int64_t time_us, uint8_t (*value)(int x, int y));

/* A reading of that confidence, its characters sharing it. Candidates: itself. */
LprPlate test_plate(const char *text, float confidence, float x, float y, float w, float h);

/* Appends a box with the class `kind`. */
void test_detect(LprDetections *list, float x, float y, float w, float h, int kind,
                 float confidence);

/* The reader's 35 classes: digits, then letters without O. */
LprContract *test_reader_contract(void);
int test_kind(char character);
