/* SPDX-License-Identifier: Apache-2.0 */

/* A camera that comes and goes. */

#include <errno.h>
#include <sysexits.h>

#include "base/util.h"
#include "service_private.h"
#include "system.h"

#define CAMERA_RETRY_S 30

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
        plated_service_begin_stop(service, 0);
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
    service->camera_losses += state == LPR_SOURCE_LOST && service->camera_state != state;
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
    plated_service_check_ready(service);
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
