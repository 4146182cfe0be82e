/* SPDX-License-Identifier: Apache-2.0 */

/* platectl doctor: the camera and what it sees. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/util.h"
#include "platectl_doctor.h"

#define FIRST_FRAME_US ((int64_t)15 * 1000000)
#define MEASURE_US     ((int64_t)3 * 1000000)
#define SLOW_HZ        5.0
#define DARK_MEAN      40.0f
#define CLIPPED        0.10f
#define BLURRED        250.0f

int platectl_doctor_grey_frame(LprFrame **ret_frame)
{
    const int width = 1280, height = 720;
    g_autofree uint8_t *luma = g_malloc((gsize)width * height);

    memset(luma, 128, (size_t)width * height);
    return lpr_frame_new(width, height, luma, width, NULL, NULL, 0, 0, 0, 0, ret_frame);
}

/* ---- the device ---------------------------------------------------------- */

/* The name under /dev/v4l/by-id of a device, or NULL. */
static char *stable_name(const char *device)
{
    g_autoptr(GDir) dir = g_dir_open("/dev/v4l/by-id", 0, NULL);
    g_autofree char *real = realpath(device, NULL);
    const char *name;

    while (dir && real && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename("/dev/v4l/by-id", name, NULL);
        g_autofree char *target = realpath(path, NULL);

        if (target && strcmp(target, real) == 0)
            return g_steal_pointer(&path);
    }
    return NULL;
}

static void check_name(Doctor *doctor, const char *device)
{
    g_autofree char *stable = NULL;

    if (g_str_has_prefix(device, "/dev/v4l/"))
        return;
    stable = stable_name(device);
    if (stable)
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "camera",
                            "%s may be another camera after replugging: write [camera] source = "
                            "v4l2:%s",
                            device, stable);
}

/* Whether it is worth asking for frames. A device that the service has may be asked for its
 * formats too, but need not answer. */
static bool check_device(Doctor *doctor)
{
    const PlatedConfig *config = doctor->config;
    const char *device = config->camera.source + strlen("v4l2:");
    g_autofree char *caps = NULL;
    LprSourceOptions options = {
        .width_px = config->camera.width_px,
        .height_px = config->camera.height_px,
        .fps = config->camera.fps,
    };
    NnError error = {0};
    int r;

    if (!g_str_has_prefix(config->camera.source, "v4l2:"))
        return true;
    r = lpr_camera_caps(device, &options, &caps, &error);
    if (r < 0 && !doctor->state) {
        platectl_doctor_say(doctor, DOCTOR_WRONG, "camera", "%s: %s", error.message,
                            r == -ENOENT   ? "plug it in, or correct [camera] source"
                            : r == -EACCES ? "the user needs the group video"
                                           : "see whether another program has it, or try another");
        return false;
    }
    if (r == 0)
        platectl_doctor_say(doctor, DOCTOR_OK, "camera", "%s gives %s", device, caps);
    check_name(doctor, device);
    return true;
}

/* ---- a frame ------------------------------------------------------------- */

static int frame_of_service(Doctor *doctor, LprFrame **ret_frame, NnError *error)
{
    g_autoptr(JsonNode) head = NULL;
    g_autoptr(GBytes) jpeg = NULL;
    g_autofree char *path = NULL;
    gsize n;
    const void *bytes;
    int fd, r;

    r = platectl_ask(doctor->config, "snapshot", &head, &jpeg, error);
    if (r < 0)
        return r;
    fd = g_file_open_tmp("plated-doctor-XXXXXX.jpg", &path, NULL);
    if (fd < 0)
        return nn_error_set(error, -EIO, "no temporary file");
    bytes = g_bytes_get_data(jpeg, &n);
    r = write(fd, bytes, n) == (ssize_t)n ? 0 : -EIO;
    close(fd);
    if (r == 0)
        r = lpr_picture_load(path, ret_frame, error);
    else
        nn_error_set(error, r, "%s cannot be written", path);
    g_unlink(path);
    return r;
}

/* What a source of our own has given so far. */
typedef struct Taken {
    GMutex lock;
    GCond changed;
    LprFrame *frame;
    unsigned n;
    int64_t first_us, last_us;
    char *failure;
} Taken;

static void take_frame(void *userdata, LprFrame *frame)
{
    Taken *taken = userdata;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&taken->lock);

    lpr_frame_unref(taken->frame);
    taken->frame = lpr_frame_ref(frame);
    taken->last_us = g_get_monotonic_time();
    if (taken->n++ == 0)
        taken->first_us = taken->last_us;
    g_cond_signal(&taken->changed);
}

static void take_state(void *userdata, LprSourceState state, const char *sentence)
{
    Taken *taken = userdata;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&taken->lock);

    if (state != LPR_SOURCE_LOST && state != LPR_SOURCE_FAILED && state != LPR_SOURCE_ENDED)
        return;
    g_free(taken->failure);
    taken->failure = g_strdup(sentence);
    g_cond_signal(&taken->changed);
}

