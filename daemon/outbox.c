/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "base/util.h"
#include "database.h"

#define SCHEMA_VERSION 1

/* A message that the disk refused. It keeps its place among the others. */
typedef struct Spare {
    int64_t sequence;
    PlatedOutboxKind kind;
    char *id, *topic, *payload;
    PlatedMoment made;
} Spare;

struct PlatedOutbox {
    GMutex lock;
    char *path;  /* "" for memory */
    sqlite3 *db; /* NULL while it cannot be opened */
    PlatedOutboxLimits limits;
    PlatedLog *log;
    uint64_t dropped;
    int64_t last_sequence; /* readers rely on it to grow */
    unsigned generation;
    PlatedOutboxFinishFunc finish;
    void *finish_userdata;
    GQueue spare;
    bool refused; /* the log knows that the disk refuses */
};

NN_DEFINE_CLEANUP(PlatedOutbox, plated_outbox_free)

/* ---- the database -------------------------------------------------------- */

static int make_tables(sqlite3 *db)
{
    int64_t version;
    int r;

    r = plated_database_query_int(db, "PRAGMA user_version", &version);
    if (r < 0)
        return r;
    if (version == SCHEMA_VERSION)
        return plated_database_execute(
            db, "SELECT sequence, topic, payload, created, synchronised FROM message "
                "LIMIT 1; SELECT id, topic, payload FROM owed LIMIT 1");
    if (version != 0)
        return -EBADMSG;
    return plated_database_execute(
        db, "BEGIN;"
            "CREATE TABLE message (sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
            " topic TEXT NOT NULL, payload TEXT NOT NULL, created INTEGER NOT NULL,"
            " synchronised INTEGER NOT NULL);"
            "CREATE TABLE owed (id TEXT PRIMARY KEY, topic TEXT NOT NULL,"
            " payload TEXT NOT NULL);"
            "PRAGMA user_version = 1;"
            "COMMIT");
}

/* The lock is held while the process lives: two daemons on one outbox would send
 * everything twice. */
static int set_up(sqlite3 *db)
{
    int r;

    r = plated_database_execute(db,
                                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                                "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 1048576;"
                                "BEGIN EXCLUSIVE; COMMIT");
    if (r < 0)
        return r;
    r = plated_database_check(db);
    return r < 0 ? r : make_tables(db);
}

static int64_t last_on_disk(sqlite3 *db)
{
    int64_t sequence;
    int r = plated_database_query_int(db, "SELECT seq FROM sqlite_sequence WHERE name = 'message'",
                                      &sequence);

    return r < 0 ? 0 : sequence;
}

/* What is in memory comes behind what the disk has kept, also when the disk came later:
 * the numbers are new then. */
static int open_disk(PlatedOutbox *outbox)
{
    int64_t sequence;
    int r;

    r = plated_database_open(outbox->path, set_up, outbox->log, &outbox->db);
    if (r < 0)
        return r;
    sequence = last_on_disk(outbox->db);
    for (GList *l = outbox->spare.head; l; l = l->next)
        ((Spare *)l->data)->sequence = ++sequence;
    outbox->last_sequence = sequence;
    outbox->generation++;
    return 0;
}

static void complain(PlatedOutbox *outbox, int reason)
{
    if (!outbox->refused)
        plated_log(outbox->log, PLATED_LOG_ERROR,
                   "%s: %s; passages are kept in memory and a restart would lose them",
                   outbox->path, strerror(-reason));
    outbox->refused = true;
}

int plated_outbox_open(const char *path, const PlatedOutboxLimits *limits, PlatedLog *log,
                       PlatedOutbox **ret_outbox, NnError *error)
{
    _cleanup_(plated_outbox_freep) PlatedOutbox *outbox = calloc(1, sizeof(*outbox));
    int r;

    if (!outbox)
        return nn_error_set(error, -ENOMEM, "out of memory");
    g_mutex_init(&outbox->lock);
    g_queue_init(&outbox->spare);
    outbox->path = g_strdup(path);
    outbox->limits = *limits;
    outbox->log = log;
    r = open_disk(outbox);
    if (r == -EBUSY)
        return nn_error_set(error, r, "%s is in use by another process", path);
    if (r < 0)
        complain(outbox, r);
    *ret_outbox = NN_TAKE(outbox);
    return 0;
}

static void spare_free(void *pointer)
{
    Spare *spare = pointer;

    g_free(spare->id);
    g_free(spare->topic);
    g_free(spare->payload);
    g_free(spare);
}

PlatedOutbox *plated_outbox_free(PlatedOutbox *outbox)
{
    if (!outbox)
        return NULL;
    sqlite3_close(outbox->db);
    g_queue_clear_full(&outbox->spare, spare_free);
    g_mutex_clear(&outbox->lock);
    g_free(outbox->path);
    free(outbox);
    return NULL;
}

/* ---- limits -------------------------------------------------------------- */

