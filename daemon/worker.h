/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The thread that looks at frames: mailbox, recognition, tracker. Its orders
 * take effect between two frames, so that none is lost. */

#include "log.h"
#include "lpr.h"
#include "recognition.h"

typedef struct PlatedWorker PlatedWorker;

/* Called on the worker's thread. */
typedef struct PlatedWorkerCallbacks {
    void (*passage)(void *userdata, const LprPassage *passage, const LprRecognizer *recognizer);
    void (*first_frame)(void *userdata);
    void (*snapshot)(void *userdata, const LprFrame *frame); /* after plated_worker_snapshot() */
    void (*flushed)(void *userdata); /* after plated_worker_flush() */
    void (*ended)(void *userdata);   /* after plated_worker_stop(): the last call */
} PlatedWorkerCallbacks;

typedef struct PlatedWorkerStats {
    uint64_t frames;         /* inferred */
    uint64_t frames_dropped; /* in the mailbox */
    uint64_t frames_passed;  /* over, because nothing moved or the processor is hot */
    double latency_ms;       /* capture to result, smoothed; <0: none yet */
    int64_t inferred_us;     /* monotonic; when the last frame was done; 0: none */
    int64_t alive_us;        /* monotonic; when the thread last came round */
} PlatedWorkerStats;

/* Takes over `recognition`. The log and userdata must outlive the worker. -ENOMEM. */
NN_MUST_CHECK int plated_worker_new(PlatedRecognition *recognition,
                                    const LprTrackerOptions *tracker,
                                    const PlatedWorkerCallbacks *callbacks, void *userdata,
                                    PlatedLog *log, PlatedWorker **ret_worker);
/* Stops first if need be. NULL is fine. Returns NULL. */
PlatedWorker *plated_worker_free(PlatedWorker *worker);

/* From any thread, as a source's frame function needs it. With `wait` no frame
 * is dropped. */
void plated_worker_put(PlatedWorker *worker, LprFrame *frame, bool wait);

/* The following are for the main thread. */

/* Whether time passes without frames, as it does with a camera, and whether each
 * frame is a picture of its own. */
void plated_worker_set_source(PlatedWorker *worker, bool live, bool still);
/* Takes over `recognition`; the old one is freed after the frame in work. */
void plated_worker_set_recognition(PlatedWorker *worker, PlatedRecognition *recognition);
/* Goes on under new rules; running passages stay. */
void plated_worker_set_tracker(PlatedWorker *worker, const LprTrackerOptions *options);
/* Passes over frames in which nothing moves; NULL looks at all. */
void plated_worker_set_motion(PlatedWorker *worker, const LprMotionOptions *options);
/* Looks at the frames of a camera no oftener than that. */
void plated_worker_set_pause(PlatedWorker *worker, int64_t pause_us);
/* Shows the next frame once. */
void plated_worker_snapshot(PlatedWorker *worker);
/* Ends the running passages now: other frames follow. */
void plated_worker_cut(PlatedWorker *worker);
/* Ends the running passages once all frames that were put are done. */
void plated_worker_flush(PlatedWorker *worker);
/* The same, and then ends the thread. */
void plated_worker_stop(PlatedWorker *worker);
void plated_worker_stats(PlatedWorker *worker, PlatedWorkerStats *ret_stats);
