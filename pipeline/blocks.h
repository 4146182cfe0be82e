/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A frame seen from afar: means of square blocks of its luma. */

#include "lpr.h"

/* Zero-initialise; the memory is kept between calls. */
typedef struct LprBlocks {
    int side_px, columns, rows; /* what is left at the right and below is not looked at */
    size_t n_allocated;
    float *means; /* rows × columns */
} LprBlocks;

/* Divides the width into `columns` blocks, or into pixels when it has fewer. -ENOMEM. */
NN_MUST_CHECK int lpr_blocks_take(LprBlocks *blocks, const LprFrame *frame, int columns);
void lpr_blocks_clear(LprBlocks *blocks);
