/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The passages that were told, for those who ask later: the final messages in an SQLite
 * file of their own. Unlike the outbox it is not synced at each passage: a power cut may
 * take the last seconds of it, and never the file. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "nn.h"
#include "outbox.h"

typedef struct PlatedStore PlatedStore;

typedef struct PlatedStoreLimits {
    int64_t max_age_us;
    int64_t quota_bytes; /* of the database; its journal takes up to 5 MiB more */
} PlatedStoreLimits;

/* Opens or makes the database, as the outbox does; one that cannot be opened is tried
 * again at each passage. Never NULL. */
PlatedStore *plated_store_open(const char *path, const PlatedStoreLimits *limits, PlatedLog *log);
/* NULL is fine. Returns NULL. */
PlatedStore *plated_store_free(PlatedStore *store);

/* The following are for any thread, and do nothing with a NULL store. */

/* Keeps a final message. What the disk refuses is told once, and not kept. */
void plated_store_add(PlatedStore *store, const char *payload);
void plated_store_set_limits(PlatedStore *store, const PlatedStoreLimits *limits);
/* Drops what is too old or too much. */
void plated_store_trim(PlatedStore *store, PlatedMoment now);

typedef struct PlatedStoreQuery {
    int64_t since_ms, until_ms; /* by the first look at the plate; 0: open */
    const char *plate;          /* exactly, or with '*' and '?'; NULL: all */
    int64_t limit;              /* the latest so many; 0: all */
} PlatedStoreQuery;

/* Gives the messages of a store, the oldest first, which a running service may have open.
 * `row` returns false to end it. -errno with a sentence. */
NN_MUST_CHECK int plated_store_read(const char *path, const PlatedStoreQuery *query,
                                    bool (*row)(void *userdata, const char *payload),
                                    void *userdata, NnError *error);
