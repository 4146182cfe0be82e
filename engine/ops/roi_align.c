/* SPDX-License-Identifier: Apache-2.0 */

/* RoiAlign: each region of interest becomes a grid of bins, each bin the average or
 * the maximum of points that are interpolated in it. */

#include <math.h>

#include "ops/support.h"

#define SAMPLING_MAX 256
#define COORDINATE_MAX 1e9
#define OUTPUT_MAX (1 << 24)

typedef struct RoiAlignParams {
    bool maximum, half_pixel;
    int64_t height, width, sampling;
    float scale;
} RoiAlignParams;

static int read_size(const NnNode *node, const char *name, int64_t *ret, NnError *error)
{
    int r = nn_node_int(node, name, 1, ret, error);
    if (r < 0)
        return r;
    if (*ret < 1 || *ret > OUTPUT_MAX)
        return nn_error_set(error, -EBADMSG, "%s is %lld", name, (long long)*ret);
    return 0;
}

static int roi_align_prepare(const NnNode *node, void *params, NnError *error)
{
    RoiAlignParams *p = params;
    const char *mode = NULL, *coordinates = NULL;
    int r = nn_node_string(node, "mode", "avg", &mode, error);
    if (r >= 0)
        r = nn_node_string(node, "coordinate_transformation_mode",
                           node->opset < 16 ? "output_half_pixel" : "half_pixel", &coordinates,
                           error);
    if (r >= 0)
        r = read_size(node, "output_height", &p->height, error);
    if (r >= 0)
        r = read_size(node, "output_width", &p->width, error);
    if (r >= 0)
        r = nn_node_int(node, "sampling_ratio", 0, &p->sampling, error);
    if (r >= 0)
        r = nn_node_float(node, "spatial_scale", 1, &p->scale, error);
    if (r < 0)
        return r;
    p->maximum = strcmp(mode, "max") == 0;
    if (!p->maximum && strcmp(mode, "avg") != 0)
        return nn_error_set(error, -EBADMSG, "mode is '%s'", mode);
    p->half_pixel = strcmp(coordinates, "half_pixel") == 0;
    if (!p->half_pixel && strcmp(coordinates, "output_half_pixel") != 0)
        return nn_error_set(error, -EBADMSG, "coordinate_transformation_mode is '%s'", coordinates);
    if (p->sampling < 0 || p->sampling > SAMPLING_MAX)
        return nn_error_set(error, -EBADMSG, "sampling_ratio is %lld", (long long)p->sampling);
    return 0;
}

static int roi_align_infer(const NnCall *call)
{
    const RoiAlignParams *p = call->params;
    int r = nn_check_inputs(call, 3);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_check_rank(call, 0, 4, 4);
    if (r >= 0)
        r = nn_check_same_dtype(call, 1);
    if (r >= 0)
        r = nn_check_rank(call, 1, 2, 2);
    if (r >= 0)
        r = nn_check_dtype(call, 2, NN_BIT(NN_DTYPE_I64));
    if (r >= 0)
        r = nn_check_vector(call, 2, call->in[1]->dims[0]);
    if (r < 0)
        return r;
    const NnTensor *x = call->in[0], *rois = call->in[1];
    if (rois->dims[1] != 4)
        return nn_error_set(call->error, -EBADMSG, "regions have %lld numbers, expected 4",
                            (long long)rois->dims[1]);
    if (x->dims[2] < 1 || x->dims[3] < 1)
        return nn_error_set(call->error, -EBADMSG, "input 0 has no pixels");
    return nn_set_output(call, 0, x->dtype, 4,
                         (int64_t[]){ rois->dims[0], x->dims[1], p->height, p->width });
}

/* y stands first, x second. */
typedef struct Region {
    double start[2], bin[2];
    int64_t grid[2];            /* points of a bin */
} Region;