static void wait_frames(Taken *taken)
{
    int64_t until = g_get_monotonic_time() + FIRST_FRAME_US;

    g_mutex_lock(&taken->lock);
    while (!taken->failure && taken->n == 0 &&
           g_cond_wait_until(&taken->changed, &taken->lock, until))
        ;
    until = g_get_monotonic_time() + MEASURE_US;
    while (!taken->failure && taken->n > 0 &&
           g_cond_wait_until(&taken->changed, &taken->lock, until) &&
           g_get_monotonic_time() < until)
        ;
    g_mutex_unlock(&taken->lock);
}

/* Returns the rate, 0 when it is not to be told. */
static double frames_from_here(Doctor *doctor, LprFrame **ret_frame, NnError *error)
{
    const PlatedConfig *config = doctor->config;
    LprSourceOptions options = {
        .width_px = config->camera.width_px,
        .height_px = config->camera.height_px,
        .fps = config->camera.fps,
        .realtime = true,
        .silence_us = FIRST_FRAME_US,
    };
    Taken taken = {0};
    LprSource *source = NULL;
    double hz = 0;

    g_mutex_init(&taken.lock);
    g_cond_init(&taken.changed);
    if (lpr_source_new(config->camera.source, &options, take_frame, take_state, &taken, &source,
                       error) == 0 &&
        lpr_source_start(source, error) == 0) {
        wait_frames(&taken);
        lpr_source_stop(source);
        if (!taken.frame)
            nn_error_set(error, -EIO, "%s", taken.failure ? taken.failure : "it gives no picture");
    }
    lpr_source_free(source);
    if (taken.n > 1 && taken.last_us > taken.first_us)
        hz = (taken.n - 1) * 1e6 / (double)(taken.last_us - taken.first_us);
    *ret_frame = taken.frame;
    g_free(taken.failure);
    g_mutex_clear(&taken.lock);
    g_cond_clear(&taken.changed);
    return hz;
}

static void judge_rate(Doctor *doctor, double hz, bool of_service)
{
    if (hz <= 0)
        return;
    if (hz < SLOW_HZ && !of_service)
        platectl_doctor_say(
            doctor, DOCTOR_ADVICE, "camera",
            "%.1f frames a second: a dark picture or a slow bus makes a camera slow; "
            "more light or a smaller size helps",
            hz);
    else
        platectl_doctor_say(doctor, DOCTOR_OK, "camera", "%.1f frames a second%s", hz,
                            of_service ? " are looked at" : "");
}

static void judge_picture(Doctor *doctor, const LprFrame *frame)
{
    LprQuality q;

    if (lpr_picture_quality(frame, &q) < 0)
        return;
    if (q.brightness < DARK_MEAN)
        platectl_doctor_say(
            doctor, DOCTOR_ADVICE, "light",
            "too dark (brightness %.0f of 255): a lamp or an infrared camera helps, "
            "a longer exposure smears plates",
            q.brightness);
    else if (q.bright > CLIPPED)
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "light",
                            "%.0f %% of the picture are white: shorten the exposure, or turn the "
                            "camera away from sky and lamps",
                            100 * q.bright);
    else
        platectl_doctor_say(doctor, DOCTOR_OK, "light", "brightness %.0f of 255, %.1f %% white",
                            q.brightness, 100 * q.bright);
    if (q.sharpness >= BLURRED)
        platectl_doctor_say(doctor, DOCTOR_OK, "focus", "sharpness %.0f", q.sharpness);
    else if (q.brightness < DARK_MEAN)
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "focus", "too dark to be judged");
    else
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "focus",
                            "the picture is not sharp (%.0f, good ones have %.0f and more): focus "
                            "where plates stand, and clean the lens",
                            q.sharpness, 2 * BLURRED);
}

void platectl_doctor_camera(Doctor *doctor)
{
    LprFrame *frame = NULL;
    NnError error = {0};
    double hz = 0;

    if (!check_device(doctor))
        return;
    if (doctor->state) {
        if (frame_of_service(doctor, &frame, &error) == 0)
            hz = json_object_get_double_member_with_default(doctor->state, "fps", 0);
    } else {
        hz = frames_from_here(doctor, &frame, &error);
    }
    if (!frame) {
        platectl_doctor_say(doctor, DOCTOR_WRONG, "camera",
                            "%s: look at its cable and at [camera] source", error.message);
        return;
    }
    platectl_doctor_say(doctor, DOCTOR_OK, "camera", "pictures of %d × %d", lpr_frame_width(frame),
                        lpr_frame_height(frame));
    judge_rate(doctor, hz, doctor->state != NULL);
    judge_picture(doctor, frame);
    lpr_frame_unref(frame);
}
