/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* SQLite as the outbox and the store use it: every result a negative errno, a broken
 * file set aside for a new one. */

#include <stdint.h>

#include <sqlite3.h>

#include "log.h"
#include "nn.h"

/* 0 for all that is well, else what it is in errno: -EBADMSG a broken file, -EBUSY one
 * that somebody else has, -ENOSPC, -EROFS, -EACCES, -ENOMEM, -EIO. */
int plated_database_result(int code);

/* Pragmas and tables of a database; called with a connection that waits for others. */
typedef int (*PlatedDatabaseSetUp)(sqlite3 *db);

/* Opens or makes a file with mode 0600; "" is memory. `set_up` returning -EBADMSG, as
 * for a file that is none, sets the file aside as PATH.broken, with a line in the log,
 * and makes a new one. sqlite3_close() it. */
NN_MUST_CHECK int plated_database_open(const char *path, PlatedDatabaseSetUp set_up, PlatedLog *log,
                                       sqlite3 **ret_db);
/* One that is there, and that another process may be writing. -ENOENT. */
NN_MUST_CHECK int plated_database_open_for_reading(const char *path, sqlite3 **ret_db);
/* -EBADMSG unless the whole file is well. */
NN_MUST_CHECK int plated_database_check(sqlite3 *db);

/* A NULL `db` gives -EIO. */
NN_MUST_CHECK int plated_database_prepare(sqlite3 *db, const char *sql,
                                          sqlite3_stmt **ret_statement);
int plated_database_execute(sqlite3 *db, const char *sql);
/* Runs a statement that takes one number, or gives one; -ENOENT when it gives none. */
int plated_database_execute_int(sqlite3 *db, const char *sql, int64_t value);
NN_MUST_CHECK int plated_database_query_int(sqlite3 *db, const char *sql, int64_t *ret_value);
/* Ends a transaction by what became of it. */
NN_MUST_CHECK int plated_database_conclude(sqlite3 *db, int r);

/* For _cleanup_(). */
void plated_statement_freep(sqlite3_stmt **statement);
