/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A part of a frame, scaled and normalised into the input of a network. */

#include "lpr.h"

typedef enum LprFit {
    LPR_FIT_LETTERBOX,  /* keeps its shape, centred, zeros around */
    LPR_FIT_STRETCH,    /* fills the input */
} LprFit;

/* What the network wants: float32 [1, channels, height, width]. */
typedef struct LprInput {
    int channels;       /* 1: luma, 3: R, G, B */
    int width, height;
    LprFit fit;
    float mean[3], std[3];
} LprInput;

/* Input pixels to frame pixels: frame = origin + input · scale. */
typedef struct LprMap {
    float x, y, scale_x, scale_y;
} LprMap;

/* Memory for the work, kept between calls. Zero-initialise. */
typedef struct LprScratch {
    void *memory;
    size_t n_bytes;
} LprScratch;

void lpr_scratch_clear(LprScratch *scratch);

/* Cuts `cut` (whole pixels, inside the frame, not empty) out of the frame and
 * writes it normalised to `ret_values`. Shrinks by area, grows bilinearly.
 * -ENOMEM. */
NN_MUST_CHECK int lpr_letterbox(const LprFrame *frame, const LprBox *cut, const LprInput *input,
                                LprScratch *scratch, float *ret_values, LprMap *ret_map);

LprBox lpr_map_box(const LprMap *map, const LprBox *box);
