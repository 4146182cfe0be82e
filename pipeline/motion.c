/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "blocks.h"
#include "engine/base/util.h"
#include "lpr.h"

/* Blocks of 16 pixels at 1280: as wide as the narrowest plate that is read. */
#define COLUMNS 80

struct LprMotion {
    LprMotionOptions options;
    LprBlocks seen; /* of the last frame that was looked at */
    LprBlocks now;
    int64_t looked_us, moved_us;
    bool any; /* was looked at */
};

int lpr_motion_new(const LprMotionOptions *options, LprMotion **ret_motion)
{
    LprMotion *motion = calloc(1, sizeof(*motion));
    if (!motion)
        return -ENOMEM;
    lpr_motion_configure(motion, options);
    *ret_motion = motion;
    return 0;
}

LprMotion *lpr_motion_free(LprMotion *motion)
{
    if (!motion)
        return NULL;
    lpr_blocks_clear(&motion->seen);
    lpr_blocks_clear(&motion->now);
    free(motion);
    return NULL;
}

void lpr_motion_configure(LprMotion *motion, const LprMotionOptions *options)
{
    motion->options = *options;
    motion->options.threshold = options->threshold > 0 ? options->threshold : 6;
    motion->options.hold_us = options->hold_us > 0 ? options->hold_us : 2000000;
    motion->options.look_us = options->look_us > 0 ? options->look_us : 500000;
}

static bool differs(const LprMotion *motion)
{
    const LprBlocks *a = &motion->seen, *b = &motion->now;
    float threshold = (float)motion->options.threshold;
    if (a->columns != b->columns || a->rows != b->rows || a->side_px != b->side_px)
        return true;
    for (int i = 0; i < a->columns * a->rows; i++)
        if (fabsf(a->means[i] - b->means[i]) >= threshold)
            return true;
    return false;
}

bool lpr_motion_wants(LprMotion *motion, const LprFrame *frame)
{
    int64_t time_us = lpr_frame_time_us(frame);
    /* Without memory there is no gate, rather than no recognition. */
    if (lpr_blocks_take(&motion->now, frame, COLUMNS) < 0)
        return true;
    bool moved = !motion->any || differs(motion);
    if (moved)
        motion->moved_us = time_us;
    if (!moved && time_us - motion->moved_us >= motion->options.hold_us &&
        time_us - motion->looked_us < motion->options.look_us)
        return false;
    /* What is compared with is what was looked at: a creeping car differs more and more. */
    LprBlocks seen = motion->seen;
    motion->seen = motion->now;
    motion->now = seen;
    motion->looked_us = time_us;
    motion->any = true;
    return true;
}
