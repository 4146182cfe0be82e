/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a configuration file holds, it is read or refused with a sentence. */

#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void count(void *userdata, const char *sentence)
{
    *(size_t *)userdata += strlen(sentence);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    PlatedConfig *config = NULL;
    NnError error = {0};
    size_t told = 0;
    int r;

    r = plated_config_parse("fuzz", (const char *)bytes, n, count, &told, &config, &error);
    if (r < 0 && (config || !error.message[0]))
        abort();
    if (r == 0 && !plated_config_equal(config, config, "camera", NULL))
        abort();
    plated_config_free(config);
    return 0;
}
