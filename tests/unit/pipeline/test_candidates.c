/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "candidates.h"
#include "support.h"

static void test_slots(void)
{
    LprSlot slot = {0};
    lpr_slot_add(&slot, 'A', 0.2f);
    lpr_slot_add(&slot, 'B', 0.6f);
    lpr_slot_add(&slot, 'C', 0.4f);
    lpr_slot_add(&slot, 'A', 0.5f);
    lpr_slot_add(&slot, 'C', 0.1f);
    TEST_INT(slot.n, 3);
    TEST_TRUE(!memcmp(slot.character, "BAC", 3));
    TEST_NEAR(slot.confidence[2], 0.4, 1e-6);
    for (char c = 'D'; c < 'Z'; c++)
        lpr_slot_add(&slot, c, 0.3f);
    TEST_INT(slot.n, LPR_ALTERNATIVES_MAX);
    lpr_slot_add(&slot, 'Z', 0.35f);
    TEST_INT(slot.character[3], 'Z');
}

/* Against all combinations, counted out. */
static void test_best_first(void)
{
    LprSlot slots[4] = {0};
    const float odds[4][3] = {
        {0.9f, 0.3f, 0.05f}, {0.6f, 0.55f, 0.2f}, {0.8f, 0.1f, 0.09f}, {0.5f, 0.45f, 0.44f}};
    float all[81];
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 3; k++)
            lpr_slot_add(&slots[i], (char)('A' + k), odds[i][k]);
    for (int i = 0; i < 81; i++)
        all[i] = odds[0][i % 3] * odds[1][i / 3 % 3] * odds[2][i / 9 % 3] * odds[3][i / 27];
    for (int i = 0; i < 81; i++)
        for (int k = i + 1; k < 81; k++)
            if (all[k] > all[i]) {
                float swap = all[i];
                all[i] = all[k];
                all[k] = swap;
            }
    LprCandidate candidates[LPR_CANDIDATES_MAX];
    TEST_INT(lpr_candidates_combine(slots, 4, candidates), LPR_CANDIDATES_MAX);
    TEST_TEXT(candidates[0].plate, "AAAA");
    for (int i = 0; i < LPR_CANDIDATES_MAX; i++) {
        TEST_NEAR(candidates[i].confidence, all[i], 1e-4);
        for (int k = 0; k < i; k++)
            TEST_TRUE(strcmp(candidates[i].plate, candidates[k].plate));
    }
}

static void test_edges(void)
{
    LprCandidate candidates[LPR_CANDIDATES_MAX];
    LprSlot one[LPR_CHARACTERS_MAX] = {0};
    TEST_INT(lpr_candidates_combine(one, 0, candidates), 0);
    for (int i = 0; i < LPR_CHARACTERS_MAX; i++)
        lpr_slot_add(&one[i], 'X', 0.5f);
    TEST_INT(lpr_candidates_combine(one, LPR_CHARACTERS_MAX, candidates), 1);
    TEST_TEXT(candidates[0].plate, "XXXXXXXXXXXXXXXX");
    TEST_NEAR(candidates[0].confidence, pow(0.5, LPR_CHARACTERS_MAX), 1e-7);
    TEST_NEAR(lpr_plate_confidence(NULL, 0), 0, 0);
    float confidences[] = {0.9f, 0.4f};
    TEST_NEAR(lpr_plate_confidence(confidences, 2), 0.36, 1e-5);
}

int main(void)
{
    test_slots();
    test_best_first();
    test_edges();
    return 0;
}
