/* SPDX-License-Identifier: Apache-2.0 */

/* The messages to the letter. */

#include <math.h>

#include <glib.h>

#include "check.h"
#include "json.h"
#include "payload.h"

static LprPassage passage(void)
{
    LprPassage passage = {
        .id = "0b7c52a1-9c56-4f0e-8d54-2f6f1c6d7a10",
        .first_seen_us = 600000,
        .legible_us = 1000000,
        .last_seen_us = 3500000,
        .first_realtime_us = 1772366400123456,
        .last_realtime_us = 1772366402623000,
        .direction = LPR_DIRECTION_APPROACHING,
        .reads = 9,
        .decided_us = 1420000,
        .plate =
            {
                .box = {10.04f, 20, 100.96f, 50.5f},
                .plate = "7ABC123",
                .confidence = 0.97004f,
                .n_characters = 2,
                .characters = {{'7', 0.991f, {0}}, {'A', 0.98f, {0}}},
                .n_candidates = 1,
                .candidates = {{"7ABC123", 0.97f}},
                .region = {"US-CA", "California", 0.88f},
            },
    };

    return passage;
}

static const PlatedPassageContext context = {
    .camera = "gate",
    .frame_width_px = 1280,
    .frame_height_px = 720,
    .snapshot = NULL,
    .clock_synchronised = true,
    .detector = "1",
    .reader = "1",
    .region = NULL,
};

static const char provisional_text[] =
    "{\"version\":1,\"id\":\"0b7c52a1-9c56-4f0e-8d54-2f6f1c6d7a10\",\"type\":\"provisional\","
    "\"camera\":\"gate\",\"first_seen\":\"2026-03-01T12:00:00.123Z\",\"first_seen_ms\":1772366400123,"
    "\"last_seen\":\"2026-03-01T12:00:02.623Z\",\"last_seen_ms\":1772366402623,"
    "\"plate\":\"7ABC123\",\"confidence\":0.97,"
    "\"characters\":[{\"character\":\"7\",\"confidence\":0.991},"
    "{\"character\":\"A\",\"confidence\":0.98}],"
    "\"candidates\":[{\"plate\":\"7ABC123\",\"confidence\":0.97}],"
    "\"region\":{\"code\":\"US-CA\",\"name\":\"California\",\"confidence\":0.88},"
    "\"box\":[10,20,101,50.5],\"frame\":{\"width\":1280,\"height\":720},"
    "\"direction\":\"approaching\",\"reads\":9,\"corrected\":false,\"access\":null,"
    "\"snapshot\":null,\"latency_ms\":420,\"clock_synchronised\":true,"
    "\"models\":{\"detector\":\"1\",\"reader\":\"1\",\"region\":null}}";

static void test_passage(void)
{
    LprPassage p = passage();
    g_autofree char *provisional = plated_payload_passage(&p, &context);
    PlatedPassageContext kept = context;
    g_autofree char *final = NULL;

    CHECK_TEXT(provisional, provisional_text);
    p.final = true;
    p.corrected = true;
    p.plate.region.code[0] = '\0';
    kept.snapshot = "/var/lib/plated/\"odd\\name\n.jpg";
    final = plated_payload_passage(&p, &kept);
    CHECK_CONTAINS(final, "\"type\":\"final\"");
    CHECK_CONTAINS(final, "\"corrected\":true");
    CHECK_CONTAINS(final, "\"region\":null");
    CHECK_CONTAINS(final, "\"snapshot\":\"/var/lib/plated/\\\"odd\\\\name\\u000a.jpg\"");
}

/* "corrected" belongs to finals only. */
static void test_corrected(void)
{
    LprPassage p = passage();
    g_autofree char *text = NULL;

    p.corrected = true;
    text = plated_payload_passage(&p, &context);
    CHECK_CONTAINS(text, "\"corrected\":false");
}

