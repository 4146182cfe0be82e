/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the serials of states and provinces look like. */

#include "lpr.h"

/* Whether the plate is a serial that the region issues; false for a region whose
 * serials are not known. */
bool lpr_format_fits(const char *region, const char *plate);

/* How much oftener a plate of the region shows this serial than plates of others do. */
float lpr_format_likelihood(const char *region, const char *plate);

/* Weighs the candidates by what is on plates: serials of the plate's region, by its
 * confidence, serials of another region and words are likelier than mixtures of letters
 * and digits that nobody issues. What looks like the plate (O 0, I 1, B 8, S 5, Z 2, G 6)
 * and is a serial of the region is a candidate too, the less the surer its characters were
 * read in one reading (`certainty`). The likeliest becomes the plate, the others stay
 * candidates. Readers do not tell O and 0 apart: where the region is named with at least
 * the confidence `sure` and its serials leave one reading, they are written so. */
void lpr_format_resolve(LprPlate *plate, const float *certainty, float sure);
