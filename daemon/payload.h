/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The messages: docs/payload.schema.json in C. */

#include <json-glib/json-glib.h>

#include "list.h"
#include "lpr.h"
#include "privacy.h"

#define PLATED_PAYLOAD_VERSION 1

/* What a passage does not know about itself. Borrowed. */
typedef struct PlatedPassageContext {
    const char *camera;
    int frame_width_px, frame_height_px; /* of the best frame */
    const char *snapshot;                /* path, or NULL */
    bool clock_synchronised;
    const PlatedVerdict *access;            /* NULL: none */
    const PlatedPrivacy *privacy;           /* NULL: plates are told as they are */
    const char *detector, *reader, *region; /* versions of the models, or NULL */
} PlatedPassageContext;

/* One line of JSON; g_free it. */
char *plated_payload_passage(const LprPassage *passage, const PlatedPassageContext *context);

/* The final message of a passage that the service could not end itself, made of
 * its provisional one: power was lost in between. NULL when `provisional` is not
 * such a message. */
char *plated_payload_finish(const char *provisional);

struct PlatedAccessEvent;
/* `privacy` may be NULL. */
char *plated_payload_access(const struct PlatedAccessEvent *event, const char *camera,
                            bool clock_synchronised, const PlatedPrivacy *privacy);

/* What `platectl read` prints for a picture. */
char *plated_payload_picture(const char *file, int width_px, int height_px, const LprPlate *plates,
                             size_t n_plates, const LprTimes *times);

/* What the service knows about itself. */
typedef struct PlatedState {
    const char *camera;
    const char *camera_state; /* "playing", … */
    const char *reason;       /* a sentence, or NULL */
    double fps;               /* frames inferred a second */
    double latency_ms;        /* of a frame: from its capture to its result; <0: none yet */
    double temperature_c;     /* NaN: not known */
    int throttled;            /* 1: now, 0: not, -1: not known */
    bool slowed;              /* looks at fewer frames, because of heat */
    uint64_t frames, frames_dropped, frames_passed;
    uint64_t backlog, passages_dropped;
    bool clock_synchronised;
    int64_t uptime_us, realtime_us;
    const char *software;
    const char *detector, *reader, *region;
} PlatedState;

char *plated_payload_state(const PlatedState *state);

/* "2026-03-01T12:00:00.123Z" */
#define PLATED_RFC3339_BYTES 40
void plated_payload_time(int64_t realtime_us, char ret_text[PLATED_RFC3339_BYTES]);
