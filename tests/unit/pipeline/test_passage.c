/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"
#include "support.h"
#include "uuid.h"

#define S        1000000
#define FRAME_US (S / 10)
#define TOLD_MAX 32

/* The tracker under test, its clock, and what it told. */
typedef struct World {
    LprTracker *tracker;
    int64_t now_us;
    unsigned ids;
    size_t n;
    LprPassage told[TOLD_MAX];
} World;

static void take_passage(void *userdata, const LprPassage *passage)
{
    World *world = userdata;
    TEST_TRUE(world->n < TOLD_MAX);
    TEST_TRUE(passage->frame);
    world->told[world->n] = *passage;
    world->told[world->n++].frame = NULL;
}

static void number_id(void *userdata, char ret_id[LPR_UUID_BYTES])
{
    World *world = userdata;
    snprintf(ret_id, LPR_UUID_BYTES, "id-%u", ++world->ids);
}

static World *world_new(void)
{
    World *world = calloc(1, sizeof(*world));
    LprTrackerOptions options = {.uuid = number_id, .uuid_userdata = world};
    world->now_us = 100 * S;
    TEST_INT(lpr_tracker_new(&options, take_passage, world, &world->tracker), 0);
    return world;
}

static void world_free(World *world)
{
    lpr_tracker_free(world->tracker);
    free(world);
}

/* A frame with these plates, then a tenth of a second. The tracker looks at no pixel: they are
 * not even written, which would take most of the time of this test. */
static void show(World *world, const LprPlate *plates, size_t n)
{
    LprFrame *frame;
    LprPlanes planes;
    TEST_INT(lpr_frame_alloc(1280, 720, true, world->now_us, 1700000000000000 + world->now_us, 0,
                             &frame, &planes),
             0);
    TEST_INT(lpr_tracker_update(world->tracker, frame, plates, n), 0);
    lpr_frame_unref(frame);
    world->now_us += FRAME_US;
}

/* One plate in one place for so long. */
static void stay(World *world, const char *text, float confidence, float x, int64_t time_us)
{
    LprPlate plate = test_plate(text, confidence, x, 100, 100, 50);
    for (int64_t end = world->now_us + time_us; world->now_us < end;)
        show(world, &plate, 1);
}

static void empty(World *world, int64_t time_us)
{
    for (int64_t end = world->now_us + time_us; world->now_us < end;)
        show(world, NULL, 0);
}

static void expect(const World *world, size_t index, const char *id, bool final, const char *plate)
{
    TEST_TRUE(index < world->n);
    const LprPassage *passage = &world->told[index];
    TEST_TEXT(passage->id, id);
    TEST_INT(passage->final, final);
    TEST_TEXT(passage->plate.plate, plate);
}

static void test_one_passage(void)
{
    World *world = world_new();
    int64_t start_us = world->now_us;
    /* Far away it is found but not legible, and its box is too wide. */
    for (int i = 0; i < 3; i++) {
        LprPlate plate = test_plate("", 0, 240, 200, 120, 40);
        show(world, &plate, 1);
    }
    int64_t legible_us = world->now_us;
    for (int i = 0; i < 20; i++) {
        float w = 80 + 4 * (float)i;
        LprPlate plate = test_plate("ABC1234", 0.9f, 300 - w / 2, 200, w, w / 2);
        show(world, &plate, 1);
    }
    TEST_INT(world->n, 1);
    expect(world, 0, "id-1", false, "ABC1234");
    TEST_INT(world->told[0].reads, 2);
    TEST_INT(world->told[0].legible_us, legible_us);
    TEST_INT(world->told[0].decided_us, legible_us + FRAME_US);
    TEST_INT(world->told[0].first_seen_us, start_us);
    empty(world, 3 * S);
    TEST_INT(world->n, 2);
    expect(world, 1, "id-1", true, "ABC1234");
    const LprPassage *final = &world->told[1];
    TEST_INT(final->direction, LPR_DIRECTION_APPROACHING);
    TEST_INT(final->last_seen_us, start_us + 22 * FRAME_US);
    TEST_INT(final->last_realtime_us - final->first_realtime_us, 22 * FRAME_US);
    TEST_INT(final->reads, 20);
    TEST_TRUE(!final->corrected);
    TEST_NEAR(final->plate.box.w, 156, 0);
    TEST_INT(final->decided_us, final->last_seen_us + 2 * S);
    world_free(world);
}

