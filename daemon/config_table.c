/* SPDX-License-Identifier: Apache-2.0 */
#include "config_types.h"

static const char *const protocol_names[] = {"3.1.1", "5", NULL};
/* In the order of plated_config_log_level(). */
static const char *const level_names[] = {"error", "warning", "info", "debug", NULL};
/* The first means the best that there is. */
static const char *const isa_names[] = {"auto", "c", "neon", "avx2", NULL};

/* It would take #section for a directive. */
/* clang-format off */
#define TEXT(section, key, kind, value, doc)                                                       \
    {#section, #key, &plated_type_##kind, offsetof(PlatedConfig, section.key), 0, 0, NULL, value,  \
     doc}
#define BOOLEAN(section, key, value, doc)                                                          \
    {#section, #key, &plated_type_boolean, offsetof(PlatedConfig, section.key), 0, 0, NULL, value, \
     doc}
#define NUMBER(section, key, member, kind, min, max, value, doc)                                   \
    {#section, #key, &plated_type_##kind, offsetof(PlatedConfig, section.member), min, max, NULL,  \
     value, doc}
#define CHOICE(section, key, names, value, doc)                                                    \
    {#section, #key, &plated_type_choice, offsetof(PlatedConfig, section.key), 0, 0, names, value, \
     doc}
/* clang-format on */

