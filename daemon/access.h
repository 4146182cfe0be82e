/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who is let through: one decision for each passage, made as soon as its plate is
 * sure enough, told at once or never. The lists are read again when their files
 * change. All calls come from the thread of the default main context, but for
 * plated_access_decide(). */

#include "config.h"
#include "list.h"
#include "log.h"
#include "lpr.h"

typedef struct PlatedAccess PlatedAccess;

/* One decision, to be published and acted upon now. */
typedef struct PlatedAccessEvent {
    char id[LPR_UUID_BYTES]; /* of the passage */
    char plate[LPR_CHARACTERS_MAX + 1];
    float confidence;
    PlatedVerdict verdict;
    int64_t decided_us; /* monotonic */
    int64_t realtime_us, expires_realtime_us;
} PlatedAccessEvent;

typedef void (*PlatedAccessFunc)(void *userdata, const PlatedAccessEvent *event);

/* Reads the lists. `event` is called in the main loop. The log must outlive it. -errno
 * of a list, with a sentence. */
NN_MUST_CHECK int plated_access_new(const PlatedConfig *config, PlatedLog *log,
                                    PlatedAccessFunc event, void *userdata,
                                    PlatedAccess **ret_access, NnError *error);
/* Takes the GPIO line, and from `before`, which may be NULL and is to be freed next,
 * what it has decided. -errno of the line with a sentence: it works without then. */
NN_MUST_CHECK int plated_access_begin(PlatedAccess *access, PlatedAccess *before, NnError *error);
/* Tells first what is decided. NULL is fine. Returns NULL. */
PlatedAccess *plated_access_free(PlatedAccess *access);

/* Any thread, one at a time. Gives the verdict on a passage, deciding when that has not
 * been done and its plate is sure enough or final. False: no lists, or not yet. */
bool plated_access_decide(PlatedAccess *access, const LprPassage *passage,
                          PlatedVerdict *ret_verdict);
