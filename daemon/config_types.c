/* SPDX-License-Identifier: Apache-2.0 */
#include "config_types.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <glib.h>

#include "lpr.h"

static int store_string(void *field, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return -ENOMEM;
    free(*(char **)field);
    *(char **)field = copy;
    return 0;
}

static bool string_equal(const void *a, const void *b)
{
    return g_strcmp0(*(char *const *)a, *(char *const *)b) == 0;
}

static int text_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    return store_string(field, value);
}

static void text_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "text, or nothing");
}

const PlatedConfigType plated_type_text = {text_parse, string_equal, text_expected, true};

static int word_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    return *value ? store_string(field, value) : -EINVAL;
}

static void word_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "text");
}

const PlatedConfigType plated_type_word = {word_parse, string_equal, word_expected, true};

static int segment_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    if (!*value || strlen(value) > 64 || strpbrk(value, "/+#$ \t"))
        return -EINVAL;
    return store_string(field, value);
}

static void segment_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "a name of up to 64 bytes without '/', '+', '#', '$' or spaces");
}

const PlatedConfigType plated_type_segment = {segment_parse, string_equal, segment_expected, true};

static int topic_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    size_t n = strlen(value);

    if (n == 0 || n > 128 || strpbrk(value, "+#$ \t") || value[0] == '/' || value[n - 1] == '/')
        return -EINVAL;
    return store_string(field, value);
}

static void topic_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n,
             "a topic of up to 128 bytes without '+', '#', '$', spaces, or '/' at "
             "its ends");
}

const PlatedConfigType plated_type_topic = {topic_parse, string_equal, topic_expected, true};

static int path_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    return !*value || *value == '/' ? store_string(field, value) : -EINVAL;
}

static void path_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "an absolute path, or nothing");
}

const PlatedConfigType plated_type_path = {path_parse, string_equal, path_expected, true};

static int paths_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    for (const char *path = value; *path; path += strcspn(path, " \t")) {
        path += strspn(path, " \t");
        if (*path && *path != '/')
            return -EINVAL;
    }
    return store_string(field, value);
}

static void paths_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "absolute paths separated by spaces, or nothing");
}

const PlatedConfigType plated_type_paths = {paths_parse, string_equal, paths_expected, true};

static int zones_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    int r = lpr_zones_check(value, NULL);

    return r < 0 ? r : store_string(field, value);
}

static void zones_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n,
             "polygons of 3 to 32 corners X,Y between 0 and 1, at most 16, separated by ';'");
}

const PlatedConfigType plated_type_zones = {zones_parse, string_equal, zones_expected, true};

static int formats_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    LprFilter *filter = NULL;
    int r = lpr_filter_new(value, &filter, NULL);

    lpr_filter_unref(filter);
    return r < 0 ? r : store_string(field, value);
}

static void formats_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "REGION:EXPRESSION with a right and modest expression, or nothing");
}

const PlatedConfigType plated_type_formats = {formats_parse, string_equal, formats_expected, true};

static int boolean_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    static const char *const names[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcasecmp(value, names[i]) == 0) {
            *(bool *)field = i % 2;
            return 0;
        }
    }
    return -EINVAL;
}

static bool boolean_equal(const void *a, const void *b)
{
    return *(const bool *)a == *(const bool *)b;
}

static void boolean_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "yes or no");
}

const PlatedConfigType plated_type_boolean = {boolean_parse, boolean_equal, boolean_expected,
                                              false};

static int integer_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    gint64 number;

    if (!g_ascii_string_to_signed(value, 10, (gint64)entry->min, (gint64)entry->max, &number, NULL))
        return -EINVAL;
    *(int *)field = (int)number;
    return 0;
}

static bool integer_equal(const void *a, const void *b)
{
    return *(const int *)a == *(const int *)b;
}

static void integer_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "a whole number from %.0f to %.0f", entry->min, entry->max);
}

const PlatedConfigType plated_type_integer = {integer_parse, integer_equal, integer_expected,
                                              false};

/* A decimal number at the start of `text`; exponents, hexadecimal, "nan" and
 * "inf", which strtod takes, are typing errors here. */
static int number_prefix(const char *text, double *ret_number, const char **ret_rest)
{
    char *rest;
    double number;
    size_t span = strspn(text, "0123456789.");

    if (span == 0 || span > 18 || text[span] == 'e' || text[span] == 'E')
        return -EINVAL;
    number = g_ascii_strtod(text, &rest);
    if (rest != text + span || !isfinite(number))
        return -EINVAL;
    *ret_number = number;
    *ret_rest = rest;
    return 0;
}

static int real_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    const char *rest;
    double number;
    int r;

    r = number_prefix(value, &number, &rest);
    if (r < 0)
        return r;
    if (*rest || number < entry->min || number > entry->max)
        return -EINVAL;
    *(double *)field = number;
    return 0;
}

static bool real_equal(const void *a, const void *b)
{
    return *(const double *)a == *(const double *)b;
}

static void real_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    snprintf(ret_text, n, "a number from %g to %g", entry->min, entry->max);
}

const PlatedConfigType plated_type_real = {real_parse, real_equal, real_expected, false};

static const struct {
    const char *unit;
    double seconds;
} units[] = {
    {"", 1}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400},
};

static int duration_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    const char *rest;
    double number;
    int r;

    r = number_prefix(value, &number, &rest);
    if (r < 0)
        return r;
    rest += strspn(rest, " \t");
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        double seconds = number * units[i].seconds;

        if (strcmp(rest, units[i].unit) != 0)
            continue;
        if (seconds < entry->min || seconds > entry->max)
            return -EINVAL;
        *(int64_t *)field = llround(seconds * 1e6);
        return 0;
    }
    return -EINVAL;
}

static bool duration_equal(const void *a, const void *b)
{
    return *(const int64_t *)a == *(const int64_t *)b;
}

static void duration_text(double seconds, char *ret_text, size_t n)
{
    size_t unit = 2;

    for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
        if (units[i].seconds <= seconds && fmod(seconds, units[i].seconds) == 0)
            unit = i;
    if (seconds > 0 && seconds < 1)
        unit = 1;
    if (units[unit].unit[0] == '\0')
        unit = 2;
    snprintf(ret_text, n, "%g%s", seconds / units[unit].seconds, units[unit].unit);
}

static void duration_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    char low[32], high[32];

    duration_text(entry->min, low, sizeof(low));
    duration_text(entry->max, high, sizeof(high));
    snprintf(ret_text, n, "a time from %s to %s (units ms, s, min, h, d; s when there is none)",
             low, high);
}

const PlatedConfigType plated_type_duration = {duration_parse, duration_equal, duration_expected,
                                               false};

static int choice_parse(const PlatedConfigEntry *entry, const char *value, void *field)
{
    for (int i = 0; entry->names[i]; i++) {
        if (strcmp(value, entry->names[i]) == 0) {
            *(int *)field = i;
            return 0;
        }
    }
    return -EINVAL;
}

static void choice_expected(const PlatedConfigEntry *entry, char *ret_text, size_t n)
{
    size_t used = (size_t)snprintf(ret_text, n, "one of");

    for (int i = 0; entry->names[i] && used < n; i++)
        used += (size_t)snprintf(ret_text + used, n - used, "%s %s", i ? "," : "",
                                 *entry->names[i] ? entry->names[i] : "nothing");
}

const PlatedConfigType plated_type_choice = {choice_parse, integer_equal, choice_expected, false};
