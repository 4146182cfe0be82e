/* SPDX-License-Identifier: Apache-2.0 */

/* MaxRoiPool: the largest element in each cell of a grid over regions of interest
 * (Girshick, Fast R-CNN, 2015). Inputs: maps [batch, channels, height, width],
 * regions [n, 5] of batch, x1, y1, x2, y2. */

#include <math.h>

#include "ops/support.h"

typedef struct RoiParams {
    int64_t pooled[2];
    float scale;
} RoiParams;

static int roi_prepare(const NnNode *node, void *params, NnError *error)
{
    RoiParams *p = params;
    size_t n;
    int r = nn_node_float(node, "spatial_scale", 1, &p->scale, error);
    if (r >= 0)
        r = nn_node_ints(node, "pooled_shape", p->pooled, 2, &n, error);
    if (r < 0)
        return r;
    if (n != 2 || p->pooled[0] < 1 || p->pooled[1] < 1)
        return nn_error_set(error, -EBADMSG, "pooled_shape is not height and width");
    return 0;
}

static int roi_infer(const NnCall *call)
{
    const RoiParams *p = call->params;
    int r = nn_check_inputs(call, 2);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_check_same_dtype(call, 1);
    if (r >= 0)
        r = nn_check_rank(call, 0, 4, 4);
    if (r >= 0)
        r = nn_check_rank(call, 1, 2, 2);
    if (r < 0)
        return r;
    if (call->in[1]->dims[1] != 5)
        return nn_error_set(call->error, -EBADMSG, "a region has %lld numbers, expected 5",
                            (long long)call->in[1]->dims[1]);
    int64_t dims[4] = { call->in[1]->dims[0], call->in[0]->dims[1], p->pooled[0], p->pooled[1] };
    return nn_set_output(call, 0, call->in[0]->dtype, 4, dims);
}

/* A region along one axis: where it begins, and how many elements a cell has. */
typedef struct Side {
    double start, cell;
    int64_t size;           /* of the map */
} Side;

static Side make_side(double first, double last, int64_t cells, int64_t size)
{
    double start = round(first), end = round(last);
    return (Side){ start, fmax(end - start + 1, 1) / (double)cells, size };
}

static void cell_range(const Side *side, int64_t i, int64_t *ret_begin, int64_t *ret_end)
{
    double begin = floor((double)i * side->cell) + side->start;
    double end = ceil((double)(i + 1) * side->cell) + side->start;
    *ret_begin = (int64_t)fmin(fmax(begin, 0), (double)side->size);
    *ret_end = (int64_t)fmin(fmax(end, 0), (double)side->size);
}

/* Coordinates beyond any map would not be whole numbers any more. */
static int read_region(const NnCall *call, int64_t i, int64_t *ret_batch, Side sides[2])
{
    const RoiParams *p = call->params;
    const NnTensor *in = call->in[0];
    double v[5];
    bool sane = true;
    for (int64_t k = 0; k < 5; k++) {
        v[k] = nn_load_float(call->in[1], i * 5 + k) * (k ? (double)p->scale : 1);
        sane = sane && fabs(v[k]) < 0x1p40;
    }
    if (!sane || v[0] < 0 || v[0] >= (double)in->dims[0])
        return nn_error_set(call->error, -EDOM, "region %lld is (%g, %g, %g, %g) of image %g",
                            (long long)i, v[1], v[2], v[3], v[4], v[0]);
    *ret_batch = (int64_t)v[0];
    sides[0] = make_side(v[2], v[4], p->pooled[0], in->dims[2]);
    sides[1] = make_side(v[1], v[3], p->pooled[1], in->dims[3]);
    return 0;
}

/* The largest element of a cell in one plane; an empty cell gives 0. */
static double cell_max(const NnTensor *in, int64_t plane, const Side sides[2], int64_t row,
                       int64_t column)
{
    int64_t y, y_end, x_begin, x_end;
    double most = -(double)INFINITY;
    cell_range(&sides[0], row, &y, &y_end);
    cell_range(&sides[1], column, &x_begin, &x_end);
    if (y >= y_end || x_begin >= x_end)
        return 0;
    for (; y < y_end; y++)
        for (int64_t x = x_begin; x < x_end; x++)
            most = fmax(most, nn_load_float(in, (plane * in->dims[2] + y) * in->dims[3] + x));
    return most;
}

static int roi_run(const NnCall *call)
{
    const RoiParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t channels = in->dims[1], at = 0, batch = 0;
    Side sides[2];
    for (int64_t i = 0; i < call->in[1]->dims[0]; i++) {
        int r = read_region(call, i, &batch, sides);
        if (r < 0)
            return r;
        for (int64_t c = 0; c < channels; c++)
            for (int64_t cell = 0; cell < p->pooled[0] * p->pooled[1]; cell++, at++) {
                double most = cell_max(in, batch * channels + c, sides, cell / p->pooled[1],
                                       cell % p->pooled[1]);
                NN_SWITCH_FLOAT(in->dtype, ((T *)call->out[0]->data)[at] = (T)most)
            }
    }
    return 0;
}

const NnOp nn_op_max_roi_pool = {
    .type = "MaxRoiPool",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(RoiParams),
    .prepare = roi_prepare,
    .infer = roi_infer,
    .run = roi_run,
};