static void trim_disk(PlatedOutbox *outbox, PlatedMoment now)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;

    if (plated_database_prepare(
            outbox->db,
            "DELETE FROM message WHERE sequence <= (SELECT sequence FROM message"
            " ORDER BY sequence DESC LIMIT 1 OFFSET ?1)"
            " OR (?2 AND synchronised AND created < ?3)",
            &statement) < 0)
        return;
    sqlite3_bind_int(statement, 1, outbox->limits.max_rows);
    sqlite3_bind_int(statement, 2, now.synchronised);
    sqlite3_bind_int64(statement, 3, now.realtime_us - outbox->limits.max_age_us);
    if (sqlite3_step(statement) == SQLITE_DONE)
        outbox->dropped += (uint64_t)sqlite3_changes(outbox->db);
}

static void trim_locked(PlatedOutbox *outbox, PlatedMoment now)
{
    trim_disk(outbox, now);
    while (outbox->spare.length > (guint)outbox->limits.max_rows) {
        spare_free(g_queue_pop_head(&outbox->spare));
        outbox->dropped++;
    }
}

void plated_outbox_trim(PlatedOutbox *outbox, PlatedMoment now)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);

    trim_locked(outbox, now);
}

void plated_outbox_set_limits(PlatedOutbox *outbox, const PlatedOutboxLimits *limits)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);

    outbox->limits = *limits;
}

/* ---- messages ------------------------------------------------------------ */

static int insert_message(sqlite3 *db, int64_t sequence, const char *topic, const char *payload,
                          PlatedMoment made)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;
    int r;

    r = plated_database_prepare(
        db,
        "INSERT INTO message (sequence, topic, payload, created, synchronised)"
        " VALUES (?, ?, ?, ?, ?)",
        &statement);
    if (r < 0)
        return r;
    sqlite3_bind_int64(statement, 1, sequence);
    sqlite3_bind_text(statement, 2, topic, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, payload, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, made.realtime_us);
    sqlite3_bind_int(statement, 5, made.synchronised);
    return plated_database_result(sqlite3_step(statement));
}

/* Notes that a final is owed, or no longer. */
static int note_owed(sqlite3 *db, const Spare *spare)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;
    bool provisional = spare->kind == PLATED_OUTBOX_PROVISIONAL;
    int r;

    r = plated_database_prepare(db,
                                provisional ? "INSERT OR REPLACE INTO owed (id, topic, payload)"
                                              " VALUES (?, ?, ?)"
                                            : "DELETE FROM owed WHERE id = ?",
                                &statement);
    if (r < 0)
        return r;
    sqlite3_bind_text(statement, 1, spare->id, -1, SQLITE_STATIC);
    if (provisional) {
        sqlite3_bind_text(statement, 2, spare->topic, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, spare->payload, -1, SQLITE_STATIC);
    }
    return plated_database_result(sqlite3_step(statement));
}

static int write_spares(PlatedOutbox *outbox)
{
    int r;

    r = plated_database_execute(outbox->db, "BEGIN");
    if (r < 0)
        return r;
    for (GList *l = outbox->spare.head; l && r == 0; l = l->next) {
        const Spare *spare = l->data;

        r = insert_message(outbox->db, spare->sequence, spare->topic, spare->payload, spare->made);
        if (r == 0)
            r = note_owed(outbox->db, spare);
    }
    return plated_database_conclude(outbox->db, r);
}

/* ---- finals that are owed ------------------------------------------------ */

static int finish_one(PlatedOutbox *outbox, sqlite3_stmt *row, PlatedMoment now)
{
    g_autofree char *payload =
        outbox->finish(outbox->finish_userdata, (const char *)sqlite3_column_text(row, 1));

    if (!payload)
        return 0;
    return insert_message(outbox->db, ++outbox->last_sequence,
                          (const char *)sqlite3_column_text(row, 0), payload, now);
}

static int finish_all(PlatedOutbox *outbox, PlatedMoment now)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *rows = NULL;
    int r, code;

    r = plated_database_prepare(outbox->db, "SELECT topic, payload FROM owed ORDER BY rowid",
                                &rows);
    if (r < 0)
        return r;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
        r = finish_one(outbox, rows, now);
        if (r < 0)
            return r;
    }
    return code == SQLITE_DONE ? 0 : plated_database_result(code);
}

static void finish_locked(PlatedOutbox *outbox, PlatedMoment now)
{
    int r;

    if (!outbox->db || !outbox->finish)
        return;
    r = plated_database_execute(outbox->db, "BEGIN");
    if (r < 0)
        return;
    r = finish_all(outbox, now);
    if (r == 0)
        r = plated_database_execute(outbox->db, "DELETE FROM owed");
    r = plated_database_conclude(outbox->db, r);
    if (r < 0)
        plated_log(outbox->log, PLATED_LOG_WARNING,
                   "%s: unfinished passages could not be ended: %s", outbox->path, strerror(-r));
}

