/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <glib-unix.h>

#include "base/util.h"
#include "notify.h"
#include "payload.h"
#include "service_private.h"
#include "system.h"

#define SECOND_US  ((int64_t)1000000)
#define DRAIN_US   (5 * SECOND_US) /* on SIGTERM */
#define GOODBYE_US (2 * SECOND_US)

void plated_service_tracker_options(const PlatedConfig *config, LprTrackerOptions *ret_options)
{
    *ret_options = (LprTrackerOptions){
        .quiet_us = config->passage.quiet_us,
        .longest_us = config->passage.longest_us,
        .rearm_us = config->passage.rearm_us,
        .provisional = (float)config->passage.provisional,
        .provisional_reads = (unsigned)config->passage.provisional_reads,
        .final = (float)config->passage.final,
        .region = (float)config->passage.region,
        .min_characters = (size_t)config->passage.min_characters,
        .legible_width_px = config->passage.legible_width_px,
    };
    /* They were tried when the configuration was read: only memory can be short. */
    if (lpr_filter_new(config->passage.formats, &ret_options->filter, NULL) < 0)
        g_error("out of memory");
}

void plated_service_outbox_limits(const PlatedConfig *config, PlatedOutboxLimits *ret_limits)
{
    *ret_limits = (PlatedOutboxLimits){config->outbox.max_rows, config->outbox.max_age_us};
}

void plated_service_store_limits(const PlatedConfig *config, PlatedStoreLimits *ret_limits)
{
    *ret_limits =
        (PlatedStoreLimits){config->store.max_age_us, (int64_t)config->store.quota_mib << 20};
}

PlatedMoment plated_service_now(void)
{
    return (PlatedMoment){plated_system_realtime_us(),
                          plated_system_clock_synchronised(plated_system_root())};
}

/* ---- the end ------------------------------------------------------------- */

static void say_goodbye(PlatedService *service)
{
    uint64_t left = plated_outbox_count(service->outbox);

    if (left > 0)
        plated_log(service->log, PLATED_LOG_WARNING, "%" PRIu64 " messages stay in the outbox",
                   left);
    if (!plated_mqtt_is_connected(service->mqtt)) {
        g_main_loop_quit(service->loop);
        return;
    }
    plated_service_publish_availability(service, "offline", &service->goodbye_mid);
    service->drain_until_us = plated_system_monotonic_us() + GOODBYE_US;
}

