/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Messages on disk until the broker has acknowledged them. Any thread. */

#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "nn.h"

typedef struct PlatedOutbox PlatedOutbox;

typedef struct PlatedOutboxLimits {
    int max_rows;
    int64_t max_age_us;
} PlatedOutboxLimits;

/* A moment by the wall clock. Ages are judged only between moments at which the
 * clock was synchronised: a Pi without a battery starts in the past. */
typedef struct PlatedMoment {
    int64_t realtime_us;
    bool synchronised;
} PlatedMoment;

typedef enum PlatedOutboxKind {
    PLATED_OUTBOX_PROVISIONAL, /* a final of the same id is owed from now on */
    PLATED_OUTBOX_FINAL,
} PlatedOutboxKind;

typedef struct PlatedOutboxMessage {
    PlatedOutboxKind kind;
    const char *id, *topic, *payload;
} PlatedOutboxMessage;

/* Opens or makes the database; "" keeps the messages in memory. One that is
 * broken is set aside as PATH.broken with a line in the log, and a new one made. One that
 * cannot be opened is tried again for ever, with a line in the log: the gate matters more
 * than the disk. -EBUSY when another process has it; -ENOMEM. */
NN_MUST_CHECK int plated_outbox_open(const char *path, const PlatedOutboxLimits *limits,
                                     PlatedLog *log, PlatedOutbox **ret_outbox, NnError *error);
/* NULL is fine. Returns NULL. */
PlatedOutbox *plated_outbox_free(PlatedOutbox *outbox);

/* On disk when it returns. Where the disk refuses, the message is kept in memory
 * and the log told once. Drops the oldest beyond the limits. */
void plated_outbox_push(PlatedOutbox *outbox, const PlatedOutboxMessage *message, PlatedMoment now);
/* Tries to bring to disk what is in memory; every second. */
void plated_outbox_settle(PlatedOutbox *outbox);

/* The first message after `after`, which is 0 or an earlier sequence number, in the order
 * of pushing. free() topic and payload. -ENOENT when there is none. */
NN_MUST_CHECK int plated_outbox_next(PlatedOutbox *outbox, int64_t after, int64_t *ret_sequence,
                                     char **ret_topic, char **ret_payload);
/* Another number when the sequence numbers are new, because a disk came or was replaced:
 * readers start over. */
unsigned plated_outbox_generation(PlatedOutbox *outbox);
/* The broker has it: forgets it. */
void plated_outbox_acknowledge(PlatedOutbox *outbox, int64_t sequence);

/* Makes a final of a provisional payload (g_free), or NULL to forget it. */
typedef char *(*PlatedOutboxFinishFunc)(void *userdata, const char *provisional);

/* Pushes the finals that are owed since before the last end of the process. */
void plated_outbox_finish(PlatedOutbox *outbox, PlatedOutboxFinishFunc finish, void *userdata,
                          PlatedMoment now);

void plated_outbox_set_limits(PlatedOutbox *outbox, const PlatedOutboxLimits *limits);
/* Drops what is too old or too much. */
void plated_outbox_trim(PlatedOutbox *outbox, PlatedMoment now);
uint64_t plated_outbox_count(PlatedOutbox *outbox);
/* Messages dropped because of the limits since the outbox was opened. */
uint64_t plated_outbox_dropped(PlatedOutbox *outbox);
