/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "engine/base/util.h"
#include "letterbox.h"

/* Weights of one axis: output i is the sum over tap k of weight[i·taps + k] ·
 * input[first[i] + k]. Every first + taps lies inside the input. */
typedef struct Axis {
    int n, taps;
    int *first;
    float *weight;
} Axis;

/* One plane on its way: bytes in, floats out at a place in the input tensor. */
typedef struct Plane {
    const uint8_t *bytes;
    int stride;
    int width, height; /* of the part that is cut out */
    float *out;
    int out_stride;
    float scale, offset;
} Plane;

void lpr_scratch_clear(LprScratch *scratch)
{
    free(scratch->memory);
    *scratch = (LprScratch){0};
}

static int scratch_reserve(LprScratch *scratch, size_t n_bytes)
{
    if (scratch->n_bytes >= n_bytes)
        return 0;
    void *memory = nn_aligned_alloc(n_bytes);
    if (!memory)
        return -ENOMEM;
    free(scratch->memory);
    *scratch = (LprScratch){memory, n_bytes};
    return 0;
}

static int axis_taps(int from, int to)
{
    int taps = from > to ? (int)ceilf((float)from / (float)to) + 1 : 2;
    return NN_MIN(taps, from);
}

/* Shrinking: the share of each input pixel that the output pixel covers.
 * Growing: linear between the two nearest centres. */
static void axis_weigh(Axis *axis, int from, int i)
{
    float ratio = (float)from / (float)axis->n;
    float *weight = axis->weight + (size_t)i * (size_t)axis->taps;
    float low, high;
    if (ratio > 1) {
        low = (float)i * ratio;
        high = low + ratio;
    } else {
        low = ((float)i + 0.5f) * ratio - 0.5f;
        high = low + 1;
        low = fmaxf(low, 0);
    }
    int first = NN_MAX(0, NN_MIN((int)floorf(low), from - axis->taps));
    float sum = 0;
    for (int k = 0; k < axis->taps; k++) {
        float pixel = (float)(first + k);
        float covered = ratio > 1 ? fminf(high, pixel + 1) - fmaxf(low, pixel)
                                  : 1 - fabsf(fminf(low, (float)(from - 1)) - pixel);
        weight[k] = fmaxf(0, covered);
        sum += weight[k];
    }
    for (int k = 0; k < axis->taps; k++)
        weight[k] /= sum;
    axis->first[i] = first;
}

static size_t axis_bytes(int from, int to)
{
    size_t taps = (size_t)axis_taps(from, to), n = (size_t)to;
    return nn_align_up(n * sizeof(int), 64) + nn_align_up(n * taps * sizeof(float), 64);
}

static uint8_t *axis_init(Axis *axis, int from, int to, uint8_t *memory)
{
    axis->n = to;
    axis->taps = axis_taps(from, to);
    axis->first = (int *)memory;
    axis->weight = (float *)(memory + nn_align_up((size_t)to * sizeof(int), 64));
    for (int i = 0; i < to; i++)
        axis_weigh(axis, from, i);
    return memory + axis_bytes(from, to);
}

/* The columns of one output row: taps · width multiply-adds, straight through
 * memory, which is why this direction comes first. */
static void sum_rows(const Plane *plane, const Axis *rows, int i, float *restrict sum)
{
    const float *weight = rows->weight + (size_t)i * (size_t)rows->taps;
    memset(sum, 0, (size_t)plane->width * sizeof(*sum));
    for (int k = 0; k < rows->taps; k++) {
        const uint8_t *restrict row =
            plane->bytes + (size_t)(rows->first[i] + k) * (size_t)plane->stride;
        float w = weight[k];
        if (w == 0)
            continue;
        for (int x = 0; x < plane->width; x++)
            sum[x] += w * (float)row[x];
    }
}

static void sum_columns(const Plane *plane, const Axis *columns, const float *restrict sum,
                        float *restrict out)
{
    const float *restrict weight = columns->weight;
    int taps = columns->taps;
    for (int i = 0; i < columns->n; i++, weight += taps) {
        const float *from = sum + columns->first[i];
        float value = 0;
        for (int k = 0; k < taps; k++)
            value += weight[k] * from[k];
        out[i] = value * plane->scale + plane->offset;
    }
}

static int resample(const Plane *plane, int width, int height, LprScratch *scratch)
{
    size_t row_bytes = nn_align_up((size_t)plane->width * sizeof(float), 64);
    int r = scratch_reserve(scratch, row_bytes + axis_bytes(plane->width, width) +
                                         axis_bytes(plane->height, height));
    if (r < 0)
        return r;
    float *sum = scratch->memory;
    Axis columns, rows;
    uint8_t *rest = (uint8_t *)scratch->memory + row_bytes;
    rest = axis_init(&columns, plane->width, width, rest);
    axis_init(&rows, plane->height, height, rest);
    for (int i = 0; i < height; i++) {
        sum_rows(plane, &rows, i, sum);
        sum_columns(plane, &columns, sum, plane->out + (size_t)i * (size_t)plane->out_stride);
    }
    return 0;
}