/* No frames come any more: time alone ends the passage. */
static void test_tick(void)
{
    World *world = world_new();
    stay(world, "ABC1234", 0.9f, 100, S);
    lpr_tracker_tick(world->tracker, world->now_us + S, 0);
    TEST_INT(world->n, 1);
    /* A tick with an old time changes nothing. */
    lpr_tracker_tick(world->tracker, 0, 0);
    lpr_tracker_tick(world->tracker, world->now_us + 2 * S, 0);
    TEST_INT(world->n, 2);
    expect(world, 1, "id-1", true, "ABC1234");
    world_free(world);
}

static void test_flush(void)
{
    World *world = world_new();
    stay(world, "ABC1234", 0.9f, 100, S);
    lpr_tracker_flush(world->tracker, world->now_us, 0);
    lpr_tracker_flush(world->tracker, world->now_us, 0);
    TEST_INT(world->n, 2);
    expect(world, 1, "id-1", true, "ABC1234");
    world_free(world);
}

static void test_rearm(void)
{
    World *world = world_new();
    stay(world, "ABC1234", 0.9f, 100, S);
    empty(world, 40 * S);
    stay(world, "ABC1234", 0.9f, 500, S);
    empty(world, 10 * S);
    TEST_INT(world->n, 2);
    /* Counted from when it was last seen. */
    empty(world, 33 * S);
    stay(world, "ABC1234", 0.9f, 500, S);
    empty(world, 3 * S);
    TEST_INT(world->n, 2);
    empty(world, 43 * S);
    stay(world, "ABC1234", 0.9f, 500, S);
    empty(world, 3 * S);
    TEST_INT(world->n, 4);
    expect(world, 2, "id-2", false, "ABC1234");
    expect(world, 3, "id-2", true, "ABC1234");
    world_free(world);
}

static void test_parked(void)
{
    World *world = world_new();
    stay(world, "ABC1234", 0.9f, 100, 14 * S);
    TEST_INT(world->n, 1);
    stay(world, "ABC1234", 0.9f, 100, 2 * S);
    TEST_INT(world->n, 2);
    TEST_TRUE(world->told[1].final);
    /* Ten minutes, with gaps and misreadings: still the same passage. */
    for (int i = 0; i < 20; i++) {
        stay(world, "ABC1234", 0.9f, 100, 10 * S);
        empty(world, 8 * S);
        stay(world, i % 2 ? "ABC1Z34" : "A8C1234", 0.85f, 103, 4 * S);
        stay(world, "", 0, 103, 4 * S);
        empty(world, 4 * S);
    }
    TEST_INT(world->n, 2);
    /* It drives off and comes back much later. */
    empty(world, 60 * S);
    stay(world, "ABC1234", 0.9f, 100, S);
    TEST_INT(world->n, 3);
    world_free(world);
}

/* In the dark nothing is read, but the car stands there. */
static void test_parked_in_the_dark(void)
{
    World *world = world_new();
    stay(world, "ABC1234", 0.9f, 100, 16 * S);
    TEST_INT(world->n, 2);
    for (int i = 0; i < 10; i++) {
        empty(world, 10 * S);
        stay(world, "", 0, 102, 10 * S);
    }
    stay(world, "ABC1234", 0.9f, 100, 5 * S);
    TEST_INT(world->n, 2);
    world_free(world);
}

static void test_several_vehicles(void)
{
    World *world = world_new();
    for (int i = 0; i < 20; i++) {
        LprPlate plates[] = {test_plate("ABC1234", 0.9f, 100 + 3 * (float)i, 100, 100, 50),
                             test_plate("XYZ9876", 0.9f, 500 - 3 * (float)i, 110, 100, 50)};
        if (i % 2) {
            LprPlate swap = plates[0];
            plates[0] = plates[1];
            plates[1] = swap;
        }
        show(world, plates, 2);
    }
    empty(world, 3 * S);
    TEST_INT(world->n, 4);
    for (int i = 0; i < 2; i++) {
        int finals = 0;
        for (int k = 2; k < 4; k++)
            finals += world->told[k].final && !strcmp(world->told[k].id, world->told[i].id) &&
                      !strcmp(world->told[k].plate.plate, world->told[i].plate.plate);
        TEST_INT(finals, 1);
    }
    world_free(world);
}

