/* SPDX-License-Identifier: Apache-2.0 */

/* MaxPool, AveragePool and GlobalAveragePool of channels-last pictures. Windows are
 * separable: the rows under one are combined first, then the pixels of that row, so
 * that a window of k×k costs 2·k steps and not k². */

#include "kernels/kernels.h"
#include "ops/nhwc.h"
#include "ops/window.h"

/* Rows or pixels that are combined at once. */
#define ROWS_MAX 16

typedef struct PoolParams {
    NnWindow window;
    int64_t ceil_mode, count_include_pad;
} PoolParams;

typedef struct Pool {
    const NnCall *call;
    NnWindow window;
    int64_t in_h, in_w, channels, out_h, out_w;
    int64_t in_pitch, out_pitch;
    bool average, include_pad;
    size_t row_bytes;
} Pool;

static int pool_prepare(const NnNode *node, void *params, NnError *error)
{
    PoolParams *p = params;
    int r;

    r = nn_window_read(node, &p->window, error);
    if (r >= 0)
        r = nn_node_int(node, "ceil_mode", 0, &p->ceil_mode, error);
    return r < 0 ? r : nn_node_int(node, "count_include_pad", 0, &p->count_include_pad, error);
}

static int resolve(const NnCall *call, NnWindow *ret_window, NnTensor *ret_planar)
{
    const PoolParams *p = call->params;
    NnTensor planar = nn_nhwc_as_planar(call->in[0]);
    const NnTensor *in[] = { &planar };
    NnCall standard = *call;

    standard.in = in;
    *ret_planar = planar;
    return nn_window_resolve(&standard, &p->window, p->ceil_mode != 0, ret_window,
                             ret_planar->dims);
}

static int pool_infer(const NnCall *call)
{
    NnWindow window;
    NnTensor out;
    int r;

    r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_picture(call, 0);
    if (r >= 0)
        r = resolve(call, &window, &out);
    if (r < 0)
        return r;
    out = nn_nhwc_from_planar(&out);
    return nn_set_output(call, 0, NN_DTYPE_F32, 4, out.dims);
}

static size_t row_bytes(const NnTensor *in)
{
    return nn_align_up((size_t)(in->dims[2] * in->dims[3]) * sizeof(float), 64);
}

static size_t pool_scratch(const NnCall *call)
{
    return row_bytes(call->in[0]) * nn_range_workers(call->pool);
}

/* Combines n vectors of `count` floats that lie `step` floats apart. */
static void combine(const Pool *pool, const float *x, int64_t step, int64_t n, float scale,
                    float *y, int64_t count)
{
    const float *rows[ROWS_MAX];
    NnPoolRows p = { .rows = rows, .average = pool->average, .scale = 1.0f };

    for (int64_t i = 0; i < n; i += p.n) {
        int64_t kept = i > 0 ? 1 : 0;

        p.n = NN_MIN(n - i, ROWS_MAX - kept);
        for (int64_t j = 0; j < p.n; j++)
            rows[kept + j] = x + (i + j) * step;
        rows[0] = kept ? y : rows[0];
        p.scale = i + p.n == n ? scale : 1.0f;
        p.n += kept;
        pool->call->kernels->f32_pool(&p, y, count);
        p.n -= kept;
    }
}

/* Taps of a window that lie inside, and the first of them. */
static int64_t taps(const Pool *pool, int axis, int64_t in, int64_t out, int64_t *ret_first)
{
    const NnWindow *w = &pool->window;
    int64_t start = out * w->strides[axis] - w->before[axis], d = w->dilations[axis];
    int64_t first = start < 0 ? nn_div_up(-start, d) : 0;
    int64_t end = NN_MIN(nn_div_up(NN_MAX(in - start, 0), d), w->kernel[axis]);

    *ret_first = start + first * d;
    return NN_MAX(end - first, 0);
}

/* What an average divides by along one axis. */
static int64_t divisor(const Pool *pool, int axis, int64_t in, int64_t out)
{
    const NnWindow *w = &pool->window;
    int64_t start = out * w->strides[axis] - w->before[axis], first;

    if (!pool->include_pad)
        return taps(pool, axis, in, out, &first);
    return NN_MIN(nn_div_up(in + w->after[axis] - start, w->dilations[axis]), w->kernel[axis]);
}

/* The rows under the windows of output row y, combined into `row`; their number. */
static int64_t combine_rows(const Pool *pool, const float *picture, int64_t y, float *row)
{
    int64_t first, n = taps(pool, 0, pool->in_h, y, &first);
    int64_t pitch = pool->in_pitch, line = pool->in_w * pitch;
    const float *from = picture + first * line;

    if (n == 0)
        return 0;
    if (pitch == pool->channels) {
        combine(pool, from, pool->window.dilations[0] * line, n, 1.0f, row,
                pool->in_w * pool->channels);
        return n;
    }
    for (int64_t x = 0; x < pool->in_w; x++)
        combine(pool, from + x * pitch, pool->window.dilations[0] * line, n, 1.0f,
                row + x * pool->channels, pool->channels);
    return n;
}

