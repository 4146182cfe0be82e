/* SPDX-License-Identifier: Apache-2.0 */

/* Decisions on their way from the lists to the broker. */

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "payload.h"
#include "protobuf.h"
#include "service_private.h"
#include "system.h"

static int publish(PlatedService *service, const char *payload)
{
    g_autofree char *topic = plated_publisher_topic(service->config, "access");
    g_autofree char *other = NULL;
    g_autoptr(GBytes) bytes =
        service->config->mqtt.protobuf ? plated_protobuf_encode(topic, payload, &other) : NULL;
    uint32_t expiry_s = (uint32_t)(service->config->access.expiry_us / 1000000);
    int r;

    if (!service->mqtt)
        return -ENOTCONN;
    r = plated_mqtt_publish_fleeting(service->mqtt, topic, payload, strlen(payload), expiry_s);
    if (r < 0 || !bytes)
        return r;
    return plated_mqtt_publish_fleeting(service->mqtt, other, g_bytes_get_data(bytes, NULL),
                                        g_bytes_get_size(bytes), expiry_s);
}

static void on_access(void *userdata, const PlatedAccessEvent *event)
{
    PlatedService *service = userdata;
    g_autofree char *payload = plated_payload_access(
        event, service->config->camera.name, plated_system_clock_synchronised(plated_system_root()),
        service->privacy);

    service->decisions[event->verdict.decision]++;
    if (publish(service, payload) < 0)
        plated_log(service->log, PLATED_LOG_WARNING,
                   "passage %s: the broker is away and never hears of the decision", event->id);
}

int plated_service_new_access(PlatedService *service, const PlatedConfig *config,
                              PlatedAccess **ret_access, NnError *error)
{
    int r = plated_access_new(config, service->log, on_access, service, ret_access, error);

    return r < 0 ? plated_config_blame(config, "access", "lists", r, error) : 0;
}

void plated_service_take_access(PlatedService *service, PlatedAccess *access)
{
    PlatedAccess *before = service->access;
    NnError error = {0};

    plated_publisher_set_access(service->publisher, access);
    if (plated_access_begin(access, before, &error) < 0)
        plated_log(service->log, PLATED_LOG_ERROR, "no pulses: %s", error.message);
    service->access = access;
    plated_access_free(before);
}

/* At start a wrong line is a wrong configuration. */
int plated_service_start_access(PlatedService *service, NnError *error)
{
    int r = plated_service_new_access(service, service->config, &service->access, error);

    if (r < 0)
        return r;
    plated_publisher_set_access(service->publisher, service->access);
    r = plated_access_begin(service->access, NULL, error);
    return r < 0 ? plated_config_blame(service->config, "access", "gpio_line", r, error) : 0;
}