/* A convoy of a fleet: the next vehicle in the same place half a second later,
 * its number one higher. */
static void test_fleet(void)
{
    static const char *const fleet[] = {"FLT1001", "FLT1002", "FLT1003"};
    World *world = world_new();
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 10; k++) {
            LprPlate plate = test_plate(fleet[i], 0.95f, 100, 100 + 20 * (float)k, 100, 50);
            show(world, &plate, 1);
        }
        empty(world, 3 * S);
    }
    TEST_INT(world->n, 6);
    for (int i = 0; i < 3; i++)
        TEST_TEXT(world->told[2 * (size_t)i].plate.plate, fleet[i]);
    world_free(world);
}

static void test_misread_frames(void)
{
    static const char *const reads[] = {"ABC1234", "A8C1234", "ABC1234", "ABC123",  "ABC1Z34",
                                        "ABC1234", "XXXX",    "ABC1234", "7ABC1234"};
    World *world = world_new();
    for (int i = 0; i < 18; i++)
        stay(world, reads[i % 9], 0.75f, 100 + 5 * (float)i, FRAME_US);
    empty(world, 3 * S);
    TEST_INT(world->n, 2);
    expect(world, 1, "id-1", true, "ABC1234");
    TEST_TRUE(world->told[1].reads >= 14);
    world_free(world);
}

static void test_correction(void)
{
    World *world = world_new();
    stay(world, "ABC1284", 0.82f, 100, 2 * FRAME_US);
    TEST_INT(world->n, 1);
    stay(world, "ABC1234", 0.95f, 100, S);
    empty(world, 3 * S);
    TEST_INT(world->n, 2);
    expect(world, 0, "id-1", false, "ABC1284");
    expect(world, 1, "id-1", true, "ABC1234");
    TEST_TRUE(world->told[1].corrected);
    world_free(world);
}

static void test_too_little(void)
{
    World *world = world_new();
    stay(world, "ABC1234", 0.95f, 100, FRAME_US);
    empty(world, 5 * S);
    stay(world, "ABC", 0.99f, 100, S);
    empty(world, 5 * S);
    stay(world, "QWERTY", 0.001f, 100, 3 * FRAME_US);
    empty(world, 5 * S);
    stay(world, "", 0, 100, 20 * S);
    empty(world, 5 * S);
    TEST_INT(world->n, 0);
    world_free(world);
}

/* Good enough at the end, never good enough for a gate. */
static void test_final_alone(void)
{
    World *world = world_new();
    stay(world, "ABC1234", 0.45f, 100, 2 * FRAME_US);
    TEST_INT(world->n, 0);
    empty(world, 3 * S);
    TEST_INT(world->n, 1);
    expect(world, 0, "id-1", true, "ABC1234");
    TEST_TRUE(!world->told[0].corrected);
    world_free(world);
}

/* One doubtful character holds the gate however sure the others are. */
static void test_weak_character(void)
{
    World *world = world_new();
    LprPlate plate = test_plate("ABC1234", 0.99f, 100, 100, 100, 50);
    plate.characters[3].confidence = 0.3f;
    show(world, &plate, 1);
    show(world, &plate, 1);
    TEST_INT(world->n, 0);
    world_free(world);
}

/* Covered for a second, and out again elsewhere: one vehicle. */
static void test_hidden(void)
{
    World *world = world_new();
    stay(world, "ABC1234", 0.9f, 100, S);
    empty(world, S);
    stay(world, "", 0, 900, FRAME_US);
    stay(world, "ABC1234", 0.9f, 900, S);
    empty(world, 3 * S);
    TEST_INT(world->n, 2);
    expect(world, 1, "id-1", true, "ABC1234");
    TEST_INT(world->told[1].last_seen_us - world->told[1].first_seen_us, 3 * S);
    world_free(world);
}

