/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <time.h>

#include "engine/base/util.h"
#include "lpr.h"

struct LprMailbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    LprFrame *frame;
    bool closed;
    uint64_t dropped;
};

int lpr_mailbox_new(LprMailbox **ret_mailbox)
{
    LprMailbox *mailbox = calloc(1, sizeof(*mailbox));
    if (!mailbox)
        return -ENOMEM;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&mailbox->lock, NULL);
    pthread_cond_init(&mailbox->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    *ret_mailbox = mailbox;
    return 0;
}

LprMailbox *lpr_mailbox_free(LprMailbox *mailbox)
{
    if (!mailbox)
        return NULL;
    lpr_frame_unref(mailbox->frame);
    pthread_cond_destroy(&mailbox->changed);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
    return NULL;
}

void lpr_mailbox_put(LprMailbox *mailbox, LprFrame *frame, bool wait)
{
    LprFrame *old = NULL;
    pthread_mutex_lock(&mailbox->lock);
    while (wait && mailbox->frame && !mailbox->closed)
        pthread_cond_wait(&mailbox->changed, &mailbox->lock);
    if (!mailbox->closed) {
        old = mailbox->frame;
        if (old)
            mailbox->dropped++;
        mailbox->frame = lpr_frame_ref(frame);
        pthread_cond_broadcast(&mailbox->changed);
    }
    pthread_mutex_unlock(&mailbox->lock);
    lpr_frame_unref(old);
}

static struct timespec deadline_after(int64_t timeout_us)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_us / 1000000;
    t.tv_nsec += timeout_us % 1000000 * 1000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

int lpr_mailbox_take(LprMailbox *mailbox, int64_t timeout_us, LprFrame **ret_frame)
{
    struct timespec deadline = deadline_after(timeout_us > 0 ? timeout_us : 0);
    int r = 0;
    pthread_mutex_lock(&mailbox->lock);
    while (!mailbox->frame && !mailbox->closed && r != ETIMEDOUT)
        r = timeout_us < 0 ? pthread_cond_wait(&mailbox->changed, &mailbox->lock)
                           : pthread_cond_timedwait(&mailbox->changed, &mailbox->lock, &deadline);
    if (mailbox->frame) {
        *ret_frame = NN_TAKE(mailbox->frame);
        pthread_cond_broadcast(&mailbox->changed);
        r = 0;
    } else {
        r = mailbox->closed ? -EPIPE : -ETIMEDOUT;
    }
    pthread_mutex_unlock(&mailbox->lock);
    return r;
}

void lpr_mailbox_close(LprMailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    pthread_cond_broadcast(&mailbox->changed);
    pthread_mutex_unlock(&mailbox->lock);
}

uint64_t lpr_mailbox_dropped(const LprMailbox *mailbox)
{
    /* The lock is not part of the mailbox's value. */
    LprMailbox *m = (LprMailbox *)(uintptr_t)mailbox;
    pthread_mutex_lock(&m->lock);
    uint64_t dropped = m->dropped;
    pthread_mutex_unlock(&m->lock);
    return dropped;
}
