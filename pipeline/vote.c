/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "engine/base/util.h"
#include "format.h"
#include "vote.h"

#define SYMBOLS    36
#define MISALIGNED 0.5f /* weight of a reading of another length */
#define ENOUGH     0.4f /* share of the best length's weight that a longer one needs */

/* What all readings say about one place. */
typedef struct Tally {
    float reads;            /* weight of the readings that spoke */
    float symbols[SYMBOLS]; /* sum of their confidences */
} Tally;

static int symbol_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'Z' ? 10 + c - 'A' : -1;
}

static char symbol_character(int symbol)
{
    return (char)(symbol < 10 ? '0' + symbol : 'A' + symbol - 10);
}

/* Candidates give back what each place may be. Readings of different length compare by
 * the geometric mean of their characters. */
static void read_from_plate(LprRead *read, const LprPlate *plate)
{
    float weights[LPR_CANDIDATES_MAX], sum = 0;
    size_t n = 0;
    *read = (LprRead){.n = plate->n_characters};
    if (read->n > 0)
        read->confidence = powf(plate->confidence, 1 / (float)read->n);
    for (; n < plate->n_candidates; n++) {
        weights[n] = strlen(plate->candidates[n].plate) == read->n
                         ? plate->candidates[n].confidence
                         : 0;
        sum += weights[n];
    }
    for (size_t i = 0; i < read->n; i++) {
        float shares[SYMBOLS] = {0};
        float best = 0;
        for (size_t k = 0; k < n && sum > 0; k++) {
            int symbol = weights[k] > 0 ? symbol_of(plate->candidates[k].plate[i]) : -1;
            if (symbol >= 0)
                shares[symbol] += weights[k] / sum;
        }
        int own = symbol_of(plate->characters[i].character);
        best = own >= 0 ? shares[own] : 0;
        lpr_slot_add(&read->slots[i], plate->characters[i].character,
                     plate->characters[i].confidence);
        for (int s = 0; s < SYMBOLS && best > 0; s++)
            if (s != own && shares[s] > 0)
                lpr_slot_add(&read->slots[i], symbol_character(s),
                             plate->characters[i].confidence * shares[s] / best);
    }
}

static void region_add(LprVote *vote, const LprRegion *region, float weight, unsigned n)
{
    size_t i = 0;
    while (i < vote->n_regions && strcmp(vote->regions[i].region.code, region->code))
        i++;
    if (!region->code[0] || i == LPR_REGION_VOTES_MAX)
        return;
    if (i == vote->n_regions) {
        vote->regions[i].region = *region;
        vote->n_regions++;
    }
    vote->regions[i].weight += weight;
    vote->regions[i].n += n;
}

static void read_add(LprVote *vote, const LprRead *read)
{
    size_t at = vote->n;
    if (at == LPR_READS_MAX) {
        at = 0;
        for (size_t i = 1; i < vote->n; i++)
            if (vote->reads[i].confidence < vote->reads[at].confidence)
                at = i;
        if (vote->reads[at].confidence >= read->confidence)
            return;
    } else {
        vote->n++;
    }
    vote->reads[at] = *read;
}

void lpr_vote_add(LprVote *vote, const LprPlate *plate)
{
    LprRead read;
    read_from_plate(&read, plate);
    read_add(vote, &read);
    vote->total++;
    region_add(vote, &plate->region, plate->region.confidence, 1);
}

void lpr_vote_merge(LprVote *vote, const LprVote *other)
{
    for (size_t i = 0; i < other->n; i++)
        read_add(vote, &other->reads[i]);
    vote->total += other->total;
    for (size_t i = 0; i < other->n_regions; i++)
        region_add(vote, &other->regions[i].region, other->regions[i].weight, other->regions[i].n);
}

static void tally_add(Tally *tally, const LprSlot *slot, float weight)
{
    tally->reads += weight;
    for (int i = 0; i < slot->n; i++) {
        int symbol = symbol_of(slot->character[i]);
        if (symbol >= 0)
            tally->symbols[symbol] += weight * slot->confidence[i];
    }
}

static int tally_best(const Tally *tally)
{
    int best = 0;
    for (int s = 1; s < SYMBOLS; s++)
        if (tally->symbols[s] > tally->symbols[best])
            best = s;
    return best;
}

/* What readings of one length say, for themselves. */
static void read_length(const LprVote *vote, size_t n, char *ret_text)
{
    Tally tallies[LPR_CHARACTERS_MAX] = {0};

    for (size_t i = 0; i < vote->n; i++)
        for (size_t k = 0; k < n && vote->reads[i].n == n; k++)
            tally_add(&tallies[k], &vote->reads[i].slots[k], 1);
    for (size_t k = 0; k < n; k++)
        ret_text[k] = symbol_character(tally_best(&tallies[k]));
    ret_text[n] = '\0';
}

/* The length with the most confidence behind it; or a longer one that says the same
 * and more, because characters are lost more easily than invented. */
