/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <errno.h>
#include <string.h>

#include <glib.h>

#include "base/util.h"

#if HAVE_GPIOD
#include <gpiod.h>
#endif

struct PlatedRelay {
    int64_t pulse_us, cooldown_us, busy_until_us;
    guint timer;
#if HAVE_GPIOD
    struct gpiod_chip *chip;
    struct gpiod_line *line;
#endif
};

NN_DEFINE_CLEANUP(PlatedRelay, plated_relay_free)

#if HAVE_GPIOD

static int line_open(PlatedRelay *relay, const PlatedRelayOptions *options)
{
    struct gpiod_line_request_config config = {
        .consumer = "plated",
        .request_type = GPIOD_LINE_REQUEST_DIRECTION_OUTPUT,
        .flags = options->active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0,
    };

    relay->chip = gpiod_chip_open(options->chip);
    if (!relay->chip)
        return -errno;
    relay->line = gpiod_chip_get_line(relay->chip, (unsigned)options->line);
    if (!relay->line || gpiod_line_request(relay->line, &config, 0) < 0)
        return -errno;
    return 0;
}

static int line_set(PlatedRelay *relay, int value)
{
    return gpiod_line_set_value(relay->line, value) < 0 ? -errno : 0;
}

static void line_close(PlatedRelay *relay)
{
    if (relay->chip)
        gpiod_chip_close(relay->chip); /* releases the line */
}

#else

static int line_open(PlatedRelay *relay, const PlatedRelayOptions *options)
{
    return -ENOTSUP;
}

static int line_set(PlatedRelay *relay, int value)
{
    return -ENOTSUP;
}

static void line_close(PlatedRelay *relay)
{
}

#endif

int plated_relay_new(const PlatedRelayOptions *options, PlatedRelay **ret_relay, NnError *error)
{
    _cleanup_(plated_relay_freep) PlatedRelay *relay = g_new0(PlatedRelay, 1);
    int r;

    relay->pulse_us = options->pulse_us;
    relay->cooldown_us = options->cooldown_us;
    relay->busy_until_us = INT64_MIN;
    r = line_open(relay, options);
    if (r == -ENOTSUP)
        return nn_error_set(error, r, "this plated was built without libgpiod");
    if (r < 0)
        return nn_error_set(error, r, "line %d of %s: %s", options->line, options->chip,
                            strerror(-r));
    *ret_relay = NN_TAKE(relay);
    return 0;
}

static gboolean rest(gpointer userdata)
{
    PlatedRelay *relay = userdata;

    relay->timer = 0;
    line_set(relay, 0);
    return G_SOURCE_REMOVE;
}

PlatedRelay *plated_relay_free(PlatedRelay *relay)
{
    if (!relay)
        return NULL;
    if (relay->timer) {
        g_source_remove(relay->timer);
        line_set(relay, 0);
    }
    line_close(relay);
    g_free(relay);
    return NULL;
}

int plated_relay_pulse(PlatedRelay *relay, int64_t now_us)
{
    int r;

    if (now_us < relay->busy_until_us)
        return -EBUSY;
    r = line_set(relay, 1);
    if (r < 0)
        return r;
    relay->busy_until_us = now_us + relay->pulse_us + relay->cooldown_us;
    relay->timer = g_timeout_add((guint)(relay->pulse_us / 1000), rest, relay);
    return 0;
}
