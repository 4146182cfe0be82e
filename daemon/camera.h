/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The source of the configuration, tied to the worker and the main loop. */

#include "config.h"
#include "lpr.h"
#include "worker.h"

typedef struct PlatedCamera PlatedCamera;

/* Called in the main loop. */
typedef void (*PlatedCameraFunc)(void *userdata, LprSourceState state, const char *sentence);

/* Does not open it yet. The worker must outlive it. Errors of lpr_source_new(). */
NN_MUST_CHECK int plated_camera_new(const PlatedConfig *config, PlatedWorker *worker,
                                    PlatedCameraFunc state, void *userdata,
                                    PlatedCamera **ret_camera, NnError *error);
NN_MUST_CHECK int plated_camera_start(PlatedCamera *camera, NnError *error);
bool plated_camera_is_live(const PlatedCamera *camera);
bool plated_camera_is_still(const PlatedCamera *camera);
/* When its thread last came round: see lpr_source_alive_us(). */
int64_t plated_camera_alive_us(const PlatedCamera *camera);
/* Stops; neither frames nor states come afterwards. NULL is fine. Returns NULL. */
PlatedCamera *plated_camera_free(PlatedCamera *camera);

/* "playing" and so on. */
const char *plated_camera_state_name(LprSourceState state);
