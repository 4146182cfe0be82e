/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <errno.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "base/util.h"
#include "database.h"
#include "json.h"

#define SCHEMA_VERSION 1

struct PlatedStore {
    GMutex lock;
    char *path;
    sqlite3 *db; /* NULL while it cannot be opened */
    PlatedStoreLimits limits;
    PlatedLog *log;
    bool refused; /* the log knows that the disk refuses */
};

/* ---- the database -------------------------------------------------------- */

static int make_tables(sqlite3 *db)
{
    int64_t version;
    int r;

    r = plated_database_query_int(db, "PRAGMA user_version", &version);
    if (r < 0)
        return r;
    if (version == SCHEMA_VERSION)
        return plated_database_execute(db, "SELECT id, plate, first_seen, synchronised, payload"
                                           " FROM passage LIMIT 1");
    if (version != 0)
        return -EBADMSG;
    return plated_database_execute(db,
                                   "BEGIN;"
                                   "CREATE TABLE passage (id TEXT PRIMARY KEY, plate TEXT NOT NULL,"
                                   " first_seen INTEGER NOT NULL, synchronised INTEGER NOT NULL,"
                                   " payload TEXT NOT NULL);"
                                   "CREATE INDEX passage_first_seen ON passage (first_seen);"
                                   "PRAGMA user_version = 1;"
                                   "COMMIT");
}

/* What was deleted is overwritten: it was deleted because it was to be forgotten. */
static int set_up(sqlite3 *db)
{
    int r;

    r = plated_database_execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                                    "PRAGMA journal_size_limit = 1048576;"
                                    "PRAGMA secure_delete = ON");
    if (r < 0)
        return r;
    r = plated_database_check(db);
    return r < 0 ? r : make_tables(db);
}

static void note(PlatedStore *store, int r)
{
    if (r < 0 && !store->refused)
        plated_log(store->log, PLATED_LOG_WARNING, "%s: %s; passages are not kept for later",
                   store->path, strerror(-r));
    if (r == 0 && store->refused)
        plated_log(store->log, PLATED_LOG_INFO, "%s takes passages again", store->path);
    store->refused = r < 0;
}

PlatedStore *plated_store_open(const char *path, const PlatedStoreLimits *limits, PlatedLog *log)
{
    PlatedStore *store = g_new0(PlatedStore, 1);

    g_mutex_init(&store->lock);
    store->path = g_strdup(path);
    store->limits = *limits;
    store->log = log;
    note(store, plated_database_open(path, set_up, log, &store->db));
    return store;
}

PlatedStore *plated_store_free(PlatedStore *store)
{
    if (!store)
        return NULL;
    sqlite3_close(store->db);
    g_mutex_clear(&store->lock);
    g_free(store->path);
    g_free(store);
    return NULL;
}

/* ---- limits -------------------------------------------------------------- */

static int used_bytes(sqlite3 *db, int64_t *ret_bytes)
{
    int64_t pages = 0, unused = 0, page_bytes = 0;
    int r;

    r = plated_database_query_int(db, "PRAGMA page_count", &pages);
    if (r == 0)
        r = plated_database_query_int(db, "PRAGMA freelist_count", &unused);
    if (r == 0)
        r = plated_database_query_int(db, "PRAGMA page_size", &page_bytes);
    *ret_bytes = (pages - unused) * page_bytes;
    return r;
}

/* A twentieth at a time, so that this does not happen at every passage. */
static int shrink(PlatedStore *store)
{
    int64_t bytes, n;
    int r;

    r = used_bytes(store->db, &bytes);
    while (r == 0 && bytes > store->limits.quota_bytes) {
        r = plated_database_query_int(store->db, "SELECT count(*) FROM passage", &n);
        if (r < 0 || n == 0)
            return r;
        r = plated_database_execute_int(store->db,
                                        "DELETE FROM passage WHERE rowid IN (SELECT rowid FROM"
                                        " passage ORDER BY first_seen LIMIT ?)",
                                        n / 20 + 1);
        if (r == 0)
            r = used_bytes(store->db, &bytes);
    }
    return r;
}

/* A clock that nobody had set says nothing about ages. */
void plated_store_trim(PlatedStore *store, PlatedMoment now)
{
    g_autoptr(GMutexLocker) locker = store ? g_mutex_locker_new(&store->lock) : NULL;

    if (!store || !now.synchronised)
        return;
    (void)plated_database_execute_int(store->db,
                                      "DELETE FROM passage WHERE synchronised AND first_seen < ?",
                                      (now.realtime_us - store->limits.max_age_us) / 1000);
}

