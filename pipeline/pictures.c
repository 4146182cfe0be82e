/* SPDX-License-Identifier: Apache-2.0 */
#include <glob.h>

#include "engine/base/util.h"
#include "frame.h"
#include "source.h"

/* Pictures carry no time of their own: so far apart when no rate is asked for. */
#define PERIOD_US 1000000

static int64_t period_us(const LprSource *source)
{
    return source->options.fps > 0 ? (int64_t)(1e6 / source->options.fps) : PERIOD_US;
}

/* A copy with times: frames are read-only once loaded. */
static int stamp(const LprFrame *picture, int64_t time_us, uint64_t sequence, LprFrame **ret_frame)
{
    int y_stride, uv_stride;
    const uint8_t *y = lpr_frame_luma(picture, &y_stride);
    const uint8_t *u = lpr_frame_chroma(picture, 1, &uv_stride);
    const uint8_t *v = lpr_frame_chroma(picture, 2, &uv_stride);
    int64_t realtime_us = lpr_realtime_us() + time_us - lpr_clock_us();
    return lpr_frame_new(lpr_frame_width(picture), lpr_frame_height(picture), y, y_stride, u, v,
                         uv_stride, time_us, realtime_us, sequence, ret_frame);
}

static void show_picture(LprSource *source, const char *path, int64_t time_us)
{
    NnError error;
    _cleanup_(lpr_frame_unrefp) LprFrame *picture = NULL, *frame = NULL;
    if (lpr_picture_load(path, &picture, &error) < 0) {
        lpr_source_tell(source, LPR_SOURCE_PLAYING, "%s", error.message);
        return;
    }
    if (stamp(picture, time_us, source->sequence, &frame) < 0) {
        lpr_source_tell(source, LPR_SOURCE_PLAYING, "%s: out of memory", path);
        return;
    }
    source->sequence++;
    source->frame(source->userdata, frame);
}

/* True when stopped. */
static bool show_all(LprSource *source, const glob_t *files)
{
    for (size_t i = 0; i < files->gl_pathc; i++) {
        int64_t due_us = source->last_time_us + period_us(source);
        if (source->options.realtime && lpr_source_sleep(source, due_us - lpr_clock_us()))
            return true;
        if (lpr_source_stopping(source))
            return true;
        show_picture(source, files->gl_pathv[i], due_us);
        source->last_time_us = due_us;
    }
    return false;
}

void lpr_pictures_run(LprSource *source)
{
    glob_t files = {0};
    lpr_source_tell(source, LPR_SOURCE_STARTING, "opening %s", source->shown);
    int r = glob(source->rest, GLOB_TILDE, NULL, &files);
    if (r != 0) {
        lpr_source_tell(source, LPR_SOURCE_FAILED, "no picture matches %s", source->rest);
        globfree(&files);
        return;
    }
    lpr_source_tell(source, LPR_SOURCE_PLAYING, "%zu pictures match %s", files.gl_pathc,
                    source->rest);
    source->last_time_us = lpr_clock_us() - period_us(source);
    bool stopped;
    do
        stopped = show_all(source, &files);
    while (!stopped && source->options.loop);
    globfree(&files);
    if (!stopped)
        lpr_source_tell(source, LPR_SOURCE_ENDED, "all pictures were shown");
}
