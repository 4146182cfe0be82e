/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gio/gio.h>

#include "base/util.h"
#include "notify.h"
#include "service_private.h"

/* Everything new is made first; only when all of it could be made is it put in
 * the place of the old. */
struct PlatedReload {
    PlatedService *service;
    PlatedConfig *config;
    PlatedMqtt *mqtt; /* NULL: the old one stays, as with the next two */
    char *password;
    PlatedCamera *camera;
    PlatedAccess *access;
    PlatedPrivacy *privacy;
    PlatedRecognition *recognition;
    int r; /* of the recognition */
    NnError error;
};

static PlatedReload *reload_free(PlatedReload *reload)
{
    plated_mqtt_free(reload->mqtt);
    plated_camera_free(reload->camera);
    plated_access_free(reload->access);
    plated_privacy_free(reload->privacy);
    plated_recognition_free(reload->recognition);
    plated_config_free(reload->config);
    free(reload->password);
    g_free(reload);
    return NULL;
}

static void end(PlatedReload *reload)
{
    PlatedService *service = reload->service;

    reload_free(reload);
    service->reload = NULL;
    if (service->ready)
        plated_notify_ready();
    if (service->reload_again && !service->stopping) {
        service->reload_again = false;
        plated_reload_begin(service);
    }
}

static void refuse(PlatedReload *reload)
{
    plated_log(reload->service->log, PLATED_LOG_ERROR, "%s; the running configuration stays",
               reload->error.message);
    end(reload);
}

static void warn(void *userdata, const char *sentence)
{
    plated_log(userdata, PLATED_LOG_WARNING, "%s", sentence);
}

/* ---- putting it in place ------------------------------------------------- */

static void replace_mqtt(PlatedService *service, PlatedMqtt *mqtt)
{
    service->mqtt = mqtt;
    plated_delivery_set_mqtt(service->delivery, mqtt);
    plated_delivery_set_protobuf(service->delivery, service->config->mqtt.protobuf);
    plated_mqtt_start(mqtt);
}

static void replace_camera(PlatedService *service, PlatedCamera *camera)
{
    plated_camera_free(service->camera);
    plated_worker_cut(service->worker);
    service->camera = camera;
    service->camera_logged = LPR_SOURCE_STARTING;
    plated_service_start_camera(service);
}

static void configure_databases(PlatedService *service, const PlatedConfig *old)
{
    PlatedOutboxLimits outbox;
    PlatedStoreLimits store;

    plated_service_outbox_limits(service->config, &outbox);
    plated_outbox_set_limits(service->outbox, &outbox);
    plated_service_store_limits(service->config, &store);
    plated_store_set_limits(service->store, &store);
    if (strcmp(old->outbox.file, service->config->outbox.file) != 0)
        plated_log(service->log, PLATED_LOG_WARNING, "[outbox] file applies after a restart");
    if (strcmp(old->store.file, service->config->store.file) != 0)
        plated_log(service->log, PLATED_LOG_WARNING, "[store] file applies after a restart");
}

static void replace_privacy(PlatedService *service, PlatedPrivacy *privacy)
{
    plated_publisher_set_privacy(service->publisher, privacy);
    plated_privacy_free(service->privacy);
    service->privacy = privacy;
}

static void configure_tracker(PlatedReload *reload)
{
    LprTrackerOptions options;

    plated_service_tracker_options(reload->config, &options);
    plated_worker_set_tracker(reload->service->worker, &options);
    lpr_filter_unref(options.filter);
}

/* Under another name they would stay in Home Assistant for ever. */
static bool entities_move(const PlatedConfig *a, const PlatedConfig *b)
{
    return strcmp(a->camera.name, b->camera.name) != 0 ||
           strcmp(a->mqtt.prefix, b->mqtt.prefix) != 0 ||
           strcmp(a->homeassistant.prefix, b->homeassistant.prefix) != 0;
}

