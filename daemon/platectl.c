/* SPDX-License-Identifier: Apache-2.0 */
#include "platectl.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/util.h"
#include "version.h"

#define CONFIG_FILE PLATED_CONFIG_DIR "/plated.conf"

static void usage(FILE *stream)
{
    fputs("usage: platectl VERB [OPTION]…\n\n"
          "  status [--json] [--config FILE]\n"
          "      what the running service says of itself; 1 when camera or broker are away\n"
          "  doctor [--json] [--config FILE]\n"
          "      looks at camera, picture, broker, clock, heat, disk and models, and says what to do\n"
          "  snapshot [--config FILE] FILE\n"
          "      writes the service's next frame as JPEG; - for the standard output\n"
          "  read [--json] [--config FILE] [--models DIR] IMAGE|DIRECTORY…\n"
          "      reads the plates of pictures; directories with all that is in them\n"
          "  watch [--json] [--config FILE] [--host HOST] [--port PORT]\n"
          "      prints passages as the broker tells of them\n"
          "  events [--since TIME] [--until TIME] [--plate PLATE] [--limit N] [--json|--csv]\n"
          "         [--config FILE] [--store FILE]\n"
          "      prints passages that were told; TIME is 2026-03-01, 2026-03-01T18:00 or an age\n"
          "      such as 2h or 7d; PLATE may have * and ?\n"
          "  lists check FILE…\n"
          "      names the wrong lines of access lists and counts the plates\n"
          "  config check [FILE]\n"
          "      says what is wrong with the configuration\n"
          "  help\n"
          "      writes this\n"
          "  version\n"
          "      writes the version\n",
          stream);
}

static void warn(void *userdata, const char *sentence)
{
    plated_log(userdata, PLATED_LOG_WARNING, "%s", sentence);
}

int platectl_load_config(const char *path, PlatedLog *log, PlatedConfig **ret_config)
{
    NnError error = {0};
    int r;

    if (!path && access(CONFIG_FILE, F_OK) < 0)
        return plated_config_new(ret_config);
    r = plated_config_load(path ? path : CONFIG_FILE, warn, log, ret_config, &error);
    if (r < 0)
        plated_log(log, PLATED_LOG_ERROR, "%s", error.message);
    return r;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, PlatedLog *log);
} verbs[] = {
    {"status", platectl_status}, {"doctor", platectl_doctor},     {"watch", platectl_watch},
    {"read", platectl_read},     {"events", platectl_events},     {"lists", platectl_lists},
    {"config", platectl_config}, {"snapshot", platectl_snapshot},
};

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    PlatedLog log;

    setlocale(LC_CTYPE, "");
    plated_log_init(&log, PLATED_LOG_WARNING);
    log.program = "platectl";
    for (size_t i = 0; i < NN_ARRAY_SIZE(verbs); i++)
        if (strcmp(verb, verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1, &log);
    if (strcmp(verb, "help") == 0 || strcmp(verb, "--help") == 0) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(verb, "version") == 0 || strcmp(verb, "--version") == 0) {
        puts("platectl " PLATED_VERSION);
        return EXIT_SUCCESS;
    }
    if (*verb)
        fprintf(stderr, "platectl: there is no verb '%s'\n", verb);
    usage(stderr);
    return EX_USAGE;
}
