/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lines for the journal, or for a person at a terminal. Any thread. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

/* The numbers are those of syslog, which the journal reads from "<N>". */
typedef enum PlatedLogLevel {
    PLATED_LOG_ERROR = 3,
    PLATED_LOG_WARNING = 4,
    PLATED_LOG_INFO = 6,
    PLATED_LOG_DEBUG = 7,
} PlatedLogLevel;

typedef struct PlatedLog {
    FILE *stream;
    const char *program;
    bool journal;     /* lines begin with "<N>" */
    atomic_int level; /* lines above it are not written */
} PlatedLog;

/* Logs to stderr; with journal prefixes when systemd reads it. */
void plated_log_init(PlatedLog *log, PlatedLogLevel level);

/* Writes one line; control characters in it become '?'. A NULL `log` is silent. */
void plated_log(PlatedLog *log, PlatedLogLevel level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
