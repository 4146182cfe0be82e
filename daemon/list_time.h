/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When an entry of a list is valid: from a date to a date, within hours of a week. */

#include <stdint.h>
#include <time.h>

#include "base/util.h"

#define PLATED_HOURS_MAX 8

typedef struct PlatedHours {
    uint8_t days;              /* bit 0 is Monday */
    int16_t from_min, to_min;  /* of the day; to < from passes midnight */
} PlatedHours;

/* Zero: always. Local time, in minutes since the year 0 of a calendar of our own
 * whose minutes only need to be in order. */
typedef struct PlatedSpan {
    int64_t from_min, to_min; /* 0: open */
    int n_hours;
    PlatedHours hours[PLATED_HOURS_MAX];
} PlatedSpan;

/* -EINVAL. Nothing leaves that end open; a date alone counts whole. */
NN_MUST_CHECK int plated_span_dates(PlatedSpan *span, const char *from, const char *to);
/* "Mo-Fr 07:00-18:00; Sa,Su 22:00-06:00"; without days every day. -EINVAL. */
NN_MUST_CHECK int plated_span_hours(PlatedSpan *span, const char *text);

typedef enum PlatedSpanState {
    PLATED_SPAN_INSIDE,
    PLATED_SPAN_EARLY,
    PLATED_SPAN_LATE,
    PLATED_SPAN_HOURS,
} PlatedSpanState;

PlatedSpanState plated_span_at(const PlatedSpan *span, const struct tm *now);