static gboolean drain(gpointer userdata)
{
    PlatedService *service = userdata;
    bool late = plated_system_monotonic_us() >= service->drain_until_us;

    if (service->goodbye_mid) {
        if (late)
            g_main_loop_quit(service->loop);
    } else if (late || plated_outbox_count(service->outbox) == 0) {
        say_goodbye(service);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean worker_ended(gpointer userdata)
{
    PlatedService *service = userdata;

    plated_delivery_pump(service->delivery);
    service->drain_until_us += plated_system_monotonic_us();
    service->drain_timer = g_timeout_add(50, drain, service);
    return G_SOURCE_REMOVE;
}

void plated_service_on_worker_ended(void *userdata)
{
    g_idle_add_full(G_PRIORITY_DEFAULT, worker_ended, userdata, NULL);
}

void plated_service_begin_stop(PlatedService *service, int64_t drain_us)
{
    if (service->stopping)
        return;
    service->stopping = true;
    plated_notify_stopping();
    service->drain_until_us = drain_us;
    /* First the worker: a clip's source waits for it. */
    plated_worker_stop(service->worker);
    service->camera = plated_camera_free(service->camera);
}

static gboolean on_terminate(gpointer userdata)
{
    PlatedService *service = userdata;

    if (service->stopping) {
        g_main_loop_quit(service->loop);
        return G_SOURCE_CONTINUE;
    }
    plated_log(service->log, PLATED_LOG_INFO, "stopping");
    plated_service_begin_stop(service, plated_mqtt_is_connected(service->mqtt) ? DRAIN_US : 0);
    return G_SOURCE_CONTINUE;
}

static gboolean on_hangup(gpointer userdata)
{
    plated_reload_begin(userdata);
    return G_SOURCE_CONTINUE;
}

/* ---- the beginning ------------------------------------------------------- */

static int open_outbox(PlatedService *service, NnError *error)
{
    PlatedOutboxLimits limits;

    plated_service_outbox_limits(service->config, &limits);
    return plated_outbox_open(service->config->outbox.file, &limits, service->log, &service->outbox,
                              error);
}

static void open_store(PlatedService *service)
{
    PlatedStoreLimits limits;

    plated_service_store_limits(service->config, &limits);
    if (*service->config->store.file)
        service->store = plated_store_open(service->config->store.file, &limits, service->log);
}

/* What a passage ends with that the service could not end itself. */
static char *finish(void *userdata, const char *provisional)
{
    PlatedService *service = userdata;
    char *payload = plated_payload_finish(provisional);

    if (payload)
        plated_store_add(service->store, payload);
    return payload;
}

static int open_databases(PlatedService *service, NnError *error)
{
    int r;

    r = open_outbox(service, error);
    if (r < 0)
        return r;
    open_store(service);
    plated_outbox_finish(service->outbox, finish, service, plated_service_now());
    plated_outbox_trim(service->outbox, plated_service_now());
    plated_store_trim(service->store, plated_service_now());
    return 0;
}

static int start(PlatedService *service, NnError *error)
{
    int r;

    r = plated_service_new_mqtt(service, service->config, &service->mqtt, error);
    if (r < 0)
        return r;
    r = plated_config_password(service->config, &service->password, error);
    if (r < 0)
        return r;
    r = plated_privacy_new(service->config, &service->privacy, error);
    if (r < 0)
        return r;
    r = open_databases(service, error);
    if (r < 0)
        return r;
    service->publisher = plated_publisher_new(service->config, service->outbox, service->store,
                                              plated_service_on_picture, service, service->log);
    plated_publisher_set_privacy(service->publisher, service->privacy);
    service->delivery = plated_delivery_new(service->outbox, service->log);
    plated_delivery_set_mqtt(service->delivery, service->mqtt);
    plated_delivery_set_protobuf(service->delivery, service->config->mqtt.protobuf);
    r = plated_service_start_access(service, error);
    if (r < 0)
        return r;
    r = plated_service_start_worker(service, error);
    if (r < 0)
        return r;
    return plated_service_new_camera(service, service->config, &service->camera, error);
}

/* Before the models are loaded: a SIGHUP meanwhile must wait, not kill. */
static void catch_signals(PlatedService *service)
{
    signal(SIGPIPE, SIG_IGN);
    service->term_source = g_unix_signal_add(SIGTERM, on_terminate, service);
    service->int_source = g_unix_signal_add(SIGINT, on_terminate, service);
    service->hup_source = g_unix_signal_add(SIGHUP, on_hangup, service);
}

static void run_loop(PlatedService *service)
{
    service->second_timer = g_timeout_add(1000, plated_service_on_second, service);
    plated_service_arm_state_timer(service);
    service->control = plated_control_new(service);
    plated_mqtt_start(service->mqtt);
    plated_service_start_camera(service);
    g_main_loop_run(service->loop);
}

static void clear_source(guint *source)
{
    if (*source)
        g_source_remove(*source);
    *source = 0;
}

static void tear_down(PlatedService *service)
{
    guint *sources[] = {
        &service->term_source,  &service->int_source,  &service->hup_source,
        &service->second_timer, &service->state_timer, &service->camera_timer,
        &service->drain_timer,
    };

    for (size_t i = 0; i < NN_ARRAY_SIZE(sources); i++)
        clear_source(sources[i]);
    service->stopping = true;
    while (g_idle_remove_by_data(service))
        ;
    service->control = plated_control_free(service->control);
    while (service->reload)
        g_main_context_iteration(NULL, TRUE);
    if (service->mqtt)
        plated_mqtt_disconnect(service->mqtt);
    if (service->worker)
        plated_worker_stop(service->worker);
    plated_camera_free(service->camera);
    plated_worker_free(service->worker);
    plated_access_free(service->access);
    plated_delivery_free(service->delivery);
    plated_mqtt_free(service->mqtt);
    plated_publisher_free(service->publisher);
    plated_outbox_free(service->outbox);
    plated_store_free(service->store);
    plated_privacy_free(service->privacy);
    plated_config_free(service->config);
    g_free(service->camera_reason);
    g_free(service->detector);
    g_free(service->reader);
    g_free(service->region);
    free(service->password);
    g_main_loop_unref(service->loop);
}

/* Trying again helps against these, and not against others. */
static int status_of(int r)
{
    return r == -ENOMEM || r == -EBUSY || r == -EAGAIN || r == -EIO ? EXIT_FAILURE : EX_CONFIG;
}

int plated_service_run(PlatedConfig *config, const char *path, PlatedLog *log)
{
    PlatedService service = {
        .loop = g_main_loop_new(NULL, FALSE),
        .log = log,
        .path = path,
        .config = config,
        .camera_logged = LPR_SOURCE_STARTING,
        .started_us = plated_system_monotonic_us(),
    };
    NnError error = {0};
    int r;

    catch_signals(&service);
    plated_notify_status("loading models");
    r = start(&service, &error);
    if (r < 0) {
        plated_log(log, PLATED_LOG_ERROR, "%s", error.message);
        service.status = status_of(r);
    } else {
        run_loop(&service);
    }
    tear_down(&service);
    return service.status;
}
