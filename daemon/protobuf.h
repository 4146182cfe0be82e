/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The messages as Protocol Buffers. They are made of the JSON ones, member by member as
 * docs/payload.proto names them, so that both say the same. */

#include <stdbool.h>

#include <glib.h>

#include "mqtt.h"

/* The message of a topic whose last level is passage, access or state, and the topic for
 * it, TOPIC.pb (g_free it). NULL for another topic, and for what is no such message. */
GBytes *plated_protobuf_encode(const char *topic, const char *json, char **ret_topic);

/* Publishes it with QoS 1. It need not be followed: sent just before the JSON, it has
 * arrived when that is acknowledged. */
void plated_protobuf_publish(PlatedMqtt *mqtt, const char *topic, const char *json, bool retain);
