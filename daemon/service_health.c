/* SPDX-License-Identifier: Apache-2.0 */

/* Whether the service is well, and what it says of itself. */

#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "notify.h"
#include "protobuf.h"
#include "service_private.h"
#include "system.h"
#include "times.h"
#include "version.h"

#define SECOND_US           ((int64_t)1000000)
#define STARTING_LONGEST_US (60 * SECOND_US)
#define TRIM_EVERY_S        3600
#define COOL_C              3 /* below the limit, so that the log does not flicker */

/* ---- readiness and health ------------------------------------------------ */

/* A driver may hold the thread that opens the camera again: only a restart helps then. */
static bool camera_is_away(const PlatedService *service, int64_t limit_us)
{
    int64_t now = plated_system_monotonic_us();
    int64_t since_us = now - service->camera_since_us;

    switch (service->camera_state) {
    case LPR_SOURCE_STARTING:
        return since_us < STARTING_LONGEST_US;
    case LPR_SOURCE_PLAYING:
        return false;
    case LPR_SOURCE_LOST:
        return now - plated_camera_alive_us(service->camera) < limit_us;
    case LPR_SOURCE_ENDED:
    case LPR_SOURCE_FAILED:
        break;
    }
    return true;
}

/* A camera that is away must not keep the service from being up: it may be
 * plugged in later. */
void plated_service_check_ready(PlatedService *service)
{
    bool settled = service->first_frame || service->camera_state == LPR_SOURCE_LOST ||
                   service->camera_state == LPR_SOURCE_ENDED;

    if (service->ready || service->stopping || !settled || !service->broker_tried)
        return;
    service->ready = true;
    plated_notify_ready();
    plated_log(service->log, PLATED_LOG_INFO, "ready");
}

static void feed_watchdog(PlatedService *service, const PlatedWorkerStats *stats)
{
    int64_t now = plated_system_monotonic_us();
    int64_t limit_us = (int64_t)plated_notify_watchdog_us() / 2;
    bool inferring = stats->inferred_us && now - stats->inferred_us < limit_us;
    bool alive = now - stats->alive_us < limit_us;

    if (limit_us > 0 && (inferring || (alive && camera_is_away(service, limit_us))))
        plated_notify_watchdog();
}

static void watch_heat(PlatedService *service)
{
    double temperature_c = plated_system_temperature(plated_system_root());
    double hot_c = service->config->engine.hot_c;
    int64_t pause_us = plated_times_pause_us(temperature_c, hot_c);
    bool slowed = pause_us > 0 || (service->slowed && hot_c > 0 && temperature_c > hot_c - COOL_C);

    plated_worker_set_pause(service->worker, pause_us);
    if (slowed != service->slowed)
        plated_log(service->log, slowed ? PLATED_LOG_WARNING : PLATED_LOG_INFO,
                   slowed ? "the processor has %.0f °C: frames are looked at less often"
                          : "the processor has %.0f °C: frames are looked at as often as before",
                   temperature_c);
    service->slowed = slowed;
}

static void count_fps(PlatedService *service, const PlatedWorkerStats *stats)
{
    unsigned slot = service->seconds % PLATED_FPS_WINDOW_S;
    int64_t now = plated_system_monotonic_us();
    int64_t before = service->fps_times_us[slot];

    if (before)
        service->fps =
            (double)(stats->frames - service->fps_frames[slot]) * 1e6 / (double)(now - before);
    else if (service->seconds > 0)
        service->fps = (double)(stats->frames - service->fps_frames[0]) * 1e6 /
                       (double)(now - service->fps_times_us[0]);
    service->fps_frames[slot] = stats->frames;
    service->fps_times_us[slot] = now;
    service->seconds++;
}

static void check_broker(PlatedService *service)
{
    if (!service->broker_comes_and_goes || !service->mqtt ||
        !plated_mqtt_is_steady(service->mqtt) || plated_delivery_is_waiting(service->delivery))
        return;
    service->broker_comes_and_goes = false;
    plated_log(service->log, PLATED_LOG_INFO, "the connection to broker %s holds",
               service->config->mqtt.host);
}

gboolean plated_service_on_second(gpointer userdata)
{
    PlatedService *service = userdata;
    PlatedWorkerStats stats;

    plated_worker_stats(service->worker, &stats);
    count_fps(service, &stats);
    feed_watchdog(service, &stats);
    check_broker(service);
    watch_heat(service);
    if (!service->stopping && service->seconds % 5 == 1)
        plated_notify_status("camera %s, %.1f fps, broker %s, %" PRIu64 " passages waiting",
                             plated_camera_state_name(service->camera_state), service->fps,
                             plated_mqtt_is_connected(service->mqtt) ? "connected" : "away",
                             plated_outbox_count(service->outbox));
    plated_outbox_settle(service->outbox);
    plated_delivery_pump(service->delivery);
    if (service->seconds % TRIM_EVERY_S == 0) {
        plated_outbox_trim(service->outbox, plated_service_now());
        plated_store_trim(service->store, plated_service_now());
    }
    return G_SOURCE_CONTINUE;
}

/* ---- state --------------------------------------------------------------- */

void plated_service_state(PlatedService *service, PlatedState *ret_state)
{
    PlatedWorkerStats stats;

    plated_worker_stats(service->worker, &stats);
    *ret_state = (PlatedState){
        .camera = service->config->camera.name,
        .camera_state = plated_camera_state_name(service->camera_state),
        .reason = service->camera_reason,
        .fps = service->fps,
        .latency_ms = stats.latency_ms,
        .temperature_c = plated_system_temperature(plated_system_root()),
        .throttled = plated_system_throttled(plated_system_root()),
        .frames = stats.frames,
        .slowed = service->slowed,
        .frames_dropped = stats.frames_dropped,
        .frames_passed = stats.frames_passed,
        .backlog = plated_outbox_count(service->outbox),
        .passages_dropped = plated_outbox_dropped(service->outbox),
        .clock_synchronised = plated_system_clock_synchronised(plated_system_root()),
        .uptime_us = plated_system_monotonic_us() - service->started_us,
        .realtime_us = plated_system_realtime_us(),
        .software = PLATED_VERSION,
        .detector = service->detector,
        .reader = service->reader,
        .region = service->region,
    };
}

void plated_service_publish_state(PlatedService *service)
{
    g_autofree char *topic = plated_publisher_topic(service->config, "state");
    g_autofree char *payload = NULL;
    PlatedState state;

    plated_service_state(service, &state);
    payload = plated_payload_state(&state);
    if (service->config->mqtt.protobuf)
        plated_protobuf_publish(service->mqtt, topic, payload, true);
    plated_mqtt_publish(service->mqtt, topic, payload, strlen(payload), 1, true, NULL);
}

static gboolean on_state_due(gpointer userdata)
{
    plated_service_publish_state(userdata);
    return G_SOURCE_CONTINUE;
}

void plated_service_arm_state_timer(PlatedService *service)
{
    if (service->state_timer)
        g_source_remove(service->state_timer);
    service->state_timer = g_timeout_add((guint)(service->config->mqtt.state_interval_us / 1000),
                                         on_state_due, service);
}

void plated_service_note_models(PlatedService *service, const PlatedRecognition *recognition)
{
    g_free(service->detector);
    g_free(service->reader);
    g_free(service->region);
    service->detector = g_strdup(lpr_recognizer_version(recognition->recognizer, "detect"));
    service->reader = g_strdup(lpr_recognizer_version(recognition->recognizer, "read"));
    service->region = g_strdup(lpr_recognizer_version(recognition->recognizer, "region"));
}
