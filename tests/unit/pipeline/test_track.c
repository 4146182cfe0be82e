/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include "track.h"

#define S 1000000

static const LprTrackerOptions options = {.min_characters = 4, .region = 0.5f,
                                          .legible_width_px = 32};

static void add(LprTrack *track, int64_t time_us, LprPlate plate)
{
    LprFrame *frame = test_frame(1280, 720, time_us, NULL);
    lpr_track_add(track, frame, &plate, &options);
    lpr_frame_unref(frame);
}

static LprTrack *start(int64_t time_us, LprPlate plate)
{
    LprTrack *track;
    LprFrame *frame = test_frame(1280, 720, time_us, NULL);
    TEST_INT(lpr_track_new(frame, &track), 0);
    lpr_frame_unref(frame);
    add(track, time_us, plate);
    return track;
}

static LprDirection path(float width_px, float growth_px, float step_px)
{
    LprTrail trail = {0};
    for (int i = 0; i < 12; i++)
        lpr_trail_add(&trail, width_px + growth_px * (float)i, 300 + step_px * (float)i);
    return lpr_trail_direction(&trail);
}

static void test_path(void)
{
    TEST_INT(path(80, 0, 12), LPR_DIRECTION_APPROACHING);
    TEST_INT(path(80, 0, -12), LPR_DIRECTION_LEAVING);
    TEST_INT(path(80, 0, 6), LPR_DIRECTION_UNKNOWN);
    /* The width goes before it: a camera may stand below the plates. */
    TEST_INT(path(80, 5, -12), LPR_DIRECTION_APPROACHING);
    TEST_INT(path(140, -5, 20), LPR_DIRECTION_LEAVING);
}

static void test_direction(void)
{
    LprTrail trail = {0};
    TEST_INT(lpr_trail_direction(&trail), LPR_DIRECTION_UNKNOWN);
    for (int i = 0; i < 500; i++)
        lpr_trail_add(&trail, 60 + (float)i * 0.2f, 300);
    TEST_TRUE(trail.n <= LPR_TRAIL_MAX);
    TEST_INT(lpr_trail_direction(&trail), LPR_DIRECTION_APPROACHING);
    trail = (LprTrail){0};
    for (int i = 0; i < 10; i++)
        lpr_trail_add(&trail, 160 - (float)i * 5, 300);
    TEST_INT(lpr_trail_direction(&trail), LPR_DIRECTION_LEAVING);
    trail = (LprTrail){0};
    for (int i = 0; i < 50; i++)
        lpr_trail_add(&trail, i % 2 ? 100 : 104, 300);
    TEST_INT(lpr_trail_direction(&trail), LPR_DIRECTION_UNKNOWN);
    /* A single broken box at the end is no direction. */
    lpr_trail_add(&trail, 200, 300);
    TEST_INT(lpr_trail_direction(&trail), LPR_DIRECTION_UNKNOWN);
    /* Nor are a few at the beginning that jump about. */
    trail = (LprTrail){0};
    for (int i = 0; i < 24; i++)
        lpr_trail_add(&trail, i < 4 ? 90 : 60 + (float)i, 300);
    TEST_INT(lpr_trail_direction(&trail), LPR_DIRECTION_UNKNOWN);
    test_path();
    TEST_TEXT(lpr_direction_name(LPR_DIRECTION_APPROACHING), "approaching");
    TEST_TEXT(lpr_direction_name((LprDirection)77), "unknown");
}

static void test_best_frame(void)
{
    LprTrack *track = start(0, test_plate("ABC123", 0.6f, 50, 50, 100, 50));
    add(track, S / 10, test_plate("ABC123", 0.9f, 50, 50, 110, 50));
    add(track, S / 5, test_plate("", 0, 50, 50, 160, 80));
    TEST_INT(lpr_frame_time_us(track->best_frame), S / 10);
    TEST_NEAR(track->best.box.w, 110, 0);
    TEST_INT(track->vote.total, 2);
    lpr_track_free(track);
    lpr_track_free(NULL);
}

/* Two vehicles side by side, given in the other order. */
static void test_nearest(void)
{
    LprTrack *tracks[] = {start(0, test_plate("", 0, 100, 100, 100, 50)),
                          start(0, test_plate("", 0, 400, 100, 100, 50))};
    LprPlate plates[] = {test_plate("", 0, 410, 105, 102, 50), test_plate("", 0, 95, 95, 98, 50),
                         test_plate("", 0, 800, 400, 100, 50)};
    int match[LPR_PLATES_MAX];
    lpr_tracks_match(tracks, 2, plates, 3, S / 10, match);
    TEST_INT(match[0], 1);
    TEST_INT(match[1], 0);
    TEST_INT(match[2], -1);
    lpr_track_free(tracks[0]);
    lpr_track_free(tracks[1]);
}

/* So fast that boxes do not overlap, but where it was expected. */
static void test_motion(void)
{
    LprTrack *track = start(0, test_plate("", 0, 100, 100, 60, 30));
    add(track, S / 5, test_plate("", 0, 150, 100, 60, 30));
    add(track, 2 * S / 5, test_plate("", 0, 240, 100, 60, 30));
    LprPlate next = test_plate("", 0, 320, 100, 60, 30);
    int match[LPR_PLATES_MAX];
    lpr_tracks_match(&track, 1, &next, 1, 3 * S / 5, match);
    TEST_INT(match[0], 0);
    lpr_track_free(track);
}

/* The text leads back to the vehicle that jumped; another text leads away. */
static void test_text(void)
{
    LprTrack *track = start(0, test_plate("ABC1234", 0.9f, 100, 100, 100, 50));
    add(track, S / 10, test_plate("ABC1234", 0.9f, 100, 100, 100, 50));
    LprPlate plates[] = {test_plate("ABC1Z34", 0.8f, 900, 500, 100, 50)};
    int match[LPR_PLATES_MAX];
    lpr_tracks_match(&track, 1, plates, 1, S, match);
    TEST_INT(match[0], 0);
    plates[0] = test_plate("XKJ9876", 0.9f, 100, 100, 100, 50);
    lpr_tracks_match(&track, 1, plates, 1, S, match);
    TEST_INT(match[0], -1);
    plates[0] = test_plate("XKJ9876", 0.3f, 100, 100, 100, 50);
    lpr_tracks_match(&track, 1, plates, 1, S, match);
    TEST_INT(match[0], 0);
    lpr_track_free(track);
}

int main(void)
{
    test_direction();
    test_best_frame();
    test_nearest();
    test_motion();
    test_text();
    return 0;
}
