/* SPDX-License-Identifier: Apache-2.0 */
#include "times.h"

#include "base/util.h"

#define PAUSE_MAX_US 1000000
#define PAUSE_MAX_C  10

void plated_times_correct(LprPassage *passage, int64_t monotonic_us, int64_t realtime_us)
{
    passage->first_realtime_us = realtime_us - (monotonic_us - passage->first_seen_us);
    passage->last_realtime_us = realtime_us - (monotonic_us - passage->last_seen_us);
}

int64_t plated_times_pause_us(double temperature_c, double hot_c)
{
    double over_c = temperature_c - hot_c;

    if (hot_c <= 0 || !(over_c > 0))
        return 0;
    return (int64_t)(NN_MIN(over_c / PAUSE_MAX_C, 1.0) * PAUSE_MAX_US);
}
