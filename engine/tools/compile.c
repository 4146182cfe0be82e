/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>

#include "tool.h"

int cmd_compile(const Options *options)
{
    _cleanup_(tool_unload) Loaded loaded = { 0 };
    struct stat st;
    NnError error;
    int r;

    r = tool_load(options, false, &loaded);
    if (r < 0)
        return r;
    r = nn_model_save(loaded.model, options->out, &error);
    if (r < 0) {
        fprintf(stderr, "plated-nn: %s\n", error.message);
        return r;
    }
    if (stat(options->out, &st) < 0)
        return -errno;
    printf("%s: %.2f MiB, for %s\n", options->out, (double)st.st_size / (1 << 20),
           nn_context_isa(loaded.context));
    return 0;
}
