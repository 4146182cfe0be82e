/* SPDX-License-Identifier: Apache-2.0 */
#include "platectl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <json-glib/json-glib.h>

#include "base/util.h"
#include "json.h"
#include "privacy.h"
#include "store.h"

NN_DEFINE_CLEANUP(PlatedConfig, plated_config_free)
NN_DEFINE_CLEANUP(PlatedPrivacy, plated_privacy_free)

typedef enum Form {
    FORM_LINES,
    FORM_JSON,
    FORM_CSV,
} Form;

typedef struct Options {
    const char *config, *store, *plate;
    int64_t since_ms, until_ms, limit;
    Form form;
} Options;

/* ---- printing ------------------------------------------------------------ */

/* A member of an object that may be null. */
static const char *text_in(JsonObject *object, const char *name, const char *member)
{
    JsonObject *inner = plated_json_get_object(object, name);

    return inner ? plated_json_get_text(inner, member) : "";
}

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

static void print_line(JsonObject *passage)
{
    printf("%s %s %.2f %s %s %s %s %s\n", plated_json_get_text(passage, "first_seen"),
           or_dash(plated_json_get_text(passage, "plate")),
           plated_json_get_number(passage, "confidence"),
           or_dash(text_in(passage, "region", "code")),
           or_dash(plated_json_get_text(passage, "direction")),
           or_dash(text_in(passage, "access", "decision")),
           or_dash(text_in(passage, "access", "name")),
           or_dash(plated_json_get_text(passage, "camera")));
}

/* A cell that begins with = would be a formula to a spreadsheet. */
static void print_cell(const char *text, char end)
{
    putchar('"');
    if (strchr("=+-@", *text) && *text)
        putchar('\'');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
    putchar(end);
}

static void print_csv(JsonObject *passage)
{
    print_cell(plated_json_get_text(passage, "first_seen"), ',');
    print_cell(plated_json_get_text(passage, "last_seen"), ',');
    print_cell(plated_json_get_text(passage, "camera"), ',');
    print_cell(plated_json_get_text(passage, "plate"), ',');
    printf("%.4g,", plated_json_get_number(passage, "confidence"));
    print_cell(text_in(passage, "region", "code"), ',');
    print_cell(plated_json_get_text(passage, "direction"), ',');
    print_cell(text_in(passage, "access", "decision"), ',');
    print_cell(text_in(passage, "access", "name"), ',');
    print_cell(plated_json_get_text(passage, "snapshot"), ',');
    print_cell(plated_json_get_text(passage, "id"), '\n');
}

static bool print_row(void *userdata, const char *payload)
{
    const Options *options = userdata;
    g_autoptr(JsonNode) root =
        g_utf8_validate(payload, -1, NULL) ? json_from_string(payload, NULL) : NULL;
    JsonObject *passage;

    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return true;
    passage = json_node_get_object(root);
    if (options->form == FORM_CSV) {
        print_csv(passage);
    } else if (options->form == FORM_JSON) {
        g_autofree char *text = plated_json_text(root);

        puts(text);
    } else {
        print_line(passage);
    }
    return !ferror(stdout);
}

/* ---- what is asked ------------------------------------------------------- */

/* "90m": so long ago. */
static bool parse_age(const char *text, int64_t *ret_ms)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    char *end;
    guint64 n = g_ascii_strtoull(text, &end, 10);
    const char *unit = *end && !end[1] ? strchr(units, *end) : NULL;

    if (end == text || !g_ascii_isdigit(*text) || !unit || n > 1000000)
        return false;
    *ret_ms = g_get_real_time() / 1000 - (int64_t)n * seconds[unit - units] * 1000;
    return true;
}

/* A day, or a moment, of the local time unless it says another. */
static bool parse_time(const char *text, int64_t *ret_ms)
{
    static const char *const rests[] = {"", ":00", "T00:00:00"};
    g_autoptr(GTimeZone) local = g_time_zone_new_local();

    if (parse_age(text, ret_ms))
        return true;
    for (size_t i = 0; i < NN_ARRAY_SIZE(rests); i++) {
        g_autofree char *whole = g_strconcat(text, rests[i], NULL);
        g_autoptr(GDateTime) moment = g_date_time_new_from_iso8601(whole, local);

        if (!moment)
            continue;
        *ret_ms = g_date_time_to_unix(moment) * 1000 + g_date_time_get_microsecond(moment) / 1000;
        return true;
    }
    return false;
}