const PlatedConfigEntry plated_config_table[] = {
    TEXT(camera, name, segment, "gate",
         "Name of the camera: a level of its MQTT topics, and `camera` in every message."),
    TEXT(camera, source, word, "v4l2:/dev/video0",
         "Where the pictures come from: v4l2:DEVICE (prefer a name under /dev/v4l/by-id, which "
         "stays the same after replugging), rtsp://…, file:PATH, images:GLOB, test: or gst: and a "
         "GStreamer pipeline that ends in raw video."),
    NUMBER(camera, width, width_px, integer, 0, 8192, "0",
           "Width asked of a camera, in pixels. 0 takes the best it has up to 1280."),
    NUMBER(camera, height, height_px, integer, 0, 8192, "0",
           "Height asked of a camera, in pixels. 0 takes the best it has up to 720."),
    NUMBER(camera, fps, fps, real, 0, 240, "0", "Frames a second at most. 0 takes all."),
    BOOLEAN(camera, loop, "no", "Start a clip again at its end."),
    BOOLEAN(camera, realtime, "no",
            "Play a clip at its own pace and drop frames as with a camera. Otherwise every frame "
            "of a clip is looked at, however long it takes."),
    BOOLEAN(camera, exit_at_end, "no",
            "End the service once a clip is over and its passages are delivered."),
    NUMBER(camera, silence, silence_us, duration, 1, 3600, "10s",
           "A camera that gives no picture for so long is lost, and opened again."),
    NUMBER(camera, frozen, frozen_us, duration, 0, 3600, "60s",
           "So is one that gives the very same picture for so long, which no sensor does. 0: "
           "never."),

    TEXT(models, directory, path, "",
         "Where model files without a path are looked for. Nothing means the directory of the "
         "released models, or that in the environment variable PLATED_MODELS."),
    TEXT(models, detector, word, "detector.onnx", "The network that finds plates."),
    TEXT(models, reader, word, "reader.onnx", "The network that reads the characters of a plate."),
    TEXT(models, region, text, "region.onnx",
         "The network that names the state or province. Nothing: regions are not named."),
    TEXT(models, cache, path, "/var/cache/plated",
         "Directory that keeps the networks as compiled for this processor, so that the next "
         "start maps them. Where it is not there or not the service's, each start compiles."),

    NUMBER(engine, threads, threads, integer, 0, 64, "0",
           "Threads that compute. 0 takes one for each processor."),
    BOOLEAN(engine, pin, "no", "Keep each of these threads on a processor of its own."),
    CHOICE(engine, isa, isa_names, "auto",
           "Instruction set at most; auto takes the best that the processor has."),
    NUMBER(engine, hot, hot_c, real, 0, 120, "75",
           "Temperature of the processor in °C from which frames are looked at less often: ten "
           "degrees above it, one in a second. 0: never."),

    BOOLEAN(motion, gate, "yes",
            "Pass over frames in which nothing has moved. They are followed by the eye all the "
            "same: see `look`."),
    NUMBER(motion, threshold, threshold, integer, 1, 255, "6",
           "Something has moved when the mean brightness of a square, an 80th of the width wide, "
           "differs by so many levels of 255 from that in the last frame looked at."),
    NUMBER(motion, hold, hold_us, duration, 0.1, 60, "2s",
           "After something has moved, all frames are looked at for so long."),
    NUMBER(motion, look, look_us, duration, 0.05, 10, "500ms",
           "While nothing moves, one frame in so long is looked at, or in half of [passage] quiet "
           "where that is shorter: what creeps or stands is seen."),

    NUMBER(recognition, detect_threshold, detect_threshold, real, 0.01, 1, "0.35",
           "Confidence from which something counts as a plate."),
    NUMBER(recognition, read_threshold, read_threshold, real, 0.01, 1, "0.40",
           "Confidence from which something counts as a character."),
    NUMBER(recognition, min_plate_width, min_plate_width_px, integer, 1, 8192, "16",
           "Plates narrower than this, in pixels, are not read."),
    NUMBER(recognition, max_plate_width, max_plate_width_px, integer, 0, 8192, "0",
           "What is wider than this, in pixels, is no plate. 0: any width."),
    NUMBER(recognition, max_plates, max_plates, integer, 1, 16, "8",
           "Plates read in one frame at most."),

    TEXT(zones, include, zones, "",
         "Polygons in which plates count, separated by ';': corners X,Y in order, from 0,0 (left, "
         "top) to 1,1 (right, bottom), such as 0.1,0.4 0.9,0.4 0.9,1 0.1,1. The centre of the "
         "plate decides. Nothing: the whole frame."),
    TEXT(zones, exclude, zones, "",
         "Polygons in which plates do not count: the street behind, a parking place, the clock "
         "of the camera."),

    NUMBER(passage, quiet, quiet_us, duration, 0.1, 600, "2s",
           "A passage ends when its plate was not seen for so long."),
    NUMBER(passage, longest, longest_us, duration, 1, 3600, "15s",
           "A passage is told as final after so long even when the vehicle is still there."),
    NUMBER(passage, rearm, rearm_us, duration, 0.1, 86400, "45s",
           "The same plate makes a new passage only when it was not seen for so long."),
    NUMBER(passage, provisional, provisional, real, 0.01, 1, "0.80",
           "Confidence of the vote from which a passage is told at once."),
    NUMBER(passage, provisional_reads, provisional_reads, integer, 1, 100, "2",
           "Readings that this vote needs."),
    NUMBER(passage, final, final, real, 0.01, 1, "0.50",
           "A passage whose vote is below this at its end is not told at all, unless it was "
           "already told as provisional."),
    NUMBER(passage, region, region, real, 0.01, 1, "0.50",
           "Confidence from which a passage names the state or province; below it there is none."),
    NUMBER(passage, min_characters, min_characters, integer, 1, 16, "4",
           "Shorter readings are not plates."),
    NUMBER(passage, legible_width, legible_width_px, integer, 1, 8192, "32",
           "Readings of plates narrower than this, in pixels, count only when the vehicle gives "
           "no better one, as do those of plates that the border of the frame may cut off."),
    TEXT(passage, formats, formats, "",
         "Which plates are told of: REGION:EXPRESSION, separated by spaces; extended regular "
         "expressions, * for regions that have none of their own, such as "
         "US-CA:^[0-9][A-Z]{3}[0-9]{3}$ *:^.{5,8}$. Nothing: all."),

    TEXT(access, lists, paths, "",
         "Files that say who is let through (docs/access.md), separated by spaces. They are read "
         "again when they change. Nothing: no decisions are made."),
    NUMBER(access, tolerance, tolerance, integer, 0, 4, "1",
           "How far a reading may be from a listed plate, in half edits: 0 exactly (but O is 0), "
           "1 one character that looks alike, 2 two of these or one other."),
    NUMBER(access, confidence, confidence, real, 0.01, 1, "0.90",
           "Confidence from which a decision is made before the passage is final."),
    NUMBER(access, expiry, expiry_us, duration, 1, 60, "10s",
           "A decision that could not be told for so long is dropped; its message says until when "
           "it counts."),
    TEXT(access, gpio_chip, path, "/dev/gpiochip0", "GPIO chip of the line below."),
    NUMBER(access, gpio_line, gpio_line, integer, -1, 1023, "-1",
           "Line that gets a pulse for everyone who is let through. -1: none. The service needs "
           "the right to use it (docs/access.md)."),
    BOOLEAN(access, active_low, "no", "The line is at rest when it is high."),
    NUMBER(access, pulse, pulse_us, duration, 0.05, 30, "500ms", "Length of the pulse."),
    NUMBER(access, cooldown, cooldown_us, duration, 0, 600, "5s",
           "No other pulse for so long after one."),

    TEXT(mqtt, host, word, "localhost", "Name or address of the broker."),
    NUMBER(mqtt, port, port, integer, 0, 65535, "0",
           "Port of the broker. 0 means 1883, or 8883 with TLS."),
    CHOICE(mqtt, protocol, protocol_names, "3.1.1", "Version of MQTT."),
    TEXT(mqtt, client_id, text, "",
         "Client identifier, which must differ between cameras. Nothing makes one of host and "
         "camera name."),
    TEXT(mqtt, username, text, "", "User at the broker. Nothing: anonymous."),
    TEXT(mqtt, password_file, path, "",
         "File with the password, readable by its owner alone (mode 0600). The systemd credential "
         "mqtt-password goes before it."),
    TEXT(mqtt, prefix, topic, "plated", "First level or levels of all topics."),
    NUMBER(mqtt, keepalive, keepalive_us, duration, 5, 3600, "30s",
           "A connection that is silent for so long is probed. Whole seconds."),
    BOOLEAN(mqtt, tls, "no", "Encrypt the connection and check the broker's certificate."),
    TEXT(mqtt, ca_file, path, "",
         "Certificates of the authorities that the broker's certificate may come from. Nothing "
         "means those of the system."),
    TEXT(mqtt, cert_file, path, "", "Certificate of this client."),
    TEXT(mqtt, key_file, path, "", "Private key of this client."),
    BOOLEAN(mqtt, commands, "no",
            "Obey `snapshot` (the next frame on topic `snapshot`) and `reload` on topic `command`. "
            "Whoever may publish there may do so."),
    BOOLEAN(mqtt, protobuf, "no",
            "Publish passages, decisions and the state as Protocol Buffers too, on topics "
            "`passage.pb`, `access.pb` and `state.pb` (docs/payload.proto)."),
    NUMBER(mqtt, state_interval, state_interval_us, duration, 1, 86400, "30s",
           "How often the state is published; changes of the camera are told at once."),

    BOOLEAN(homeassistant, discovery, "yes",
            "Tell Home Assistant of the camera and its entities, by retained messages."),
    TEXT(homeassistant, prefix, topic, "homeassistant", "First level or levels of these messages."),

    TEXT(outbox, file, path, "/var/lib/plated/outbox.db",
         "Passages stay in this database until the broker has acknowledged them. Nothing keeps "
         "them in memory, where a restart loses them."),
    NUMBER(outbox, max_rows, max_rows, integer, 1, 1000000, "10000",
           "Passages kept at most; the oldest are dropped and counted."),
    NUMBER(outbox, max_age, max_age_us, duration, 60, 31536000, "7d",
           "Older passages are dropped and counted."),

    TEXT(store, file, path, "/var/lib/plated/events.db",
         "Passages are kept in this database for `platectl events`. Nothing keeps none."),
    NUMBER(store, max_age, max_age_us, duration, 3600, 315360000, "30d",
           "Older passages are deleted from it."),
    NUMBER(store, quota, quota_mib, integer, 1, 1048576, "64",
           "MiB that the database may take; the oldest passages are deleted. One takes about "
           "2 KiB."),

    TEXT(snapshot, directory, path, "",
         "Directory for a JPEG of the best frame of every passage, ID.jpg. Nothing: none is kept."),
    NUMBER(snapshot, keep, keep, integer, 1, 1000000, "500",
           "Pictures kept in the directory at most; the oldest are deleted."),
    NUMBER(snapshot, max_age, max_age_us, duration, 3600, 315360000, "30d",
           "Older pictures are deleted."),
    NUMBER(snapshot, quota, quota_mib, integer, 1, 1048576, "512",
           "MiB that the pictures in the directory may take; the oldest are deleted."),
    NUMBER(snapshot, quality, quality, integer, 1, 100, "85", "Quality of the JPEG."),
    BOOLEAN(snapshot, crop, "no", "Keep the plate alone too, as ID-crop.jpg."),
    BOOLEAN(snapshot, publish, "no", "Publish the JPEG of the best frame on topic `snapshot`."),
    BOOLEAN(snapshot, publish_crop, "no", "Publish the JPEG of the plate alone on topic `crop`."),

    TEXT(control, socket, path, "/run/plated/control.sock",
         "Where platectl reaches the service: a socket for the service's user and group. Nothing: "
         "none."),

    NUMBER(metrics, port, port, integer, 0, 65535, "0",
           "Port on 127.0.0.1 at which /metrics is served to Prometheus. 0: none."),

    BOOLEAN(privacy, hash, "no",
            "Tell of plates as keyed hashes only, in messages, store and log, and of nothing else "
            "that names them; no pictures (docs/store.md)."),
    TEXT(privacy, key_file, path, "",
         "File with the key, 16 characters or more, readable by its owner alone (mode 0600). The "
         "systemd credential plate-key goes before it."),

    CHOICE(log, level, level_names, "info",
           "The least important lines that are written. Plates are written at debug only."),
};

const size_t plated_config_table_n = sizeof(plated_config_table) / sizeof(plated_config_table[0]);
