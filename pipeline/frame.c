/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>

#include "engine/base/util.h"
#include "frame.h"

/* Rows start on cache lines. */
#define ALIGNMENT 64

struct LprFrame {
    atomic_uint refs;
    int width_px, height_px;
    int64_t time_us, realtime_us;
    uint64_t sequence;
    LprPlanes planes;
    uint8_t *pixels;
};

int lpr_frame_alloc(int width_px, int height_px, bool grey, int64_t time_us, int64_t realtime_us,
                    uint64_t sequence, LprFrame **ret_frame, LprPlanes *ret_planes)
{
    if (width_px < 1 || height_px < 1)
        return -EINVAL;
    if (width_px > LPR_FRAME_SIDE_MAX || height_px > LPR_FRAME_SIDE_MAX)
        return -E2BIG;
    size_t y_stride = nn_align_up((size_t)width_px, ALIGNMENT);
    size_t uv_stride = nn_align_up(((size_t)width_px + 1) / 2, ALIGNMENT);
    size_t y_bytes = y_stride * (size_t)height_px;
    size_t uv_bytes = grey ? 0 : uv_stride * (((size_t)height_px + 1) / 2);

    LprFrame *frame = calloc(1, sizeof(*frame));
    if (!frame)
        return -ENOMEM;
    frame->pixels = nn_aligned_alloc(y_bytes + 2 * uv_bytes);
    if (!frame->pixels) {
        free(frame);
        return -ENOMEM;
    }
    atomic_init(&frame->refs, 1);
    frame->width_px = width_px;
    frame->height_px = height_px;
    frame->time_us = time_us;
    frame->realtime_us = realtime_us;
    frame->sequence = sequence;
    frame->planes.plane[0] = frame->pixels;
    frame->planes.stride[0] = (int)y_stride;
    for (int i = 1; i < 3 && !grey; i++) {
        frame->planes.plane[i] = frame->pixels + y_bytes + (size_t)(i - 1) * uv_bytes;
        frame->planes.stride[i] = (int)uv_stride;
    }
    *ret_planes = frame->planes;
    *ret_frame = frame;
    return 0;
}

static void copy_plane(uint8_t *to, int to_stride, const uint8_t *from, int from_stride,
                       int width_px, int height_px)
{
    for (int row = 0; row < height_px; row++)
        memcpy(to + (size_t)row * (size_t)to_stride, from + (ptrdiff_t)row * from_stride,
               (size_t)width_px);
}

int lpr_frame_new(int width_px, int height_px, const uint8_t *y, int y_stride, const uint8_t *u,
                  const uint8_t *v, int uv_stride, int64_t time_us, int64_t realtime_us,
                  uint64_t sequence, LprFrame **ret_frame)
{
    LprPlanes planes;
    LprFrame *frame;
    bool grey = !u || !v;
    int r =
        lpr_frame_alloc(width_px, height_px, grey, time_us, realtime_us, sequence, &frame, &planes);
    if (r < 0)
        return r;
    copy_plane(planes.plane[0], planes.stride[0], y, y_stride, width_px, height_px);
    if (!grey) {
        int w = (width_px + 1) / 2, h = (height_px + 1) / 2;
        copy_plane(planes.plane[1], planes.stride[1], u, uv_stride, w, h);
        copy_plane(planes.plane[2], planes.stride[2], v, uv_stride, w, h);
    }
    *ret_frame = frame;
    return 0;
}

LprFrame *lpr_frame_ref(LprFrame *frame)
{
    atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
    return frame;
}

LprFrame *lpr_frame_unref(LprFrame *frame)
{
    if (frame && atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) == 1) {
        free(frame->pixels);
        free(frame);
    }
    return NULL;
}

int lpr_frame_width(const LprFrame *frame)
{
    return frame->width_px;
}

int lpr_frame_height(const LprFrame *frame)
{
    return frame->height_px;
}

int64_t lpr_frame_time_us(const LprFrame *frame)
{
    return frame->time_us;
}

int64_t lpr_frame_realtime_us(const LprFrame *frame)
{
    return frame->realtime_us;
}

uint64_t lpr_frame_sequence(const LprFrame *frame)
{
    return frame->sequence;
}

const uint8_t *lpr_frame_luma(const LprFrame *frame, int *ret_stride)
{
    *ret_stride = frame->planes.stride[0];
    return frame->planes.plane[0];
}

const uint8_t *lpr_frame_chroma(const LprFrame *frame, int plane, int *ret_stride)
{
    if (plane < 1 || plane > 2)
        return NULL;
    *ret_stride = frame->planes.stride[plane];
    return frame->planes.plane[plane];
}

/* FNV-1a over words instead of bytes. */
uint64_t lpr_frame_hash(const LprFrame *frame)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (int y = 0; y < frame->height_px; y += 8) {
        const uint8_t *row = frame->planes.plane[0] + (ptrdiff_t)y * frame->planes.stride[0];
        for (int x = 0; x + 8 <= frame->width_px; x += 8) {
            uint64_t word;
            memcpy(&word, row + x, sizeof(word));
            hash = (hash ^ word) * 0x100000001b3;
        }
    }
    return hash | 1;
}
