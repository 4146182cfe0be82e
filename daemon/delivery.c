/* SPDX-License-Identifier: Apache-2.0 */
#include "delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/util.h"
#include "protobuf.h"

/* Below the 20 that libmosquitto has in flight, so that its own queue stays
 * empty and the order is ours. */
#define WINDOW 16

struct PlatedDelivery {
    PlatedOutbox *outbox;
    PlatedMqtt *mqtt;
    PlatedLog *log;
    GHashTable *in_flight; /* message id -> int64_t sequence */
    bool protobuf;
    int64_t sent;        /* sequence of the last one */
    unsigned generation; /* of the outbox */
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

void plated_delivery_set_protobuf(PlatedDelivery *delivery, bool protobuf)
{
    delivery->protobuf = protobuf;
}

static void start_over(PlatedDelivery *delivery)
{
    delivery->sent = 0;
    delivery->generation = plated_outbox_generation(delivery->outbox);
    g_hash_table_remove_all(delivery->in_flight);
}

void plated_delivery_set_mqtt(PlatedDelivery *delivery, PlatedMqtt *mqtt)
{
    delivery->mqtt = mqtt;
    start_over(delivery);
}

void plated_delivery_connected(PlatedDelivery *delivery)
{
    start_over(delivery);
    plated_delivery_pump(delivery);
}

static void put_off(PlatedDelivery *delivery)
{
    plated_log(delivery->log, PLATED_LOG_WARNING,
               "the broker refused a passage; it stays in the outbox until the next connection");
}

void plated_delivery_pump(PlatedDelivery *delivery)
{
    if (delivery->generation != plated_outbox_generation(delivery->outbox))
        start_over(delivery);
    while (delivery->mqtt && plated_mqtt_is_connected(delivery->mqtt) &&
           g_hash_table_size(delivery->in_flight) < (delivery->protobuf ? WINDOW / 2 : WINDOW)) {
        _cleanup_free_ char *topic = NULL, *payload = NULL;
        int64_t sequence;
        int mid, r;

        if (plated_outbox_next(delivery->outbox, delivery->sent, &sequence, &topic, &payload) < 0)
            return;
        if (delivery->protobuf)
            plated_protobuf_publish(delivery->mqtt, topic, payload, false);
        r = plated_mqtt_publish(delivery->mqtt, topic, payload, strlen(payload), 1, false, &mid);
        if (r < 0 && r != -E2BIG)
            return;
        delivery->sent = sequence;
        if (r < 0)
            put_off(delivery);
        else
            g_hash_table_insert(delivery->in_flight, GINT_TO_POINTER(mid),
                                g_memdup2(&sequence, sizeof(sequence)));
    }
}

bool plated_delivery_is_waiting(const PlatedDelivery *delivery)
{
    return g_hash_table_size(delivery->in_flight) > 0;
}

void plated_delivery_published(PlatedDelivery *delivery, int mid, bool accepted)
{
    const int64_t *sequence = g_hash_table_lookup(delivery->in_flight, GINT_TO_POINTER(mid));

    /* A sequence number of another generation is that of another message. */
    if (!sequence || delivery->generation != plated_outbox_generation(delivery->outbox))
        return;
    if (accepted)
        plated_outbox_acknowledge(delivery->outbox, *sequence);
    else
        put_off(delivery);
    g_hash_table_remove(delivery->in_flight, GINT_TO_POINTER(mid));
    plated_delivery_pump(delivery);
}
