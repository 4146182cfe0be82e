/* SPDX-License-Identifier: Apache-2.0 */
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/util.h"
#include "frame.h"
#include "jpeg.h"
#include "source.h"

/* Without a wish: as large as the networks profit from. */
#define CAMERA_WIDTH       1280
#define CAMERA_HEIGHT      720
#define CAMERA_HZ          30
#define RTSP_TIMEOUT_US    5000000
#define PICTURE_TIMEOUT_NS (20 * GST_SECOND)
#define BUS_WAIT_NS        (500 * GST_MSECOND)
/* A capture time further off than this is a broken time stamp. */
#define AGE_MAX_US 5000000

/* What every source ends in. The sizes bound what a hostile file may allocate. */
#define LIMITS "width=(int)[1,8192],height=(int)[1,8192]"
#define TAIL   " ! videoconvert ! videoflip name=turn video-direction=auto ! appsink name=sink"
#define NEWEST " ! queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0"
#define DECODE " ! decodebin caps=\"video/x-raw(ANY)\" expose-all-streams=false"

static void object_unrefp(void *p)
{
    if (*(gpointer *)p)
        gst_object_unref(*(gpointer *)p);
}

static void caps_unrefp(GstCaps **caps)
{
    if (*caps)
        gst_caps_unref(*caps);
}

static void sample_unrefp(GstSample **sample)
{
    if (*sample)
        gst_sample_unref(*sample);
}

static void pipeline_endp(GstElement **pipeline)
{
    if (*pipeline) {
        gst_element_set_state(*pipeline, GST_STATE_NULL);
        gst_object_unref(*pipeline);
    }
}

/* May be called any number of times, from any thread. */
static int gstreamer_init(NnError *error)
{
    GError *e = NULL;
    if (gst_init_check(NULL, NULL, &e))
        return 0;
    (void)nn_error_set(error, -ENOTSUP, "GStreamer does not start: %s", e ? e->message : "unknown");
    g_clear_error(&e);
    return -ENOTSUP;
}

static int parse(const char *description, GstElement **ret_pipeline, NnError *error)
{
    GError *e = NULL;
    GstElement *pipeline =
        gst_parse_launch_full(description, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &e);
    if (!pipeline || e) {
        int code = g_error_matches(e, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT) ? -ENOTSUP
                                                                                        : -EINVAL;
        (void)nn_error_set(error, code, "GStreamer: %s", e ? e->message : "no pipeline");
        g_clear_error(&e);
        if (pipeline)
            gst_object_unref(pipeline);
        return code;
    }
    *ret_pipeline = pipeline;
    return 0;
}

/* ---- pixels -------------------------------------------------------------- */

