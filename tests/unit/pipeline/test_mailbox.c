/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>

#include "support.h"

#define FRAMES 200

static void test_newest_wins(void)
{
    LprMailbox *mailbox;
    TEST_INT(lpr_mailbox_new(&mailbox), 0);
    LprFrame *frames[3], *taken = NULL;
    for (int i = 0; i < 3; i++) {
        frames[i] = test_frame(2, 2, i, NULL);
        lpr_mailbox_put(mailbox, frames[i], false);
    }
    TEST_INT(lpr_mailbox_dropped(mailbox), 2);
    TEST_INT(lpr_mailbox_take(mailbox, -1, &taken), 0);
    TEST_INT(lpr_frame_time_us(taken), 2);
    lpr_frame_unref(taken);
    TEST_INT(lpr_mailbox_take(mailbox, 0, &taken), -ETIMEDOUT);
    TEST_INT(lpr_mailbox_take(mailbox, 1000, &taken), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        lpr_frame_unref(frames[i]);
    lpr_mailbox_free(mailbox);
}

static void test_closing(void)
{
    LprMailbox *mailbox;
    TEST_INT(lpr_mailbox_new(&mailbox), 0);
    LprFrame *frame = test_frame(2, 2, 1, NULL), *taken = NULL;
    lpr_mailbox_put(mailbox, frame, false);
    lpr_mailbox_close(mailbox);
    lpr_mailbox_put(mailbox, frame, true);
    TEST_INT(lpr_mailbox_take(mailbox, -1, &taken), 0);
    lpr_frame_unref(taken);
    TEST_INT(lpr_mailbox_take(mailbox, -1, &taken), -EPIPE);
    lpr_frame_unref(frame);
    lpr_mailbox_free(mailbox);
    lpr_mailbox_free(NULL);
}

static void *put_all(void *mailbox)
{
    for (int i = 0; i < FRAMES; i++) {
        LprFrame *frame = test_frame(2, 2, i, NULL);
        lpr_mailbox_put(mailbox, frame, true);
        lpr_frame_unref(frame);
    }
    lpr_mailbox_close(mailbox);
    return NULL;
}

static void test_waiting_loses_none(void)
{
    LprMailbox *mailbox;
    pthread_t thread;
    LprFrame *taken;
    TEST_INT(lpr_mailbox_new(&mailbox), 0);
    TEST_INT(pthread_create(&thread, NULL, put_all, mailbox), 0);
    int n = 0;
    while (lpr_mailbox_take(mailbox, -1, &taken) == 0) {
        TEST_INT(lpr_frame_time_us(taken), n++);
        lpr_frame_unref(taken);
    }
    pthread_join(thread, NULL);
    TEST_INT(n, FRAMES);
    TEST_INT(lpr_mailbox_dropped(mailbox), 0);
    lpr_mailbox_free(mailbox);
}

int main(void)
{
    test_newest_wins();
    test_closing();
    test_waiting_loses_none();
    return 0;
}
