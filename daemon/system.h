/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the machine says about itself. `root` is "" or a directory for tests. */

#include <stdbool.h>
#include <stdint.h>

/* $PLATED_SYSTEM_ROOT, or "". */
const char *plated_system_root(void);

/* Of the hottest thermal zone, in °C; NaN when there is none. */
double plated_system_temperature(const char *root);
/* What the firmware of a Raspberry Pi says of power and heat (vcgencmd get_throttled). */
#define PLATED_THROTTLE_UNDER_VOLTAGE     0x1
#define PLATED_THROTTLE_SLOWED            0xf /* any of: voltage, frequency capped, heat */
#define PLATED_THROTTLE_WAS_UNDER_VOLTAGE 0x10000

/* These flags, or -1 when the firmware does not say. */
int plated_system_throttle_flags(const char *root);
/* Whether a Raspberry Pi is slowed down now, by heat or by its power supply: 1,
 * 0, or -1 when the firmware does not say. */
int plated_system_throttled(const char *root);
/* Whether a time server has set the clock: as systemd-timesyncd says, or the kernel
 * where it may be asked,
 * which is not the case below a `root`. */
bool plated_system_clock_synchronised(const char *root);

int64_t plated_system_monotonic_us(void);
int64_t plated_system_realtime_us(void);
