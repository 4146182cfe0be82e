/* SPDX-License-Identifier: Apache-2.0 */

/* Stands before libgpiod where there are no pins: writes what a relay is told, with
 * the time, to the file in FAKE_GPIO. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <gpiod.h>

static char chip_name[256];
static char handle;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
    FILE *file = fopen(getenv("FAKE_GPIO"), "ae");
    struct timespec now;
    va_list args;

    if (!file)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    fprintf(file, "%.3f ", (double)now.tv_sec + (double)now.tv_nsec / 1e9);
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    fputc('\n', file);
    fclose(file);
}

struct gpiod_chip *gpiod_chip_open(const char *path)
{
    snprintf(chip_name, sizeof(chip_name), "%s", path);
    return (struct gpiod_chip *)&handle;
}

struct gpiod_line *gpiod_chip_get_line(struct gpiod_chip *chip, unsigned int offset)
{
    note("open %s %u", chip_name, offset);
    return (struct gpiod_line *)&handle;
}

int gpiod_line_request(struct gpiod_line *line, const struct gpiod_line_request_config *config,
                       int value)
{
    return 0;
}

int gpiod_line_set_value(struct gpiod_line *line, int value)
{
    note("set %d", value);
    return 0;
}

void gpiod_chip_close(struct gpiod_chip *chip)
{
    note("close");
}
