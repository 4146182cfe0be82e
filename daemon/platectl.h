/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The verbs of platectl: they take what stands after the verb, and return the
 * exit status. */

#include <json-glib/json-glib.h>

#include "config.h"
#include "log.h"

int platectl_read(int argc, char **argv, PlatedLog *log);
int platectl_watch(int argc, char **argv, PlatedLog *log);
int platectl_events(int argc, char **argv, PlatedLog *log);
int platectl_lists(int argc, char **argv, PlatedLog *log);
int platectl_config(int argc, char **argv, PlatedLog *log);
int platectl_status(int argc, char **argv, PlatedLog *log);
int platectl_doctor(int argc, char **argv, PlatedLog *log);
int platectl_snapshot(int argc, char **argv, PlatedLog *log);

/* Reads `path`; NULL means the installed file, or the defaults where there is
 * none. Says on the log what is wrong. */
NN_MUST_CHECK int platectl_load_config(const char *path, PlatedLog *log, PlatedConfig **ret_config);

/* Asks the running service over its control socket: the first line of its answer, which says
 * ok, and with `ret_rest` what follows it. -ENOENT and -ECONNREFUSED when no service runs,
 * -EREMOTEIO with its own sentence when it refuses, other errno values. */
NN_MUST_CHECK int platectl_ask(const PlatedConfig *config, const char *request, JsonNode **ret_head,
                               GBytes **ret_rest, NnError *error);
