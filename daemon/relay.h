/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A GPIO line that opens something: one pulse, then nothing for a while. Belongs to
 * the thread of the default main context. */

#include <stdbool.h>
#include <stdint.h>

#include "nn.h"

typedef struct PlatedRelay PlatedRelay;

/* Copied by plated_relay_new(). */
typedef struct PlatedRelayOptions {
    const char *chip; /* "/dev/gpiochip0" */
    int line;
    bool active_low;
    int64_t pulse_us, cooldown_us;
} PlatedRelayOptions;

/* Takes the line and puts it to rest. -ENOTSUP without libgpiod, -errno with a
 * sentence. */
NN_MUST_CHECK int plated_relay_new(const PlatedRelayOptions *options, PlatedRelay **ret_relay,
                                   NnError *error);
/* At rest. NULL is fine. Returns NULL. */
PlatedRelay *plated_relay_free(PlatedRelay *relay);

/* -EBUSY within the pulse or the cooldown after it, -errno. */
int plated_relay_pulse(PlatedRelay *relay, int64_t now_us);
