/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who may pass: lists in CSV, one plate a line.
 *
 *   plate,name,from,to,hours,access
 *   7ABC123,Anna Smith,2026-01-01,2026-12-31,Mo-Fr 07:00-18:00; Sa 08:00-12:00,allow
 *
 * Only the plate is needed. Case, spaces and separators do not matter, O is 0. Dates
 * are those of the local time, `to` counts whole. Hours that end before they begin
 * pass midnight. `access` is allow or deny. A line that begins with # and a first line
 * that begins with "plate" say nothing. Fields may be quoted. */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "lpr.h"

#define PLATED_LIST_BYTES_MAX   ((size_t)16 << 20)
#define PLATED_LIST_ENTRIES_MAX 100000

typedef struct PlatedList PlatedList;

/* One sentence about a line that was left out. */
typedef void (*PlatedListWarnFunc)(void *userdata, const char *sentence);

NN_MUST_CHECK int plated_list_new(PlatedList **ret_list);
PlatedList *plated_list_free(PlatedList *list); /* NULL is fine; returns NULL */

/* Adds what a file or a text says; `name` stands in sentences. Lines that are wrong
 * are told and left out. -errno of the file, -E2BIG, -ENOMEM with a sentence; -EAGAIN
 * when it is being written. */
NN_MUST_CHECK int plated_list_read(PlatedList *list, const char *path, PlatedListWarnFunc warn,
                                   void *userdata, NnError *error);
NN_MUST_CHECK int plated_list_parse(PlatedList *list, const char *name, const char *text, size_t n,
                                    PlatedListWarnFunc warn, void *userdata, NnError *error);

size_t plated_list_count(const PlatedList *list);

typedef enum PlatedDecision {
    PLATED_DECISION_UNKNOWN, /* on no list */
    PLATED_DECISION_GRANTED,
    PLATED_DECISION_DENIED,
} PlatedDecision;

const char *plated_decision_name(PlatedDecision decision);

#define PLATED_LIST_NAME_BYTES 128

typedef struct PlatedVerdict {
    PlatedDecision decision;
    const char *reason; /* "listed", "blocked", "not yet valid", "expired", "outside its hours",
                           "not listed" */
    char plate[LPR_CHARACTERS_MAX + 1]; /* as listed; "" when on no list */
    char name[PLATED_LIST_NAME_BYTES];
    int distance; /* half edits between what was read and what is listed */
} PlatedVerdict;

/* Looks a plate up. Distances are those of lpr_plate_distance() with O as 0; a
 * candidate that is listed counts one. The nearest entries within `tolerance` decide:
 * denied when one of them is blocked, granted when one is valid now. */
void plated_list_decide(const PlatedList *list, const LprPlate *plate, int tolerance,
                        const struct tm *now, PlatedVerdict *ret_verdict);