/* In the precision of the input, which decides how many points there are. */
static Region read_region(const NnCall *call, int64_t roi)
{
    const RoiAlignParams *p = call->params;
    Region region = { 0 };
    NN_SWITCH_FLOAT(call->in[1]->dtype, {
        const T *v = (const T *)call->in[1]->data + roi * 4;
        const T scale = (T)p->scale, shift = (T)(p->half_pixel ? 0.5 : 0);
        for (int axis = 0; axis < 2; axis++) {
            T start = v[1 - axis] * scale - shift, size = v[3 - axis] * scale - shift - start;
            /* What is no region has the size of a pixel. */
            if (!p->half_pixel && size < 1)
                size = 1;
            region.start[axis] = (double)start;
            region.bin[axis] = (double)(size / (T)(axis == 0 ? p->height : p->width));
        }
    })
    for (int axis = 0; axis < 2; axis++)
        region.grid[axis] = p->sampling ? p->sampling
                                        : (int64_t)fmin(fmax(ceil(region.bin[axis]), 0),
                                                        COORDINATE_MAX);
    return region;
}

static int check_regions(const NnCall *call)
{
    const NnTensor *x = call->in[0];
    for (int64_t roi = 0; roi < call->in[1]->dims[0]; roi++) {
        int64_t image = ((const int64_t *)call->in[2]->data)[roi];
        Region region = read_region(call, roi);
        if (image < 0 || image >= x->dims[0])
            return nn_error_set(call->error, -EDOM, "region %lld is of image %lld of %lld",
                                (long long)roi, (long long)image, (long long)x->dims[0]);
        for (int axis = 0; axis < 2; axis++)
            if (!(fabs(region.start[axis]) < COORDINATE_MAX) ||
                !(fabs(region.bin[axis]) < COORDINATE_MAX))
                return nn_error_set(call->error, -EDOM, "region %lld has no place", (long long)roi);
    }
    return 0;
}

/* A point between two elements of an axis; weight[1] is that of the second. */
typedef struct Between {
    int64_t index[2];
    double weight[2];
} Between;

/* False outside. Up to a pixel beyond the edge counts as the edge. */
static bool find_between(double at, int64_t size, Between *ret)
{
    if (at < -1 || at > (double)size)
        return false;
    at = fmax(at, 0);
    int64_t low = NN_MIN((int64_t)at, size - 1), high = NN_MIN(low + 1, size - 1);
    double rest = high == low ? 0 : at - (double)low;
    *ret = (Between){ { low, high }, { 1 - rest, rest } };
    return true;
}

/* Points along one axis of a bin that may lie inside: a region may be far larger
 * than the input. */
static void useful_points(const Region *region, int axis, int64_t at, int64_t size,
                          int64_t *ret_begin, int64_t *ret_end)
{
    double start = region->start[axis] + (double)at * region->bin[axis];
    int64_t n = region->grid[axis];
    *ret_begin = 0;
    *ret_end = n;
    if (n <= SAMPLING_MAX)
        return;
    /* So many are adaptive: they lie half a pixel apart at least. */
    double step = region->bin[axis] / (double)n;
    *ret_begin = (int64_t)fmin(fmax(floor((-1 - start) / step) - 1, 0), (double)n);
    *ret_end = (int64_t)fmin(fmax(ceil(((double)size - start) / step) + 1, 0), (double)n);
}

/* Where point `i` of bin `at` lies, in the precision of the input too: an edge is
 * inside to the last bit. */
static double point_at(const NnCall *call, const Region *region, int axis, int64_t at, int64_t i)
{
    double place = 0;
    NN_SWITCH_FLOAT(call->in[1]->dtype, {
        const T bin = (T)region->bin[axis];
        place = (double)((T)region->start[axis] + (T)at * bin +
                         ((T)i + (T)0.5) * bin / (T)region->grid[axis]);
    })
    return place;
}

typedef struct RoiAlign {
    const NnCall *call;
    int64_t plane, bins;
} RoiAlign;

/* One point is added to a bin of all channels, or is compared with it. */
static void add_point(const RoiAlign *run, const Between *y, const Between *x, const void *image,
                      void *out)
{
    const RoiAlignParams *p = run->call->params;
    const NnTensor *in = run->call->in[0];
    NN_SWITCH_FLOAT(in->dtype, {
        T *to = out;
        T weight[4];
        int64_t offset[4];
        for (int i = 0; i < 4; i++) {
            weight[i] = (T)(y->weight[i / 2] * x->weight[i % 2]);
            offset[i] = y->index[i / 2] * in->dims[3] + x->index[i % 2];
        }
        for (int64_t c = 0; c < in->dims[1]; c++, to += run->bins) {
            const T *from = (const T *)image + c * run->plane;
            T v[4];
            for (int i = 0; i < 4; i++)
                v[i] = weight[i] * from[offset[i]];
            if (p->maximum)
                *to = NN_MAX(*to, NN_MAX(NN_MAX(v[0], v[1]), NN_MAX(v[2], v[3])));
            else
                *to += v[0] + v[1] + v[2] + v[3];
        }
    })
}

