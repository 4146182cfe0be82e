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
#include "broker.h"
#include "discovery.h"
#include "notify.h"
#include "payload.h"
#include "service_private.h"
#include "system.h"
#include "version.h"

#define SECOND_US           ((int64_t)1000000)
#define STARTING_LONGEST_US (60 * SECOND_US)
#define CAMERA_RETRY_S      30
#define DRAIN_US            (5 * SECOND_US)  /* on SIGTERM */
#define DRAIN_AT_END_US     (30 * SECOND_US) /* when a clip is over */
#define GOODBYE_US          (2 * SECOND_US)
#define TRIM_EVERY_S        3600
#define SNAPSHOT_QUALITY    85

static void begin_stop(PlatedService *service, int64_t drain_us);

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

static PlatedMoment moment_now(void)
{
    return (PlatedMoment){plated_system_realtime_us(), plated_system_clock_synchronised("")};
}

/* ---- readiness and health ------------------------------------------------ */

static bool camera_is_away(const PlatedService *service)
{
    int64_t since_us = plated_system_monotonic_us() - service->camera_since_us;

    switch (service->camera_state) {
    case LPR_SOURCE_STARTING:
        return since_us < STARTING_LONGEST_US;
    case LPR_SOURCE_PLAYING:
        return false;
    case LPR_SOURCE_LOST:
    case LPR_SOURCE_ENDED:
    case LPR_SOURCE_FAILED:
        break;
    }
    return true;
}

/* A camera that is away must not keep the service from being up: it may be
 * plugged in later. */
static void check_ready(PlatedService *service)
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

    if (limit_us > 0 && (inferring || (alive && camera_is_away(service))))
        plated_notify_watchdog();
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
    plated_delivery_check(service->delivery);
    if (!service->broker_comes_and_goes || !service->mqtt ||
        !plated_mqtt_is_steady(service->mqtt) || plated_delivery_is_waiting(service->delivery))
        return;
    service->broker_comes_and_goes = false;
    plated_log(service->log, PLATED_LOG_INFO, "the connection to broker %s holds",
               service->config->mqtt.host);
}

static gboolean on_second(gpointer userdata)
{
    PlatedService *service = userdata;
    PlatedWorkerStats stats;

    plated_worker_stats(service->worker, &stats);
    count_fps(service, &stats);
    feed_watchdog(service, &stats);
    check_broker(service);
    if (!service->stopping && service->seconds % 5 == 1)
        plated_notify_status("camera %s, %.1f fps, broker %s, %" PRIu64 " passages waiting",
                             plated_camera_state_name(service->camera_state), service->fps,
                             plated_mqtt_is_connected(service->mqtt) ? "connected" : "away",
                             plated_outbox_count(service->outbox));
    if (service->seconds % TRIM_EVERY_S == 0)
        plated_outbox_trim(service->outbox, moment_now());
    return G_SOURCE_CONTINUE;
}

/* ---- state --------------------------------------------------------------- */

