/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#define WIDTH    640
#define HEIGHT   360
#define FRAME_US 100000

static int car_x = -1000, level = 0;
static unsigned noise = 1;

/* A grey yard with noise, and a car of 60 by 40 pixels in it. */
static uint8_t yard(int x, int y)
{
    int car = x >= car_x && x < car_x + 60 && y >= 200 && y < 240 ? 60 : 0;
    noise = noise * 1664525 + 1013904223;
    return (uint8_t)(80 + level + car + (int)(noise >> 28) - 8);
}

typedef struct Gate {
    LprMotion *motion;
    int64_t time_us;
} Gate;

static bool wants(Gate *gate)
{
    LprFrame *frame = test_frame(WIDTH, HEIGHT, gate->time_us, yard);
    bool wanted = lpr_motion_wants(gate->motion, frame);
    lpr_frame_unref(frame);
    gate->time_us += FRAME_US;
    return wanted;
}

static Gate gate_new(int threshold)
{
    Gate gate = {.time_us = 1000000};
    LprMotionOptions options = {.threshold = threshold, .hold_us = 1000000, .look_us = 500000};
    TEST_INT(lpr_motion_new(&options, &gate.motion), 0);
    car_x = -1000;
    level = 0;
    return gate;
}

static int count(Gate *gate, int frames)
{
    int n = 0;
    for (int i = 0; i < frames; i++)
        n += wants(gate);
    return n;
}

static void test_empty(void)
{
    Gate gate = gate_new(6);
    TEST_INT(count(&gate, 10), 10); /* at first, and the hold behind it */
    TEST_INT(count(&gate, 100), 20);
    lpr_motion_free(gate.motion);
}

static void test_car(void)
{
    Gate gate = gate_new(6);
    count(&gate, 41);
    TEST_TRUE(!wants(&gate));
    car_x = 100;
    TEST_TRUE(wants(&gate));
    TEST_INT(count(&gate, 9), 9);
    TEST_INT(count(&gate, 100), 20); /* it stands: one look in half a second */
    car_x = -1000;
    TEST_TRUE(wants(&gate));
    lpr_motion_free(gate.motion);
}

/* What differs too little from frame to frame is compared with what was looked at. */
static void test_creeping(void)
{
    Gate gate = gate_new(40);
    gate.time_us = 0;
    LprMotionOptions options = {.threshold = 40, .hold_us = 100000, .look_us = 10000000};
    lpr_motion_configure(gate.motion, &options);
    count(&gate, 10);
    TEST_TRUE(!wants(&gate));
    int looks = 0, longest = 0, since = 0;
    for (int i = 0; i < 90; i++) { /* one grey level in a frame, and a pixel */
        level = i / 2;
        car_x = i;
        bool wanted = wants(&gate);
        looks += wanted;
        since = wanted ? 0 : since + 1;
        longest = since > longest ? since : longest;
    }
    if (looks < 3 || longest > 40)
        TEST_FAIL("%d looks at a creeping car, %d frames without one", looks, longest);
    lpr_motion_free(gate.motion);
}

static void test_size(void)
{
    Gate gate = gate_new(6);
    count(&gate, 41);
    TEST_TRUE(!wants(&gate));
    LprFrame *other = test_frame(WIDTH / 2, HEIGHT / 2, gate.time_us, yard);
    LprFrame *tiny = test_frame(3, 1, gate.time_us + FRAME_US, yard);
    TEST_TRUE(lpr_motion_wants(gate.motion, other));
    TEST_TRUE(lpr_motion_wants(gate.motion, tiny));
    lpr_frame_unref(other);
    lpr_frame_unref(tiny);
    TEST_TRUE(!lpr_motion_free(gate.motion));
    TEST_TRUE(!lpr_motion_free(NULL));
}

int main(void)
{
    test_empty();
    test_car();
    test_creeping();
    test_size();
    return 0;
}
