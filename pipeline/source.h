/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Inside of a source: feed.c owns it, source.c runs streams through GStreamer,
 * pictures.c runs lists of pictures. */

#include <pthread.h>
#include <stdatomic.h>

#include "lpr.h"
#include "uri.h"

struct LprSource {
    LprUriKind kind;
    char *uri;
    const char *rest;           /* in uri: what follows the kind */
    char shown[128];            /* uri for people */
    LprSourceOptions options;
    LprFrameFunc frame;
    LprStateFunc state;
    void *userdata;

    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;              /* under lock */
    void (*wake)(void *what);   /* under lock: interrupts a wait of source.c */
    void *wake_what;

    _Atomic int64_t alive_us;   /* when the thread last came round */

    /* Of the running thread. */
    uint64_t sequence;
    uint64_t frozen_hash;       /* the picture at which the camera was given up; 0: none */
    int64_t last_time_us;
};

bool lpr_source_stopping(LprSource *source);
/* Sleeps unless stopped; true when stopped. */
bool lpr_source_sleep(LprSource *source, int64_t time_us);
/* Sets or, with NULL, takes away what stop calls besides. */
void lpr_source_set_wake(LprSource *source, void (*wake)(void *what), void *what);
void lpr_source_tell(LprSource *source, LprSourceState state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The thread is not held by a driver. */
void lpr_source_come_round(LprSource *source);

int64_t lpr_clock_us(void);     /* monotonic */
int64_t lpr_realtime_us(void);  /* since 1970 UTC */

/* Checks at start what needs no device: that GStreamer has all the elements. */
NN_MUST_CHECK int lpr_stream_check(LprSource *source, NnError *error);
/* Run until stopped, over, or wrong for good. */
void lpr_stream_run(LprSource *source);
void lpr_pictures_run(LprSource *source);

/* Of the formats a camera offers, written as GStreamer caps, the one to ask for:
 * the size first, then the rate, then raw video before JPEG. malloc'd; -ENOTSUP
 * when there is neither raw video nor JPEG. */
NN_MUST_CHECK int lpr_camera_choose(const char *offered, const LprSourceOptions *options,
                                    char **ret_caps);
