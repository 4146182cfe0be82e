/* SPDX-License-Identifier: Apache-2.0 */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "base/util.h"

#define BUSY_MS 2000

void plated_statement_freep(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

int plated_database_result(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CANTOPEN:
        return -ENOENT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
        return -EBADMSG;
    default:
        return -EIO;
    }
}

/* ---- statements ---------------------------------------------------------- */

int plated_database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement)
{
    return db ? plated_database_result(sqlite3_prepare_v2(db, sql, -1, ret_statement, NULL)) : -EIO;
}

int plated_database_execute(sqlite3 *db, const char *sql)
{
    return db ? plated_database_result(sqlite3_exec(db, sql, NULL, NULL, NULL)) : -EIO;
}

/* Runs a statement that takes one number. */
int plated_database_execute_int(sqlite3 *db, const char *sql, int64_t value)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;
    int r;

    r = plated_database_prepare(db, sql, &statement);
    if (r < 0)
        return r;
    sqlite3_bind_int64(statement, 1, value);
    return plated_database_result(sqlite3_step(statement));
}

int plated_database_query_int(sqlite3 *db, const char *sql, int64_t *ret_value)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;
    int r, code;

    r = plated_database_prepare(db, sql, &statement);
    if (r < 0)
        return r;
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? -ENOENT : plated_database_result(code);
    *ret_value = sqlite3_column_int64(statement, 0);
    return 0;
}

int plated_database_check(sqlite3 *db)
{
    _cleanup_(plated_statement_freep) sqlite3_stmt *statement = NULL;
    int r, code;

    r = plated_database_prepare(db, "PRAGMA quick_check(1)", &statement);
    if (r < 0)
        return r;
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? -EBADMSG : plated_database_result(code);
    return strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0 ? 0 : -EBADMSG;
}

static int open_database(const char *path, PlatedDatabaseSetUp set_up, sqlite3 **ret_db)
{
    sqlite3 *db = NULL;
    int r;

    if (*path) {
        /* SQLite would give the file the mode that the umask leaves. */
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0)
            return -errno;
        close(fd);
    }
    r = plated_database_result(
        sqlite3_open_v2(*path ? path : ":memory:", &db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL));
    if (r == 0) {
        /* Somebody may be looking into it with another tool. */
        sqlite3_busy_timeout(db, BUSY_MS);
        r = set_up(db);
    }
    if (r < 0) {
        sqlite3_close(db);
        return r;
    }
    *ret_db = db;
    return 0;
}

static int set_aside(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    int r = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *from = g_strconcat(path, suffixes[i], NULL);
        g_autofree char *to = g_strconcat(path, ".broken", suffixes[i], NULL);

        unlink(to);
        if (rename(from, to) < 0 && errno != ENOENT)
            r = -errno;
    }
    return r;
}

int plated_database_open(const char *path, PlatedDatabaseSetUp set_up, PlatedLog *log,
                         sqlite3 **ret_db)
{
    int r;

    r = open_database(path, set_up, ret_db);
    if (r != -EBADMSG)
        return r;
    r = set_aside(path);
    if (r < 0)
        return r;
    plated_log(log, PLATED_LOG_ERROR,
               "%s is broken; it was set aside as %s.broken and a new one made", path, path);
    return open_database(path, set_up, ret_db);
}

/* Ends a transaction by what became of it. */
int plated_database_conclude(sqlite3 *db, int r)
{
    if (r == 0)
        r = plated_database_execute(db, "COMMIT");
    if (r < 0)
        (void)plated_database_execute(db, "ROLLBACK");
    return r;
}

int plated_database_open_for_reading(const char *path, sqlite3 **ret_db)
{
    sqlite3 *db = NULL;
    int r;

    if (access(path, R_OK) < 0)
        return -errno;
    r = plated_database_result(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL));
    if (r < 0) {
        sqlite3_close(db);
        return r;
    }
    /* What stands in its schema is the file's word, not ours. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_busy_timeout(db, BUSY_MS);
    *ret_db = db;
    return 0;
}
