/* SPDX-License-Identifier: Apache-2.0 */

/* platectl doctor: broker, clock, heat, power and disk. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/util.h"
#include "broker.h"
#include "platectl_doctor.h"
#include "system.h"

#define BROKER_PATIENCE_S 10
#define HOT_C             80.0
#define WARM_C            70.0
/* An outbox of 10,000 passages takes some 20 MiB. */
#define ROOM_BYTES ((uint64_t)100 << 20)

/* ---- the broker ---------------------------------------------------------- */

typedef struct Attempt {
    GMainLoop *loop;
    bool connected;
    char *failure;
} Attempt;

static void on_connected(void *userdata)
{
    Attempt *attempt = userdata;

    attempt->connected = true;
    g_main_loop_quit(attempt->loop);
}

static void on_failed(void *userdata, const char *sentence, bool again)
{
    Attempt *attempt = userdata;

    g_free(attempt->failure);
    attempt->failure = g_strdup(sentence);
    g_main_loop_quit(attempt->loop);
}

static void on_published(void *userdata, int mid, bool accepted)
{
}

static void on_message(void *userdata, const char *topic, const void *payload, size_t n,
                       bool retained)
{
}

static gboolean out_of_patience(gpointer userdata)
{
    g_main_loop_quit(userdata);
    return G_SOURCE_CONTINUE;
}

/* A connection of its own, which takes nothing from that of the service. */
static void try_broker(Doctor *doctor, PlatedMqtt *mqtt, Attempt *attempt)
{
    guint timer = g_timeout_add_seconds(BROKER_PATIENCE_S, out_of_patience, attempt->loop);
    const char *host = doctor->config->mqtt.host;

    plated_mqtt_start(mqtt);
    g_main_loop_run(attempt->loop);
    g_source_remove(timer);
    if (attempt->connected)
        platectl_doctor_say(doctor, DOCTOR_OK, "broker", "%s accepts us", host);
    else
        platectl_doctor_say(doctor, DOCTOR_WRONG, "broker",
                            "%s%s: see that it runs and that [mqtt] names it and its user",
                            attempt->failure ? "" : host,
                            attempt->failure ? attempt->failure : " does not answer");
    plated_mqtt_disconnect(mqtt);
}

void platectl_doctor_broker(Doctor *doctor)
{
    static const PlatedMqttCallbacks callbacks = {on_connected, on_failed, on_published,
                                                  on_message};
    Attempt attempt = {.loop = g_main_loop_new(NULL, FALSE)};
    PlatedMqtt *mqtt = NULL;
    NnError error = {0};

    /* Its password may be a credential that nobody else has. */
    if (doctor->status && json_object_get_boolean_member_with_default(
                              json_node_get_object(doctor->status), "broker_connected", FALSE))
        platectl_doctor_say(doctor, DOCTOR_OK, "broker", "the service is connected to %s",
                            doctor->config->mqtt.host);
    else if (plated_broker_new(doctor->config, true, &callbacks, &attempt, &mqtt, &error) < 0)
        platectl_doctor_say(doctor, DOCTOR_WRONG, "broker", "%s", error.message);
    else
        try_broker(doctor, mqtt, &attempt);
    plated_mqtt_free(mqtt);
    g_free(attempt.failure);
    g_main_loop_unref(attempt.loop);
}

/* ---- clock, heat, power -------------------------------------------------- */

static void check_clock(Doctor *doctor)
{
    if (plated_system_clock_synchronised(plated_system_root()))
        platectl_doctor_say(doctor, DOCTOR_OK, "clock", "synchronised");
    else
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "clock",
                            "not set by a time server, times in messages may be wrong: see "
                            "timedatectl, and whether the network lets NTP through");
}

static void check_heat(Doctor *doctor)
{
    double celsius = plated_system_temperature(plated_system_root());

    if (isnan(celsius))
        platectl_doctor_say(doctor, DOCTOR_OK, "heat", "no sensor");
    else if (celsius >= HOT_C)
        platectl_doctor_say(
            doctor, DOCTOR_WRONG, "heat",
            "%.0f °C: the processor slows itself down; give it a heat sink, a fan or "
            "shade",
            celsius);
    else if (celsius >= WARM_C)
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "heat",
                            "%.0f °C: on a hot day it will slow down; a heat sink helps", celsius);
    else
        platectl_doctor_say(doctor, DOCTOR_OK, "heat", "%.0f °C", celsius);
}

