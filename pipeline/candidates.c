/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "candidates.h"
#include "engine/base/util.h"

/* One string in the search: which alternative stands at each place. A choice is
 * reached from one parent alone, by moving on a place that is not before `last`. */
typedef struct Choice {
    float score; /* sum of logarithms */
    uint8_t at[LPR_CHARACTERS_MAX];
    uint8_t last;
} Choice;

#define CHOICES_MAX (LPR_CANDIDATES_MAX * LPR_CHARACTERS_MAX + 1)

void lpr_slot_add(LprSlot *slot, char character, float confidence)
{
    int i = 0;
    while (i < slot->n && slot->character[i] != character)
        i++;
    if (i < slot->n) {
        slot->confidence[i] = fmaxf(slot->confidence[i], confidence);
    } else {
        if (slot->n == LPR_ALTERNATIVES_MAX && slot->confidence[slot->n - 1] >= confidence)
            return;
        slot->n = NN_MIN(slot->n + 1, LPR_ALTERNATIVES_MAX);
        i = slot->n - 1;
        slot->character[i] = character;
        slot->confidence[i] = confidence;
    }
    for (; i > 0 && slot->confidence[i - 1] < slot->confidence[i]; i--) {
        char c = slot->character[i];
        float f = slot->confidence[i];
        slot->character[i] = slot->character[i - 1];
        slot->confidence[i] = slot->confidence[i - 1];
        slot->character[i - 1] = c;
        slot->confidence[i - 1] = f;
    }
}

bool lpr_text_part(const char *text, const char *of)
{
    for (; *of && *text; of++)
        text += *text == *of;
    return !*text;
}

float lpr_plate_confidence(const float *confidences, size_t n)
{
    float product = n > 0;
    for (size_t i = 0; i < n; i++)
        product *= confidences[i];
    return product;
}

static float slot_log(const LprSlot *slot, int i)
{
    return logf(fmaxf(slot->confidence[i], 1e-6f));
}

static size_t expand(const LprSlot *slots, size_t n_slots, const Choice *from, Choice *choices,
                     size_t n)
{
    for (size_t i = from->last; i < n_slots; i++) {
        int next = from->at[i] + 1;
        if (next >= slots[i].n || n == CHOICES_MAX)
            continue;
        Choice *child = &choices[n++];
        *child = *from;
        child->at[i] = (uint8_t)next;
        child->last = (uint8_t)i;
        child->score += slot_log(&slots[i], next) - slot_log(&slots[i], next - 1);
    }
    return n;
}

static void write_candidate(const LprSlot *slots, size_t n_slots, const Choice *choice,
                            LprCandidate *candidate)
{
    *candidate = (LprCandidate){.confidence = expf(choice->score)};
    for (size_t i = 0; i < n_slots; i++)
        candidate->plate[i] = slots[i].character[choice->at[i]];
}

size_t lpr_candidates_combine(const LprSlot *slots, size_t n_slots,
                              LprCandidate ret_candidates[LPR_CANDIDATES_MAX])
{
    Choice choices[CHOICES_MAX];
    size_t n = 0, n_candidates = 0;
    if (n_slots == 0)
        return 0;
    choices[n++] = (Choice){0};
    for (size_t i = 0; i < n_slots; i++)
        choices[0].score += slot_log(&slots[i], 0);
    while (n && n_candidates < LPR_CANDIDATES_MAX) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (choices[i].score > choices[best].score)
                best = i;
        Choice choice = choices[best];
        choices[best] = choices[--n];
        write_candidate(slots, n_slots, &choice, &ret_candidates[n_candidates++]);
        n = expand(slots, n_slots, &choice, choices, n);
    }
    return n_candidates;
}
