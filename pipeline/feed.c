/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include "engine/base/util.h"
#include "source.h"

#define SILENCE_US 10000000
#define ROUND_US   1000000

NN_DEFINE_CLEANUP(LprSource, lpr_source_free)

static int64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t lpr_clock_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t lpr_realtime_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

static void init_waiting(LprSource *source)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&source->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&source->lock, NULL);
}

int lpr_source_new(const char *uri, const LprSourceOptions *options, LprFrameFunc frame,
                   LprStateFunc state, void *userdata, LprSource **ret_source, NnError *error)
{
    LprUriKind kind;
    const char *rest;
    int r = lpr_uri_parse(uri, &kind, &rest, error);
    if (r < 0)
        return r;
    LprSource *source = calloc(1, sizeof(*source));
    if (!source)
        return nn_error_set(error, -ENOMEM, "out of memory");
    init_waiting(source);
    _cleanup_(lpr_source_freep) LprSource *owned = source;
    source->uri = strdup(uri);
    if (!source->uri)
        return nn_error_set(error, -ENOMEM, "out of memory");
    source->kind = kind;
    source->rest = source->uri + (rest - uri);
    lpr_uri_display(uri, source->shown, sizeof(source->shown));
    if (options)
        source->options = *options;
    if (source->options.silence_us <= 0)
        source->options.silence_us = SILENCE_US;
    source->frame = frame;
    source->state = state;
    source->userdata = userdata;
    *ret_source = NN_TAKE(owned);
    return 0;
}

static void *source_thread(void *userdata)
{
    LprSource *source = userdata;
    if (source->kind == LPR_URI_IMAGES)
        lpr_pictures_run(source);
    else
        lpr_stream_run(source);
    return NULL;
}

int lpr_source_start(LprSource *source, NnError *error)
{
    if (source->started)
        return nn_error_set(error, -EBUSY, "the source %s runs already", source->shown);
    int r = lpr_stream_check(source, error);
    if (r < 0)
        return r;
    source->stopping = false;
    lpr_source_come_round(source);
    r = -pthread_create(&source->thread, NULL, source_thread, source);
    if (r < 0)
        return nn_error_set(error, r, "no thread for the source %s: %s", source->shown,
                            strerror(-r));
    source->started = true;
    return 0;
}

void lpr_source_stop(LprSource *source)
{
    if (!source->started)
        return;
    pthread_mutex_lock(&source->lock);
    source->stopping = true;
    if (source->wake)
        source->wake(source->wake_what);
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
    pthread_join(source->thread, NULL);
    source->started = false;
}

LprSource *lpr_source_free(LprSource *source)
{
    if (!source)
        return NULL;
    lpr_source_stop(source);
    pthread_cond_destroy(&source->changed);
    pthread_mutex_destroy(&source->lock);
    free(source->uri);
    free(source);
    return NULL;
}

bool lpr_source_is_live(const LprSource *source)
{
    return lpr_uri_is_live(source->kind);
}

bool lpr_source_is_still(const LprSource *source)
{
    return source->kind == LPR_URI_IMAGES;
}

int64_t lpr_source_alive_us(const LprSource *source)
{
    return atomic_load(&source->alive_us);
}

void lpr_source_come_round(LprSource *source)
{
    atomic_store(&source->alive_us, lpr_clock_us());
}

bool lpr_source_stopping(LprSource *source)
{
    pthread_mutex_lock(&source->lock);
    bool stopping = source->stopping;
    pthread_mutex_unlock(&source->lock);
    return stopping;
}

bool lpr_source_sleep(LprSource *source, int64_t time_us)
{
    int64_t until_us = lpr_clock_us() + time_us, now_us;
    pthread_mutex_lock(&source->lock);
    while (!source->stopping && (now_us = lpr_clock_us()) < until_us) {
        int64_t round_us = NN_MIN(until_us, now_us + ROUND_US);
        struct timespec until = {round_us / 1000000, round_us % 1000000 * 1000};
        lpr_source_come_round(source);
        pthread_cond_timedwait(&source->changed, &source->lock, &until);
    }
    bool stopping = source->stopping;
    pthread_mutex_unlock(&source->lock);
    return stopping;
}

void lpr_source_set_wake(LprSource *source, void (*wake)(void *what), void *what)
{
    pthread_mutex_lock(&source->lock);
    source->wake = wake;
    source->wake_what = what;
    pthread_mutex_unlock(&source->lock);
}

void lpr_source_tell(LprSource *source, LprSourceState state, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    if (source->state)
        source->state(source->userdata, state, sentence);
}
