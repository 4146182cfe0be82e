/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "box.h"
#include "support.h"

static void test_copies(void)
{
    uint8_t y[3 * 8], u[2 * 4], v[2 * 4];
    for (int i = 0; i < 24; i++)
        y[i] = (uint8_t)i;
    for (int i = 0; i < 8; i++) {
        u[i] = (uint8_t)(100 + i);
        v[i] = (uint8_t)(200 + i);
    }
    LprFrame *frame;
    TEST_INT(lpr_frame_new(5, 3, y, 8, u, v, 4, 11, 22, 33, &frame), 0);
    memset(y, 0, sizeof(y));
    int stride;
    const uint8_t *luma = lpr_frame_luma(frame, &stride);
    TEST_INT(luma[2 * stride + 4], 20);
    const uint8_t *chroma = lpr_frame_chroma(frame, 2, &stride);
    TEST_INT(chroma[stride + 2], 206);
    TEST_INT(lpr_frame_width(frame), 5);
    TEST_INT(lpr_frame_height(frame), 3);
    TEST_INT(lpr_frame_time_us(frame), 11);
    TEST_INT(lpr_frame_realtime_us(frame), 22);
    TEST_INT(lpr_frame_sequence(frame), 33);
    TEST_TRUE(!lpr_frame_chroma(frame, 3, &stride));
    lpr_frame_unref(lpr_frame_ref(frame));
    TEST_INT(lpr_frame_width(frame), 5);
    TEST_TRUE(!lpr_frame_unref(frame));
    TEST_TRUE(!lpr_frame_unref(NULL));
}

static void test_limits(void)
{
    uint8_t pixel = 7;
    LprFrame *frame = NULL;
    int stride;
    TEST_INT(lpr_frame_new(8193, 1, &pixel, 0, NULL, NULL, 0, 0, 0, 0, &frame), -E2BIG);
    TEST_INT(lpr_frame_new(1, 8193, &pixel, 0, NULL, NULL, 0, 0, 0, 0, &frame), -E2BIG);
    TEST_INT(lpr_frame_new(0, 1, &pixel, 0, NULL, NULL, 0, 0, 0, 0, &frame), -EINVAL);
    TEST_TRUE(!frame);
    TEST_INT(lpr_frame_new(1, 1, &pixel, 1, NULL, NULL, 0, 0, 0, 0, &frame), 0);
    TEST_TRUE(!lpr_frame_chroma(frame, 1, &stride));
    lpr_frame_unref(frame);
}

static void test_boxes(void)
{
    LprBox a = {0, 0, 10, 10}, b = {5, 0, 10, 10}, inside = {2, 2, 5, 2}, none = {3, 3, 0, 5};
    TEST_NEAR(lpr_box_iou(&a, &b), 50.0 / 150, 1e-6);
    TEST_NEAR(lpr_box_iou(&a, &a), 1, 1e-6);
    TEST_NEAR(lpr_box_iou(&a, &none), 0, 0);
    TEST_NEAR(lpr_box_iou(&none, &none), 0, 0);
    TEST_NEAR(lpr_box_covered(&a, &inside), 1, 1e-6);
    TEST_NEAR(lpr_box_covered(&a, &b), 0.5, 1e-6);
    LprBox plate = {10, 20, 100, 50};
    LprBox cut = lpr_box_cut(&plate, 0.08f, 1000, 1000);
    TEST_NEAR(cut.x, 2, 1e-4);
    TEST_NEAR(cut.y, 16, 1e-4);
    TEST_NEAR(cut.w, 116, 1e-4);
    TEST_NEAR(cut.h, 58, 1e-4);
    cut = lpr_box_cut(&plate, 0.5f, 64, 48);
    TEST_NEAR(cut.x, 0, 0);
    TEST_NEAR(cut.w, 64, 0);
    TEST_NEAR(cut.h, 48, 0);
    LprBox outside = {2000, 0, 10, 10};
    cut = lpr_box_cut(&outside, 0, 100, 100);
    TEST_NEAR(lpr_box_area(&cut), 0, 0);
}

int main(void)
{
    test_copies();
    test_limits();
    test_boxes();
    return 0;
}