static void test_finish(void)
{
    g_autofree char *final = plated_payload_finish(provisional_text);
    g_autofree char *expected = NULL;
    g_auto(GStrv) parts = g_strsplit(provisional_text, "provisional", 2);

    expected = g_strjoinv("final", parts);
    CHECK_TEXT(final, expected);
    CHECK(!plated_payload_finish(final));
    CHECK(!plated_payload_finish("not json"));
    CHECK(!plated_payload_finish("[1]"));
    CHECK(!plated_payload_finish("{}"));
    CHECK(!plated_payload_finish("{\"type\":3}"));
    CHECK(!plated_payload_finish("{\"type\":{}}"));
}

static void test_picture(void)
{
    LprPassage p = passage();
    LprTimes times = {12.345, 6.7, 0};
    g_autofree char *text = plated_payload_picture("a.jpg", 640, 480, &p.plate, 1, &times);
    g_autofree char *none = plated_payload_picture("b\xff.jpg", 640, 480, NULL, 0, &times);

    CHECK_CONTAINS(text, "{\"file\":\"a.jpg\",\"width\":640,\"height\":480,\"plates\":[{\"plate\":"
                         "\"7ABC123\",\"confidence\":0.97,\"characters\":[");
    CHECK_CONTAINS(text, "\"box\":[10,20,101,50.5]");
    CHECK_CONTAINS(text, "\"ms\":{\"detect\":12.35,\"read\":6.7,\"region\":0}}");
    CHECK_CONTAINS(none, "\"plates\":[],");
    CHECK(g_utf8_validate(none, -1, NULL));
}

static void test_state(void)
{
    PlatedState state = {
        .camera = "gate",
        .camera_state = "lost",
        .reason = "no such device",
        .fps = 7.349,
        .latency_ms = -1,
        .temperature_c = NAN,
        .throttled = -1,
        .backlog = 3,
        .uptime_us = 61000000,
        .realtime_us = 1772366400123456,
        .software = "0.1.0",
        .detector = "1",
        .reader = "1",
        .region = "1",
    };
    g_autofree char *unknown = plated_payload_state(&state), *known = NULL;

    CHECK_TEXT(unknown,
               "{\"version\":1,\"camera\":\"gate\",\"time\":\"2026-03-01T12:00:00.123Z\","
               "\"time_ms\":1772366400123,\"state\":\"lost\",\"reason\":\"no such device\","
               "\"fps\":7.3,\"latency_ms\":null,\"temperature_c\":null,\"throttled\":null,"
               "\"slowed\":false,\"frames\":0,\"frames_dropped\":0,\"frames_passed\":0,\"backlog\":3,\"passages_dropped\":0,"
               "\"clock_synchronised\":false,\"uptime_s\":61,\"software\":\"0.1.0\","
               "\"models\":{\"detector\":\"1\",\"reader\":\"1\",\"region\":\"1\"}}");
    state.latency_ms = 131.26;
    state.temperature_c = 61.348;
    state.throttled = 0;
    known = plated_payload_state(&state);
    CHECK_CONTAINS(known, "\"latency_ms\":131.3,\"temperature_c\":61.3,\"throttled\":false,");
}

static void test_time(void)
{
    char text[PLATED_RFC3339_BYTES];

    plated_payload_time(0, text);
    CHECK_TEXT(text, "1970-01-01T00:00:00.000Z");
    plated_payload_time(951782399999999, text);
    CHECK_TEXT(text, "2000-02-28T23:59:59.999Z");
}

static void test_numbers(void)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autofree char *text = NULL;

    json_builder_begin_array(builder);
    json_builder_add_double_value(builder, INFINITY);
    json_builder_add_double_value(builder, -0.5);
    json_builder_add_double_value(builder, plated_json_rounded(0.1 + 0.2, 4));
    json_builder_add_int_value(builder, INT64_MIN);
    json_builder_end_array(builder);
    text = plated_json_build(builder);
    CHECK_TEXT(text, "[null,-0.5,0.3,-9223372036854775808]");
}

int main(void)
{
    test_passage();
    test_corrected();
    test_finish();
    test_picture();
    test_state();
    test_time();
    test_numbers();
    return 0;
}
