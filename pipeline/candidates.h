/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The most probable strings out of what each place of a plate may be. */

#include "lpr.h"

#define LPR_ALTERNATIVES_MAX 6

/* What one place may be, most probable first. */
typedef struct LprSlot {
    int n;
    char character[LPR_ALTERNATIVES_MAX];
    float confidence[LPR_ALTERNATIVES_MAX];
} LprSlot;

/* Adds a character or raises its confidence; keeps the order. */
void lpr_slot_add(LprSlot *slot, char character, float confidence);

/* Whether the characters of one text stand in the other in the same order. */
bool lpr_text_part(const char *text, const char *of);

/* The confidence of a plate: the product of those of its characters, the probability
 * that all are right. 0 for none. */
float lpr_plate_confidence(const float *confidences, size_t n);

/* Up to LPR_CANDIDATES_MAX strings, best first; returns how many. */
size_t lpr_candidates_combine(const LprSlot *slots, size_t n_slots,
                              LprCandidate ret_candidates[LPR_CANDIDATES_MAX]);
