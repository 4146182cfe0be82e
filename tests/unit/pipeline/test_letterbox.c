/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "frame.h"
#include "letterbox.h"
#include "support.h"

static uint8_t ramp(int x, int y)
{
    return (uint8_t)(x + 2 * y);
}

static uint8_t checks(int x, int y)
{
    return (x + y) % 2 ? 255 : 0;
}

static uint8_t bright(int x, int y)
{
    return 200;
}

static LprInput grey_input(int width, int height, LprFit fit)
{
    return (LprInput){.channels = 1,
                      .width = width,
                      .height = height,
                      .fit = fit,
                      .mean = {0.25f},
                      .std = {0.5f}};
}

static float normal(float value)
{
    return (value / 255 - 0.25f) / 0.5f;
}

static LprMap scale(LprFrame *frame, LprBox cut, const LprInput *input, float *values)
{
    LprScratch scratch = {0};
    LprMap map;
    TEST_INT(lpr_letterbox(frame, &cut, input, &scratch, values, &map), 0);
    lpr_scratch_clear(&scratch);
    return map;
}

/* At scale 1 every pixel comes out as it is. */
static void test_identity(void)
{
    LprFrame *frame = test_frame(40, 30, 0, ramp);
    LprInput input = grey_input(20, 10, LPR_FIT_LETTERBOX);
    float values[200];
    LprMap map = scale(frame, (LprBox){5, 7, 20, 10}, &input, values);
    for (int y = 0; y < 10; y++)
        for (int x = 0; x < 20; x++)
            TEST_NEAR(values[y * 20 + x], normal(ramp(x + 5, y + 7)), 1e-5);
    LprBox box = lpr_map_box(&map, &(LprBox){3, 4, 6, 2});
    TEST_NEAR(box.x, 8, 1e-5);
    TEST_NEAR(box.y, 11, 1e-5);
    TEST_NEAR(box.w, 6, 1e-5);
    lpr_frame_unref(frame);
}

/* Zeros around, the picture in the middle, and boxes find back. */
static void test_padding(void)
{
    LprFrame *frame = test_frame(200, 100, 0, bright);
    LprInput input = grey_input(50, 50, LPR_FIT_LETTERBOX);
    float values[2500];
    LprMap map = scale(frame, (LprBox){0, 0, 200, 100}, &input, values);
    for (int y = 0; y < 50; y++)
        for (int x = 0; x < 50; x++)
            TEST_NEAR(values[y * 50 + x], normal(y >= 12 && y < 37 ? 200 : 0), 1e-5);
    LprBox box = lpr_map_box(&map, &(LprBox){10, 17, 5, 10});
    TEST_NEAR(box.x, 40, 1e-4);
    TEST_NEAR(box.y, 20, 1e-4);
    TEST_NEAR(box.w, 20, 1e-4);
    TEST_NEAR(box.h, 40, 1e-4);
    lpr_frame_unref(frame);
}

/* The finest pattern must come out as even grey at any factor: no aliasing. */
static void test_shrinking(void)
{
    LprFrame *frame = test_frame(192, 108, 0, checks);
    LprInput input = grey_input(48, 27, LPR_FIT_STRETCH);
    float values[48 * 27];
    scale(frame, (LprBox){0, 0, 192, 108}, &input, values);
    for (int i = 0; i < 48 * 27; i++)
        TEST_NEAR(values[i], normal(127.5f), 1e-4);
    input = grey_input(37, 19, LPR_FIT_STRETCH);
    scale(frame, (LprBox){0, 0, 192, 108}, &input, values);
    for (int i = 0; i < 37 * 19; i++)
        TEST_NEAR(values[i], normal(127.5f), 0.06);
    lpr_frame_unref(frame);
}

/* A ramp stays a ramp, whether it grows or shrinks; its ends are the edge. */
static void test_ramp(void)
{
    LprFrame *frame = test_frame(64, 48, 0, ramp);
    LprInput input = grey_input(160, 120, LPR_FIT_STRETCH);
    static float values[160 * 120];
    scale(frame, (LprBox){0, 0, 64, 48}, &input, values);
    for (int y = 2; y < 118; y++)
        for (int x = 2; x < 158; x++)
            TEST_NEAR(
                values[y * 160 + x],
                normal(((float)x + 0.5f) * 0.4f - 0.5f + 2 * (((float)y + 0.5f) * 0.4f - 0.5f)),
                1e-4);
    TEST_NEAR(values[0], normal(0), 1e-5);
    TEST_NEAR(values[160 * 120 - 1], normal(ramp(63, 47)), 1e-4);
    input = grey_input(16, 12, LPR_FIT_STRETCH);
    scale(frame, (LprBox){0, 0, 64, 48}, &input, values);
    TEST_NEAR(values[3 * 16 + 5], normal(5 * 4 + 1.5f + 2 * (3 * 4 + 1.5f)), 1e-4);
    lpr_frame_unref(frame);
}

/* Every size from one pixel on keeps an even picture even. */
static void test_sizes(void)
{
    LprFrame *frame = test_frame(33, 33, 0, bright);
    float values[40 * 40];
    for (int from = 1; from <= 33; from++)
        for (int to = 1; to <= 40; to += 3) {
            LprInput input = grey_input(to, 41 - to, LPR_FIT_STRETCH);
            scale(frame, (LprBox){0, 0, (float)from, (float)(34 - from)}, &input, values);
            for (int i = 0; i < to * (41 - to); i++)
                TEST_NEAR(values[i], normal(200), 1e-5);
        }
    lpr_frame_unref(frame);
}

/* Pure red, as JFIF writes it, in a cut that begins at an odd pixel. */
static void test_colour(void)
{
    LprFrame *frame;
    LprPlanes planes;
    TEST_INT(lpr_frame_alloc(31, 21, false, 0, 0, 0, &frame, &planes), 0);
    for (int c = 0; c < 3; c++)
        memset(planes.plane[c], (const int[]){76, 85, 255}[c],
               (size_t)(c ? 11 : 21) * (size_t)planes.stride[c]);
    LprInput input = {.channels = 3, .width = 8, .height = 8, .fit = LPR_FIT_LETTERBOX};
    for (int c = 0; c < 3; c++) {
        input.mean[c] = 0.1f * (float)c;
        input.std[c] = 0.2f;
    }
    float values[3 * 64];
    scale(frame, (LprBox){11, 5, 20, 10}, &input, values);
    TEST_NEAR(values[4 * 8 + 4], (254 / 255.0 - 0.0) / 0.2, 0.03);
    TEST_NEAR(values[64 + 4 * 8 + 4], (0 - 0.1) / 0.2, 0.03);
    TEST_NEAR(values[128 + 4 * 8 + 4], (0 - 0.2) / 0.2, 0.03);
    TEST_NEAR(values[64], (0 - 0.1) / 0.2, 1e-5);
    TEST_NEAR(values[0], 0, 1e-5);
    lpr_frame_unref(frame);
    frame = test_frame(16, 16, 0, bright);
    scale(frame, (LprBox){0, 0, 16, 16}, &input, values);
    for (int c = 0; c < 3; c++)
        TEST_NEAR(values[64 * c + 9], (200 / 255.0 - 0.1 * c) / 0.2, 1e-4);
    lpr_frame_unref(frame);
}

int main(void)
{
    test_identity();
    test_padding();
    test_shrinking();
    test_ramp();
    test_sizes();
    test_colour();
    return 0;
}