void plated_service_publish_state(PlatedService *service)
{
    g_autofree char *topic = plated_publisher_topic(service->config, "state");
    g_autofree char *payload = NULL;
    PlatedWorkerStats stats;
    PlatedState state;

    plated_worker_stats(service->worker, &stats);
    state = (PlatedState){
        .camera = service->config->camera.name,
        .camera_state = plated_camera_state_name(service->camera_state),
        .reason = service->camera_reason,
        .fps = service->fps,
        .latency_ms = stats.latency_ms,
        .temperature_c = plated_system_temperature(""),
        .throttled = plated_system_throttled(""),
        .frames = stats.frames,
        .frames_dropped = stats.frames_dropped,
        .backlog = plated_outbox_count(service->outbox),
        .passages_dropped = plated_outbox_dropped(service->outbox),
        .clock_synchronised = plated_system_clock_synchronised(""),
        .uptime_us = plated_system_monotonic_us() - service->started_us,
        .realtime_us = plated_system_realtime_us(),
        .software = PLATED_VERSION,
        .detector = service->detector,
        .reader = service->reader,
        .region = service->region,
    };
    payload = plated_payload_state(&state);
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

/* ---- the broker ---------------------------------------------------------- */

static void publish_availability(PlatedService *service, const char *payload, int *ret_mid)
{
    g_autofree char *topic = plated_publisher_topic(service->config, "availability");

    plated_mqtt_publish(service->mqtt, topic, payload, strlen(payload), 1, true, ret_mid);
}

static void publish_retained(void *userdata, const char *topic, const char *payload)
{
    PlatedService *service = userdata;

    plated_mqtt_publish(service->mqtt, topic, payload, strlen(payload), 1, true, NULL);
}

void plated_service_publish_discovery(PlatedService *service, bool away)
{
    if (plated_mqtt_is_connected(service->mqtt))
        plated_discovery_each(service->config, away, publish_retained, service);
}

static void subscribe_commands(PlatedService *service)
{
    g_autofree char *topic = plated_publisher_topic(service->config, "command");

    if (service->config->mqtt.commands && plated_mqtt_subscribe(service->mqtt, topic) < 0)
        plated_log(service->log, PLATED_LOG_WARNING, "%s: cannot subscribe", topic);
}

static gboolean reload(gpointer userdata)
{
    plated_reload_begin(userdata);
    return G_SOURCE_REMOVE;
}

/* A retained command is one that somebody gave once, and comes at every connection. */
static void on_command(void *userdata, const char *topic, const void *payload, size_t n,
                       bool retained)
{
    PlatedService *service = userdata;

    if (!service->config->mqtt.commands || service->stopping)
        return;
    if (retained)
        plated_log(service->log, PLATED_LOG_WARNING, "a retained command is not obeyed");
    else if (n == strlen("snapshot") && memcmp(payload, "snapshot", n) == 0)
        plated_worker_snapshot(service->worker);
    else if (n == strlen("reload") && memcmp(payload, "reload", n) == 0)
        g_idle_add(reload, service); /* the connection may go, which is calling us */
    else
        plated_log(service->log, PLATED_LOG_WARNING,
                   "a command of %zu bytes is neither snapshot nor reload", n);
}

static void on_connected(void *userdata)
{
    PlatedService *service = userdata;

    plated_log(service->log, service->broker_comes_and_goes ? PLATED_LOG_DEBUG : PLATED_LOG_INFO,
               "connected to broker %s", service->config->mqtt.host);
    service->broker_came = true;
    subscribe_commands(service);
    plated_service_publish_discovery(service, false);
    publish_availability(service, "online", NULL);
    plated_service_publish_state(service);
    plated_delivery_pump(service->delivery);
    service->broker_tried = true;
    check_ready(service);
}

static void on_broker_failed(void *userdata, const char *sentence, bool again)
{
    PlatedService *service = userdata;

    plated_log(service->log, again ? PLATED_LOG_DEBUG : PLATED_LOG_WARNING, "%s", sentence);
    service->broker_comes_and_goes =
        again && (service->broker_came || service->broker_comes_and_goes);
    service->broker_came = false;
    service->broker_tried = true;
    check_ready(service);
}

static void on_published(void *userdata, int mid, bool accepted)
{
    PlatedService *service = userdata;

    if (service->goodbye_mid && mid == service->goodbye_mid)
        g_main_loop_quit(service->loop);
    plated_delivery_published(service->delivery, mid, accepted);
}

int plated_service_new_mqtt(PlatedService *service, const PlatedConfig *config,
                            PlatedMqtt **ret_mqtt, NnError *error)
{
    static const PlatedMqttCallbacks callbacks = {
        .connected = on_connected,
        .failed = on_broker_failed,
        .published = on_published,
        .message = on_command,
    };

    return plated_broker_new(config, false, &callbacks, service, ret_mqtt, error);
}

void plated_service_leave_broker(PlatedService *service)
{
    if (plated_mqtt_is_connected(service->mqtt))
        publish_availability(service, "offline", NULL);
    plated_mqtt_disconnect(service->mqtt);
    plated_delivery_set_mqtt(service->delivery, NULL);
    service->mqtt = plated_mqtt_free(service->mqtt);
}

/* ---- the camera ---------------------------------------------------------- */

static gboolean retry_camera(gpointer userdata)
{
    PlatedService *service = userdata;
    PlatedCamera *camera = NULL;
    NnError error = {0};

    service->camera_timer = 0;
    if (plated_service_new_camera(service, service->config, &camera, &error) < 0)
        return G_SOURCE_REMOVE;
    plated_camera_free(service->camera);
    service->camera = camera;
    plated_service_start_camera(service);
    return G_SOURCE_REMOVE;
}

/* Wrong for good: at start a matter of the configuration, later one of waiting. */
static void camera_failed(PlatedService *service, const char *sentence)
{
    if (service->stopping)
        return;
    if (!service->ready) {
        NnError error = {0};

        nn_error_set(&error, -EINVAL, "%s", sentence);
        plated_config_blame(service->config, "camera", "source", -EINVAL, &error);
        plated_log(service->log, PLATED_LOG_ERROR, "%s", error.message);
        service->status = EX_CONFIG;
        begin_stop(service, 0);
    } else if (!service->camera_timer) {
        service->camera_timer = g_timeout_add_seconds(CAMERA_RETRY_S, retry_camera, service);
    }
}

static void log_camera(PlatedService *service, LprSourceState state, const char *sentence)
{
    static const PlatedLogLevel levels[] = {
        [LPR_SOURCE_STARTING] = PLATED_LOG_DEBUG, [LPR_SOURCE_PLAYING] = PLATED_LOG_INFO,
        [LPR_SOURCE_LOST] = PLATED_LOG_WARNING,   [LPR_SOURCE_ENDED] = PLATED_LOG_INFO,
        [LPR_SOURCE_FAILED] = PLATED_LOG_ERROR,
    };
    bool again = state == service->camera_logged;

    plated_log(service->log, again ? PLATED_LOG_DEBUG : levels[state], "camera %s %s%s%s",
               service->config->camera.name, plated_camera_state_name(state), sentence ? ": " : "",
               sentence ? sentence : "");
    if (state != LPR_SOURCE_STARTING)
        service->camera_logged = state;
}

static void on_camera(void *userdata, LprSourceState state, const char *sentence)
{
    PlatedService *service = userdata;

    log_camera(service, state, sentence);
    service->camera_state = state;
    service->camera_since_us = plated_system_monotonic_us();
    g_free(service->camera_reason);
    service->camera_reason =
        state == LPR_SOURCE_LOST || state == LPR_SOURCE_FAILED ? g_strdup(sentence) : NULL;
    if (state == LPR_SOURCE_FAILED)
        camera_failed(service, sentence);
    if (state == LPR_SOURCE_ENDED)
        plated_worker_flush(service->worker);
    if (!service->stopping)
        plated_service_publish_state(service);
    check_ready(service);
}

int plated_service_new_camera(PlatedService *service, const PlatedConfig *config,
                              PlatedCamera **ret_camera, NnError *error)
{
    return plated_camera_new(config, service->worker, on_camera, service, ret_camera, error);
}

void plated_service_start_camera(PlatedService *service)
{
    NnError error = {0};

    service->camera_state = LPR_SOURCE_STARTING;
    service->camera_since_us = plated_system_monotonic_us();
    plated_worker_set_source(service->worker, plated_camera_is_live(service->camera),
                             plated_camera_is_still(service->camera));
    if (plated_camera_start(service->camera, &error) < 0)
        on_camera(service, LPR_SOURCE_FAILED, error.message);
}

/* ---- the worker ---------------------------------------------------------- */

typedef struct Picture {
    PlatedService *service;
    char *leaf;
    GBytes *bytes;
} Picture;

static void picture_free(gpointer userdata)
{
    Picture *picture = userdata;

    g_free(picture->leaf);
    g_bytes_unref(picture->bytes);
    g_free(picture);
}

static gboolean publish_picture(gpointer userdata)
{
    Picture *picture = userdata;
    g_autofree char *topic = plated_publisher_topic(picture->service->config, picture->leaf);
    gsize n;
    const void *bytes = g_bytes_get_data(picture->bytes, &n);

    if (picture->service->mqtt)
        plated_mqtt_publish(picture->service->mqtt, topic, bytes, n, 1, false, NULL);
    return G_SOURCE_REMOVE;
}

/* On the worker's thread, as the next four. */
static void on_picture(void *userdata, const char *topic, const uint8_t *bytes, size_t n)
{
    Picture *picture = g_new0(Picture, 1);

    picture->service = userdata;
    picture->leaf = g_strdup(topic);
    picture->bytes = g_bytes_new(bytes, n);
    g_idle_add_full(G_PRIORITY_DEFAULT, publish_picture, picture, picture_free);
}

static void on_snapshot(void *userdata, const LprFrame *frame)
{
    PlatedService *service = userdata;
    _cleanup_free_ uint8_t *bytes = NULL;
    NnError error = {0};
    size_t n;

    if (lpr_picture_encode(frame, NULL, SNAPSHOT_QUALITY, &bytes, &n, &error) < 0)
        plated_log(service->log, PLATED_LOG_WARNING, "no snapshot: %s", error.message);
    else
        on_picture(service, "snapshot", bytes, n);
}

static void in_main_loop(GSourceFunc function, PlatedService *service)
{
    g_idle_add_full(G_PRIORITY_DEFAULT, function, service, NULL);
}

static gboolean pump(gpointer userdata)
{
    plated_delivery_pump(((PlatedService *)userdata)->delivery);
    return G_SOURCE_REMOVE;
}

static void on_passage(void *userdata, const LprPassage *passage, const LprRecognizer *recognizer)
{
    PlatedService *service = userdata;

    plated_publisher_passage(service->publisher, passage, recognizer);
    in_main_loop(pump, service);
}

static gboolean first_frame(gpointer userdata)
{
    PlatedService *service = userdata;

    service->first_frame = true;
    check_ready(service);
    return G_SOURCE_REMOVE;
}

static void on_first_frame(void *userdata)
{
    in_main_loop(first_frame, userdata);
}

static gboolean flushed(gpointer userdata)
{
    PlatedService *service = userdata;

    if (service->config->camera.exit_at_end && service->camera_state == LPR_SOURCE_ENDED)
        begin_stop(service, DRAIN_AT_END_US);
    return G_SOURCE_REMOVE;
}

static void on_flushed(void *userdata)
{
    in_main_loop(flushed, userdata);
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
    publish_availability(service, "offline", &service->goodbye_mid);
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

static void on_worker_ended(void *userdata)
{
    in_main_loop(worker_ended, userdata);
}

/* Once the worker has ended, messages have `drain_us` to be acknowledged. */
static void begin_stop(PlatedService *service, int64_t drain_us)
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
    begin_stop(service, plated_mqtt_is_connected(service->mqtt) ? DRAIN_US : 0);
    return G_SOURCE_CONTINUE;
}

static gboolean on_hangup(gpointer userdata)
{
    plated_reload_begin(userdata);
    return G_SOURCE_CONTINUE;
}

/* ---- the beginning ------------------------------------------------------- */

/* The gate matters more than the disk: without one, passages stay in memory. */
static int open_outbox(PlatedService *service, NnError *error)
{
    PlatedOutboxLimits limits;
    int r;

    plated_service_outbox_limits(service->config, &limits);
    r = plated_outbox_open(service->config->outbox.file, &limits, service->log, &service->outbox,
                           error);
    if (r == 0 || r == -EBUSY)
        return r;
    plated_log(service->log, PLATED_LOG_ERROR,
               "%s; passages are kept in memory and a restart would lose them", error->message);
    return plated_outbox_open("", &limits, service->log, &service->outbox, error);
}

static int start_worker(PlatedService *service, NnError *error)
{
    static const PlatedWorkerCallbacks callbacks = {
        .passage = on_passage,
        .first_frame = on_first_frame,
        .snapshot = on_snapshot,
        .flushed = on_flushed,
        .ended = on_worker_ended,
    };
    PlatedRecognition *recognition = NULL;
    LprTrackerOptions options;
    int r;

    r = plated_recognition_new(service->config, NULL, false, service->log, &recognition, error);
    if (r < 0)
        return r;
    plated_service_note_models(service, recognition);
    plated_service_tracker_options(service->config, &options);
    r = plated_worker_new(recognition, &options, &callbacks, service, service->log,
                          &service->worker);
    lpr_filter_unref(options.filter);
    if (r < 0) {
        plated_recognition_free(recognition);
        return nn_error_set(error, r, "out of memory");
    }
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
    r = open_outbox(service, error);
    if (r < 0)
        return r;
    plated_outbox_finish(service->outbox, plated_payload_finish, moment_now());
    plated_outbox_trim(service->outbox, moment_now());
    service->publisher =
        plated_publisher_new(service->config, service->outbox, on_picture, service, service->log);
    service->delivery = plated_delivery_new(service->outbox, service->log);
    plated_delivery_set_mqtt(service->delivery, service->mqtt);
    r = plated_service_start_access(service, error);
    if (r < 0)
        return r;
    r = start_worker(service, error);
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
    service->second_timer = g_timeout_add(1000, on_second, service);
    plated_service_arm_state_timer(service);
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
