/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <errno.h>
#include <string.h>

#include <glib.h>

#include "base/util.h"
#include "system.h"
#include "times.h"

#define ROUND_US          100000
#define LATENCY_SMOOTHING 0.1
#define COMPLAIN_US       (60 * (int64_t)1000000)

struct PlatedWorker {
    GThread *thread;
    LprMailbox *mailbox;
    PlatedWorkerCallbacks callbacks;
    void *userdata;
    PlatedLog *log;

    GMutex lock; /* for the orders and the stats */
    PlatedRecognition *next_recognition;
    LprTrackerOptions next_tracker;
    LprMotionOptions next_motion;
    int64_t pause_us;
    bool gate, new_motion;
    bool new_tracker, live, still, flush, cut, snapshot;
    PlatedWorkerStats stats;

    /* Of the thread. */
    PlatedRecognition *recognition;
    LprTracker *tracker;
    LprMotion *motion;
    int64_t looked_us;                      /* when the last frame looked at was taken */
    int64_t last_time_us, last_realtime_us; /* of the last frame */
    int64_t complained_us;
};

NN_DEFINE_CLEANUP(PlatedWorker, plated_worker_free)

static void frame_unrefp(LprFrame **frame)
{
    lpr_frame_unref(*frame);
}

static bool is_live(PlatedWorker *worker)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    return worker->live;
}

static bool is_still(PlatedWorker *worker)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    return worker->still;
}

static void on_passage(void *userdata, const LprPassage *passage)
{
    PlatedWorker *worker = userdata;
    LprPassage told = *passage;

    /* The world has gone on while the frame was looked at; a clip has not. */
    if (is_live(worker)) {
        told.decided_us = plated_system_monotonic_us();
        plated_times_correct(&told, told.decided_us, plated_system_realtime_us());
    }
    worker->callbacks.passage(worker->userdata, &told, worker->recognition->recognizer);
}

/* The clock of a camera is the world's, that of a clip stands with its frames. */
static void clock_of(const PlatedWorker *worker, bool live, int64_t *ret_time_us,
                     int64_t *ret_realtime_us)
{
    *ret_time_us = live ? plated_system_monotonic_us() : worker->last_time_us;
    *ret_realtime_us = live ? plated_system_realtime_us() : worker->last_realtime_us;
}

static void flush(PlatedWorker *worker, bool live)
{
    int64_t time_us, realtime_us;

    clock_of(worker, live, &time_us, &realtime_us);
    lpr_tracker_flush(worker->tracker, time_us, realtime_us);
}

static void obey(PlatedWorker *worker)
{
    PlatedRecognition *recognition;
    bool live, cut;

    g_mutex_lock(&worker->lock);
    recognition = NN_TAKE(worker->next_recognition);
    if (worker->new_tracker)
        lpr_tracker_configure(worker->tracker, &worker->next_tracker);
    live = worker->live;
    cut = worker->cut;
    if (worker->new_motion)
        lpr_motion_configure(worker->motion, &worker->next_motion);
    worker->new_tracker = worker->new_motion = worker->cut = false;
    worker->stats.alive_us = plated_system_monotonic_us();
    g_mutex_unlock(&worker->lock);
    if (recognition) {
        plated_recognition_free(worker->recognition);
        worker->recognition = recognition;
    }
    if (cut)
        flush(worker, live);
}

static void count_frame(PlatedWorker *worker, const LprFrame *frame)
{
    int64_t now = plated_system_monotonic_us();
    double latency_ms = (double)(now - lpr_frame_time_us(frame)) / 1e3;
    bool first;

    g_mutex_lock(&worker->lock);
    first = worker->stats.frames++ == 0;
    if (!worker->live)
        worker->stats.latency_ms = -1;
    else if (worker->stats.latency_ms < 0)
        worker->stats.latency_ms = latency_ms;
    else
        worker->stats.latency_ms += LATENCY_SMOOTHING * (latency_ms - worker->stats.latency_ms);
    worker->stats.inferred_us = now;
    g_mutex_unlock(&worker->lock);
    if (first)
        worker->callbacks.first_frame(worker->userdata);
}

static void complain(PlatedWorker *worker, const char *sentence)
{
    int64_t now = plated_system_monotonic_us();

    if (worker->complained_us && now - worker->complained_us < COMPLAIN_US)
        return;
    worker->complained_us = now;
    plated_log(worker->log, PLATED_LOG_ERROR, "recognition failed: %s", sentence);
}

static void show(PlatedWorker *worker, const LprFrame *frame)
{
    bool wanted;

    g_mutex_lock(&worker->lock);
    wanted = worker->snapshot;
    worker->snapshot = false;
    g_mutex_unlock(&worker->lock);
    if (wanted)
        worker->callbacks.snapshot(worker->userdata, frame);
}

/* Whether a frame is worth the networks' time. */
static bool is_wanted(PlatedWorker *worker, const LprFrame *frame)
{
    int64_t pause_us;
    bool live, gate, still;

    g_mutex_lock(&worker->lock);
    pause_us = worker->pause_us;
    gate = worker->gate;
    live = worker->live;
    still = worker->still;
    g_mutex_unlock(&worker->lock);
    if (still)
        return true;
    if (live && worker->looked_us && lpr_frame_time_us(frame) - worker->looked_us < pause_us)
        return false;
    return !gate || lpr_motion_wants(worker->motion, frame);
}

/* Time passes all the same. */
static void pass_over(PlatedWorker *worker, const LprFrame *frame)
{
    lpr_tracker_tick(worker->tracker, lpr_frame_time_us(frame), lpr_frame_realtime_us(frame));
    g_mutex_lock(&worker->lock);
    worker->stats.frames_passed++;
    g_mutex_unlock(&worker->lock);
}

