/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/util.h"
#include "lpr.h"

static void source_freep(LprSource **source)
{
    lpr_source_free(*source);
}

static void no_frame(void *userdata, LprFrame *frame)
{
}

static void no_state(void *userdata, LprSourceState state, const char *sentence)
{
}

int plated_check_config(const PlatedConfig *config, NnError *error)
{
    _cleanup_(source_freep) LprSource *source = NULL;
    _cleanup_free_ char *password = NULL;
    LprSourceOptions options = {0};
    int r;

    r = lpr_source_new(config->camera.source, &options, no_frame, no_state, NULL, &source, error);
    if (r < 0)
        return plated_config_blame(config, "camera", "source", r, error);
    r = plated_config_password(config, &password, error);
    return r < 0 ? plated_config_blame(config, "mqtt", "password_file", r, error) : 0;
}