void plated_outbox_finish(PlatedOutbox *outbox, PlatedOutboxFinishFunc finish, void *userdata,
                          PlatedMoment now)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);

    outbox->finish = finish;
    outbox->finish_userdata = userdata;
    finish_locked(outbox, now);
}

/* ---- to disk ------------------------------------------------------------- */

/* The database broke while it was in use, or could not be opened before. */
static int open_again(PlatedOutbox *outbox)
{
    int r;

    sqlite3_close(outbox->db);
    outbox->db = NULL;
    r = open_disk(outbox);
    if (r == 0)
        finish_locked(outbox, (PlatedMoment){0});
    return r;
}

static int settle_disk(PlatedOutbox *outbox)
{
    int r = outbox->db ? 0 : open_again(outbox);

    if (r < 0 || g_queue_is_empty(&outbox->spare))
        return r;
    r = write_spares(outbox);
    if (r != -EBADMSG)
        return r;
    r = open_again(outbox);
    return r < 0 ? r : write_spares(outbox);
}

/* All that is not on disk goes there in one transaction, or stays where it is. */
static void settle_locked(PlatedOutbox *outbox)
{
    int r;

    if (outbox->db && g_queue_is_empty(&outbox->spare))
        return;
    r = settle_disk(outbox);
    if (r < 0) {
        complain(outbox, r);
        return;
    }
    g_queue_clear_full(&outbox->spare, spare_free);
    if (outbox->refused)
        plated_log(outbox->log, PLATED_LOG_INFO, "%s takes passages again", outbox->path);
    outbox->refused = false;
}

unsigned plated_outbox_generation(PlatedOutbox *outbox)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);

    return outbox->generation;
}

void plated_outbox_settle(PlatedOutbox *outbox)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);

    settle_locked(outbox);
}

void plated_outbox_push(PlatedOutbox *outbox, const PlatedOutboxMessage *message, PlatedMoment now)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);
    Spare *spare = g_new0(Spare, 1);

    *spare = (Spare){++outbox->last_sequence,    message->kind,
                     g_strdup(message->id),      g_strdup(message->topic),
                     g_strdup(message->payload), now};
    g_queue_push_tail(&outbox->spare, spare);
    settle_locked(outbox);
    trim_locked(outbox, now);
}

static const Spare *next_spare(const PlatedOutbox *outbox, int64_t after)
{
    for (const GList *l = outbox->spare.head; l; l = l->next)
        if (((const Spare *)l->data)->sequence > after)
            return l->data;
    return NULL;
}

static int next_disk(PlatedOutbox *outbox, int64_t after, int64_t *ret_sequence, char **ret_topic,
                     char **ret_payload)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;
    int r, code;

    r = plated_database_prepare(outbox->db,
                                "SELECT sequence, topic, payload FROM message WHERE sequence > ?"
                                " ORDER BY sequence LIMIT 1",
                                &statement);
    if (r < 0)
        return r;
    sqlite3_bind_int64(statement, 1, after);
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? -ENOENT : plated_database_result(code);
    *ret_sequence = sqlite3_column_int64(statement, 0);
    *ret_topic = g_strdup((const char *)sqlite3_column_text(statement, 1));
    *ret_payload = g_strdup((const char *)sqlite3_column_text(statement, 2));
    return 0;
}

/* What is in memory came later than all that is on disk. */
int plated_outbox_next(PlatedOutbox *outbox, int64_t after, int64_t *ret_sequence, char **ret_topic,
                       char **ret_payload)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);
    const Spare *spare;

    if (next_disk(outbox, after, ret_sequence, ret_topic, ret_payload) == 0)
        return 0;
    spare = next_spare(outbox, after);
    if (!spare)
        return -ENOENT;
    *ret_sequence = spare->sequence;
    *ret_topic = g_strdup(spare->topic);
    *ret_payload = g_strdup(spare->payload);
    return 0;
}

void plated_outbox_acknowledge(PlatedOutbox *outbox, int64_t sequence)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);

    for (GList *l = outbox->spare.head; l; l = l->next) {
        if (((Spare *)l->data)->sequence == sequence) {
            spare_free(l->data);
            g_queue_delete_link(&outbox->spare, l);
            return;
        }
    }
    /* Not synced: where the disk refuses or the power goes, it is sent again after a restart. */
    (void)plated_database_execute(outbox->db, "PRAGMA synchronous = NORMAL");
    (void)plated_database_execute_int(outbox->db, "DELETE FROM message WHERE sequence = ?",
                                      sequence);
    (void)plated_database_execute(outbox->db, "PRAGMA synchronous = FULL");
}

uint64_t plated_outbox_count(PlatedOutbox *outbox)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);
    int64_t n = 0;

    if (plated_database_query_int(outbox->db, "SELECT count(*) FROM message", &n) < 0)
        n = 0;
    return (uint64_t)n + outbox->spare.length;
}

uint64_t plated_outbox_dropped(PlatedOutbox *outbox)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&outbox->lock);

    return outbox->dropped;
}
