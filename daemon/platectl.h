/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The verbs of platectl: they take what stands after the verb, and return the
 * exit status. */

#include "config.h"
#include "log.h"

int platectl_read(int argc, char **argv, PlatedLog *log);
int platectl_watch(int argc, char **argv, PlatedLog *log);
int platectl_lists(int argc, char **argv, PlatedLog *log);

/* Reads `path`; NULL means the installed file, or the defaults where there is
 * none. Says on the log what is wrong. */
NN_MUST_CHECK int platectl_load_config(const char *path, PlatedLog *log, PlatedConfig **ret_config);
