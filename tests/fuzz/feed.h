/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the targets that load models share. A broken promise ends in abort(). */

#include "nn.h"

/* One thread, quiet, of this process. */
NnContext *feed_context(void);

/* A refusal leaves nothing behind and says why. */
void feed_check(int r, const void *made, const NnError *error);

/* Runs a model once or twice, with inputs that follow from the seed, where that is
 * done in a moment. */
void feed_run(NnModel *model, uint32_t seed);

/* Makes checksums and names of the machine right in what may be a compiled file. */
void feed_mend_nnp(const NnContext *context, uint8_t *bytes, size_t n);

/* A number that follows from all bytes. */
uint32_t feed_seed(const uint8_t *bytes, size_t n);
