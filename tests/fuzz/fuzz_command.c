/* SPDX-License-Identifier: Apache-2.0 */

/* Whoever may publish to topic `command` may send anything. */

#include <stdint.h>
#include <stdlib.h>

#include "command.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    PlatedCommand command = plated_command_parse(bytes, n);

    if (command != PLATED_COMMAND_NONE && n != 6 && n != 8)
        abort();
    return 0;
}