static size_t vote_length(const LprVote *vote)
{
    char text[LPR_CHARACTERS_MAX + 1], longer[LPR_CHARACTERS_MAX + 1];
    float weights[LPR_CHARACTERS_MAX + 1] = {0};
    unsigned times[LPR_CHARACTERS_MAX + 1] = {0};
    size_t best = 0;
    for (size_t i = 0; i < vote->n; i++) {
        weights[vote->reads[i].n] += vote->reads[i].confidence;
        times[vote->reads[i].n]++;
    }
    for (size_t n = 1; n <= LPR_CHARACTERS_MAX; n++)
        if (weights[n] > weights[best])
            best = n;
    float enough = ENOUGH * weights[best];
    for (size_t n = best + 1; n <= LPR_CHARACTERS_MAX; n++) {
        if (weights[n] < enough || times[n] < 2)
            continue;
        read_length(vote, best, text);
        read_length(vote, n, longer);
        if (lpr_text_part(text, longer))
            best = n;
    }
    return best;
}

/* Edit alignment: place k of the reading goes to place at[k] of the consensus,
 * or to none (-1). */
static void align(const LprRead *read, const char *consensus, size_t n, int *at)
{
    int cost[LPR_CHARACTERS_MAX + 1][LPR_CHARACTERS_MAX + 1];
    for (size_t i = 0; i <= read->n; i++)
        for (size_t k = 0; k <= n; k++) {
            if (i == 0 || k == 0) {
                cost[i][k] = (int)(i + k);
                continue;
            }
            int same = read->slots[i - 1].character[0] == consensus[k - 1];
            int best = cost[i - 1][k - 1] + !same;
            best = NN_MIN(best, cost[i - 1][k] + 1);
            cost[i][k] = NN_MIN(best, cost[i][k - 1] + 1);
        }
    size_t i = read->n, k = n;
    while (i > 0) {
        int same = k > 0 && read->slots[i - 1].character[0] == consensus[k - 1];
        if (k > 0 && cost[i][k] == cost[i - 1][k - 1] + !same) {
            at[--i] = (int)--k;
        } else if (cost[i][k] == cost[i - 1][k] + 1) {
            at[--i] = -1;
        } else {
            k--;
        }
    }
}

static void tally_reads(const LprVote *vote, size_t n, Tally *tallies)
{
    char consensus[LPR_CHARACTERS_MAX + 1];
    for (size_t i = 0; i < vote->n; i++)
        for (size_t k = 0; k < n && vote->reads[i].n == n; k++)
            tally_add(&tallies[k], &vote->reads[i].slots[k], 1);
    read_length(vote, n, consensus);
    for (size_t i = 0; i < vote->n; i++) {
        const LprRead *read = &vote->reads[i];
        int at[LPR_CHARACTERS_MAX];
        if (read->n == n)
            continue;
        align(read, consensus, n, at);
        for (size_t k = 0; k < read->n; k++)
            if (at[k] >= 0)
                tally_add(&tallies[at[k]], &read->slots[k], MISALIGNED);
    }
}

static void tally_decide(const Tally *tally, bool same_picture, LprSlot *slot)
{
    float sharpness = same_picture ? 1 : sqrtf(fmaxf(1, tally->reads)), sum = 0, sharpened = 0;
    for (int s = 0; s < SYMBOLS; s++)
        sum += tally->symbols[s];
    if (sum <= 0)
        return;
    for (int s = 0; s < SYMBOLS; s++)
        sharpened += powf(tally->symbols[s] / sum, sharpness);
    float absent = 1 - fminf(1, sum / tally->reads);
    float present = 1 - powf(absent, sharpness);
    for (int s = 0; s < SYMBOLS; s++)
        if (tally->symbols[s] > 0)
            lpr_slot_add(slot, symbol_character(s),
                         present * powf(tally->symbols[s] / sum, sharpness) / sharpened);
}

static void decide_region(const LprVote *vote, LprRegion *region)
{
    float sum = 0;
    size_t best = 0;
    *region = (LprRegion){0};
    for (size_t i = 0; i < vote->n_regions; i++) {
        sum += vote->regions[i].weight;
        if (vote->regions[i].weight > vote->regions[best].weight)
            best = i;
    }
    if (sum <= 0)
        return;
    *region = vote->regions[best].region;
    float mean = vote->regions[best].weight / (float)vote->regions[best].n;
    region->confidence = mean * vote->regions[best].weight / sum;
}

void lpr_vote_decide(const LprVote *vote, float region, LprPlate *plate)
{
    Tally tallies[LPR_CHARACTERS_MAX] = {0};
    LprSlot slots[LPR_CHARACTERS_MAX] = {0};
    float confidences[LPR_CHARACTERS_MAX], certainty[LPR_CHARACTERS_MAX];
    size_t n = vote_length(vote);
    tally_reads(vote, n, tallies);
    memset(plate->plate, 0, sizeof(plate->plate));
    for (size_t k = 0; k < n; k++) {
        tally_decide(&tallies[k], vote->same_picture, &slots[k]);
        confidences[k] = slots[k].confidence[0];
        certainty[k] = tallies[k].symbols[tally_best(&tallies[k])] / fmaxf(1, tallies[k].reads);
        plate->characters[k] =
            (LprCharacter){.character = slots[k].character[0], .confidence = confidences[k]};
        plate->plate[k] = slots[k].character[0];
    }
    plate->n_characters = n;
    plate->confidence = lpr_plate_confidence(confidences, n);
    plate->n_candidates = lpr_candidates_combine(slots, n, plate->candidates);
    decide_region(vote, &plate->region);
    lpr_format_resolve(plate, certainty, region);
}
