/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

static int blur_px;

/* Stripes of 32 pixels, their edges ramps of `blur_px`. */
static uint8_t stripes(int x, int y)
{
    int at = x % 64, edge = blur_px > 0 ? blur_px : 1;
    int up = at < edge ? 160 * at / edge : 160;
    int down = at < 32 ? 160 : at < 32 + edge ? 160 - 160 * (at - 32) / edge : 0;
    return (uint8_t)(40 + (up < down ? up : down));
}

static uint8_t halves(int x, int y)
{
    return x < 320 ? 0 : 255;
}

static LprQuality quality(int width, int height, uint8_t (*value)(int x, int y))
{
    LprFrame *frame = test_frame(width, height, 0, value);
    LprQuality found;
    TEST_INT(lpr_picture_quality(frame, &found), 0);
    lpr_frame_unref(frame);
    return found;
}

int main(void)
{
    LprQuality black = quality(1280, 720, NULL), half = quality(640, 480, halves);
    TEST_NEAR(black.brightness, 0, 0);
    TEST_NEAR(black.dark, 1, 0);
    TEST_NEAR(black.sharpness, 0, 0);
    TEST_NEAR(half.brightness, 127.5, 1e-3);
    TEST_NEAR(half.dark, 0.5, 1e-6);
    TEST_NEAR(half.bright, 0.5, 1e-6);
    blur_px = 0;
    LprQuality sharp = quality(1280, 720, stripes);
    blur_px = 16;
    LprQuality blurred = quality(1280, 720, stripes);
    if (!(sharp.sharpness > 500 && blurred.sharpness < sharp.sharpness / 3))
        TEST_FAIL("sharpness %g, blurred %g", (double)sharp.sharpness, (double)blurred.sharpness);
    quality(1, 1, stripes);
    quality(2, 900, stripes);
    return 0;
}