/* Legible only after `longest`: told nevertheless, and final after quiet at least. */
static void test_late_legible(void)
{
    World *world = world_new();
    stay(world, "", 0, 100, 30 * S);
    stay(world, "ABC1234", 0.9f, 100, S);
    TEST_INT(world->n, 1);
    stay(world, "ABC1234", 0.9f, 100, 2 * S);
    TEST_INT(world->n, 2);
    stay(world, "ABC1234", 0.9f, 100, 60 * S);
    empty(world, 10 * S);
    TEST_INT(world->n, 2);
    expect(world, 1, "id-1", true, "ABC1234");
    world_free(world);
}

/* More plates than a frame or the tracker holds. */
static void test_crowd(void)
{
    World *world = world_new();
    for (int i = 0; i < 40; i++) {
        LprPlate plates[LPR_PLATES_MAX];
        for (int k = 0; k < LPR_PLATES_MAX; k++)
            plates[k] = test_plate("", 0, (float)(i * 2000 + k * 700), 50, 20, 10);
        show(world, plates, LPR_PLATES_MAX);
    }
    TEST_INT(world->n, 0);
    stay(world, "ABC1234", 0.9f, 100, S);
    TEST_INT(world->n, 1);
    world_free(world);
}

/* New rules in the midst of a passage: it goes on, and the parked car stays known. */
static void test_configure(void)
{
    World *world = world_new();
    LprTrackerOptions options = {.quiet_us = 5 * S, .uuid = number_id, .uuid_userdata = world};
    stay(world, "7ABC123", 0.9f, 100, 1 * S);
    TEST_INT(world->n, 1);
    lpr_tracker_configure(world->tracker, &options);
    empty(world, 4 * S);
    TEST_INT(world->n, 1);
    empty(world, 2 * S);
    TEST_INT(world->n, 2);
    expect(world, 1, "id-1", true, "7ABC123");
    lpr_tracker_configure(world->tracker, NULL);
    stay(world, "7ABC123", 0.9f, 100, 1 * S);
    TEST_INT(world->n, 2);
    world_free(world);
}

