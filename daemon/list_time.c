/* SPDX-License-Identifier: Apache-2.0 */
#include "list_time.h"

#include <string.h>
#include <strings.h>

#define DAY_MIN (24 * 60)

/* A number of exactly so many digits. */
static int digits(const char **text, int n, int *ret)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        char c = (*text)[i];

        if (c < '0' || c > '9')
            return -EINVAL;
        value = 10 * value + (c - '0');
    }
    *text += n;
    *ret = value;
    return 0;
}

static int character(const char **text, char c)
{
    if (**text != c)
        return -EINVAL;
    (*text)++;
    return 0;
}

/* Months and years of one length keep the order, and nothing else is asked. */
static int64_t moment(int year, int month, int day, int minute)
{
    return (((int64_t)year * 12 + month) * 31 + day) * DAY_MIN + minute;
}

/* "07:30" up to "24:00". */
static int clock_time(const char **text, int *ret_min)
{
    int hour, minute;

    if (digits(text, 2, &hour) < 0 || character(text, ':') < 0 || digits(text, 2, &minute) < 0 ||
        minute > 59 || hour * 60 + minute > DAY_MIN)
        return -EINVAL;
    *ret_min = hour * 60 + minute;
    return 0;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month] + (month == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* A date, and a time or that which stands for none. */
static int date(const char *text, int otherwise_min, int64_t *ret_min)
{
    int year, month, day, minute = otherwise_min;

    if (digits(&text, 4, &year) < 0 || character(&text, '-') < 0 || digits(&text, 2, &month) < 0 ||
        character(&text, '-') < 0 || digits(&text, 2, &day) < 0 || year < 1 || month < 1 ||
        month > 12 || day < 1 || day > days_of(year, month - 1))
        return -EINVAL;
    if (*text && ((*text != 'T' && *text != ' ') || (text++, clock_time(&text, &minute)) < 0 ||
                  *text))
        return -EINVAL;
    *ret_min = moment(year, month - 1, day - 1, minute);
    return 0;
}

int plated_span_dates(PlatedSpan *span, const char *from, const char *to)
{
    int64_t first = 0, last = 0;

    if ((*from && date(from, 0, &first) < 0) || (*to && date(to, DAY_MIN, &last) < 0) ||
        (last && first >= last))
        return -EINVAL;
    span->from_min = first;
    span->to_min = last;
    return 0;
}

static int day(const char **text, int *ret_day)
{
    static const char names[7][3] = {"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"};

    for (int i = 0; i < 7; i++)
        if (strncasecmp(*text, names[i], 2) == 0) {
            *text += 2;
            *ret_day = i;
            return 0;
        }
    return -EINVAL;
}

/* "Mo-Fr,Su"; nothing is every day. */
static int days(const char **text, uint8_t *ret_days)
{
    int first, last;

    *ret_days = 0;
    if (**text >= '0' && **text <= '9') {
        *ret_days = 0x7f;
        return 0;
    }
    do {
        if (day(text, &first) < 0)
            return -EINVAL;
        last = first;
        if (character(text, '-') == 0 && day(text, &last) < 0)
            return -EINVAL;
        for (int i = first;; i = (i + 1) % 7) {
            *ret_days |= (uint8_t)(1 << i);
            if (i == last)
                break;
        }
    } while (character(text, ',') == 0);
    return 0;
}

int plated_span_hours(PlatedSpan *span, const char *text)
{
    span->n_hours = 0;
    for (text += strspn(text, " \t"); *text;) {
        PlatedHours *hours = &span->hours[span->n_hours];
        int from, to;

        if (span->n_hours == PLATED_HOURS_MAX || days(&text, &hours->days) < 0)
            return -EINVAL;
        text += strspn(text, " \t");
        if (clock_time(&text, &from) < 0 || character(&text, '-') < 0 ||
            clock_time(&text, &to) < 0 || from == to || from == DAY_MIN)
            return -EINVAL;
        hours->from_min = (int16_t)from;
        hours->to_min = (int16_t)to;
        span->n_hours++;
        text += strspn(text, " \t");
        if (*text && character(&text, ';') < 0)
            return -EINVAL;
        text += strspn(text, " \t");
    }
    return 0;
}

/* Hours past midnight belong to the day on which they begin. */
static bool inside(const PlatedHours *hours, int weekday, int minute)
{
    bool today = hours->days & (1 << weekday);
    bool yesterday = hours->days & (1 << ((weekday + 6) % 7));

    if (hours->from_min < hours->to_min)
        return today && minute >= hours->from_min && minute < hours->to_min;
    return (today && minute >= hours->from_min) || (yesterday && minute < hours->to_min);
}

PlatedSpanState plated_span_at(const PlatedSpan *span, const struct tm *now)
{
    int minute = now->tm_hour * 60 + now->tm_min;
    int64_t at = moment(now->tm_year + 1900, now->tm_mon, now->tm_mday - 1, minute);

    if (span->from_min && at < span->from_min)
        return PLATED_SPAN_EARLY;
    if (span->to_min && at >= span->to_min)
        return PLATED_SPAN_LATE;
    for (int i = 0; i < span->n_hours; i++)
        if (inside(&span->hours[i], (now->tm_wday + 6) % 7, minute))
            return PLATED_SPAN_INSIDE;
    return span->n_hours ? PLATED_SPAN_HOURS : PLATED_SPAN_INSIDE;
}
