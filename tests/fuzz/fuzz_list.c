/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever an access list holds, its lines are taken or named, and somebody is decided
 * about. */

#include <stdlib.h>
#include <string.h>

#include "list.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void count(void *userdata, const char *sentence)
{
    *(size_t *)userdata += strlen(sentence);
}

/* A candidate that is listed, and one that is not, at a moment of the week. */
static void decide(const PlatedList *list, const uint8_t *bytes, size_t n)
{
    LprPlate plate = {.plate = "7ABC123", .n_candidates = 1, .candidates = {{"8XYZ987", 0.5f}}};
    struct tm now = {.tm_year = 126,
                     .tm_mon = 2,
                     .tm_mday = 1 + (int)n % 28,
                     .tm_hour = n ? bytes[0] % 24 : 0,
                     .tm_wday = (int)n % 7};
    PlatedVerdict verdict = {0};

    for (int tolerance = 0; tolerance <= 4; tolerance++) {
        plated_list_decide(list, &plate, tolerance, &now, &verdict);
        if (!verdict.reason || !plated_decision_name(verdict.decision) ||
            (verdict.decision == PLATED_DECISION_GRANTED && !verdict.plate[0]))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    PlatedList *list = NULL;
    NnError error = {0};
    size_t told = 0;
    int r;

    if (plated_list_new(&list) < 0)
        return 0;
    r = plated_list_parse(list, "fuzz", (const char *)bytes, n, count, &told, &error);
    if (r < 0 && !error.message[0])
        abort();
    if (r == 0)
        decide(list, bytes, n);
    plated_list_free(list);
    return 0;
}