void plated_store_set_limits(PlatedStore *store, const PlatedStoreLimits *limits)
{
    g_autoptr(GMutexLocker) locker = store ? g_mutex_locker_new(&store->lock) : NULL;

    if (store)
        store->limits = *limits;
}

/* ---- keeping ------------------------------------------------------------- */

static int insert(sqlite3 *db, JsonObject *passage, const char *payload)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;
    int r;

    r = plated_database_prepare(db,
                                "INSERT OR REPLACE INTO passage"
                                " (id, plate, first_seen, synchronised, payload)"
                                " VALUES (?, ?, ?, ?, ?)",
                                &statement);
    if (r < 0)
        return r;
    sqlite3_bind_text(statement, 1, plated_json_get_text(passage, "id"), -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, plated_json_get_text(passage, "plate"), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3,
                       (int64_t)CLAMP(plated_json_get_number(passage, "first_seen_ms"), 0, 1e15));
    sqlite3_bind_int(statement, 4, plated_json_get_bool(passage, "clock_synchronised"));
    sqlite3_bind_text(statement, 5, payload, -1, SQLITE_STATIC);
    return plated_database_result(sqlite3_step(statement));
}

static int add(PlatedStore *store, JsonObject *passage, const char *payload)
{
    int r;

    r = store->db ? insert(store->db, passage, payload) : -EBADMSG;
    if (r == -EBADMSG) {
        sqlite3_close(store->db);
        store->db = NULL;
        r = plated_database_open(store->path, set_up, store->log, &store->db);
        if (r == 0)
            r = insert(store->db, passage, payload);
    }
    return r < 0 ? r : shrink(store);
}

void plated_store_add(PlatedStore *store, const char *payload)
{
    g_autoptr(GMutexLocker) locker = store ? g_mutex_locker_new(&store->lock) : NULL;
    g_autoptr(JsonNode) root = store ? json_from_string(payload, NULL) : NULL;

    if (root && JSON_NODE_HOLDS_OBJECT(root))
        note(store, add(store, json_node_get_object(root), payload));
}

/* ---- asking -------------------------------------------------------------- */

static int query_statement(sqlite3 *db, const PlatedStoreQuery *query, sqlite3_stmt **ret_statement)
{
    int r;

    r = plated_database_prepare(
        db,
        "SELECT payload FROM (SELECT payload, first_seen, rowid AS n FROM passage"
        " WHERE (?1 = 0 OR first_seen >= ?1) AND (?2 = 0 OR first_seen < ?2)"
        " AND (?3 IS NULL OR plate GLOB ?3) ORDER BY first_seen DESC, n DESC LIMIT ?4)"
        " ORDER BY first_seen, n",
        ret_statement);
    if (r < 0)
        return r;
    sqlite3_bind_int64(*ret_statement, 1, query->since_ms);
    sqlite3_bind_int64(*ret_statement, 2, query->until_ms);
    sqlite3_bind_text(*ret_statement, 3, query->plate, -1, SQLITE_STATIC);
    sqlite3_bind_int64(*ret_statement, 4, query->limit ? query->limit : -1);
    return 0;
}

static int read_rows(sqlite3 *db, const PlatedStoreQuery *query,
                     bool (*row)(void *userdata, const char *payload), void *userdata)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;
    int r, code;

    r = query_statement(db, query, &statement);
    if (r < 0)
        return r;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *payload = (const char *)sqlite3_column_text(statement, 0);

        if (payload && !row(userdata, payload))
            return 0;
    }
    return plated_database_result(code);
}

int plated_store_read(const char *path, const PlatedStoreQuery *query,
                      bool (*row)(void *userdata, const char *payload), void *userdata,
                      NnError *error)
{
    sqlite3 *db = NULL;
    int r;

    r = plated_database_open_for_reading(path, &db);
    if (r == 0)
        r = read_rows(db, query, row, userdata);
    sqlite3_close(db);
    if (r == -EBADMSG)
        return nn_error_set(error, r, "%s: not a store of passages, or broken", path);
    return r < 0 ? nn_error_set(error, r, "%s: %s", path, strerror(-r)) : 0;
}
