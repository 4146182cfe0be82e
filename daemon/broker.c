/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <stdlib.h>

#include <glib.h>

#include "base/util.h"
#include "publisher.h"

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static int port_of(const PlatedConfig *config)
{
    if (config->mqtt.port)
        return config->mqtt.port;
    return config->mqtt.tls ? 8883 : 1883;
}

int plated_broker_new(const PlatedConfig *config, bool listener,
                      const PlatedMqttCallbacks *callbacks, void *userdata, PlatedMqtt **ret_mqtt,
                      NnError *error)
{
    g_autofree char *will = plated_publisher_topic(config, "availability");
    g_autofree char *id =
        *config->mqtt.client_id
            ? g_strdup(config->mqtt.client_id)
            : g_strdup_printf("plated-%s-%s", g_get_host_name(), config->camera.name);
    _cleanup_free_ char *password = NULL;
    PlatedMqttOptions options = {
        .host = config->mqtt.host,
        .port = port_of(config),
        .protocol = config->mqtt.protocol == PLATED_PROTOCOL_5 ? 5 : 4,
        .client_id = listener ? NULL : id,
        .username = or_null(config->mqtt.username),
        .keepalive_s = (int)(config->mqtt.keepalive_us / 1000000),
        .tls = config->mqtt.tls,
        .ca_file = or_null(config->mqtt.ca_file),
        .cert_file = or_null(config->mqtt.cert_file),
        .key_file = or_null(config->mqtt.key_file),
        .will_topic = listener ? NULL : will,
        .will_payload = "offline",
    };
    int r;

    r = plated_config_password(config, &password, error);
    if (r < 0)
        return r;
    options.password = options.username ? password : NULL;
    return plated_mqtt_new(&options, callbacks, userdata, ret_mqtt, error);
}
