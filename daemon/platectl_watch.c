/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <glib-unix.h>
#include <json-glib/json-glib.h>

#include "base/util.h"
#include "broker.h"
#include "json.h"
#include "platectl.h"

typedef struct Watch {
    GMainLoop *loop;
    PlatedLog *log;
    PlatedMqtt *mqtt;
    char *topic;
    bool json;
} Watch;

static void print_passage(JsonObject *passage)
{
    JsonObject *region = plated_json_get_object(passage, "region");
    const char *code = region ? plated_json_get_text(region, "code") : "";

    printf("%s %-11s %s %.2f %s %s %s\n", plated_json_get_text(passage, "last_seen"),
           plated_json_get_text(passage, "type"), plated_json_get_text(passage, "plate"),
           plated_json_get_number(passage, "confidence"), *code ? code : "-",
           plated_json_get_text(passage, "direction"), plated_json_get_text(passage, "camera"));
}

static void on_message(void *userdata, const char *topic, const void *payload, size_t n,
                       bool retained)
{
    Watch *watch = userdata;
    g_autofree char *text = g_strndup(payload, n);
    g_autoptr(JsonNode) root =
        g_utf8_validate(text, -1, NULL) ? json_from_string(text, NULL) : NULL;

    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        plated_log(watch->log, PLATED_LOG_WARNING, "%s: not a passage", topic);
        return;
    }
    if (watch->json)
        puts(text);
    else
        print_passage(json_node_get_object(root));
    if (fflush(stdout) != 0)
        g_main_loop_quit(watch->loop);
}

static void on_connected(void *userdata)
{
    Watch *watch = userdata;

    if (plated_mqtt_subscribe(watch->mqtt, watch->topic) < 0)
        plated_log(watch->log, PLATED_LOG_ERROR, "%s: cannot subscribe", watch->topic);
}

static void on_failed(void *userdata, const char *sentence, bool again)
{
    Watch *watch = userdata;

    if (!again)
        plated_log(watch->log, PLATED_LOG_WARNING, "%s", sentence);
}

static void on_published(void *userdata, int mid, bool accepted)
{
}

static gboolean on_signal(gpointer userdata)
{
    g_main_loop_quit(((Watch *)userdata)->loop);
    return G_SOURCE_CONTINUE;
}

static int run(Watch *watch, const PlatedConfig *config)
{
    static const PlatedMqttCallbacks callbacks = {on_connected, on_failed, on_published,
                                                  on_message};
    NnError error = {0};
    int r;

    r = plated_broker_new(config, true, &callbacks, watch, &watch->mqtt, &error);
    if (r < 0) {
        plated_log(watch->log, PLATED_LOG_ERROR, "%s", error.message);
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    watch->topic = g_strconcat(config->mqtt.prefix, "/+/passage", NULL);
    watch->loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGINT, on_signal, watch);
    g_unix_signal_add(SIGTERM, on_signal, watch);
    plated_mqtt_start(watch->mqtt);
    g_main_loop_run(watch->loop);
    plated_mqtt_disconnect(watch->mqtt);
    plated_mqtt_free(watch->mqtt);
    g_main_loop_unref(watch->loop);
    g_free(watch->topic);
    return EXIT_SUCCESS;
}

int platectl_watch(int argc, char **argv, PlatedLog *log)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"config", required_argument, NULL, 'c'},
        {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'},
        {0},
    };
    const char *config_path = NULL, *host = NULL;
    Watch watch = {.log = log};
    PlatedConfig *config = NULL;
    gint64 port = -1;
    int option, status;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (option) {
        case 'j':
            watch.json = true;
            break;
        case 'c':
            config_path = optarg;
            break;
        case 'h':
            host = optarg;
            break;
        case 'p':
            if (g_ascii_string_to_signed(optarg, 10, 1, 65535, &port, NULL))
                break;
            fprintf(stderr, "platectl: --port: expected a number from 1 to 65535, found '%s'\n",
                    optarg);
            return EX_USAGE;
        default:
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "platectl: unexpected argument '%s'\n", argv[optind]);
        return EX_USAGE;
    }
    if (platectl_load_config(config_path, log, &config) < 0)
        return EX_CONFIG;
    if (host) {
        free(config->mqtt.host);
        config->mqtt.host = strdup(host);
    }
    if (port > 0)
        config->mqtt.port = (int)port;
    status = run(&watch, config);
    plated_config_free(config);
    return status;
}