/* A window that sees padding alone has no largest value, and 0 for an average. */
static void fill(const Pool *pool, float *y)
{
    for (int64_t i = 0; i < pool->channels; i++)
        y[i] = pool->average ? 0.0f : -__builtin_inff();
}

static void combine_pixels(const Pool *pool, const float *row, int64_t n_rows, int64_t divisor_y,
                           float *y)
{
    for (int64_t x = 0; x < pool->out_w; x++, y += pool->out_pitch) {
        int64_t first, n = taps(pool, 1, pool->in_w, x, &first);
        int64_t by = divisor_y * (pool->average ? divisor(pool, 1, pool->in_w, x) : 1);

        if (n == 0 || n_rows == 0)
            fill(pool, y);
        else
            combine(pool, row + first * pool->channels,
                    pool->window.dilations[1] * pool->channels, n, 1.0f / (float)by, y,
                    pool->channels);
    }
}

static void pool_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Pool *pool = argument;
    float *row = (float *)((char *)pool->call->scratch + worker * pool->row_bytes);

    for (int64_t i = begin; i < end; i++) {
        int64_t image = i / pool->out_h, y = i % pool->out_h;
        const float *picture = (const float *)pool->call->in[0]->data +
                               image * pool->in_h * pool->in_w * pool->in_pitch;
        float *to = (float *)pool->call->out[0]->data + i * pool->out_w * pool->out_pitch;
        int64_t n = combine_rows(pool, picture, y, row);

        combine_pixels(pool, row, n, pool->average ? divisor(pool, 0, pool->in_h, y) : 1, to);
    }
}

static int run_pool(const NnCall *call, bool average)
{
    const PoolParams *p = call->params;
    const NnTensor *in = call->in[0], *out = call->out[0];
    Pool pool = {
        .call = call,
        .in_h = in->dims[1],
        .in_w = in->dims[2],
        .channels = in->dims[3],
        .out_h = out->dims[1],
        .out_w = out->dims[2],
        .in_pitch = nn_in_pitch(call, 0),
        .out_pitch = nn_out_pitch(call, 0),
        .average = average,
        .include_pad = p->count_include_pad != 0,
        .row_bytes = row_bytes(in),
    };
    NnTensor planar;
    int r;

    r = resolve(call, &pool.window, &planar);
    if (r < 0)
        return r;
    if (pool.channels > 0)
        nn_range_run(call->pool, out->dims[0] * pool.out_h,
                     nn_grain(pool.out_w * pool.channels * pool.window.kernel[1]), pool_rows,
                     &pool);
    return 0;
}

static int max_pool_run(const NnCall *call)
{
    return run_pool(call, false);
}

static int average_pool_run(const NnCall *call)
{
    return run_pool(call, true);
}

#define POOL_OP(symbol, name, run_func)         \
    const NnOp nn_op_##symbol = {               \
        .type = name,                           \
        .domain = NN_NHWC_DOMAIN,               \
        .since = 1,                             \
        .min_inputs = 1,                        \
        .max_inputs = 1,                        \
        .max_outputs = 1,                       \
        .flags = NN_OP_PITCH | NN_OP_NO_FOLD,   \
        .params_bytes = sizeof(PoolParams),     \
        .prepare = pool_prepare,                \
        .infer = pool_infer,                    \
        .scratch = pool_scratch,                \
        .run = run_func,                        \
    };

POOL_OP(nhwc_max_pool, "MaxPool", max_pool_run)
POOL_OP(nhwc_average_pool, "AveragePool", average_pool_run)

static int global_infer(const NnCall *call)
{
    int64_t dims[4] = { 0, 1, 1, 0 };
    int r;

    r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_picture(call, 0);
    if (r < 0)
        return r;
    if (call->in[0]->dims[1] * call->in[0]->dims[2] == 0)
        return nn_error_set(call->error, -EBADMSG, "the picture is empty");
    dims[0] = call->in[0]->dims[0];
    dims[3] = call->in[0]->dims[3];
    return nn_set_output(call, 0, NN_DTYPE_F32, 4, dims);
}

static void average_pictures(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnTensor *in = call->in[0];
    Pool pool = { .call = call, .average = true };
    int64_t pixels = in->dims[1] * in->dims[2], pitch = nn_in_pitch(call, 0);

    (void)worker;
    for (int64_t i = begin; i < end; i++)
        combine(&pool, (const float *)in->data + i * pixels * pitch, pitch, pixels,
                1.0f / (float)pixels,
                (float *)call->out[0]->data + i * nn_out_pitch(call, 0), in->dims[3]);
}

static int global_run(const NnCall *call)
{
    if (call->in[0]->dims[3] > 0)
        nn_range_run(call->pool, call->in[0]->dims[0], 1, average_pictures, (void *)call);
    return 0;
}

const NnOp nn_op_nhwc_global_average_pool = {
    .type = "GlobalAveragePool",
    .domain = NN_NHWC_DOMAIN,
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_PITCH | NN_OP_NO_FOLD,
    .infer = global_infer,
    .run = global_run,
};
