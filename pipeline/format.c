/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "format.h"

#include "engine/base/util.h"

/* How much oftener than a mixture of letters and digits that no authority issues a plate
 * shows one serial of its own region, one of another region, or a word: counted on real
 * plates by `python3 -m models.serials`. */
#define OWN     77.0f
#define ANOTHER 10.0f
#define WORD    20.0f
/* What looks like the character that was read has this share of what that leaves. */
#define LOOKALIKE 0.5f

#define FORMATS_MAX 4

typedef struct Formats {
    const char *region;
    const char *serials[FORMATS_MAX];
} Formats;

#define LPR_FORMATS(region, ...) {region, {__VA_ARGS__}},
static const Formats formats[] = {
#include "formats.inc"
};
#undef LPR_FORMATS

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const Formats *find(const char *region)
{
    for (size_t i = 0; i < NN_ARRAY_SIZE(formats); i++)
        if (strcmp(formats[i].region, region) == 0)
            return &formats[i];
    return NULL;
}

/* O and 0 are one class of the reader: either fits a letter and a digit. */
static bool character_fits(char serial, char c)
{
    return c == '0' || c == 'O' || is_digit(c) == (serial == '0');
}

static bool serial_fits(const char *serial, const char *plate)
{
    size_t i = 0;

    for (; serial[i] && plate[i]; i++)
        if (!character_fits(serial[i], plate[i]))
            return false;
    return !serial[i] && !plate[i];
}

static bool any_fits(const Formats *known, const char *plate)
{
    for (size_t i = 0; known && i < FORMATS_MAX && known->serials[i]; i++)
        if (serial_fits(known->serials[i], plate))
            return true;
    return false;
}

bool lpr_format_fits(const char *region, const char *plate)
{
    return any_fits(find(region), plate);
}

float lpr_format_likelihood(const char *region, const char *plate)
{
    return lpr_format_fits(region, plate) ? OWN / ANOTHER : 1;
}

static bool is_word(const char *plate)
{
    for (; *plate; plate++)
        if (is_digit(*plate) && *plate != '0')
            return false;
    return true;
}

/* How likely such a text is on a plate whose region is named with this confidence. */
static float weigh(const Formats *own, float confidence, const char *plate)
{
    float weight = is_word(plate) ? WORD : 1;

    for (size_t i = 0; i < NN_ARRAY_SIZE(formats) && weight < ANOTHER; i++)
        if (any_fits(&formats[i], plate))
            weight = ANOTHER;
    return any_fits(own, plate) ? confidence * OWN + (1 - confidence) * weight : weight;
}

/* The letter that looks like a digit, or the other way round; 0 for none. */
static char lookalike(char c)
{
    static const char pairs[][2] = {{'0', 'O'}, {'1', 'I'}, {'8', 'B'},
                                    {'5', 'S'}, {'2', 'Z'}, {'6', 'G'}};

    for (size_t i = 0; i < NN_ARRAY_SIZE(pairs); i++) {
        if (pairs[i][0] == c)
            return pairs[i][1];
        if (pairs[i][1] == c)
            return pairs[i][0];
    }
    return 0;
}

/* The plate as the serial wants it, with the confidence that is left for it. False when
 * characters would have to change that look like nothing else. */
static bool swap_to(const LprPlate *plate, const float *certainty, const char *serial,
                    LprCandidate *ret_candidate)
{
    *ret_candidate = (LprCandidate){.confidence = plate->confidence};
    if (strlen(serial) != plate->n_characters)
        return false;
    for (size_t i = 0; i < plate->n_characters; i++) {
        char c = plate->plate[i];

        ret_candidate->plate[i] = c;
        if (character_fits(serial[i], c))
            continue;
        ret_candidate->plate[i] = lookalike(c);
        if (!ret_candidate->plate[i])
            return false;
        ret_candidate->confidence *=
            LOOKALIKE * fminf((1 - certainty[i]) / fmaxf(certainty[i], LOOKALIKE), 1);
    }
    return true;
}

static size_t add(LprCandidate *candidates, size_t n, const LprCandidate *candidate)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(candidates[i].plate, candidate->plate) == 0)
            return n;
    candidates[n] = *candidate;
    return n + 1;
}

/* All candidates, and what look-alikes make of the plate, by how likely they are now.
 * What their confidences sum up to stays. */
static size_t weigh_candidates(const LprPlate *plate, const float *certainty, const Formats *own,
                               LprCandidate *candidates)
{
    LprCandidate swapped;
    size_t n = plate->n_candidates;
    float before = 0, after = 0;

    memcpy(candidates, plate->candidates, n * sizeof(candidates[0]));
    for (size_t i = 0; own && i < FORMATS_MAX && own->serials[i]; i++)
        if (swap_to(plate, certainty, own->serials[i], &swapped))
            n = add(candidates, n, &swapped);
    for (size_t i = 0; i < n; i++) {
        before += candidates[i].confidence;
        candidates[i].confidence *= weigh(own, plate->region.confidence, candidates[i].plate);
        after += candidates[i].confidence;
    }
    for (size_t i = 0; i < n && after > 0; i++)
        candidates[i].confidence *= fminf(before, 1) / after;
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && candidates[k - 1].confidence < candidates[k].confidence; k--) {
            LprCandidate less = candidates[k - 1];
            candidates[k - 1] = candidates[k];
            candidates[k] = less;
        }
    return n;
}

/* Writes O and 0 as the one serial of the region that fits has them. */
static void write_zeros(const Formats *own, char *plate)
{
    char written[LPR_CHARACTERS_MAX + 1], only[LPR_CHARACTERS_MAX + 1] = "";

    for (size_t i = 0; own && i < FORMATS_MAX && own->serials[i]; i++) {
        if (!serial_fits(own->serials[i], plate))
            continue;
        for (size_t k = 0; k <= strlen(plate); k++)
            written[k] = plate[k] != '0' && plate[k] != 'O' ? plate[k]
                         : own->serials[i][k] == '0'        ? '0'
                                                            : 'O';
        if (*only && strcmp(only, written) != 0)
            return;
        memcpy(only, written, sizeof(only));
    }
    if (*only)
        memcpy(plate, only, sizeof(only));
}

void lpr_format_resolve(LprPlate *plate, const float *certainty, float sure)
{
    LprCandidate candidates[LPR_CANDIDATES_MAX + FORMATS_MAX];
    const Formats *own = find(plate->region.code);
    size_t n = weigh_candidates(plate, certainty, own, candidates);

    if (n == 0 || plate->n_characters == 0)
        return;
    plate->n_candidates = NN_MIN(n, (size_t)LPR_CANDIDATES_MAX);
    memcpy(plate->candidates, candidates, plate->n_candidates * sizeof(candidates[0]));
    if (plate->region.confidence >= sure)
        write_zeros(own, plate->candidates[0].plate);
    plate->confidence = plate->candidates[0].confidence;
    memcpy(plate->plate, plate->candidates[0].plate, sizeof(plate->plate));
    for (size_t i = 0; i < plate->n_characters; i++)
        plate->characters[i].character = plate->plate[i];
}
