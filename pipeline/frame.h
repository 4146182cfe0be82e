/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A frame whose pixels are still to be written by the one who makes it. */

#include "lpr.h"

#define LPR_FRAME_SIDE_MAX 8192

/* Writable planes of a fresh frame. Chroma planes have half the size, rounded
 * up; NULL when grey. All values span 0…255 (JFIF), whatever the camera used. */
typedef struct LprPlanes {
    uint8_t *plane[3];
    int stride[3];
} LprPlanes;

/* -EINVAL for an empty picture, -E2BIG, -ENOMEM. The planes may be written
 * until the frame is shared. */
NN_MUST_CHECK int lpr_frame_alloc(int width_px, int height_px, bool grey, int64_t time_us,
                                  int64_t realtime_us, uint64_t sequence, LprFrame **ret_frame,
                                  LprPlanes *ret_planes);

/* Of every eighth row of the luma: two pictures of a camera never have the same. Not 0. */
uint64_t lpr_frame_hash(const LprFrame *frame);

static inline void lpr_frame_unrefp(LprFrame **frame)
{
    *frame = lpr_frame_unref(*frame);
}
