/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdlib.h>

void plated_log_init(PlatedLog *log, PlatedLogLevel level)
{
    log->stream = stderr;
    log->program = "plated";
    log->journal = getenv("JOURNAL_STREAM") != NULL;
    atomic_init(&log->level, level);
}

void plated_log(PlatedLog *log, PlatedLogLevel level, const char *format, ...)
{
    char line[2048];
    va_list args;

    if (!log || (int)level > atomic_load(&log->level))
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    /* Broker and file names may hold anything; one call must stay one line. */
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    if (log->journal)
        fprintf(log->stream, "<%d>%s\n", (int)level, line);
    else
        fprintf(log->stream, "%s: %s\n", log->program, line);
    fflush(log->stream);
}
