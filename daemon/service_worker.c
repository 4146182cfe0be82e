/* SPDX-License-Identifier: Apache-2.0 */

/* What the thread that recognises has to say, on its way to the main thread. */

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "service_private.h"

#define DRAIN_AT_END_US  ((int64_t)30 * 1000000)
#define SNAPSHOT_QUALITY 90 /* platectl doctor judges its sharpness */

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

/* Of a frame that was asked for, over MQTT or by platectl. */
static gboolean take_snapshot(gpointer userdata)
{
    Picture *picture = userdata;
    PlatedService *service = picture->service;
    gsize n;
    const void *bytes = g_bytes_get_data(picture->bytes, &n);

    plated_control_snapshot(service->control, bytes, n);
    if (service->snapshot_commanded)
        publish_picture(picture);
    service->snapshot_commanded = false;
    return G_SOURCE_REMOVE;
}

/* On the worker's thread, as the next four. */
static void pass_on(PlatedService *service, const char *leaf, const uint8_t *bytes, size_t n,
                    GSourceFunc function)
{
    Picture *picture = g_new0(Picture, 1);

    picture->service = service;
    picture->leaf = g_strdup(leaf);
    picture->bytes = g_bytes_new(bytes, n);
    g_idle_add_full(G_PRIORITY_DEFAULT, function, picture, picture_free);
}

void plated_service_on_picture(void *userdata, const char *topic, const uint8_t *bytes, size_t n)
{
    pass_on(userdata, topic, bytes, n, publish_picture);
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
        pass_on(service, "snapshot", bytes, n, take_snapshot);
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
    atomic_fetch_add(&service->passages[passage->final], 1);
    in_main_loop(pump, service);
}

static gboolean first_frame(gpointer userdata)
{
    PlatedService *service = userdata;

    service->first_frame = true;
    plated_service_check_ready(service);
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
        plated_service_begin_stop(service, DRAIN_AT_END_US);
    return G_SOURCE_REMOVE;
}

static void on_flushed(void *userdata)
{
    in_main_loop(flushed, userdata);
}

/* A plate that stands still must be looked at before its quiet is over. */
void plated_service_set_motion(PlatedService *service)
{
    const PlatedConfig *config = service->config;
    LprMotionOptions options = {
        .threshold = config->motion.threshold,
        .hold_us = config->motion.hold_us,
        .look_us = NN_MIN(config->motion.look_us, config->passage.quiet_us / 2),
    };

    plated_worker_set_motion(service->worker, config->motion.gate ? &options : NULL);
}

int plated_service_start_worker(PlatedService *service, NnError *error)
{
    static const PlatedWorkerCallbacks callbacks = {
        .passage = on_passage,
        .first_frame = on_first_frame,
        .snapshot = on_snapshot,
        .flushed = on_flushed,
        .ended = plated_service_on_worker_ended,
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
    plated_service_set_motion(service);
    return 0;
}
