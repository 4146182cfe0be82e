/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A connection made as the configuration says. */

#include "config.h"
#include "mqtt.h"

/* With the camera's last will, or as a mere listener without one. Errors are
 * those of plated_config_password() and plated_mqtt_new(). */
NN_MUST_CHECK int plated_broker_new(const PlatedConfig *config, bool listener,
                                    const PlatedMqttCallbacks *callbacks, void *userdata,
                                    PlatedMqtt **ret_mqtt, NnError *error);
