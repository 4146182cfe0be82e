/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A connection to a broker inside the GLib main loop. It is kept up: lost or
 * refused, it is tried again with growing, jittered pauses. All calls and
 * callbacks happen on the thread of the default main context. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn.h"

typedef struct PlatedMqtt PlatedMqtt;

/* Copied by plated_mqtt_new(). */
typedef struct PlatedMqttOptions {
    const char *host;
    int port;
    int protocol;                    /* 4: 3.1.1, 5 */
    const char *client_id;           /* NULL: the broker makes one */
    const char *username, *password; /* NULL: none */
    int keepalive_s;
    bool tls;
    const char *ca_file, *cert_file, *key_file; /* NULL: the system's; none */
    const char *will_topic, *will_payload;      /* NULL: no will; QoS 1, retained */
} PlatedMqttOptions;

typedef struct PlatedMqttCallbacks {
    /* The broker has accepted us; what was not acknowledged before is forgotten. */
    void (*connected)(void *userdata);
    /* An attempt failed or a connection was lost: one sentence why. `again` says
     * that the attempt before failed for the same reason, and that no connection held
     * for long in between. */
    void (*failed)(void *userdata, const char *sentence, bool again);
    /* The broker has acknowledged a message, or refused it for good. */
    void (*published)(void *userdata, int mid, bool accepted);
    void (*message)(void *userdata, const char *topic, const void *payload, size_t n,
                    bool retained);
} PlatedMqttCallbacks;

/* -ENOTSUP without TLS in the library, -ENOENT for a missing certificate, -EINVAL. */
NN_MUST_CHECK int plated_mqtt_new(const PlatedMqttOptions *options,
                                  const PlatedMqttCallbacks *callbacks, void *userdata,
                                  PlatedMqtt **ret_mqtt, NnError *error);
/* Leaves without a word, so that the broker publishes the will, unless
 * plated_mqtt_disconnect() went before. Must not be called from a callback. NULL
 * is fine. Returns NULL. */
PlatedMqtt *plated_mqtt_free(PlatedMqtt *mqtt);

void plated_mqtt_start(PlatedMqtt *mqtt);
bool plated_mqtt_is_connected(const PlatedMqtt *mqtt);
/* Connected for so long that a broker which takes us and cuts us off is ruled out. */
bool plated_mqtt_is_steady(const PlatedMqtt *mqtt);
/* -ENOTCONN; -E2BIG for what this broker never takes. `ret_mid` may be NULL. A QoS 1
 * message is acknowledged through `published`, or goes with the connection. One on which
 * nothing is acknowledged for 20 seconds is given up for another. */
int plated_mqtt_publish(PlatedMqtt *mqtt, const char *topic, const void *payload, size_t n, int qos,
                        bool retain, int *ret_mid);
/* At most once, not retained: what comes late must not come at all. With MQTT 5 the
 * broker drops it too after `expiry_s`. -ENOTCONN, -ENOMEM. */
NN_MUST_CHECK int plated_mqtt_publish_fleeting(PlatedMqtt *mqtt, const char *topic,
                                               const void *payload, size_t n, uint32_t expiry_s);
NN_MUST_CHECK int plated_mqtt_subscribe(PlatedMqtt *mqtt, const char *topic);
/* Says goodbye, so that there is no will, and does not connect again. */
void plated_mqtt_disconnect(PlatedMqtt *mqtt);
