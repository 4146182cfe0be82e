/* SPDX-License-Identifier: Apache-2.0 */
#include "zones.h"

#include "engine/base/util.h"

/* "0.25" and what follows it. Of its own, because strtof() follows the locale. */
static int parse_share(const char **text, float *ret_share)
{
    const char *p = *text;
    double value = 0, place = 1;
    int digits = 0;

    for (; *p >= '0' && *p <= '9' && digits < 9; p++, digits++)
        value = 10 * value + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9' && digits < 9; p++, digits++)
            value += (*p - '0') * (place /= 10);
    if (digits == 0 || value > 1)
        return -EINVAL;
    *ret_share = (float)value;
    *text = p;
    return 0;
}

static void skip_spaces(const char **text)
{
    while (**text == ' ' || **text == '\t')
        (*text)++;
}

static int parse_point(const char **text, LprZone *zone, NnError *error)
{
    const char *from = *text;

    if (zone->n == LPR_POINTS_MAX)
        return nn_error_set(error, -E2BIG, "a zone has more than %d corners", LPR_POINTS_MAX);
    if (parse_share(text, &zone->x[zone->n]) < 0 || *(*text)++ != ',' ||
        parse_share(text, &zone->y[zone->n]) < 0)
        return nn_error_set(error, -EINVAL,
                            "'%.16s' is not a corner of a zone: X,Y with both from 0 to 1", from);
    zone->n++;
    return 0;
}

int lpr_zones_add(LprZones *zones, const char *text, bool exclude, NnError *error)
{
    int r;

    if (!text)
        return 0;
    for (;;) {
        LprZone zone = {.exclude = exclude};

        skip_spaces(&text);
        if (!*text)
            return 0;
        while (*text && *text != ';') {
            r = parse_point(&text, &zone, error);
            if (r < 0)
                return r;
            skip_spaces(&text);
        }
        text += *text == ';';
        if (zone.n < 3)
            return nn_error_set(error, -EINVAL, "a zone has %zu corners, at least 3 are needed",
                                zone.n);
        if (zones->n == LPR_ZONES_MAX)
            return nn_error_set(error, -E2BIG, "there are more than %d zones", LPR_ZONES_MAX);
        zones->items[zones->n++] = zone;
    }
}

/* Even-odd rule: a ray to the right crosses the border an odd number of times. */
static bool zone_contains(const LprZone *zone, float x, float y)
{
    bool inside = false;

    for (size_t i = 0, k = zone->n - 1; i < zone->n; k = i++)
        if ((zone->y[i] > y) != (zone->y[k] > y) &&
            x < zone->x[i] + (zone->x[k] - zone->x[i]) * (y - zone->y[i]) /
                                 (zone->y[k] - zone->y[i]))
            inside = !inside;
    return inside;
}

bool lpr_zones_contain(const LprZones *zones, float x, float y)
{
    bool wanted = false, any = false;

    for (size_t i = 0; i < zones->n; i++) {
        bool inside = zone_contains(&zones->items[i], x, y);

        if (zones->items[i].exclude && inside)
            return false;
        any = any || !zones->items[i].exclude;
        wanted = wanted || (!zones->items[i].exclude && inside);
    }
    return wanted || !any;
}

int lpr_zones_check(const char *text, NnError *error)
{
    _cleanup_free_ LprZones *zones = calloc(1, sizeof(*zones));

    return zones ? lpr_zones_add(zones, text, false, error)
                 : nn_error_set(error, -ENOMEM, "out of memory");
}
