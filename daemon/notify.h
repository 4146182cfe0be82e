/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What systemd is told (sd_notify(3)). Nothing happens without systemd. */

#include <stdint.h>

void plated_notify_ready(void);
void plated_notify_reloading(void);
void plated_notify_stopping(void);
void plated_notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
void plated_notify_watchdog(void);
/* Within which the watchdog must be fed; 0 without one. */
uint64_t plated_notify_watchdog_us(void);