static void test_uuid(void)
{
    char a[LPR_UUID_BYTES], b[LPR_UUID_BYTES];
    lpr_uuid_random(a);
    lpr_uuid_random(b);
    TEST_INT(strlen(a), 36);
    TEST_INT(a[14], '4');
    TEST_TRUE(strchr("89ab", a[19]));
    TEST_TRUE(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
    TEST_TRUE(strcmp(a, b));
}

/* A state is named when the vote is sure of it, and left out otherwise. */
static void test_region(void)
{
    static const struct {
        float confidence;
        const char *code;
    } cases[] = {{0.9f, "US-CA"}, {0.2f, ""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        World *world = world_new();
        LprPlate plate = test_plate("ABC1234", 0.9f, 300, 100, 100, 50);
        plate.region = (LprRegion){"US-CA", "California", cases[i].confidence};
        for (int n = 0; n < 4; n++)
            show(world, &plate, 1);
        TEST_INT(world->n, 1);
        TEST_TEXT(world->told[0].plate.region.code, cases[i].code);
        world_free(world);
    }
}

/* The same plate in two pictures is two passages; what is illegible is none. */
static void test_still(void)
{
    World *world = world_new();
    LprPlate plates[] = {test_plate("ABC1234", 0.9f, 300, 100, 100, 50),
                         test_plate("", 0, 500, 100, 100, 50),
                         test_plate("XYZ9876", 0.2f, 700, 100, 100, 50)};
    for (int i = 0; i < 2; i++) {
        LprFrame *frame = test_frame(1280, 720, world->now_us, NULL);
        TEST_INT(lpr_tracker_still(world->tracker, frame, plates, 3), 0);
        lpr_frame_unref(frame);
        world->now_us += FRAME_US;
    }
    TEST_INT(world->n, 2);
    expect(world, 0, "id-1", true, "ABC1234");
    expect(world, 1, "id-2", true, "ABC1234");
    TEST_INT(world->told[0].reads, 1);
    world_free(world);
}

/* A sign that comes and goes in the light: told a few times, then known. A vehicle
 * with the same plate is told whenever it drives up, and one that is there for moments
 * however often it comes to the same place. */
static void test_fixture(void)
{
    World *world = world_new();
    for (int i = 0; i < 8; i++) {
        stay(world, "PARK1NG", 0.9f, 100, 101 * S);
        empty(world, 60 * S);
    }
    TEST_INT(world->n, 6);
    for (float x = 400; x > 100; x -= 30)
        stay(world, "PARK1NG", 0.9f, x, FRAME_US);
    empty(world, 60 * S);
    TEST_INT(world->n, 8);
    for (int i = 0; i < 8; i++) {
        stay(world, "ABC1234", 0.9f, 700, S);
        empty(world, 60 * S);
    }
    TEST_INT(world->n, 24);
    world_free(world);
}

/* At the border and far away plates are cut off and small: what they seem to be
 * counts only when nothing better comes. */
static void test_waits_for_better(void)
{
    World *world = world_new();
    LprPlate edge = test_plate("ABC1Z3", 0.95f, 1190, 100, 89, 50);
    LprPlate small = test_plate("XYZ98", 0.95f, 600, 100, 30, 15);
    for (int i = 0; i < 5; i++)
        show(world, (LprPlate[]){edge, small}, 2);
    TEST_INT(world->n, 0);
    LprPlate whole = test_plate("ABC1234", 0.9f, 1150, 100, 89, 50);
    LprPlate large = test_plate("XYZ9876", 0.9f, 600, 100, 45, 22);
    show(world, (LprPlate[]){whole, large}, 2);
    show(world, (LprPlate[]){whole, large}, 2);
    TEST_INT(world->n, 2);
    TEST_TRUE(!world->told[0].final && !world->told[1].final);
    empty(world, 60 * S);
    TEST_INT(world->n, 4);
    for (size_t i = 0; i < 4; i++)
        TEST_INT(strlen(world->told[i].plate.plate), 7);
    for (int i = 0; i < 5; i++)
        show(world, &edge, 1);
    TEST_INT(world->n, 4);
    empty(world, 3 * S);
    expect(world, 4, "id-3", true, "ABC1Z3");
    world_free(world);
}

static void test_filter(void)
{
    World *world = world_new();
    LprTrackerOptions options = {.uuid = number_id, .uuid_userdata = world};
    TEST_INT(lpr_filter_new("*:^[A-Z]{3}[0-9]{4}$", &options.filter, NULL), 0);
    lpr_tracker_configure(world->tracker, &options);
    options.filter = lpr_filter_unref(options.filter);
    stay(world, "TAXI", 0.99f, 300, S);
    stay(world, "ABC1234", 0.9f, 900, S);
    empty(world, 3 * S);
    TEST_INT(world->n, 2);
    expect(world, 1, "id-1", true, "ABC1234");
    lpr_tracker_configure(world->tracker, &(LprTrackerOptions){0});
    stay(world, "TAXI", 0.99f, 300, S);
    TEST_INT(world->n, 3);
    world_free(world);
}

/* California has no digit in the third place: what the region says, the vote takes. */
static void test_format(void)
{
    World *world = world_new();
    LprPlate plate = test_plate("1A8C123", 0.9f, 300, 100, 100, 50);
    plate.characters[2].confidence = 0.7f;
    plate.region = (LprRegion){.code = "US-CA", .name = "California", .confidence = 0.9f};
    show(world, &plate, 1);
    show(world, &plate, 1);
    expect(world, 0, "id-1", false, "1ABC123");
    empty(world, 3 * S);
    expect(world, 1, "id-1", true, "1ABC123");
    TEST_TRUE(!world->told[1].corrected);
    TEST_TEXT(world->told[1].plate.candidates[1].plate, "1A8C123");
    world_free(world);
}

int main(void)
{
    test_fixture();
    test_waits_for_better();
    test_filter();
    test_format();
    test_one_passage();
    test_still();
    test_region();
    test_tick();
    test_flush();
    test_rearm();
    test_parked();
    test_parked_in_the_dark();
    test_several_vehicles();
    test_fleet();
    test_misread_frames();
    test_correction();
    test_too_little();
    test_final_alone();
    test_weak_character();
    test_hidden();
    test_late_legible();
    test_crowd();
    test_configure();
    test_uuid();
    return 0;
}
