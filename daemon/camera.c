/* SPDX-License-Identifier: Apache-2.0 */
#include "camera.h"

#include <glib.h>

#include "base/util.h"

struct PlatedCamera {
    gatomicrefcount references; /* the owner's and one for each state on its way */
    LprSource *source;
    PlatedWorker *worker;
    PlatedCameraFunc state;
    void *userdata;
    bool closed; /* main thread alone */
};

typedef struct StateChange {
    PlatedCamera *camera;
    LprSourceState state;
    char *sentence;
} StateChange;

static void camera_unref(PlatedCamera *camera)
{
    if (g_atomic_ref_count_dec(&camera->references))
        g_free(camera);
}

static void on_frame(void *userdata, LprFrame *frame)
{
    PlatedCamera *camera = userdata;

    plated_worker_put(camera->worker, frame, !lpr_source_is_live(camera->source));
}

static gboolean pass_on_state(gpointer userdata)
{
    StateChange *change = userdata;

    if (!change->camera->closed)
        change->camera->state(change->camera->userdata, change->state, change->sentence);
    return G_SOURCE_REMOVE;
}

static void change_free(gpointer userdata)
{
    StateChange *change = userdata;

    camera_unref(change->camera);
    g_free(change->sentence);
    g_free(change);
}

static void on_state(void *userdata, LprSourceState state, const char *sentence)
{
    StateChange *change = g_new0(StateChange, 1);

    change->camera = userdata;
    g_atomic_ref_count_inc(&change->camera->references);
    change->state = state;
    change->sentence = g_strdup(sentence);
    g_idle_add_full(G_PRIORITY_DEFAULT, pass_on_state, change, change_free);
}

int plated_camera_new(const PlatedConfig *config, PlatedWorker *worker, PlatedCameraFunc state,
                      void *userdata, PlatedCamera **ret_camera, NnError *error)
{
    PlatedCamera *camera = g_new0(PlatedCamera, 1);
    LprSourceOptions options = {
        .width_px = config->camera.width_px,
        .height_px = config->camera.height_px,
        .fps = config->camera.fps,
        .loop = config->camera.loop,
        .realtime = config->camera.realtime,
        .silence_us = config->camera.silence_us,
        .frozen_us = config->camera.frozen_us,
    };
    int r;

    g_atomic_ref_count_init(&camera->references);
    camera->worker = worker;
    camera->state = state;
    camera->userdata = userdata;
    r = lpr_source_new(config->camera.source, &options, on_frame, on_state, camera, &camera->source,
                       error);
    if (r < 0) {
        g_free(camera);
        return plated_config_blame(config, "camera", "source", r, error);
    }
    *ret_camera = camera;
    return 0;
}

int plated_camera_start(PlatedCamera *camera, NnError *error)
{
    return lpr_source_start(camera->source, error);
}

bool plated_camera_is_live(const PlatedCamera *camera)
{
    return lpr_source_is_live(camera->source);
}

bool plated_camera_is_still(const PlatedCamera *camera)
{
    return lpr_source_is_still(camera->source);
}

int64_t plated_camera_alive_us(const PlatedCamera *camera)
{
    return lpr_source_alive_us(camera->source);
}

PlatedCamera *plated_camera_free(PlatedCamera *camera)
{
    if (!camera)
        return NULL;
    camera->closed = true;
    lpr_source_stop(camera->source);
    camera->source = lpr_source_free(camera->source);
    camera_unref(camera);
    return NULL;
}

const char *plated_camera_state_name(LprSourceState state)
{
    switch (state) {
    case LPR_SOURCE_STARTING:
        return "starting";
    case LPR_SOURCE_PLAYING:
        return "playing";
    case LPR_SOURCE_LOST:
        return "lost";
    case LPR_SOURCE_ENDED:
        return "ended";
    case LPR_SOURCE_FAILED:
        break;
    }
    return "failed";
}
