/* SPDX-License-Identifier: Apache-2.0 */
#include "blocks.h"

#include "engine/base/util.h"

static int reserve(LprBlocks *blocks, size_t n)
{
    if (n <= blocks->n_allocated)
        return 0;
    float *means = realloc(blocks->means, n * sizeof(*means));
    if (!means)
        return -ENOMEM;
    blocks->means = means;
    blocks->n_allocated = n;
    return 0;
}

/* The sum of a row of a block; rows are summed one after another, as they lie in memory. */
static void add_row(const uint8_t *restrict pixels, int side_px, int columns,
                    uint32_t *restrict sums)
{
    for (int c = 0; c < columns; c++) {
        uint32_t sum = 0;
        for (int x = 0; x < side_px; x++)
            sum += pixels[c * side_px + x];
        sums[c] += sum;
    }
}

int lpr_blocks_take(LprBlocks *blocks, const LprFrame *frame, int columns)
{
    int stride, side_px = NN_MAX(1, lpr_frame_width(frame) / columns);
    const uint8_t *luma = lpr_frame_luma(frame, &stride);
    int wide = lpr_frame_width(frame) / side_px, high = lpr_frame_height(frame) / side_px;
    int r = reserve(blocks, (size_t)wide * (size_t)NN_MAX(high, 1));
    if (r < 0)
        return r;
    _cleanup_free_ uint32_t *sums = malloc((size_t)wide * sizeof(*sums));
    if (!sums)
        return -ENOMEM;
    blocks->side_px = side_px;
    blocks->columns = wide;
    blocks->rows = high;
    for (int row = 0; row < high; row++) {
        memset(sums, 0, (size_t)wide * sizeof(*sums));
        for (int y = 0; y < side_px; y++)
            add_row(luma + (ptrdiff_t)(row * side_px + y) * stride, side_px, wide, sums);
        for (int c = 0; c < wide; c++)
            blocks->means[row * wide + c] = (float)sums[c] / (float)(side_px * side_px);
    }
    return 0;
}

void lpr_blocks_clear(LprBlocks *blocks)
{
    free(blocks->means);
    *blocks = (LprBlocks){0};
}