static void look_at(PlatedWorker *worker, LprFrame *frame)
{
    LprPlate plates[LPR_PLATES_MAX];
    size_t n = 0;
    NnError error = {0};
    int r;

    show(worker, frame);
    worker->last_time_us = lpr_frame_time_us(frame);
    worker->last_realtime_us = lpr_frame_realtime_us(frame);
    if (!is_wanted(worker, frame)) {
        pass_over(worker, frame);
        return;
    }
    worker->looked_us = worker->last_time_us;
    r = lpr_recognizer_run(worker->recognition->recognizer, frame, plates, &n, NULL, &error);
    if (r < 0) {
        complain(worker, error.message);
        return;
    }
    r = is_still(worker) ? lpr_tracker_still(worker->tracker, frame, plates, n)
                         : lpr_tracker_update(worker->tracker, frame, plates, n);
    if (r < 0)
        complain(worker, strerror(-r));
    count_frame(worker, frame);
}

/* The mailbox is empty: time passes, and what waited for that is done. */
static void idle(PlatedWorker *worker)
{
    bool live, flush_now;
    int64_t time_us, realtime_us;

    g_mutex_lock(&worker->lock);
    live = worker->live;
    flush_now = worker->flush;
    worker->flush = false;
    g_mutex_unlock(&worker->lock);
    if (live) {
        clock_of(worker, live, &time_us, &realtime_us);
        lpr_tracker_tick(worker->tracker, time_us, realtime_us);
    }
    if (flush_now) {
        flush(worker, live);
        worker->callbacks.flushed(worker->userdata);
    }
}

static gpointer run(gpointer userdata)
{
    PlatedWorker *worker = userdata;

    for (;;) {
        _cleanup_(frame_unrefp) LprFrame *frame = NULL;
        int r;

        obey(worker);
        r = lpr_mailbox_take(worker->mailbox, ROUND_US, &frame);
        if (r == -ETIMEDOUT)
            idle(worker);
        else if (r < 0)
            break;
        else
            look_at(worker, frame);
    }
    flush(worker, is_live(worker));
    worker->callbacks.ended(worker->userdata);
    return NULL;
}

int plated_worker_new(PlatedRecognition *recognition, const LprTrackerOptions *tracker,
                      const PlatedWorkerCallbacks *callbacks, void *userdata, PlatedLog *log,
                      PlatedWorker **ret_worker)
{
    _cleanup_(plated_worker_freep) PlatedWorker *worker = g_new0(PlatedWorker, 1);
    int r;

    g_mutex_init(&worker->lock);
    worker->callbacks = *callbacks;
    worker->userdata = userdata;
    worker->log = log;
    worker->stats.latency_ms = -1;
    r = lpr_mailbox_new(&worker->mailbox);
    if (r < 0)
        return r;
    r = lpr_tracker_new(tracker, on_passage, worker, &worker->tracker);
    if (r < 0)
        return r;
    r = lpr_motion_new(&(LprMotionOptions){0}, &worker->motion);
    if (r < 0)
        return r;
    worker->recognition = recognition;
    worker->thread = g_thread_new("recognition", run, worker);
    *ret_worker = NN_TAKE(worker);
    return 0;
}

PlatedWorker *plated_worker_free(PlatedWorker *worker)
{
    if (!worker)
        return NULL;
    if (worker->thread) {
        plated_worker_stop(worker);
        g_thread_join(worker->thread);
    }
    lpr_tracker_free(worker->tracker);
    lpr_motion_free(worker->motion);
    lpr_filter_unref(worker->next_tracker.filter);
    plated_recognition_free(worker->recognition);
    plated_recognition_free(worker->next_recognition);
    lpr_mailbox_free(worker->mailbox);
    g_mutex_clear(&worker->lock);
    g_free(worker);
    return NULL;
}

void plated_worker_put(PlatedWorker *worker, LprFrame *frame, bool wait)
{
    lpr_mailbox_put(worker->mailbox, frame, wait);
}

void plated_worker_set_source(PlatedWorker *worker, bool live, bool still)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    worker->live = live;
    worker->still = still;
}

void plated_worker_set_recognition(PlatedWorker *worker, PlatedRecognition *recognition)
{
    PlatedRecognition *unused;

    g_mutex_lock(&worker->lock);
    unused = worker->next_recognition;
    worker->next_recognition = recognition;
    g_mutex_unlock(&worker->lock);
    plated_recognition_free(unused);
}

void plated_worker_set_tracker(PlatedWorker *worker, const LprTrackerOptions *options)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    lpr_filter_ref(options->filter);
    lpr_filter_unref(worker->next_tracker.filter);
    worker->next_tracker = *options;
    worker->new_tracker = true;
}

void plated_worker_set_motion(PlatedWorker *worker, const LprMotionOptions *options)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    worker->gate = options != NULL;
    worker->new_motion = options != NULL;
    if (options)
        worker->next_motion = *options;
}

void plated_worker_set_pause(PlatedWorker *worker, int64_t pause_us)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    worker->pause_us = pause_us;
}

void plated_worker_snapshot(PlatedWorker *worker)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    worker->snapshot = true;
}

void plated_worker_cut(PlatedWorker *worker)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    worker->cut = true;
}

void plated_worker_flush(PlatedWorker *worker)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&worker->lock);

    worker->flush = true;
}

void plated_worker_stop(PlatedWorker *worker)
{
    lpr_mailbox_close(worker->mailbox);
}

void plated_worker_stats(PlatedWorker *worker, PlatedWorkerStats *ret_stats)
{
    g_mutex_lock(&worker->lock);
    *ret_stats = worker->stats;
    g_mutex_unlock(&worker->lock);
    ret_stats->frames_dropped = lpr_mailbox_dropped(worker->mailbox);
}
