/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "model.h"

/* "California" for "US-CA" (ISO 3166-2); NULL for a code that is not known. */
const char *lpr_region_name(const char *code);

/* Softmax over `logits`, calibrated, times how likely each region issues the serial `plate`
 * (format.h); the best class with its probability. A class that is no code of a state or
 * province ("other") gives an empty code. */
void lpr_region_decide(const LprContract *contract, const float *logits, const char *plate,
                       LprRegion *ret_region);

/* Classifies the plate in `cut`, which reads `plate`. */
NN_MUST_CHECK int lpr_region(LprModel *model, const LprFrame *frame, const LprBox *cut,
                             const char *plate, LprScratch *scratch, LprRegion *ret_region,
                             NnError *error);