/* `points` were seen of those that the bin has; the others count as zero. */
static void finish_bin(const RoiAlign *run, const Region *region, int64_t points, void *out)
{
    const RoiAlignParams *p = run->call->params;
    double all = (double)region->grid[0] * (double)region->grid[1];
    NN_SWITCH_FLOAT(run->call->in[0]->dtype, {
        T *to = out;
        for (int64_t c = 0; c < run->call->in[0]->dims[1]; c++, to += run->bins) {
            if (!p->maximum)
                *to /= (T)fmax(all, 1);
            else if ((double)points < all || points == 0)
                *to = NN_MAX(*to, 0);
        }
    })
}

static void start_bin(const RoiAlign *run, void *out)
{
    const RoiAlignParams *p = run->call->params;
    NN_SWITCH_FLOAT(run->call->in[0]->dtype, {
        T *to = out;
        for (int64_t c = 0; c < run->call->in[0]->dims[1]; c++, to += run->bins)
            *to = p->maximum ? -(T)INFINITY : 0;
    })
}

static void fill_bin(const RoiAlign *run, int64_t roi, int64_t bin)
{
    const RoiAlignParams *p = run->call->params;
    const NnTensor *in = run->call->in[0], *out = run->call->out[0];
    Region region = read_region(run->call, roi);
    size_t size = nn_dtype_size(in->dtype);
    int64_t image = ((const int64_t *)run->call->in[2]->data)[roi], points = 0;
    const char *from = (const char *)in->data + (size_t)(image * in->dims[1] * run->plane) * size;
    char *to = (char *)out->data + (size_t)(roi * in->dims[1] * run->bins + bin) * size;
    int64_t at[2] = { bin / p->width, bin % p->width }, begin[2], end[2];
    for (int axis = 0; axis < 2; axis++)
        useful_points(&region, axis, at[axis], in->dims[2 + axis], &begin[axis], &end[axis]);
    start_bin(run, to);
    for (int64_t i = begin[0]; i < end[0]; i++) {
        Between y, x;
        if (!find_between(point_at(run->call, &region, 0, at[0], i), in->dims[2], &y))
            continue;
        for (int64_t j = begin[1]; j < end[1]; j++) {
            if (!find_between(point_at(run->call, &region, 1, at[1], j), in->dims[3], &x))
                continue;
            add_point(run, &y, &x, from, to);
            points++;
        }
    }
    finish_bin(run, &region, points, to);
}

static void fill_bins(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const RoiAlign *run = argument;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        fill_bin(run, i / run->bins, i % run->bins);
}

static int roi_align_run(const NnCall *call)
{
    const RoiAlignParams *p = call->params;
    const NnTensor *x = call->in[0];
    RoiAlign run = { .call = call, .plane = x->dims[2] * x->dims[3], .bins = p->height * p->width };
    int r = check_regions(call);
    if (r < 0)
        return r;
    nn_range_run(call->pool, call->in[1]->dims[0] * run.bins, nn_grain(32 * x->dims[1]), fill_bins,
                 &run);
    return 0;
}

static uint64_t roi_align_work(const NnCall *call)
{
    const RoiAlignParams *p = call->params;
    const NnTensor *x = call->in[0];
    /* Adaptive points lie half a pixel apart at least. */
    uint64_t points = p->sampling ? (uint64_t)(p->sampling * p->sampling)
                                  : (uint64_t)(4 * (x->dims[2] + 3) * (x->dims[3] + 3));
    return points * (uint64_t)nn_tensor_elements(call->out[0]);
}

const NnOp nn_op_roi_align = {
    .type = "RoiAlign",
    .domain = "",
    .since = 10,
    .min_inputs = 3,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(RoiAlignParams),
    .prepare = roi_align_prepare,
    .infer = roi_align_infer,
    .run = roi_align_run,
    .work = roi_align_work,
};
