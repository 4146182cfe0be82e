/* SPDX-License-Identifier: Apache-2.0 */
#include "platectl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/util.h"
#include "list.h"

NN_DEFINE_CLEANUP(PlatedList, plated_list_free)

typedef struct Check {
    PlatedLog *log;
    bool complained;
} Check;

static void complain(void *userdata, const char *sentence)
{
    Check *check = userdata;

    check->complained = true;
    plated_log(check->log, PLATED_LOG_WARNING, "%s", sentence);
}

int platectl_lists(int argc, char **argv, PlatedLog *log)
{
    _cleanup_(plated_list_freep) PlatedList *list = NULL;
    Check check = {.log = log};
    NnError error = {0};

    if (argc < 3 || strcmp(argv[1], "check") != 0) {
        fputs("usage: platectl lists check FILE…\n", stderr);
        return EX_USAGE;
    }
    if (plated_list_new(&list) < 0)
        return EX_OSERR;
    for (int i = 2; i < argc; i++) {
        if (plated_list_read(list, argv[i], complain, &check, &error) == 0)
            continue;
        plated_log(log, PLATED_LOG_ERROR, "%s", error.message);
        return EXIT_FAILURE;
    }
    printf("%zu plates\n", plated_list_count(list));
    return check.complained ? EXIT_FAILURE : EXIT_SUCCESS;
}
