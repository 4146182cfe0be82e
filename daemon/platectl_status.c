/* SPDX-License-Identifier: Apache-2.0 */

/* What the running service says: platectl status, platectl snapshot. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/util.h"
#include "json.h"
#include "platectl.h"

typedef struct Options {
    bool json;
    const char *config, *file;
} Options;

static const char *text_of(JsonObject *object, const char *member)
{
    const char *text = json_object_get_string_member_with_default(object, member, "");

    return text ? text : "";
}

/* "-" where it is not known. */
static void print_number(JsonObject *object, const char *member, const char *format,
                         const char *unit)
{
    JsonNode *node = json_object_get_member(object, member);

    if (node && JSON_NODE_HOLDS_VALUE(node))
        printf(format, json_node_get_double(node));
    else
        printf("-");
    printf("%s", unit);
}

static void print_camera(JsonObject *state)
{
    const char *reason = text_of(state, "reason");

    printf("camera   %s: %s%s%s, ", text_of(state, "camera"), text_of(state, "state"),
           *reason ? ": " : "", reason);
    print_number(state, "fps", "%.1f", " frames a second, latency ");
    print_number(state, "latency_ms", "%.0f", " ms\n");
}

static void print_machine(JsonObject *state)
{
    JsonNode *node = json_object_get_member(state, "throttled");
    bool throttled = node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_boolean(node);
    bool slowed = json_object_get_boolean_member_with_default(state, "slowed", FALSE);

    printf("machine  ");
    print_number(state, "temperature_c", "%.0f", " °C");
    printf("%s%s, clock %s\n", throttled ? ", slowed down by heat or power supply" : "",
           slowed ? ", looks at fewer frames because it is hot" : "",
           json_object_get_boolean_member_with_default(state, "clock_synchronised", FALSE)
               ? "synchronised"
               : "not synchronised");
}

static void print_status(JsonObject *answer, JsonObject *state)
{
    bool connected = json_object_get_boolean_member_with_default(answer, "broker_connected", FALSE);

    printf("service  plated %s, process %" G_GINT64_FORMAT ", up %" G_GINT64_FORMAT " s, %s\n",
           text_of(state, "software"), json_object_get_int_member_with_default(answer, "pid", 0),
           json_object_get_int_member_with_default(state, "uptime_s", 0),
           text_of(answer, "config"));
    print_camera(state);
    printf("broker   %s: %s, %" G_GINT64_FORMAT " messages waiting, %" G_GINT64_FORMAT " dropped\n",
           text_of(answer, "broker"), connected ? "connected" : "away",
           json_object_get_int_member_with_default(state, "backlog", 0),
           json_object_get_int_member_with_default(state, "passages_dropped", 0));
    print_machine(state);
}

/* 1 when the service runs and cannot do its work. */
static int judge(JsonObject *answer, JsonObject *state)
{
    bool good = json_object_get_boolean_member_with_default(answer, "broker_connected", FALSE) &&
                strcmp(text_of(state, "state"), "playing") == 0;

    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int status(const PlatedConfig *config, const Options *options, PlatedLog *log)
{
    g_autoptr(JsonNode) head = NULL;
    NnError error = {0};
    JsonObject *answer, *state;

    if (platectl_ask(config, "status", &head, NULL, &error) < 0) {
        plated_log(log, PLATED_LOG_ERROR, "%s", error.message);
        return EX_UNAVAILABLE;
    }
    answer = json_node_get_object(head);
    state = json_object_has_member(answer, "state") ? json_object_get_object_member(answer, "state")
                                                    : NULL;
    if (!state) {
        plated_log(log, PLATED_LOG_ERROR, "the service gave no state");
        return EX_PROTOCOL;
    }
    if (options->json) {
        g_autofree char *text = plated_json_text(head);

        puts(text);
    } else {
        print_status(answer, state);
    }
    return judge(answer, state);
}

static int write_file(const char *path, GBytes *bytes)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    int r = 0;

    if (!file)
        return -errno;
    if (fwrite(data, 1, n, file) != n)
        r = -errno;
    if ((file == stdout ? fflush(file) : fclose(file)) != 0 && r == 0)
        r = -errno;
    return r;
}

static int snapshot(const PlatedConfig *config, const Options *options, PlatedLog *log)
{
    g_autoptr(JsonNode) head = NULL;
    g_autoptr(GBytes) jpeg = NULL;
    NnError error = {0};
    int r;

    if (platectl_ask(config, "snapshot", &head, &jpeg, &error) < 0) {
        plated_log(log, PLATED_LOG_ERROR, "%s", error.message);
        return EX_UNAVAILABLE;
    }
    r = write_file(options->file, jpeg);
    if (r < 0) {
        plated_log(log, PLATED_LOG_ERROR, "%s: %s", options->file, strerror(-r));
        return EX_CANTCREAT;
    }
    return EXIT_SUCCESS;
}

static int run(int argc, char **argv, PlatedLog *log, bool takes_file,
               int (*verb)(const PlatedConfig *, const Options *, PlatedLog *))
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"config", required_argument, NULL, 'c'},
        {0},
    };
    Options given = {0};
    PlatedConfig *config = NULL;
    int option, code;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'j' && !takes_file)
            given.json = true;
        else if (option == 'c')
            given.config = optarg;
        else
            return EX_USAGE;
    }
    if (argc - optind != (takes_file ? 1 : 0)) {
        fputs(takes_file ? "platectl: snapshot needs one file to write, or -\n"
                         : "platectl: status takes options alone\n",
              stderr);
        return EX_USAGE;
    }
    given.file = argv[optind];
    if (platectl_load_config(given.config, log, &config) < 0)
        return EX_CONFIG;
    code = verb(config, &given, log);
    plated_config_free(config);
    return code;
}

int platectl_status(int argc, char **argv, PlatedLog *log)
{
    return run(argc, argv, log, false, status);
}

int platectl_snapshot(int argc, char **argv, PlatedLog *log)
{
    return run(argc, argv, log, true, snapshot);
}
