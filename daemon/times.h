/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What depends on clocks and heat alone. */

#include "lpr.h"

/* Times by the wall clock as it goes now: one that was wrong when a vehicle came, and has
 * been set since, is right in its final message. The monotonic times are what was measured. */
void plated_times_correct(LprPassage *passage, int64_t monotonic_us, int64_t realtime_us);

/* How long to wait from one look at a frame to the next: nothing below `hot_c`, a second
 * ten degrees above it. 0 for `hot_c` <= 0 and for a temperature that is not known (NaN). */
int64_t plated_times_pause_us(double temperature_c, double hot_c);
