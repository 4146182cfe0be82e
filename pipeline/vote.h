/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What many readings of one plate say together. */

#include "candidates.h"
#include "lpr.h"

#define LPR_READS_MAX 32
#define LPR_REGION_VOTES_MAX 8

/* One reading: what each place may be. */
typedef struct LprRead {
    size_t n;
    float confidence;
    LprSlot slots[LPR_CHARACTERS_MAX];
} LprRead;

/* Zero-initialise. Keeps the most confident readings once full. */
typedef struct LprVote {
    bool same_picture;      /* its readings agree for no other reason: they make none surer */
    size_t n;               /* readings kept */
    unsigned total;         /* readings taken */
    LprRead reads[LPR_READS_MAX];
    size_t n_regions;
    struct {
        LprRegion region;
        float weight;
        unsigned n;
    } regions[LPR_REGION_VOTES_MAX];
} LprVote;

/* Takes a reading, with its candidates and its region. */
void lpr_vote_add(LprVote *vote, const LprPlate *plate);

/* Takes over what another vote has. */
void lpr_vote_merge(LprVote *vote, const LprVote *other);

/* Fills plate, confidence, characters (without boxes), candidates and region.
 *
 * The length is the one with the most confidence behind it, or a longer one that
 * says the same and more; readings of other lengths are aligned by edit distance
 * and count half. At each place the shares of the characters are sharpened, and
 * the confidence that something stands there rises, with the square root of the
 * number of readings: readings of one vehicle repeat each other's mistakes, so n
 * of them are not n witnesses. What is left open is decided by the serials of the
 * region, see format.h; O and 0 from that confidence of it on. */
void lpr_vote_decide(const LprVote *vote, float region, LprPlate *plate);

/* 1: equal; 0: nothing in common. */
float lpr_plate_similarity(const char *a, const char *b);
