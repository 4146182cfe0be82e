/* SPDX-License-Identifier: Apache-2.0 */
#include "payload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "access.h"
#include "json.h"

void plated_payload_time(int64_t realtime_us, char ret_text[PLATED_RFC3339_BYTES])
{
    int64_t ms = realtime_us / 1000;
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    size_t n;

    gmtime_r(&seconds, &tm);
    n = strftime(ret_text, PLATED_RFC3339_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret_text + n, PLATED_RFC3339_BYTES - n, ".%03dZ", (int)(ms % 1000));
}

static void add_time(JsonBuilder *builder, const char *name, int64_t realtime_us)
{
    char text[PLATED_RFC3339_BYTES], member[32];

    plated_payload_time(realtime_us, text);
    plated_json_string(builder, name, text);
    snprintf(member, sizeof(member), "%s_ms", name);
    plated_json_int(builder, member, realtime_us / 1000);
}

static void add_box(JsonBuilder *builder, const LprBox *box)
{
    const float sides[] = {box->x, box->y, box->w, box->h};

    json_builder_set_member_name(builder, "box");
    json_builder_begin_array(builder);
    for (size_t i = 0; i < G_N_ELEMENTS(sides); i++)
        json_builder_add_double_value(builder, plated_json_rounded(sides[i], 1));
    json_builder_end_array(builder);
}

/* The text of a plate, or what stands for it. */
static void add_plate_text(JsonBuilder *builder, const char *name, const char *plate,
                           const PlatedPrivacy *privacy)
{
    char hash[PLATED_HASH_BYTES];

    if (privacy)
        plated_privacy_hash(privacy, plate, hash);
    plated_json_string(builder, name, privacy ? hash : plate);
}

