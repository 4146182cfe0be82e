/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From the outbox to the broker, in order, and out of the outbox once
 * acknowledged. Main thread. */

#include "log.h"
#include "mqtt.h"
#include "outbox.h"

typedef struct PlatedDelivery PlatedDelivery;

/* The outbox and the log must outlive the delivery. */
PlatedDelivery *plated_delivery_new(PlatedOutbox *outbox, PlatedLog *log);
/* NULL is fine. Returns NULL. */
PlatedDelivery *plated_delivery_free(PlatedDelivery *delivery);

/* Whether messages go out as Protocol Buffers too, just before they do as JSON. */
void plated_delivery_set_protobuf(PlatedDelivery *delivery, bool protobuf);
/* Goes on through another connection, and sends again what is not acknowledged. */
void plated_delivery_set_mqtt(PlatedDelivery *delivery, PlatedMqtt *mqtt);
/* The `connected` callback: sends again what was not acknowledged, and the rest. */
void plated_delivery_connected(PlatedDelivery *delivery);
/* Sends what there is, while the broker keeps up. */
void plated_delivery_pump(PlatedDelivery *delivery);
/* Whether the broker has yet to acknowledge something. */
bool plated_delivery_is_waiting(const PlatedDelivery *delivery);
/* The `published` callback of the connection. */
void plated_delivery_published(PlatedDelivery *delivery, int mid, bool accepted);