/* To 0…255 from the 16…235 or 16…240 of video (ITU-R BT.601, 2.5.3). */
static void expand_row(uint8_t *restrict to, const uint8_t *restrict from, int n, int centre,
                       int offset, int range)
{
    int factor = (255 << 16) / range;
    for (int i = 0; i < n; i++) {
        int value = (((int)from[i] - offset) * factor + (centre << 16) + (1 << 15)) >> 16;
        to[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static void copy_planes(const GstVideoFrame *from, const LprPlanes *to, bool full)
{
    for (int c = 0; c < 3; c++) {
        const uint8_t *bytes = GST_VIDEO_FRAME_COMP_DATA(from, c);
        int stride = GST_VIDEO_FRAME_COMP_STRIDE(from, c);
        int width = GST_VIDEO_FRAME_COMP_WIDTH(from, c);
        for (int row = 0; row < GST_VIDEO_FRAME_COMP_HEIGHT(from, c); row++) {
            uint8_t *out = to->plane[c] + (size_t)row * (size_t)to->stride[c];
            const uint8_t *in = bytes + (size_t)row * (size_t)stride;
            if (full)
                memcpy(out, in, (size_t)width);
            else if (c == 0)
                expand_row(out, in, width, 0, 16, 219);
            else
                expand_row(out, in, width, 128, 128, 224);
        }
    }
}

static int frame_from_sample(GstSample *sample, int64_t time_us, int64_t realtime_us,
                             uint64_t sequence, LprFrame **ret_frame)
{
    GstVideoInfo info;
    GstVideoFrame mapped;
    GstCaps *caps = gst_sample_get_caps(sample);
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    if (!caps || !buffer || !gst_video_info_from_caps(&info, caps) ||
        GST_VIDEO_INFO_FORMAT(&info) != GST_VIDEO_FORMAT_I420 ||
        !gst_video_frame_map(&mapped, &info, buffer, GST_MAP_READ))
        return -EBADMSG;
    LprPlanes planes;
    int r = lpr_frame_alloc(info.width, info.height, false, time_us, realtime_us, sequence,
                            ret_frame, &planes);
    if (r >= 0)
        copy_planes(&mapped, &planes, info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255);
    gst_video_frame_unmap(&mapped);
    return r;
}

/* ---- which format to ask a camera for ------------------------------------ */

typedef struct Format {
    int width, height;
    int rate_n, rate_d;
    bool raw;
    guint index; /* of the structure in the caps */
} Format;

static double format_hz(const Format *format)
{
    return (double)format->rate_n / format->rate_d;
}

/* The nearest to `wish` that a fixed number, list or range of integers holds. */
static int value_nearest(const GValue *value, int wish)
{
    if (!value)
        return 0;
    if (G_VALUE_HOLDS_INT(value))
        return g_value_get_int(value);
    if (GST_VALUE_HOLDS_INT_RANGE(value))
        return CLAMP(wish, gst_value_get_int_range_min(value), gst_value_get_int_range_max(value));
    int best = 0;
    for (guint i = 0; GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++) {
        int candidate = value_nearest(gst_value_list_get_value(value, i), wish);
        if (!best || abs(candidate - wish) < abs(best - wish))
            best = candidate;
    }
    return best;
}

/* The slowest rate that is fast enough, or else the fastest. */
static void take_rate(Format *format, int n, int d, double wish_hz)
{
    double hz = (double)n / d, old = format_hz(format);
    if (old >= wish_hz ? hz >= wish_hz && hz < old : hz > old) {
        format->rate_n = n;
        format->rate_d = d;
    }
}

static void take_rates(Format *format, const GValue *value, double wish_hz)
{
    if (!value)
        return;
    if (GST_VALUE_HOLDS_FRACTION(value)) {
        take_rate(format, gst_value_get_fraction_numerator(value),
                  gst_value_get_fraction_denominator(value), wish_hz);
    } else if (GST_VALUE_HOLDS_FRACTION_RANGE(value)) {
        const GValue *max = gst_value_get_fraction_range_max(value);
        const GValue *min = gst_value_get_fraction_range_min(value);
        int n, d;
        gst_util_double_to_fraction(wish_hz, &n, &d);
        Format ends = *format;
        take_rates(&ends, min, wish_hz);
        take_rates(&ends, max, wish_hz);
        double low =
            gst_value_get_fraction_numerator(min) / (double)gst_value_get_fraction_denominator(min);
        double high =
            gst_value_get_fraction_numerator(max) / (double)gst_value_get_fraction_denominator(max);
        *format = ends;
        if (low <= wish_hz && wish_hz <= high)
            take_rate(format, n, d, wish_hz);
    }
    for (guint i = 0; GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++)
        take_rates(format, gst_value_list_get_value(value, i), wish_hz);
}

/* Higher is better: the asked size, or the largest within the default. */
static double size_rank(const Format *format, const LprSourceOptions *options)
{
    double area = (double)format->width * format->height;
    if (options->width_px > 0 && options->height_px > 0) {
        double off =
            abs(format->width - options->width_px) + abs(format->height - options->height_px);
        return -off;
    }
    bool fits = format->width <= CAMERA_WIDTH && format->height <= CAMERA_HEIGHT;
    return fits ? area : -area;
}

static bool format_better(const Format *a, const Format *b, const LprSourceOptions *options)
{
    if (!b->width)
        return true;
    double rank_a = size_rank(a, options), rank_b = size_rank(b, options);
    if (rank_a != rank_b)
        return rank_a > rank_b;
    double wish = options->fps > 0 ? options->fps : CAMERA_HZ;
    double reach_a = MIN(format_hz(a), wish), reach_b = MIN(format_hz(b), wish);
    if (reach_a != reach_b)
        return reach_a > reach_b;
    return a->raw && !b->raw;
}

static Format choose_format(const GstCaps *caps, const LprSourceOptions *options)
{
    bool asked = options->width_px > 0 && options->height_px > 0;
    double wish_hz = options->fps > 0 ? options->fps : CAMERA_HZ;
    Format best = {0};
    for (guint i = 0; i < gst_caps_get_size(caps); i++) {
        const GstStructure *s = gst_caps_get_structure(caps, i);
        Format format = {.rate_d = 1, .index = i};
        format.raw = gst_structure_has_name(s, "video/x-raw");
        if (!format.raw && !gst_structure_has_name(s, "image/jpeg"))
            continue;
        format.width = value_nearest(gst_structure_get_value(s, "width"),
                                     asked ? options->width_px : CAMERA_WIDTH);
        format.height = value_nearest(gst_structure_get_value(s, "height"),
                                      asked ? options->height_px : CAMERA_HEIGHT);
        take_rates(&format, gst_structure_get_value(s, "framerate"), wish_hz);
        if (format.width > 0 && format.height > 0 && format_better(&format, &best, options))
            best = format;
    }
    return best;
}

int lpr_camera_choose(const char *offered, const LprSourceOptions *options, char **ret_caps)
{
    NnError error;
    if (gstreamer_init(&error) < 0)
        return -ENOTSUP;
    _cleanup_(caps_unrefp) GstCaps *caps = gst_caps_from_string(offered);
    if (!caps)
        return -EINVAL;
    Format format = choose_format(caps, options);
    if (!format.width)
        return -ENOTSUP;
    _cleanup_(caps_unrefp) GstCaps *chosen = gst_caps_copy_nth(caps, format.index);
    gst_caps_set_features(chosen, 0, NULL);
    gst_caps_set_simple(chosen, "width", G_TYPE_INT, format.width, "height", G_TYPE_INT,
                        format.height, NULL);
    if (format.rate_n)
        gst_caps_set_simple(chosen, "framerate", GST_TYPE_FRACTION, format.rate_n, format.rate_d,
                            NULL);
    gchar *text = gst_caps_to_string(chosen);
    char *copy = strdup(text);
    g_free(text);
    if (!copy)
        return -ENOMEM;
    *ret_caps = copy;
    return 0;
}

/* ---- pipelines ----------------------------------------------------------- */

/* A run of a source from opening to its end or loss. */
typedef struct Stream {
    LprSource *source;
    GstElement *pipeline;
    GstBus *bus;
    bool live;               /* what GStreamer says of a gst: pipeline */
    _Atomic int64_t last_us; /* when the newest frame came */
    _Atomic int64_t same_us; /* for how long frames have been the same */
    bool frozen;             /* given up for that */
    /* Of the streaming thread. */
    bool playing;
    bool told;          /* that it is playing */
    uint64_t hash;      /* of the newest frame */
    int64_t changed_us; /* when the first with this hash came */
    int64_t origin_us;  /* monotonic time of running time 0 of a clip */
    int64_t due_us;     /* when the next frame is wanted */
} Stream;

int lpr_camera_caps(const char *device, const LprSourceOptions *options, char **ret_caps,
                    NnError *error)
{
    int initialised = gstreamer_init(error);
    if (initialised < 0)
        return initialised;
    _cleanup_(pipeline_endp) GstElement *camera = gst_element_factory_make("v4l2src", NULL);
    if (!camera)
        return nn_error_set(error, -ENOTSUP,
                            "GStreamer has no v4l2src; install "
                            "gstreamer1.0-plugins-good");
    gst_object_ref_sink(camera);
    g_object_set(camera, "device", device, NULL);
    if (access(device, R_OK | W_OK) < 0)
        return nn_error_set(error, -errno, "the camera %s cannot be opened: %s", device,
                            strerror(errno));
    if (gst_element_set_state(camera, GST_STATE_READY) == GST_STATE_CHANGE_FAILURE)
        return nn_error_set(error, -ENODEV, "%s is not a camera or is in use", device);
    _cleanup_(object_unrefp) GstPad *pad = gst_element_get_static_pad(camera, "src");
    _cleanup_(caps_unrefp) GstCaps *caps = gst_pad_query_caps(pad, NULL);
    gchar *offered = gst_caps_to_string(caps);
    int r = lpr_camera_choose(offered, options, ret_caps);
    g_free(offered);
    if (r < 0)
        return nn_error_set(error, r, "the camera %s offers neither raw video nor MJPEG", device);
    return 0;
}

static int describe_camera(const LprSource *source, char **ret_description, NnError *error)
{
    _cleanup_free_ char *caps = NULL;
    int r = lpr_camera_caps(source->rest, &source->options, &caps, error);
    if (r < 0)
        return r;
    bool jpeg = !strncmp(caps, "image/jpeg", 10);
    if (asprintf(ret_description, "v4l2src name=src ! capsfilter caps=\"%s\"" NEWEST "%s" TAIL,
                 caps, jpeg ? " ! jpegdec" : "") < 0)
        return nn_error_set(error, -ENOMEM, "out of memory");
    return 0;
}

/* The size of test pictures, or scaling to what was asked for. */
static void describe_size(const LprSource *source, char *text, size_t n_bytes)
{
    const LprSourceOptions *o = &source->options;
    bool asked = o->width_px > 0 && o->height_px > 0;
    text[0] = '\0';
    if (source->kind == LPR_URI_TEST)
        snprintf(text, n_bytes, " ! video/x-raw,width=%d,height=%d,framerate=%d/1",
                 asked ? o->width_px : CAMERA_WIDTH, asked ? o->height_px : CAMERA_HEIGHT,
                 o->fps >= 1 ? (int)o->fps : CAMERA_HZ);
    else if (asked)
        snprintf(text, n_bytes,
                 " ! videoconvert ! videoscale add-borders=true ! "
                 "video/x-raw,width=%d,height=%d,pixel-aspect-ratio=1/1",
                 o->width_px, o->height_px);
}

static int describe(const LprSource *source, char **ret_description, NnError *error)
{
    char size[192];
    const char *head = "", *middle = "";
    describe_size(source, size, sizeof(size));
    switch (source->kind) {
    case LPR_URI_V4L2:
        return describe_camera(source, ret_description, error);
    case LPR_URI_RTSP:
        head = "rtspsrc name=src latency=0 protocols=tcp ! application/x-rtp,media=video";
        middle = DECODE NEWEST;
        break;
    case LPR_URI_FILE:
        head = "filesrc name=src";
        middle = DECODE;
        break;
    case LPR_URI_TEST:
        head = "videotestsrc is-live=true";
        break;
    case LPR_URI_GST:
        head = source->rest;
        middle = NEWEST;
        break;
    case LPR_URI_IMAGES:
        return -EINVAL;
    }
    if (asprintf(ret_description, "%s%s%s" TAIL, head, middle, size) < 0)
        return nn_error_set(error, -ENOMEM, "out of memory");
    return 0;
}

static void set_source(const LprSource *source, GstElement *pipeline)
{
    _cleanup_(object_unrefp) GstElement *src = gst_bin_get_by_name(GST_BIN(pipeline), "src");
    if (!src)
        return;
    if (source->kind == LPR_URI_V4L2)
        g_object_set(src, "device", source->rest, NULL);
    else if (source->kind == LPR_URI_RTSP)
        g_object_set(src, "location", source->rest, "tcp-timeout", (guint64)RTSP_TIMEOUT_US, NULL);
    else if (source->kind == LPR_URI_FILE)
        g_object_set(src, "location", source->rest, NULL);
}

int lpr_stream_check(LprSource *source, NnError *error)
{
    int r = gstreamer_init(error);
    if (r < 0 || source->kind == LPR_URI_IMAGES || source->kind == LPR_URI_V4L2)
        return r;
    _cleanup_free_ char *description = NULL;
    _cleanup_(pipeline_endp) GstElement *pipeline = NULL;
    r = describe(source, &description, error);
    if (r < 0)
        return r;
    r = parse(description, &pipeline, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", source->shown);
    return 0;
}

/* ---- frames -------------------------------------------------------------- */

/* When the picture was taken, on the monotonic clock: now less its age. */
static int64_t live_time_us(Stream *stream, GstClockTime running)
{
    int64_t now_us = lpr_clock_us();
    GstClock *clock = gst_element_get_clock(stream->pipeline);
    if (!clock)
        return now_us;
    GstClockTime now = gst_clock_get_time(clock);
    GstClockTime base = gst_element_get_base_time(stream->pipeline);
    gst_object_unref(clock);
    if (!GST_CLOCK_TIME_IS_VALID(running) || !GST_CLOCK_TIME_IS_VALID(now))
        return now_us;
    int64_t age_us = ((int64_t)now - (int64_t)base - (int64_t)running) / 1000;
    return age_us < 0 || age_us > AGE_MAX_US ? now_us : now_us - age_us;
}

/* A clip that does not run at its own pace keeps its own time nevertheless. */
static int64_t clip_time_us(Stream *stream, GstClockTime running)
{
    LprSource *source = stream->source;
    int64_t at_us = GST_CLOCK_TIME_IS_VALID(running) ? (int64_t)(running / 1000) : 0;
    if (!stream->playing) {
        int64_t start_us = lpr_clock_us();
        if (!source->options.realtime && source->last_time_us)
            start_us = source->last_time_us + 1000000 / CAMERA_HZ;
        stream->origin_us = start_us - at_us;
    }
    return stream->origin_us + at_us;
}

/* Whether the frame is one of the `fps` wanted; a little early is not too early. */
static bool is_due(Stream *stream, int64_t time_us)
{
    double fps = stream->source->options.fps;
    if (fps <= 0)
        return true;
    int64_t period_us = (int64_t)(1e6 / fps);
    if (stream->due_us && time_us < stream->due_us - period_us / 8)
        return false;
    int64_t next_us = stream->due_us + period_us;
    stream->due_us = next_us > time_us ? next_us : time_us + period_us;
    return true;
}

/* The test picture is always the same. */
static bool may_freeze(const LprSource *source)
{
    return source->options.frozen_us > 0 && lpr_source_is_live(source) &&
           source->kind != LPR_URI_TEST;
}

/* A camera that hangs may give its last picture for ever; it is not back until it gives
 * another one. */
static void watch_change(Stream *stream, const LprFrame *frame)
{
    LprSource *source = stream->source;
    uint64_t hash = may_freeze(source) ? lpr_frame_hash(frame) : stream->hash + 1;
    if (hash != stream->hash)
        stream->changed_us = lpr_clock_us();
    stream->hash = hash;
    atomic_store(&stream->same_us, lpr_clock_us() - stream->changed_us);
    if (stream->told || hash == source->frozen_hash)
        return;
    source->frozen_hash = 0;
    stream->told = true;
    lpr_source_tell(source, LPR_SOURCE_PLAYING, "%s gives pictures", source->shown);
}

static void take_sample(Stream *stream, GstSample *sample)
{
    LprSource *source = stream->source;
    GstClockTime running =
        gst_segment_to_running_time(gst_sample_get_segment(sample), GST_FORMAT_TIME,
                                    GST_BUFFER_PTS(gst_sample_get_buffer(sample)));
    int64_t time_us =
        lpr_source_is_live(source) ? live_time_us(stream, running) : clip_time_us(stream, running);
    if (time_us <= source->last_time_us)
        time_us = source->last_time_us + 1;
    atomic_store(&stream->last_us, lpr_clock_us());
    stream->playing = true;
    if (!is_due(stream, time_us))
        return;
    _cleanup_(lpr_frame_unrefp) LprFrame *frame = NULL;
    int64_t realtime_us = lpr_realtime_us() + time_us - lpr_clock_us();
    if (frame_from_sample(sample, time_us, realtime_us, source->sequence, &frame) < 0)
        return;
    watch_change(stream, frame);
    source->sequence++;
    source->last_time_us = time_us;
    source->frame(source->userdata, frame);
}

static GstFlowReturn new_sample(GstAppSink *sink, gpointer userdata)
{
    _cleanup_(sample_unrefp) GstSample *sample = gst_app_sink_pull_sample(sink);
    if (!sample)
        return GST_FLOW_EOS;
    take_sample(userdata, sample);
    return GST_FLOW_OK;
}

static void set_sink(GstElement *pipeline, Stream *stream, bool sync, const char *caps_text)
{
    _cleanup_(object_unrefp) GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    _cleanup_(caps_unrefp) GstCaps *caps = gst_caps_from_string(caps_text);
    g_object_set(sink, "caps", caps, "sync", (gboolean)sync, "max-buffers", 2, "qos", FALSE, NULL);
    if (!stream)
        return;
    GstAppSinkCallbacks callbacks = {.new_sample = new_sample};
    gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, stream, NULL);
}

/* ---- a run --------------------------------------------------------------- */

typedef enum Outcome {
    OUTCOME_STOPPED,
    OUTCOME_ENDED,
    OUTCOME_BROKEN,
} Outcome;

static void wake_bus(void *bus)
{
    gst_bus_post(bus, gst_message_new_application(NULL, gst_structure_new_empty("stop")));
}

static int stream_open(Stream *stream, NnError *error)
{
    LprSource *source = stream->source;
    _cleanup_free_ char *description = NULL;
    _cleanup_(pipeline_endp) GstElement *pipeline = NULL;
    if (source->kind == LPR_URI_FILE && access(source->rest, R_OK) < 0)
        return nn_error_set(error, -errno, "%s cannot be read: %s", source->rest, strerror(errno));
    int r = describe(source, &description, error);
    if (r < 0)
        return r;
    r = parse(description, &pipeline, error);
    if (r < 0)
        return r;
    set_source(source, pipeline);
    bool clip = source->kind == LPR_URI_FILE;
    set_sink(pipeline, stream, clip && source->options.realtime, "video/x-raw,format=I420," LIMITS);
    stream->bus = gst_element_get_bus(pipeline);
    stream->pipeline = NN_TAKE(pipeline);
    lpr_source_set_wake(source, wake_bus, stream->bus);
    return 0;
}

static void stream_close(Stream *stream)
{
    lpr_source_set_wake(stream->source, NULL, NULL);
    pipeline_endp(&stream->pipeline);
    object_unrefp(&stream->bus);
    stream->pipeline = NULL;
    stream->bus = NULL;
}

/* The last line of the debug text is the reason ("Failed to connect."), unless it
 * quotes an address, which may hold a password. */
static void describe_error(GstMessage *message, const char *what, NnError *error)
{
    GError *e = NULL;
    gchar *debug = NULL;
    gst_message_parse_error(message, &e, &debug);
    const char *newline = debug ? strrchr(debug, '\n') : NULL;
    const char *reason = newline && newline[1] && !strstr(newline, "://") ? newline + 1 : NULL;
    (void)nn_error_set(error, -EIO, reason ? "%s: %s %s" : "%s: %s", what,
                       e ? e->message : "unknown error", reason);
    g_clear_error(&e);
    g_free(debug);
}

/* Whether a camera gives nothing any more, or nothing new. */
static bool is_silent(Stream *stream, NnError *error)
{
    LprSource *source = stream->source;
    int64_t silent_us = lpr_clock_us() - atomic_load(&stream->last_us);
    int64_t same_us = atomic_load(&stream->same_us);
    if (!lpr_source_is_live(source))
        return false;
    if (silent_us > source->options.silence_us) {
        (void)nn_error_set(error, -ETIMEDOUT, "%s gave no picture for %.0f s", source->shown,
                           (double)silent_us / 1e6);
        return true;
    }
    if (!may_freeze(source) || same_us <= source->options.frozen_us)
        return false;
    stream->frozen = true;
    (void)nn_error_set(error, -ETIMEDOUT, "%s gave the same picture for %.0f s", source->shown,
                       (double)same_us / 1e6);
    return true;
}

static Outcome wait_end(Stream *stream, NnError *error)
{
    LprSource *source = stream->source;
    for (;;) {
        lpr_source_come_round(source);
        GstMessage *message = gst_bus_timed_pop_filtered(stream->bus, BUS_WAIT_NS,
                                                         GST_MESSAGE_ERROR | GST_MESSAGE_EOS |
                                                             GST_MESSAGE_APPLICATION);
        GstMessageType type = message ? GST_MESSAGE_TYPE(message) : GST_MESSAGE_UNKNOWN;
        if (type == GST_MESSAGE_ERROR)
            describe_error(message, source->shown, error);
        if (message)
            gst_message_unref(message);
        if (lpr_source_stopping(source))
            return OUTCOME_STOPPED;
        if (type == GST_MESSAGE_ERROR)
            return OUTCOME_BROKEN;
        if (type == GST_MESSAGE_EOS)
            return OUTCOME_ENDED;
        if (is_silent(stream, error))
            return OUTCOME_BROKEN;
    }
}

static Outcome stream_play(Stream *stream, NnError *error)
{
    atomic_store(&stream->last_us, lpr_clock_us());
    GstStateChangeReturn change = gst_element_set_state(stream->pipeline, GST_STATE_PAUSED);
    stream->live = change == GST_STATE_CHANGE_NO_PREROLL;
    /* A failure here leaves its reason on the bus. */
    if (change != GST_STATE_CHANGE_FAILURE)
        gst_element_set_state(stream->pipeline, GST_STATE_PLAYING);
    return wait_end(stream, error);
}

/* False when the run was the last one. */
static bool judge(Stream *stream, Outcome outcome, const NnError *error)
{
    LprSource *source = stream->source;
    bool camera = lpr_source_is_live(source);
    if (outcome == OUTCOME_STOPPED)
        return false;
    if (outcome == OUTCOME_ENDED && (source->kind == LPR_URI_GST && !stream->live))
        camera = false;
    if (camera) {
        if (outcome == OUTCOME_ENDED)
            lpr_source_tell(source, LPR_SOURCE_LOST, "%s stopped giving pictures", source->shown);
        else
            lpr_source_tell(source, LPR_SOURCE_LOST, "%s", error->message);
        return true;
    }
    if (outcome == OUTCOME_BROKEN) {
        lpr_source_tell(source, LPR_SOURCE_FAILED, "%s", error->message);
        return false;
    }
    if (!stream->playing) {
        lpr_source_tell(source, LPR_SOURCE_FAILED, "%s holds no picture", source->shown);
        return false;
    }
    if (source->options.loop)
        return true;
    lpr_source_tell(source, LPR_SOURCE_ENDED, "%s is over", source->shown);
    return false;
}

void lpr_stream_run(LprSource *source)
{
    unsigned attempt = 0;
    lpr_source_tell(source, LPR_SOURCE_STARTING, "opening %s", source->shown);
    for (;;) {
        Stream stream = {.source = source};
        NnError error = {0};
        Outcome outcome = OUTCOME_BROKEN;
        lpr_source_come_round(source);
        if (stream_open(&stream, &error) >= 0) {
            outcome = stream_play(&stream, &error);
            stream_close(&stream);
        }
        if (stream.frozen)
            source->frozen_hash = stream.hash;
        if (!judge(&stream, outcome, &error))
            return;
        if (stream.told)
            attempt = 0;
        if (lpr_source_is_live(source) &&
            lpr_source_sleep(source, (int64_t)lpr_backoff_s(attempt++) * 1000000))
            return;
        if (lpr_source_stopping(source))
            return;
    }
}

/* ---- pictures ------------------------------------------------------------ */

/* Only pictures are decoded: a play list under a picture's name must not make
 * GStreamer open what stands in it. */
static gboolean continue_with_pictures(GstElement *decoder, GstPad *pad, GstCaps *caps,
                                       gpointer userdata)
{
    const gchar *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    return g_str_has_prefix(name, "image/") || g_str_has_prefix(name, "video/x-raw");
}

static int picture_error(const char *path, const char *why, NnError *error)
{
    return nn_error_set(error, -EBADMSG, "%s: not a picture that can be decoded (%s)", path, why);
}

/* How the file must be turned to stand upright. */
static int check_file(const char *path, GstVideoOrientationMethod *ret_turn, NnError *error)
{
    static const GstVideoOrientationMethod turns[] = {
        GST_VIDEO_ORIENTATION_IDENTITY, GST_VIDEO_ORIENTATION_HORIZ, GST_VIDEO_ORIENTATION_180,
        GST_VIDEO_ORIENTATION_VERT,     GST_VIDEO_ORIENTATION_UL_LR, GST_VIDEO_ORIENTATION_90R,
        GST_VIDEO_ORIENTATION_UR_LL,    GST_VIDEO_ORIENTATION_90L,
    };
    GError *e = NULL;
    GMappedFile *file = g_mapped_file_new(path, FALSE, &e);
    if (!file) {
        int code = g_error_matches(e, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? -ENOENT : -EACCES;
        (void)nn_error_set(error, code, "%s: cannot be read: %s", path, e->message);
        g_clear_error(&e);
        return code;
    }
    LprJpeg jpeg = lpr_jpeg_look((const uint8_t *)g_mapped_file_get_contents(file),
                                 g_mapped_file_get_length(file));
    g_mapped_file_unref(file);
    if (jpeg.is_jpeg && !jpeg.whole)
        return picture_error(path, "the file is cut off", error);
    *ret_turn = jpeg.is_jpeg ? turns[jpeg.orientation - 1] : GST_VIDEO_ORIENTATION_AUTO;
    return 0;
}

/* Why the bus says that there is no picture. */
static int picture_message(const char *path, GstMessage *message, NnError *error)
{
    NnError why;
    if (!message)
        return picture_error(path, "decoding takes too long", error);
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR)
        return picture_error(path, "it holds no whole picture", error);
    GError *e = NULL;
    gst_message_parse_error(message, &e, NULL);
    bool decoder = g_error_matches(e, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
                   g_error_matches(e, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND);
    /* What GStreamer calls an internal error is that no element takes what another gives. */
    bool refused = g_error_matches(e, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
    snprintf(why.message, sizeof(why.message), "%.200s",
             refused ? "no still picture, over 8192×8192, or in colours without a decoder"
             : e     ? e->message
                     : "unknown error");
    g_clear_error(&e);
    int r = picture_error(path, why.message, error);
    return decoder ? -ENOTSUP : r;
}

static int picture_wait(const char *path, GstElement *pipeline, GstSample **ret_sample,
                        NnError *error)
{
    _cleanup_(object_unrefp) GstBus *bus = gst_element_get_bus(pipeline);
    _cleanup_(object_unrefp) GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    GstMessage *message = gst_bus_timed_pop_filtered(
        bus, PICTURE_TIMEOUT_NS, GST_MESSAGE_ERROR | GST_MESSAGE_EOS | GST_MESSAGE_ASYNC_DONE);
    GstSample *sample = NULL;
    if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ASYNC_DONE)
        sample = gst_app_sink_try_pull_preroll(GST_APP_SINK(sink), 0);
    int r = 0;
    if (sample)
        *ret_sample = sample;
    else
        r = picture_message(path, message, error);
    if (message)
        gst_message_unref(message);
    return r;
}

int lpr_picture_load(const char *path, LprFrame **ret_frame, NnError *error)
{
    _cleanup_(pipeline_endp) GstElement *pipeline = NULL;
    _cleanup_(sample_unrefp) GstSample *sample = NULL;
    GstVideoOrientationMethod turn;
    int r = check_file(path, &turn, error);
    if (r >= 0)
        r = gstreamer_init(error);
    if (r >= 0)
        r = parse("filesrc name=src ! decodebin name=decoder" TAIL, &pipeline, error);
    if (r < 0)
        return r;
    _cleanup_(object_unrefp) GstElement *src = gst_bin_get_by_name(GST_BIN(pipeline), "src");
    g_object_set(src, "location", path, NULL);
    _cleanup_(object_unrefp) GstElement *flip = gst_bin_get_by_name(GST_BIN(pipeline), "turn");
    g_object_set(flip, "video-direction", turn, NULL);
    _cleanup_(object_unrefp) GstElement *decoder =
        gst_bin_get_by_name(GST_BIN(pipeline), "decoder");
    g_signal_connect(decoder, "autoplug-continue", G_CALLBACK(continue_with_pictures), NULL);
    /* 1:4:0:0: BT.601 over the full range, what JPEG files are and networks learnt from. */
    set_sink(pipeline, NULL, false, "video/x-raw,format=I420,colorimetry=1:4:0:0," LIMITS);
    r = picture_wait(path, pipeline, &sample, error);
    if (r < 0)
        return r;
    r = frame_from_sample(sample, 0, 0, 0, ret_frame);
    if (r < 0)
        return nn_error_set(error, r, "%s: the decoded picture cannot be taken: %s", path,
                            strerror(-r));
    return 0;
}

/* What is to be encoded. The corner is even, because chroma has half the resolution. */
typedef struct Cut {
    int left, top, width, height;
} Cut;

static Cut cut_of(const LprFrame *frame, const LprBox *crop)
{
    Cut cut = {0, 0, lpr_frame_width(frame), lpr_frame_height(frame)};
    if (!crop)
        return cut;
    int right = CLAMP((int)(crop->x + crop->w + 0.5f), 1, cut.width);
    int bottom = CLAMP((int)(crop->y + crop->h + 0.5f), 1, cut.height);
    cut.left = CLAMP((int)crop->x, 0, right - 1) & ~1;
    cut.top = CLAMP((int)crop->y, 0, bottom - 1) & ~1;
    cut.width = right - cut.left;
    cut.height = bottom - cut.top;
    return cut;
}

/* Copies a part of a plane; the last column and row fill what is larger. */
static void pack_plane(const uint8_t *from, int from_stride, int width, int height,
                       GstVideoFrame *to, int component)
{
    uint8_t *bytes = GST_VIDEO_FRAME_COMP_DATA(to, component);
    int stride = GST_VIDEO_FRAME_COMP_STRIDE(to, component);
    for (int row = 0; row < GST_VIDEO_FRAME_COMP_HEIGHT(to, component); row++, bytes += stride) {
        const uint8_t *in = from + (ptrdiff_t)MIN(row, height - 1) * from_stride;
        memcpy(bytes, in, (size_t)width);
        memset(bytes + width, in[width - 1], (size_t)(stride - width));
    }
}

/* In whole blocks: what is missing in them jpegenc takes from the heap. */
static GstBuffer *pack(const LprFrame *frame, const Cut *cut, GstVideoInfo *info)
{
    int stride;
    bool grey = !lpr_frame_chroma(frame, 1, &stride);
    size_t block = grey ? 8 : 16;
    gst_video_info_set_format(info, grey ? GST_VIDEO_FORMAT_GRAY8 : GST_VIDEO_FORMAT_I420,
                              (guint)nn_align_up((size_t)cut->width, block),
                              (guint)nn_align_up((size_t)cut->height, block));
    gst_video_colorimetry_from_string(&info->colorimetry, "1:4:0:0");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, info->size, NULL);
    GstVideoFrame mapped;
    if (!buffer || !gst_video_frame_map(&mapped, info, buffer, GST_MAP_WRITE))
        return buffer;
    for (int c = 0; c < (grey ? 1 : 3); c++) {
        int half = c > 0;
        const uint8_t *from =
            half ? lpr_frame_chroma(frame, c, &stride) : lpr_frame_luma(frame, &stride);
        from += (ptrdiff_t)(cut->top >> half) * stride + (cut->left >> half);
        pack_plane(from, stride, (cut->width + half) >> half, (cut->height + half) >> half, &mapped,
                   c);
    }
    gst_video_frame_unmap(&mapped);
    return buffer;
}

static int encode(GstElement *pipeline, const LprFrame *frame, const Cut *cut, int quality,
                  GstSample **ret_sample, NnError *error)
{
    _cleanup_(object_unrefp) GstElement *src = gst_bin_get_by_name(GST_BIN(pipeline), "src");
    _cleanup_(object_unrefp) GstElement *jpeg = gst_bin_get_by_name(GST_BIN(pipeline), "jpeg");
    _cleanup_(object_unrefp) GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    GstVideoInfo info;
    GstBuffer *buffer = pack(frame, cut, &info);
    if (!buffer)
        return nn_error_set(error, -ENOMEM, "out of memory");
    _cleanup_(caps_unrefp) GstCaps *caps = gst_video_info_to_caps(&info);
    g_object_set(src, "caps", caps, "format", GST_FORMAT_TIME, NULL);
    g_object_set(jpeg, "quality", CLAMP(quality, 1, 100), NULL);
    GST_BUFFER_PTS(buffer) = 0;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    gst_app_src_push_buffer(GST_APP_SRC(src), buffer);
    gst_app_src_end_of_stream(GST_APP_SRC(src));
    *ret_sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), PICTURE_TIMEOUT_NS);
    return *ret_sample ? 0 : nn_error_set(error, -EIO, "GStreamer encoded no JPEG");
}

static int take_jpeg(GstSample *sample, const Cut *cut, uint8_t **ret_bytes, size_t *ret_n)
{
    GstMapInfo map;
    if (!gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ))
        return -EIO;
    _cleanup_free_ uint8_t *bytes = malloc(map.size);
    size_t n = map.size;
    if (bytes)
        memcpy(bytes, map.data, n);
    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
    if (!bytes)
        return -ENOMEM;
    if (!lpr_jpeg_set_size(bytes, n, cut->width, cut->height))
        return -EIO;
    *ret_bytes = NN_TAKE(bytes);
    *ret_n = n;
    return 0;
}

int lpr_picture_encode(const LprFrame *frame, const LprBox *crop, int quality, uint8_t **ret_bytes,
                       size_t *ret_n, NnError *error)
{
    _cleanup_(pipeline_endp) GstElement *pipeline = NULL;
    _cleanup_(sample_unrefp) GstSample *sample = NULL;
    Cut cut = cut_of(frame, crop);
    int r = gstreamer_init(error);
    if (r >= 0)
        r = parse("appsrc name=src ! jpegenc name=jpeg ! appsink name=sink sync=false", &pipeline,
                  error);
    if (r >= 0)
        r = encode(pipeline, frame, &cut, quality, &sample, error);
    if (r < 0)
        return r;
    r = take_jpeg(sample, &cut, ret_bytes, ret_n);
    if (r < 0)
        return nn_error_set(error, r, "the JPEG cannot be taken: %s", strerror(-r));
    return 0;
}