/* Its characters would give a hashed plate away. */
static void add_characters(JsonBuilder *builder, const LprPlate *plate,
                           const PlatedPrivacy *privacy)
{
    json_builder_set_member_name(builder, "characters");
    json_builder_begin_array(builder);
    for (size_t i = 0; i < plate->n_characters && !privacy; i++) {
        char text[2] = {plate->characters[i].character, '\0'};

        json_builder_begin_object(builder);
        plated_json_string(builder, "character", text);
        plated_json_real(builder, "confidence", plate->characters[i].confidence, 4);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

static void add_candidates(JsonBuilder *builder, const LprPlate *plate,
                           const PlatedPrivacy *privacy)
{
    json_builder_set_member_name(builder, "candidates");
    json_builder_begin_array(builder);
    for (size_t i = 0; i < plate->n_candidates; i++) {
        json_builder_begin_object(builder);
        add_plate_text(builder, "plate", plate->candidates[i].plate, privacy);
        plated_json_real(builder, "confidence", plate->candidates[i].confidence, 4);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

static void add_region(JsonBuilder *builder, const LprRegion *region)
{
    json_builder_set_member_name(builder, "region");
    if (!region->code[0]) {
        json_builder_add_null_value(builder);
        return;
    }
    json_builder_begin_object(builder);
    plated_json_string(builder, "code", region->code);
    plated_json_string(builder, "name", region->name);
    plated_json_real(builder, "confidence", region->confidence, 4);
    json_builder_end_object(builder);
}

static void add_plate(JsonBuilder *builder, const LprPlate *plate, const PlatedPrivacy *privacy)
{
    add_plate_text(builder, "plate", plate->plate, privacy);
    plated_json_real(builder, "confidence", plate->confidence, 4);
    add_characters(builder, plate, privacy);
    add_candidates(builder, plate, privacy);
    add_region(builder, &plate->region);
    add_box(builder, &plate->box);
}

static void add_models(JsonBuilder *builder, const char *detector, const char *reader,
                       const char *region)
{
    json_builder_set_member_name(builder, "models");
    json_builder_begin_object(builder);
    plated_json_string(builder, "detector", detector);
    plated_json_string(builder, "reader", reader);
    plated_json_string(builder, "region", region);
    json_builder_end_object(builder);
}

static const char *direction_name(LprDirection direction)
{
    switch (direction) {
    case LPR_DIRECTION_APPROACHING:
        return "approaching";
    case LPR_DIRECTION_LEAVING:
        return "leaving";
    case LPR_DIRECTION_UNKNOWN:
        break;
    }
    return "unknown";
}

/* "" is null. */
static void add_text(JsonBuilder *builder, const char *name, const char *text)
{
    plated_json_string(builder, name, *text ? text : NULL);
}

/* The name beside a plate says more than the plate. */
static void add_verdict(JsonBuilder *builder, const PlatedVerdict *verdict,
                        const PlatedPrivacy *privacy)
{
    plated_json_string(builder, "decision", plated_decision_name(verdict->decision));
    plated_json_string(builder, "reason", verdict->reason);
    if (*verdict->plate)
        add_plate_text(builder, "listed", verdict->plate, privacy);
    else
        plated_json_string(builder, "listed", NULL);
    add_text(builder, "name", privacy ? "" : verdict->name);
}

static void add_access(JsonBuilder *builder, const PlatedVerdict *verdict,
                       const PlatedPrivacy *privacy)
{
    json_builder_set_member_name(builder, "access");
    if (!verdict) {
        json_builder_add_null_value(builder);
        return;
    }
    json_builder_begin_object(builder);
    add_verdict(builder, verdict, privacy);
    json_builder_end_object(builder);
}

char *plated_payload_access(const PlatedAccessEvent *event, const char *camera,
                            bool clock_synchronised, const PlatedPrivacy *privacy)
{
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    plated_json_int(b, "version", PLATED_PAYLOAD_VERSION);
    plated_json_string(b, "id", event->id);
    plated_json_string(b, "camera", camera);
    add_time(b, "time", event->realtime_us);
    add_verdict(b, &event->verdict, privacy);
    add_plate_text(b, "plate", event->plate, privacy);
    plated_json_real(b, "confidence", event->confidence, 4);
    add_time(b, "expires", event->expires_realtime_us);
    plated_json_bool(b, "clock_synchronised", clock_synchronised);
    json_builder_end_object(b);
    return plated_json_build(b);
}

char *plated_payload_passage(const LprPassage *passage, const PlatedPassageContext *context)
{
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    plated_json_int(b, "version", PLATED_PAYLOAD_VERSION);
    plated_json_string(b, "id", passage->id);
    plated_json_string(b, "type", passage->final ? "final" : "provisional");
    plated_json_string(b, "camera", context->camera);
    add_time(b, "first_seen", passage->first_realtime_us);
    add_time(b, "last_seen", passage->last_realtime_us);
    add_plate(b, &passage->plate, context->privacy);
    json_builder_set_member_name(b, "frame");
    json_builder_begin_object(b);
    plated_json_int(b, "width", context->frame_width_px);
    plated_json_int(b, "height", context->frame_height_px);
    json_builder_end_object(b);
    plated_json_string(b, "direction", direction_name(passage->direction));
    plated_json_int(b, "reads", passage->reads);
    plated_json_bool(b, "corrected", passage->final && passage->corrected);
    add_access(b, context->access, context->privacy);
    plated_json_string(b, "snapshot", context->snapshot);
    plated_json_real(b, "latency_ms", (passage->decided_us - passage->legible_us) / 1e3, 1);
    plated_json_bool(b, "clock_synchronised", context->clock_synchronised);
    add_models(b, context->detector, context->reader, context->region);
    json_builder_end_object(b);
    return plated_json_build(b);
}

char *plated_payload_finish(const char *provisional)
{
    g_autoptr(JsonNode) root = json_from_string(provisional, NULL);
    JsonObject *object;

    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return NULL;
    object = json_node_get_object(root);
    if (strcmp(plated_json_get_text(object, "type"), "provisional") != 0)
        return NULL;
    json_node_set_string(json_object_get_member(object, "type"), "final");
    return plated_json_text(root);
}

char *plated_payload_picture(const char *file, int width_px, int height_px, const LprPlate *plates,
                             size_t n_plates, const LprTimes *times)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autofree char *name = g_utf8_make_valid(file, -1);

    json_builder_begin_object(b);
    plated_json_string(b, "file", name);
    plated_json_int(b, "width", width_px);
    plated_json_int(b, "height", height_px);
    json_builder_set_member_name(b, "plates");
    json_builder_begin_array(b);
    for (size_t i = 0; i < n_plates; i++) {
        json_builder_begin_object(b);
        add_plate(b, &plates[i], NULL);
        plated_json_real(b, "detection", plates[i].detection, 4);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_builder_set_member_name(b, "ms");
    json_builder_begin_object(b);
    plated_json_real(b, "detect", times->detect_ms, 2);
    plated_json_real(b, "read", times->read_ms, 2);
    plated_json_real(b, "region", times->region_ms, 2);
    json_builder_end_object(b);
    json_builder_end_object(b);
    return plated_json_build(b);
}

static void add_real_or_null(JsonBuilder *builder, const char *name, double value, bool known)
{
    if (known)
        plated_json_real(builder, name, value, 1);
    else
        plated_json_string(builder, name, NULL);
}

char *plated_payload_state(const PlatedState *state)
{
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    plated_json_int(b, "version", PLATED_PAYLOAD_VERSION);
    plated_json_string(b, "camera", state->camera);
    add_time(b, "time", state->realtime_us);
    plated_json_string(b, "state", state->camera_state);
    plated_json_string(b, "reason", state->reason);
    plated_json_real(b, "fps", state->fps, 1);
    add_real_or_null(b, "latency_ms", state->latency_ms, state->latency_ms >= 0);
    add_real_or_null(b, "temperature_c", state->temperature_c, isfinite(state->temperature_c));
    json_builder_set_member_name(b, "throttled");
    if (state->throttled < 0)
        json_builder_add_null_value(b);
    else
        json_builder_add_boolean_value(b, state->throttled > 0);
    plated_json_bool(b, "slowed", state->slowed);
    plated_json_int(b, "frames", (int64_t)state->frames);
    plated_json_int(b, "frames_dropped", (int64_t)state->frames_dropped);
    plated_json_int(b, "frames_passed", (int64_t)state->frames_passed);
    plated_json_int(b, "backlog", (int64_t)state->backlog);
    plated_json_int(b, "passages_dropped", (int64_t)state->passages_dropped);
    plated_json_bool(b, "clock_synchronised", state->clock_synchronised);
    plated_json_int(b, "uptime_s", state->uptime_us / 1000000);
    plated_json_string(b, "software", state->software);
    add_models(b, state->detector, state->reader, state->region);
    json_builder_end_object(b);
    return plated_json_build(b);
}
