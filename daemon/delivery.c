/* SPDX-License-Identifier: Apache-2.0 */
#include "delivery.h"

#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/util.h"

/* Below the 20 that libmosquitto has in flight, so that its own queue stays
 * empty and the order is ours. */
#define WINDOW     16
#define ACK_LATE_S 20

struct PlatedDelivery {
    PlatedOutbox *outbox;
    PlatedMqtt *mqtt;
    PlatedLog *log;
    GHashTable *in_flight; /* message id -> int64_t sequence */
    PlatedOutboxCursor sent;
    unsigned silent_s; /* with messages in flight */
};

PlatedDelivery *plated_delivery_new(PlatedOutbox *outbox, PlatedLog *log)
{
    PlatedDelivery *delivery = g_new0(PlatedDelivery, 1);

    delivery->outbox = outbox;
    delivery->log = log;
    delivery->in_flight = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    return delivery;
}

PlatedDelivery *plated_delivery_free(PlatedDelivery *delivery)
{
    if (!delivery)
        return NULL;
    g_hash_table_unref(delivery->in_flight);
    g_free(delivery);
    return NULL;
}

void plated_delivery_set_mqtt(PlatedDelivery *delivery, PlatedMqtt *mqtt)
{
    delivery->mqtt = mqtt;
    delivery->sent = (PlatedOutboxCursor){0};
    delivery->silent_s = 0;
    g_hash_table_remove_all(delivery->in_flight);
}

void plated_delivery_pump(PlatedDelivery *delivery)
{
    while (delivery->mqtt && plated_mqtt_is_connected(delivery->mqtt) &&
           g_hash_table_size(delivery->in_flight) < WINDOW) {
        _cleanup_free_ char *topic = NULL, *payload = NULL;
        int64_t sequence;
        int mid;

        if (plated_outbox_next(delivery->outbox, &delivery->sent, &sequence, &topic, &payload) < 0)
            return;
        if (plated_mqtt_publish(delivery->mqtt, topic, payload, strlen(payload), 1, false, &mid) <
            0)
            return;
        g_hash_table_insert(delivery->in_flight, GINT_TO_POINTER(mid),
                            g_memdup2(&sequence, sizeof(sequence)));
        plated_outbox_advance(&delivery->sent, sequence);
    }
}

bool plated_delivery_is_waiting(const PlatedDelivery *delivery)
{
    return g_hash_table_size(delivery->in_flight) > 0;
}

void plated_delivery_check(PlatedDelivery *delivery)
{
    bool late = delivery->mqtt && plated_mqtt_is_connected(delivery->mqtt) &&
                plated_delivery_is_waiting(delivery);

    delivery->silent_s = late ? delivery->silent_s + 1 : 0;
    if (delivery->silent_s < ACK_LATE_S)
        return;
    delivery->silent_s = 0;
    plated_mqtt_give_up(delivery->mqtt, "passages are not acknowledged");
}

void plated_delivery_published(PlatedDelivery *delivery, int mid, bool accepted)
{
    const int64_t *sequence = g_hash_table_lookup(delivery->in_flight, GINT_TO_POINTER(mid));

    if (!sequence)
        return;
    delivery->silent_s = 0;
    if (accepted)
        plated_outbox_acknowledge(delivery->outbox, *sequence);
    else
        plated_log(delivery->log, PLATED_LOG_WARNING,
                   "the broker refused a passage; it stays in the outbox until the next start");
    g_hash_table_remove(delivery->in_flight, GINT_TO_POINTER(mid));
    plated_delivery_pump(delivery);
}