static void commit(PlatedReload *reload)
{
    PlatedService *service = reload->service;
    PlatedConfig *old = service->config;

    if (entities_move(old, reload->config))
        plated_service_publish_discovery(service, true);
    if (reload->mqtt)
        plated_service_leave_broker(service);
    if (!plated_config_equal(old, reload->config, "passage", NULL))
        configure_tracker(reload);
    service->config = NN_TAKE(reload->config);
    plated_service_set_motion(service);
    atomic_store(&service->log->level, plated_config_log_level(service->config));
    configure_databases(service, old);
    plated_publisher_configure(service->publisher, service->config);
    replace_privacy(service, NN_TAKE(reload->privacy));
    if (reload->access)
        plated_service_take_access(service, NN_TAKE(reload->access));
    if (reload->recognition) {
        plated_service_note_models(service, reload->recognition);
        plated_worker_set_recognition(service->worker, NN_TAKE(reload->recognition));
    }
    if (reload->mqtt) {
        free(service->password);
        service->password = NN_TAKE(reload->password);
        replace_mqtt(service, NN_TAKE(reload->mqtt));
    }
    if (reload->camera)
        replace_camera(service, NN_TAKE(reload->camera));
    plated_service_arm_state_timer(service);
    plated_control_configure(service->control);
    plated_service_publish_discovery(service, false);
    plated_service_publish_state(service);
    plated_config_free(old);
    plated_log(service->log, PLATED_LOG_INFO, "%s was applied", service->path);
    end(reload);
}

/* ---- making the new ------------------------------------------------------ */

static void recognize_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancel)
{
    PlatedReload *reload = data;

    reload->r = plated_recognition_new(reload->config, NULL, false, reload->service->log,
                                       &reload->recognition, &reload->error);
    g_task_return_boolean(task, TRUE);
}

static void recognition_made(GObject *source, GAsyncResult *result, gpointer userdata)
{
    PlatedReload *reload = userdata;

    if (reload->service->stopping)
        end(reload);
    else if (reload->r < 0)
        refuse(reload);
    else
        commit(reload);
}

static bool recognition_differs(const PlatedConfig *a, const PlatedConfig *b)
{
    return !plated_config_equal(a, b, "models", NULL) ||
           !plated_config_equal(a, b, "engine", NULL) ||
           !plated_config_equal(a, b, "zones", NULL) ||
           !plated_config_equal(a, b, "recognition", NULL);
}

static int make_new(PlatedReload *reload)
{
    PlatedService *service = reload->service;
    const PlatedConfig *old = service->config, *new = reload->config;
    bool renamed = strcmp(old->camera.name, new->camera.name) != 0;
    int r;

    r = plated_config_password(new, &reload->password, &reload->error);
    if (r < 0)
        return plated_config_blame(new, "mqtt", "password_file", r, &reload->error);
    if (renamed || !plated_config_equal(old, new, "mqtt", NULL) ||
        g_strcmp0(service->password, reload->password) != 0)
        r = plated_service_new_mqtt(service, new, &reload->mqtt, &reload->error);
    if (r == 0)
        r = plated_privacy_new(new, &reload->privacy, &reload->error);
    if (r == 0 && !plated_config_equal(old, new, "camera", "name"))
        r = plated_service_new_camera(service, new, &reload->camera, &reload->error);
    /* Always: the lists are read again, whatever happened to their files. */
    return r < 0 ? r : plated_service_new_access(service, new, &reload->access, &reload->error);
}

void plated_reload_begin(PlatedService *service)
{
    PlatedReload *reload;
    int r;

    if (service->stopping)
        return;
    if (service->reload) {
        service->reload_again = true;
        return;
    }
    plated_notify_reloading();
    reload = service->reload = g_new0(PlatedReload, 1);
    reload->service = service;
    r = plated_config_load(service->path, warn, service->log, &reload->config, &reload->error);
    if (r == 0)
        r = make_new(reload);
    if (r < 0) {
        refuse(reload);
    } else if (recognition_differs(service->config, reload->config)) {
        g_autoptr(GTask) task = g_task_new(NULL, NULL, recognition_made, reload);

        g_task_set_task_data(task, reload, NULL);
        g_task_run_in_thread(task, recognize_in_thread);
    } else {
        commit(reload);
    }
}
