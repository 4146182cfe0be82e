/* SPDX-License-Identifier: Apache-2.0 */
#include "blocks.h"
#include "engine/base/util.h"
#include "lpr.h"

#define DARK   10
#define BRIGHT 250
/* Means over blocks keep the noise of a sensor at night from looking like sharpness. */
#define COLUMNS 320

/* Variance of the discrete Laplacian (Pech-Pacheco and others, "Diatom autofocusing in
 * brightfield microscopy", 2000). */
static float sharpness_of(const LprBlocks *blocks)
{
    double sum = 0, squares = 0;
    size_t n = 0;
    for (int y = 1; y < blocks->rows - 1; y++)
        for (int x = 1; x < blocks->columns - 1; x++) {
            const float *m = &blocks->means[y * blocks->columns + x];
            float laplacian = m[-blocks->columns] + m[blocks->columns] + m[-1] + m[1] - 4 * m[0];
            sum += laplacian;
            squares += (double)laplacian * laplacian;
            n++;
        }
    return n ? (float)(squares / (double)n - sum / (double)n * (sum / (double)n)) : 0;
}

int lpr_picture_quality(const LprFrame *frame, LprQuality *ret_quality)
{
    int stride, width = lpr_frame_width(frame), height = lpr_frame_height(frame);
    const uint8_t *luma = lpr_frame_luma(frame, &stride);
    uint64_t sum = 0, dark = 0, bright = 0;
    double n = (double)width * height;
    LprBlocks blocks = {0};
    int r = lpr_blocks_take(&blocks, frame, COLUMNS);
    if (r < 0)
        return r;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t value = luma[(ptrdiff_t)y * stride + x];
            sum += value;
            dark += value <= DARK;
            bright += value >= BRIGHT;
        }
    *ret_quality = (LprQuality){
        .brightness = (float)((double)sum / n),
        .dark = (float)((double)dark / n),
        .bright = (float)((double)bright / n),
        .sharpness = sharpness_of(&blocks),
    };
    lpr_blocks_clear(&blocks);
    return 0;
}
