/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include "engine/base/util.h"

/* A character that one reading gives less may be another one. */
#define SURE 0.95f
/* A reading that needs more swaps than this is of another format. */
#define SWAPS_MAX 2

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

static bool serial_fits(const char *serial, const char *plate)
{
    size_t i = 0;

    for (; serial[i] && plate[i]; i++)
        if (is_digit(plate[i]) != (serial[i] == '0'))
            return false;
    return !serial[i] && !plate[i];
}

bool lpr_format_fits(const char *region, const char *plate)
{
    const Formats *known = find(region);

    for (size_t i = 0; known && i < FORMATS_MAX && known->serials[i]; i++)
        if (serial_fits(known->serials[i], plate))
            return true;
    return false;
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

/* The plate as the serial wants it. False when characters would have to change
 * that look like nothing else, or that were read for sure. */
static bool swap_to(const LprPlate *plate, const float *certainty, const char *serial,
                    char *ret_plate)
{
    int swaps = 0;

    if (strlen(serial) != plate->n_characters)
        return false;
    for (size_t i = 0; i < plate->n_characters; i++) {
        char c = plate->plate[i];

        ret_plate[i] = c;
        if (is_digit(c) == (serial[i] == '0'))
            continue;
        ret_plate[i] = lookalike(c);
        if (c == '0' || c == 'O')
            continue;
        if (!ret_plate[i] || certainty[i] >= SURE || ++swaps > SWAPS_MAX)
            return false;
    }
    ret_plate[plate->n_characters] = '\0';
    return true;
}

/* Puts a plate first among the candidates, with the confidence it has there. */
static void put_first(LprPlate *plate, const char *text)
{
    LprCandidate first = {.confidence = plate->confidence};
    size_t at = 0;

    memcpy(first.plate, text, strlen(text) + 1);
    while (at < plate->n_candidates && strcmp(plate->candidates[at].plate, text) != 0)
        at++;
    if (at == plate->n_candidates && at < LPR_CANDIDATES_MAX)
        plate->n_candidates++;
    at = NN_MIN(at, (size_t)LPR_CANDIDATES_MAX - 1);
    memmove(&plate->candidates[1], &plate->candidates[0], at * sizeof(plate->candidates[0]));
    plate->candidates[0] = first;
}

void lpr_format_resolve(LprPlate *plate, const float *certainty)
{
    char swapped[LPR_CHARACTERS_MAX + 1], only[LPR_CHARACTERS_MAX + 1] = "";
    const Formats *known = find(plate->region.code);

    if (!known || plate->n_characters == 0 || lpr_format_fits(plate->region.code, plate->plate))
        return;
    for (size_t i = 0; i < FORMATS_MAX && known->serials[i]; i++) {
        if (!swap_to(plate, certainty, known->serials[i], swapped))
            continue;
        if (*only && strcmp(only, swapped) != 0)
            return;
        memcpy(only, swapped, sizeof(only));
    }
    if (!*only)
        return;
    for (size_t i = 0; i < plate->n_characters; i++)
        plate->characters[i].character = only[i];
    memcpy(plate->plate, only, sizeof(only));
    put_first(plate, only);
}
