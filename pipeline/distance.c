/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/base/util.h"
#include "vote.h"

#define EDIT      2
#define LOOKALIKE 1

/* Groups of characters that readers and people mix up. */
static const char *const lookalikes[] = {"0ODQU", "1IL7T", "2Z7", "5S", "8B3", "6G",
                                         "4A",    "VYU",   "MNH", "EF", "KX",  "CG"};

static int substitution(char a, char b)
{
    if (a == b)
        return 0;
    for (size_t i = 0; i < NN_ARRAY_SIZE(lookalikes); i++)
        if (strchr(lookalikes[i], a) && strchr(lookalikes[i], b))
            return LOOKALIKE;
    return EDIT;
}

int lpr_plate_distance(const char *a, const char *b)
{
    size_t n = NN_MIN(strlen(b), (size_t)LPR_CHARACTERS_MAX);
    int row[LPR_CHARACTERS_MAX + 1];
    for (size_t k = 0; k <= n; k++)
        row[k] = (int)k * EDIT;
    for (; *a; a++) {
        int diagonal = row[0];
        row[0] += EDIT;
        for (size_t k = 1; k <= n; k++) {
            int up = row[k];
            int best = diagonal + substitution(*a, b[k - 1]);
            best = NN_MIN(best, up + EDIT);
            row[k] = NN_MIN(best, row[k - 1] + EDIT);
            diagonal = up;
        }
    }
    return row[n];
}

float lpr_plate_similarity(const char *a, const char *b)
{
    size_t longest = NN_MAX(strlen(a), strlen(b));
    if (longest == 0)
        return 0;
    return 1 - (float)lpr_plate_distance(a, b) / (float)(EDIT * longest);
}
