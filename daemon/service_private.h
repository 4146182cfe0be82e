/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What service*.c and reload.c share. All of it belongs to the main thread, but for the
 * pictures and the end of the worker, which come from the worker. */

#include <stdatomic.h>

#include <glib.h>

#include "access.h"
#include "camera.h"
#include "config.h"
#include "delivery.h"
#include "log.h"
#include "mqtt.h"
#include "outbox.h"
#include "payload.h"
#include "privacy.h"
#include "publisher.h"
#include "store.h"
#include "worker.h"

#define PLATED_FPS_WINDOW_S 10

typedef struct PlatedReload PlatedReload;
typedef struct PlatedControl PlatedControl;

typedef struct PlatedService {
    GMainLoop *loop;
    PlatedLog *log;
    const char *path;
    PlatedConfig *config;
    char *password; /* in use; NULL: none */

    PlatedOutbox *outbox;
    PlatedStore *store;     /* NULL: none */
    PlatedPrivacy *privacy; /* NULL: plates are told as they are */
    PlatedPublisher *publisher;
    PlatedAccess *access;
    PlatedDelivery *delivery;
    PlatedWorker *worker;
    PlatedCamera *camera;
    PlatedMqtt *mqtt;
    PlatedReload *reload; /* under way */
    PlatedControl *control;
    bool reload_again;

    LprSourceState camera_state, camera_logged;
    char *camera_reason;
    int64_t camera_since_us, started_us;
    bool first_frame, broker_tried, ready, stopping;
    bool broker_came, broker_comes_and_goes; /* connected since the last failure; the log knows */
    int goodbye_mid;
    int64_t drain_until_us;
    int status;

    bool slowed; /* by heat; the log knows */
    bool snapshot_commanded; /* over MQTT, and not yet published */
    uint64_t camera_losses, broker_connections;
    uint64_t decisions[3];        /* by PlatedDecision */
    atomic_uint_least64_t passages[2]; /* provisional, final; counted by the worker */

    uint64_t fps_frames[PLATED_FPS_WINDOW_S];
    int64_t fps_times_us[PLATED_FPS_WINDOW_S];
    unsigned seconds;
    double fps;
    char *detector, *reader, *region; /* versions of the models */
    guint second_timer, state_timer, camera_timer, drain_timer;
    guint term_source, int_source, hup_source;
} PlatedService;

PlatedMoment plated_service_now(void);
void plated_service_tracker_options(const PlatedConfig *config, LprTrackerOptions *ret_options);
void plated_service_outbox_limits(const PlatedConfig *config, PlatedOutboxLimits *ret_limits);
void plated_service_store_limits(const PlatedConfig *config, PlatedStoreLimits *ret_limits);
NN_MUST_CHECK int plated_service_new_mqtt(PlatedService *service, const PlatedConfig *config,
                                          PlatedMqtt **ret_mqtt, NnError *error);
NN_MUST_CHECK int plated_service_new_camera(PlatedService *service, const PlatedConfig *config,
                                            PlatedCamera **ret_camera, NnError *error);
NN_MUST_CHECK int plated_service_new_access(PlatedService *service, const PlatedConfig *config,
                                            PlatedAccess **ret_access, NnError *error);
NN_MUST_CHECK int plated_service_start_worker(PlatedService *service, NnError *error);
/* At start: makes it from the configuration, and takes the GPIO line. */
NN_MUST_CHECK int plated_service_start_access(PlatedService *service, NnError *error);
/* Puts it in the place of the one before. */
void plated_service_take_access(PlatedService *service, PlatedAccess *access);
/* Publishes "offline", says goodbye and frees the connection. */
void plated_service_leave_broker(PlatedService *service);
/* As the configuration says. */
void plated_service_set_motion(PlatedService *service);
/* Opens `service->camera`. */
void plated_service_start_camera(PlatedService *service);
/* A JPEG to publish on topic `leaf`, if the broker is there. */
void plated_service_on_picture(void *userdata, const char *leaf, const uint8_t *bytes, size_t n);
void plated_service_on_worker_ended(void *userdata);
void plated_service_note_models(PlatedService *service, const PlatedRecognition *recognition);
void plated_service_publish_availability(PlatedService *service, const char *payload, int *ret_mid);
/* What Home Assistant is to know, or with `away` to forget. */
void plated_service_publish_discovery(PlatedService *service, bool away);
/* What it knows about itself; the strings are borrowed until the main loop goes on. */
void plated_service_state(PlatedService *service, PlatedState *ret_state);
void plated_service_publish_state(PlatedService *service);
void plated_service_arm_state_timer(PlatedService *service);
/* Tells systemd once the service is ready. */
void plated_service_check_ready(PlatedService *service);
gboolean plated_service_on_second(gpointer userdata);
/* Once the worker has ended, messages have `drain_us` to be acknowledged. */
void plated_service_begin_stop(PlatedService *service, int64_t drain_us);

/* Listens as the configuration says; what cannot be had costs a warning. */
PlatedControl *plated_control_new(PlatedService *service);
PlatedControl *plated_control_free(PlatedControl *control); /* NULL is fine; returns NULL */
/* After another configuration was put in place. */
void plated_control_configure(PlatedControl *control);
/* A frame as JPEG, for those who asked for one. NULL is fine. */
void plated_control_snapshot(PlatedControl *control, const void *jpeg, size_t n);

/* Reads the configuration again and applies it, or keeps the old one. */
void plated_reload_begin(PlatedService *service);
