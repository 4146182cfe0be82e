/* SPDX-License-Identifier: Apache-2.0 */

/* A store that somebody else wrote: it is read or refused with a sentence, and a service
 * that finds it keeps its passages all the same. What is no database is tried as a message. */

#include <stdlib.h>
#include <string.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "store.h"

#define MAGIC "SQLite format 3"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool count(void *userdata, const char *payload)
{
    *(size_t *)userdata += strlen(payload);
    return true;
}

static void read_all(const char *path, const char *plate)
{
    PlatedStoreQuery query = {.since_ms = 1, .plate = plate, .limit = 100};
    NnError error = {0};
    size_t told = 0;

    if (plated_store_read(path, &query, count, &told, &error) < 0 && !error.message[0])
        abort();
}

static void clear(const char *folder)
{
    static const char *const names[] = {"s",        "s-wal",        "s-shm",       "s-journal",
                                        "s.broken", "s.broken-wal", "s.broken-shm"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);

        g_unlink(path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const PlatedStoreLimits limits = {86400000000, 65536};
    static const char known[] = "{\"id\":\"a\",\"plate\":\"7ABC123\",\"first_seen_ms\":5}";
    bool database = n >= sizeof(MAGIC) && memcmp(bytes, MAGIC, sizeof(MAGIC)) == 0;
    g_autofree char *folder = g_dir_make_tmp("plated-fuzz-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "s", NULL);
    g_autofree char *message = g_strndup((const char *)bytes, n);
    PlatedStore *store;

    if (database && g_file_set_contents(path, (const char *)bytes, (gssize)n, NULL))
        read_all(path, "7*");
    store = plated_store_open(path, &limits, NULL);
    plated_store_add(store, database ? known : message);
    plated_store_trim(store, (PlatedMoment){1000000000000, true});
    plated_store_free(store);
    read_all(path, NULL);
    clear(folder);
    g_rmdir(folder);
    return 0;
}
