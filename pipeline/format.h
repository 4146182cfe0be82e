/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the serials of states and provinces look like. */

#include "lpr.h"

/* Whether the plate is a serial that the region issues; false for a region whose
 * serials are not known. */
bool lpr_format_fits(const char *region, const char *plate);

/* Where the region's serials leave one reading open: swaps characters that look
 * alike (O 0, I 1, B 8, S 5, Z 2, G 6) so that the plate is one of them. A plate
 * that fits as it is, that could become several, or that fits nothing (a vanity
 * plate) stays. Characters read for sure, by their certainty in one reading, are
 * swapped only between O and 0, which readers do not tell apart. The plate before
 * stays among the candidates. */
void lpr_format_resolve(LprPlate *plate, const float *certainty);