static void fill(float *values, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        values[i] = value;
}

static float clamp_byte(float value)
{
    return fminf(fmaxf(value, 0), 255);
}

/* JFIF's conversion (ITU-T T.871, section 7), then the normalisation. */
static void convert_rgb(const LprInput *input, float *planes, size_t at, int width, int height)
{
    size_t area = (size_t)input->width * (size_t)input->height;
    float scale[3], offset[3];
    for (int c = 0; c < 3; c++) {
        scale[c] = 1 / (255 * input->std[c]);
        offset[c] = -input->mean[c] / input->std[c];
    }
    for (int row = 0; row < height; row++) {
        float *p = planes + at + (size_t)row * (size_t)input->width;
        for (int x = 0; x < width; x++) {
            float y = p[x], cb = p[area + x] - 128, cr = p[2 * area + x] - 128;
            p[x] = clamp_byte(y + 1.402f * cr) * scale[0] + offset[0];
            p[area + x] = clamp_byte(y - 0.344136f * cb - 0.714136f * cr) * scale[1] + offset[1];
            p[2 * area + x] = clamp_byte(y + 1.772f * cb) * scale[2] + offset[2];
        }
    }
}

static int resample_rgb(const LprFrame *frame, const LprBox *cut, const LprInput *input, size_t at,
                        int width, int height, LprScratch *scratch, float *values)
{
    size_t area = (size_t)input->width * (size_t)input->height;
    int x0 = (int)cut->x, y0 = (int)cut->y;
    for (int c = 0; c < 3; c++) {
        int stride, half = c > 0;
        const uint8_t *bytes =
            half ? lpr_frame_chroma(frame, c, &stride) : lpr_frame_luma(frame, &stride);
        float *out = values + (size_t)c * area + at;
        if (!bytes) {
            for (int row = 0; row < height; row++)
                fill(out + (size_t)row * (size_t)input->width, (size_t)width, 128);
            continue;
        }
        int left = x0 >> half, top = y0 >> half;
        Plane plane = {.bytes = bytes + (size_t)top * (size_t)stride + left,
                       .stride = stride,
                       .width = ((x0 + (int)cut->w + half) >> half) - left,
                       .height = ((y0 + (int)cut->h + half) >> half) - top,
                       .out = out,
                       .out_stride = input->width,
                       .scale = 1};
        int r = resample(&plane, width, height, scratch);
        if (r < 0)
            return r;
    }
    convert_rgb(input, values, at, width, height);
    return 0;
}

static int resample_luma(const LprFrame *frame, const LprBox *cut, const LprInput *input, size_t at,
                         int width, int height, LprScratch *scratch, float *values)
{
    int stride;
    const uint8_t *bytes = lpr_frame_luma(frame, &stride);
    Plane plane = {.bytes = bytes + (size_t)cut->y * (size_t)stride + (size_t)cut->x,
                   .stride = stride,
                   .width = (int)cut->w,
                   .height = (int)cut->h,
                   .out = values + at,
                   .out_stride = input->width,
                   .scale = 1 / (255 * input->std[0]),
                   .offset = -input->mean[0] / input->std[0]};
    return resample(&plane, width, height, scratch);
}

int lpr_letterbox(const LprFrame *frame, const LprBox *cut, const LprInput *input,
                  LprScratch *scratch, float *ret_values, LprMap *ret_map)
{
    int width = input->width, height = input->height;
    if (input->fit == LPR_FIT_LETTERBOX) {
        float scale = fminf((float)width / cut->w, (float)height / cut->h);
        width = NN_MAX(1, NN_MIN(width, (int)lroundf(cut->w * scale)));
        height = NN_MAX(1, NN_MIN(height, (int)lroundf(cut->h * scale)));
    }
    int left = (input->width - width) / 2, top = (input->height - height) / 2;
    size_t area = (size_t)input->width * (size_t)input->height;
    size_t at = (size_t)top * (size_t)input->width + (size_t)left;
    if ((size_t)width * (size_t)height < area)
        for (int c = 0; c < input->channels; c++)
            fill(ret_values + (size_t)c * area, area, -input->mean[c] / input->std[c]);

    int r = input->channels == 1
                ? resample_luma(frame, cut, input, at, width, height, scratch, ret_values)
                : resample_rgb(frame, cut, input, at, width, height, scratch, ret_values);
    if (r < 0)
        return r;
    float scale_x = cut->w / (float)width, scale_y = cut->h / (float)height;
    *ret_map =
        (LprMap){cut->x - (float)left * scale_x, cut->y - (float)top * scale_y, scale_x, scale_y};
    return 0;
}

LprBox lpr_map_box(const LprMap *map, const LprBox *box)
{
    return (LprBox){map->x + box->x * map->scale_x, map->y + box->y * map->scale_y,
                    box->w * map->scale_x, box->h * map->scale_y};
}
