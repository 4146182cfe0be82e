/* SPDX-License-Identifier: Apache-2.0 */
#include "times.h"

#include "check.h"

#define SECOND ((int64_t)1000000)

/* A Pi without a battery starts in 1970; the clock is set while a vehicle passes. */
static void test_correct(void)
{
    const int64_t today = 1772366400 * SECOND;
    LprPassage passage = {
        .first_seen_us = 100 * SECOND,
        .last_seen_us = 104 * SECOND,
        .first_realtime_us = 30 * SECOND,
        .last_realtime_us = 34 * SECOND,
    };

    plated_times_correct(&passage, 106 * SECOND, 36 * SECOND);
    CHECK_EQUAL(passage.first_realtime_us, 30 * SECOND);
    CHECK_EQUAL(passage.last_realtime_us, 34 * SECOND);
    plated_times_correct(&passage, 106 * SECOND, today);
    CHECK_EQUAL(passage.first_realtime_us, today - 6 * SECOND);
    CHECK_EQUAL(passage.last_realtime_us, today - 2 * SECOND);
    CHECK_EQUAL(passage.last_seen_us - passage.first_seen_us, 4 * SECOND);
}

static void test_pause(void)
{
    CHECK_EQUAL(plated_times_pause_us(74.9, 75), 0);
    CHECK_EQUAL(plated_times_pause_us(75, 75), 0);
    CHECK_EQUAL(plated_times_pause_us(80, 75), 500000);
    CHECK_EQUAL(plated_times_pause_us(85, 75), 1000000);
    CHECK_EQUAL(plated_times_pause_us(200, 75), 1000000);
    CHECK_EQUAL(plated_times_pause_us(90, 0), 0);
    CHECK_EQUAL(plated_times_pause_us(NAN, 75), 0);
}

int main(void)
{
    test_correct();
    test_pause();
    return 0;
}
