/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The life of the service in its main loop. */

#include "config.h"
#include "log.h"

/* Runs until SIGTERM, SIGINT, or the end of the source where the configuration
 * says so. `config` is taken over; `path` is read again on SIGHUP. Returns the
 * exit status: 0, 1, or 78 for a configuration that cannot work. */
int plated_service_run(PlatedConfig *config, const char *path, PlatedLog *log);
