/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* MQTT discovery of Home Assistant: what makes a camera a device with entities there,
 * before its first message. https://www.home-assistant.io/integrations/mqtt */

#include "config.h"

typedef void (*PlatedDiscoveryFunc)(void *userdata, const char *topic, const char *payload);

/* Gives the message of each entity, to be published retained; "" takes away one that
 * the configuration does not want, or all of them with `away`. */
void plated_discovery_each(const PlatedConfig *config, bool away, PlatedDiscoveryFunc message,
                           void *userdata);
