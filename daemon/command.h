/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What may be asked over MQTT, on topic `command`. */

#include <stddef.h>

typedef enum PlatedCommand {
    PLATED_COMMAND_NONE, /* neither of them */
    PLATED_COMMAND_SNAPSHOT,
    PLATED_COMMAND_RELOAD,
} PlatedCommand;

/* The payload is the word, and nothing else. */
PlatedCommand plated_command_parse(const void *payload, size_t n);
