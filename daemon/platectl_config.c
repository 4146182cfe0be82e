/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/util.h"
#include "check.h"
#include "platectl.h"

int platectl_config(int argc, char **argv, PlatedLog *log)
{
    PlatedConfig *config = NULL;
    NnError error = {0};
    int r;

    if (argc < 2 || argc > 3 || strcmp(argv[1], "check") != 0 || (argc == 3 && argv[2][0] == '-')) {
        fputs("usage: platectl config check [FILE]\n", stderr);
        return EX_USAGE;
    }
    if (platectl_load_config(argc == 3 ? argv[2] : NULL, log, &config) < 0)
        return EX_CONFIG;
    r = plated_check_config(config, &error);
    if (r < 0)
        plated_log(log, PLATED_LOG_ERROR, "%s", error.message);
    else
        printf("%s: good\n", config->file ? config->file : "the defaults, without a file");
    plated_config_free(config);
    return r < 0 ? EX_CONFIG : EXIT_SUCCESS;
}
