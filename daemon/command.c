/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <string.h>

#include "base/util.h"

PlatedCommand plated_command_parse(const void *payload, size_t n)
{
    static const char *const words[] = {
        [PLATED_COMMAND_SNAPSHOT] = "snapshot",
        [PLATED_COMMAND_RELOAD] = "reload",
    };

    for (size_t i = PLATED_COMMAND_SNAPSHOT; i < NN_ARRAY_SIZE(words); i++)
        if (n == strlen(words[i]) && memcmp(payload, words[i], n) == 0)
            return (PlatedCommand)i;
    return PLATED_COMMAND_NONE;
}
