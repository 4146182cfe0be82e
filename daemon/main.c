/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/util.h"
#include "check.h"
#include "config.h"
#include "log.h"
#include "service.h"
#include "version.h"

#define CONFIG_FILE PLATED_CONFIG_DIR "/plated.conf"

static void usage(FILE *stream)
{
    fputs("usage: plated [OPTION]…\n"
          "Watches a camera, reads licence plates and tells of every vehicle over MQTT.\n\n"
          "  --config FILE      read this instead of " CONFIG_FILE "\n"
          "  --check-config     say what is wrong with the configuration, and end\n"
          "  --print-defaults   write a configuration file with every key, and end\n"
          "  --print-reference  write docs/configuration.md, and end\n"
          "  --version          write the version, and end\n"
          "  --help             write this, and end\n",
          stream);
}

static void warn(void *userdata, const char *sentence)
{
    plated_log(userdata, PLATED_LOG_WARNING, "%s", sentence);
}

/* glibc raises both thresholds to the largest block that was ever freed, a model's weights,
 * and every thread that a camera's pipeline starts may get an arena of its own. Frames of
 * cameras that come and go then leave holes in all of them, tens of MiB after hours
 * (malloc_stats(3)); with a mapping of its own each is given back when it is freed, for less
 * than a millisecond of page faults. */
static void keep_memory_flat(void)
{
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_ARENA_MAX, 4);
}

static int run(const char *path, bool check_only)
{
    PlatedConfig *config = NULL;
    NnError error = {0};
    PlatedLog log;
    int r;

    plated_log_init(&log, PLATED_LOG_INFO);
    r = plated_config_load(path, warn, &log, &config, &error);
    if (r == 0)
        r = plated_check_config(config, &error);
    if (r < 0) {
        plated_log(&log, PLATED_LOG_ERROR, "%s", error.message);
        plated_config_free(config);
        return EX_CONFIG;
    }
    if (check_only) {
        plated_config_free(config);
        printf("%s: good\n", path);
        return EXIT_SUCCESS;
    }
    atomic_store(&log.level, plated_config_log_level(config));
    keep_memory_flat();
    return plated_service_run(config, path, &log);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'k'},
        {"print-defaults", no_argument, NULL, 'd'},
        {"print-reference", no_argument, NULL, 'r'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *path = CONFIG_FILE;
    bool check_only = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'k':
            check_only = true;
            break;
        case 'd':
            plated_config_print_defaults(stdout);
            return EXIT_SUCCESS;
        case 'r':
            plated_config_print_reference(stdout);
            return EXIT_SUCCESS;
        case 'v':
            puts("plated " PLATED_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "plated: unexpected argument '%s'\n", argv[optind]);
        return EX_USAGE;
    }
    return run(path, check_only);
}