static bool refuse(const char *option, const char *expected)
{
    fprintf(stderr, "platectl: %s: expected %s, found '%s'\n", option, expected, optarg);
    return false;
}

static bool take_option(int option, Options *options)
{
    switch (option) {
    case 's':
    case 'u':
        return parse_time(optarg, option == 's' ? &options->since_ms : &options->until_ms) ||
               refuse(option == 's' ? "--since" : "--until",
                      "2026-03-01, 2026-03-01T18:00 or an age such as 2h");
    case 'n':
        return g_ascii_string_to_signed(optarg, 10, 1, G_MAXINT32, &options->limit, NULL) ||
               refuse("--limit", "a number from 1 on");
    case 'p':
        options->plate = optarg;
        return true;
    case 'f':
        options->store = optarg;
        return true;
    case 'c':
        options->config = optarg;
        return true;
    case 'j':
    case 'v':
        options->form = option == 'j' ? FORM_JSON : FORM_CSV;
        return true;
    default:
        return false;
    }
}

static bool take_options(int argc, char **argv, Options *options)
{
    static const struct option known[] = {
        {"since", required_argument, NULL, 's'},
        {"until", required_argument, NULL, 'u'},
        {"plate", required_argument, NULL, 'p'},
        {"limit", required_argument, NULL, 'n'},
        {"store", required_argument, NULL, 'f'},
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"csv", no_argument, NULL, 'v'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0)
        if (!take_option(option, options))
            return false;
    if (optind < argc)
        fprintf(stderr, "platectl: unexpected argument '%s'\n", argv[optind]);
    return optind == argc;
}

/* As plates are stored: capital, without separators; or as its hash. */
static char *plate_pattern(const char *plate, const PlatedPrivacy *privacy)
{
    GString *pattern = g_string_new(NULL);
    char hash[PLATED_HASH_BYTES];

    if (privacy && strlen(plate) < PLATED_HASH_BYTES - 1) {
        plated_privacy_hash(privacy, plate, hash);
        g_string_append(pattern, hash);
        return g_string_free(pattern, FALSE);
    }
    for (const char *c = plate; *c; c++) {
        if (g_ascii_toupper(*c) == 'O' || *c == '0')
            g_string_append(pattern, "[0O]");
        else if (g_ascii_isalnum(*c) || *c == '*' || *c == '?')
            g_string_append_c(pattern, privacy ? *c : g_ascii_toupper(*c));
    }
    return g_string_free(pattern, FALSE);
}

/* ---- the verb ------------------------------------------------------------ */

static int print_events(const PlatedConfig *config, const Options *options,
                        const PlatedPrivacy *privacy, PlatedLog *log)
{
    const char *path = options->store ? options->store : config->store.file;
    g_autofree char *pattern = options->plate ? plate_pattern(options->plate, privacy) : NULL;
    PlatedStoreQuery query = {options->since_ms, options->until_ms, pattern, options->limit};
    NnError error = {0};

    if (!*path) {
        plated_log(log, PLATED_LOG_ERROR, "no passages are kept: [store] file is empty");
        return EX_CONFIG;
    }
    if (options->form == FORM_CSV)
        puts("first_seen,last_seen,camera,plate,confidence,region,direction,decision,name,"
             "snapshot,id");
    if (plated_store_read(path, &query, print_row, (void *)options, &error) < 0) {
        plated_log(log, PLATED_LOG_ERROR, "%s", error.message);
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int platectl_events(int argc, char **argv, PlatedLog *log)
{
    _cleanup_(plated_config_freep) PlatedConfig *config = NULL;
    _cleanup_(plated_privacy_freep) PlatedPrivacy *privacy = NULL;
    Options options = {0};
    NnError error = {0};

    if (!take_options(argc, argv, &options))
        return EX_USAGE;
    if (platectl_load_config(options.config, log, &config) < 0)
        return EX_CONFIG;
    /* Without the key one can still list, and ask for a hash. */
    if (options.plate && plated_privacy_new(config, &privacy, &error) < 0) {
        plated_log(log, PLATED_LOG_ERROR, "%s", error.message);
        return EX_CONFIG;
    }
    return print_events(config, &options, privacy, log);
}