static void check_power(Doctor *doctor)
{
    int flags = plated_system_throttle_flags(plated_system_root());

    if (flags < 0)
        return;
    if (flags & PLATED_THROTTLE_UNDER_VOLTAGE)
        platectl_doctor_say(doctor, DOCTOR_WRONG, "power",
                            "the voltage is too low now: use the official power supply and a short "
                            "cable");
    else if (flags & PLATED_THROTTLE_WAS_UNDER_VOLTAGE)
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "power",
                            "the voltage has been too low since the start: use the official power "
                            "supply and a short cable");
    else if (flags & PLATED_THROTTLE_SLOWED)
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "power", "the processor is slowed down now");
    else
        platectl_doctor_say(doctor, DOCTOR_OK, "power", "enough");
}

/* ---- disk ---------------------------------------------------------------- */

/* The line of mountinfo (proc(5)) of the file system that holds a path: a mount point that
 * begins the path, the longest of them. */
typedef struct Mount {
    char point[256], options[256], device[256];
} Mount;

static bool begins(const char *point, const char *path)
{
    size_t n = strlen(point);

    return strcmp(point, "/") == 0 ||
           (strncmp(point, path, n) == 0 && (!path[n] || path[n] == '/'));
}

static bool find_mount(const char *path, Mount *ret_mount)
{
    g_autofree char *name = g_strconcat(plated_system_root(), "/proc/self/mountinfo", NULL);
    FILE *file = fopen(name, "re");
    char line[1024];
    bool found = false;

    while (file && fgets(line, sizeof(line), file)) {
        const char *rest = strstr(line, " - ");
        Mount mount;

        if (!rest || sscanf(line, "%*s %*s %*s %*s %255s %255s", mount.point, mount.options) != 2 ||
            sscanf(rest, " - %*s %255s", mount.device) != 1 || !begins(mount.point, path))
            continue;
        /* What is mounted later covers what is below. */
        if (!found || strlen(mount.point) >= strlen(ret_mount->point))
            *ret_mount = mount;
        found = true;
    }
    if (file)
        fclose(file);
    return found;
}

static bool has_option(const char *options, const char *wanted)
{
    g_auto(GStrv) words = g_strsplit(options, ",", -1);

    return g_strv_contains((const char *const *)words, wanted);
}

static void check_mount(Doctor *doctor, const char *directory)
{
    Mount mount;

    if (!find_mount(directory, &mount))
        return;
    if (has_option(mount.options, "ro"))
        platectl_doctor_say(doctor, DOCTOR_WRONG, "disk",
                            "%s is mounted read-only, passages would be lost with the power: "
                            "look for errors of the card with dmesg",
                            mount.point);
    else if (g_str_has_prefix(mount.device, "/dev/mmcblk") && !has_option(mount.options, "noatime"))
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "disk",
                            "%s is on a card that every reading of a file wears: add noatime to "
                            "its line in /etc/fstab",
                            mount.point);
}

/* The directory itself, or the nearest above it that exists: it may yet be made. */
static char *existing(const char *directory)
{
    char *path = g_strdup(directory);

    while (access(path, F_OK) < 0 && strcmp(path, "/") != 0 && strcmp(path, ".") != 0) {
        char *above = g_path_get_dirname(path);

        g_free(path);
        path = above;
    }
    return path;
}

static void check_room(Doctor *doctor, const char *directory)
{
    g_autofree char *path = existing(directory);
    struct statvfs fs;
    uint64_t room;

    if (statvfs(path, &fs) < 0) {
        platectl_doctor_say(doctor, DOCTOR_WRONG, "disk", "%s: %s", path, strerror(errno));
        return;
    }
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room < ROOM_BYTES)
        platectl_doctor_say(doctor, DOCTOR_WRONG, "disk",
                            "%s has %" G_GUINT64_FORMAT
                            " MiB left: delete something, or keep fewer "
                            "pictures",
                            path, room >> 20);
    else
        platectl_doctor_say(doctor, DOCTOR_OK, "disk", "%s has %" G_GUINT64_FORMAT " MiB left",
                            path, room >> 20);
    check_mount(doctor, path);
}

static void check_disk(Doctor *doctor)
{
    const char *outbox = doctor->config->outbox.file,
               *pictures = doctor->config->snapshot.directory;
    g_autofree char *directory = *outbox ? g_path_get_dirname(outbox) : NULL;

    if (directory)
        check_room(doctor, directory);
    else
        platectl_doctor_say(
            doctor, DOCTOR_ADVICE, "disk",
            "passages are kept in memory, where a restart loses them: give [outbox] "
            "file a name");
    if (*pictures && g_strcmp0(pictures, directory) != 0)
        check_room(doctor, pictures);
}

void platectl_doctor_machine(Doctor *doctor)
{
    check_clock(doctor);
    check_heat(doctor);
    check_power(doctor);
    check_disk(doctor);
}
