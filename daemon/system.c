/* SPDX-License-Identifier: Apache-2.0 */
#include "system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define ZONES_MAX 16

static bool read_line(const char *path, char line[64])
{
    FILE *file = fopen(path, "re");
    bool ok;

    if (!file)
        return false;
    ok = fgets(line, 64, file) != NULL;
    fclose(file);
    return ok;
}

const char *plated_system_root(void)
{
    const char *root = getenv("PLATED_SYSTEM_ROOT");

    return root ? root : "";
}

double plated_system_temperature(const char *root)
{
    double hottest = NAN;

    for (int i = 0; i < ZONES_MAX; i++) {
        char path[256], line[64];

        snprintf(path, sizeof(path), "%s/sys/class/thermal/thermal_zone%d/temp", root, i);
        if (!read_line(path, line))
            continue;
        hottest = fmax(hottest, strtol(line, NULL, 10) / 1000.0);
    }
    return hottest;
}

int plated_system_throttle_flags(const char *root)
{
    char path[256], line[64];

    snprintf(path, sizeof(path), "%s/sys/devices/platform/soc/soc:firmware/get_throttled", root);
    if (!read_line(path, line))
        return -1;
    return (int)(strtoul(line, NULL, 16) & 0xfffff);
}

int plated_system_throttled(const char *root)
{
    int flags = plated_system_throttle_flags(root);

    return flags < 0 ? -1 : (flags & PLATED_THROTTLE_SLOWED) != 0;
}

bool plated_system_clock_synchronised(const char *root)
{
    struct timex timex = {0};
    char path[256];

    snprintf(path, sizeof(path), "%s/run/systemd/timesync/synchronized", root);
    if (access(path, F_OK) == 0)
        return true;
    return !*root && adjtimex(&timex) >= 0 && !(timex.status & STA_UNSYNC);
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t plated_system_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t plated_system_realtime_us(void)
{
    return clock_us(CLOCK_REALTIME);
}
