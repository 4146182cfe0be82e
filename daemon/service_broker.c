/* SPDX-License-Identifier: Apache-2.0 */

/* What the service says to the broker, and hears from it. */

#include <string.h>

#include "base/util.h"
#include "broker.h"
#include "command.h"
#include "discovery.h"
#include "service_private.h"

void plated_service_publish_availability(PlatedService *service, const char *payload, int *ret_mid)
{
    g_autofree char *topic = plated_publisher_topic(service->config, "availability");

    plated_mqtt_publish(service->mqtt, topic, payload, strlen(payload), 1, true, ret_mid);
}

static void publish_retained(void *userdata, const char *topic, const char *payload)
{
    PlatedService *service = userdata;

    plated_mqtt_publish(service->mqtt, topic, payload, strlen(payload), 1, true, NULL);
}

void plated_service_publish_discovery(PlatedService *service, bool away)
{
    if (plated_mqtt_is_connected(service->mqtt))
        plated_discovery_each(service->config, away, publish_retained, service);
}

static void subscribe_commands(PlatedService *service)
{
    g_autofree char *topic = plated_publisher_topic(service->config, "command");

    if (service->config->mqtt.commands && plated_mqtt_subscribe(service->mqtt, topic) < 0)
        plated_log(service->log, PLATED_LOG_WARNING, "%s: cannot subscribe", topic);
}

static gboolean reload(gpointer userdata)
{
    plated_reload_begin(userdata);
    return G_SOURCE_REMOVE;
}

static void command_snapshot(PlatedService *service)
{
    if (service->privacy) {
        plated_log(service->log, PLATED_LOG_WARNING, "no snapshot: [privacy] hash is set");
        return;
    }
    service->snapshot_commanded = true;
    plated_worker_snapshot(service->worker);
}

/* A retained command is one that somebody gave once, and comes at every connection. */
static void on_command(void *userdata, const char *topic, const void *payload, size_t n,
                       bool retained)
{
    PlatedService *service = userdata;

    if (!service->config->mqtt.commands || service->stopping)
        return;
    if (retained) {
        plated_log(service->log, PLATED_LOG_WARNING, "a retained command is not obeyed");
        return;
    }
    switch (plated_command_parse(payload, n)) {
    case PLATED_COMMAND_SNAPSHOT:
        command_snapshot(service);
        break;
    case PLATED_COMMAND_RELOAD:
        g_idle_add(reload, service); /* the connection may go, which is calling us */
        break;
    case PLATED_COMMAND_NONE:
        plated_log(service->log, PLATED_LOG_WARNING,
                   "a command of %zu bytes is neither snapshot nor reload", n);
    }
}

static void on_connected(void *userdata)
{
    PlatedService *service = userdata;

    plated_log(service->log, service->broker_comes_and_goes ? PLATED_LOG_DEBUG : PLATED_LOG_INFO,
               "connected to broker %s", service->config->mqtt.host);
    service->broker_came = true;
    service->broker_connections++;
    subscribe_commands(service);
    plated_service_publish_discovery(service, false);
    plated_service_publish_availability(service, "online", NULL);
    plated_service_publish_state(service);
    plated_delivery_connected(service->delivery);
    service->broker_tried = true;
    plated_service_check_ready(service);
}

static void on_broker_failed(void *userdata, const char *sentence, bool again)
{
    PlatedService *service = userdata;

    plated_log(service->log, again ? PLATED_LOG_DEBUG : PLATED_LOG_WARNING, "%s", sentence);
    service->broker_comes_and_goes =
        again && (service->broker_came || service->broker_comes_and_goes);
    service->broker_came = false;
    service->broker_tried = true;
    plated_service_check_ready(service);
}

static void on_published(void *userdata, int mid, bool accepted)
{
    PlatedService *service = userdata;

    if (service->goodbye_mid && mid == service->goodbye_mid)
        g_main_loop_quit(service->loop);
    plated_delivery_published(service->delivery, mid, accepted);
}

int plated_service_new_mqtt(PlatedService *service, const PlatedConfig *config,
                            PlatedMqtt **ret_mqtt, NnError *error)
{
    static const PlatedMqttCallbacks callbacks = {
        .connected = on_connected,
        .failed = on_broker_failed,
        .published = on_published,
        .message = on_command,
    };

    return plated_broker_new(config, false, &callbacks, service, ret_mqtt, error);
}

void plated_service_leave_broker(PlatedService *service)
{
    if (plated_mqtt_is_connected(service->mqtt))
        plated_service_publish_availability(service, "offline", NULL);
    plated_mqtt_disconnect(service->mqtt);
    plated_delivery_set_mqtt(service->delivery, NULL);
    service->mqtt = plated_mqtt_free(service->mqtt);
}
