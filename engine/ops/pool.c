/* SPDX-License-Identifier: Apache-2.0 */

/* MaxPool and AveragePool over one to three spatial dimensions. Both windows are
 * separable: the rows under a window are combined into one row first, elements
 * of that row after, so that a window of k×k costs 2·k steps and not k². */

#include <math.h>

#include "ops/window.h"

typedef struct PoolParams {
    NnWindow window;
    int64_t ceil_mode, count_include_pad, storage_order;
} PoolParams;

static int pool_prepare(const NnNode *node, void *params, NnError *error)
{
    PoolParams *p = params;
    int r = nn_window_read(node, &p->window, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "ceil_mode", 0, &p->ceil_mode, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "storage_order", 0, &p->storage_order, error);
    return r < 0 ? r : nn_node_int(node, "count_include_pad", 0, &p->count_include_pad, error);
}

static int pool_infer(const NnCall *call, unsigned types)
{
    const PoolParams *p = call->params;
    NnWindow window;
    int64_t dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, types);
    if (r < 0)
        return r;
    r = nn_check_first_output(call);
    if (r < 0)
        return r;
    r = nn_window_resolve(call, &p->window, p->ceil_mode != 0, &window, dims);
    if (r < 0)
        return r;
    r = nn_set_output(call, 1, NN_DTYPE_I64, call->in[0]->rank, dims);
    return r < 0 ? r : nn_set_output(call, 0, call->in[0]->dtype, call->in[0]->rank, dims);
}

static int max_pool_infer(const NnCall *call)
{
    return pool_infer(call, NN_TYPES_FLOAT | NN_BIT(NN_DTYPE_I8) | NN_BIT(NN_DTYPE_U8));
}

static int average_pool_infer(const NnCall *call)
{
    return pool_infer(call, NN_TYPES_FLOAT);
}

/* One call, with three spatial dimensions: missing ones are 1 and stand first. */
typedef struct Pool {
    const NnCall *call;
    bool average, include_pad, column_major;
    int64_t in[3], out[3], kernel[3], strides[3], dilations[3], before[3], after[3];
    size_t row_bytes;
} Pool;

static size_t row_bytes(const NnTensor *in)
{
    size_t bytes = (size_t)(in->rank > 0 ? in->dims[in->rank - 1] : 1) * nn_dtype_size(in->dtype);
    return nn_align_up(bytes, 64);
}

static size_t pool_scratch(const NnCall *call)
{
    return row_bytes(call->in[0]) * nn_range_workers(call->pool);
}

/* Taps of a window that lie inside, and the first of them, for one output. */
static int64_t taps(const Pool *pool, int axis, int64_t out, int64_t *ret_first)
{
    int64_t start = out * pool->strides[axis] - pool->before[axis], d = pool->dilations[axis];
    int64_t first = start < 0 ? nn_div_up(-start, d) : 0;
    int64_t end = nn_div_up(NN_MAX(pool->in[axis] - start, 0), d);
    *ret_first = first;
    return NN_MAX(NN_MIN(end, pool->kernel[axis]) - first, 0);
}

/* What an average divides by along one axis. */
static int64_t divisor(const Pool *pool, int axis, int64_t out)
{
    int64_t first, n = taps(pool, axis, out, &first);
    if (!pool->include_pad)
        return n;
    int64_t start = out * pool->strides[axis] - pool->before[axis];
    int64_t end = pool->in[axis] + pool->after[axis] - start;
    return NN_MIN(nn_div_up(end, pool->dilations[axis]), pool->kernel[axis]);
}

/* Taps along the last axis that see the input from some output: a kernel may be
 * far larger than what it slides over. */
static void useful_taps(const Pool *pool, int64_t *ret_begin, int64_t *ret_end)
{
    int64_t d = pool->dilations[2], last = (pool->out[2] - 1) * pool->strides[2];
    int64_t begin = pool->before[2] - last;
    *ret_begin = begin > 0 ? nn_div_up(begin, d) : 0;
    *ret_end = NN_MIN(nn_div_up(pool->in[2] + pool->before[2], d), pool->kernel[2]);
}

/* Outputs whose tap `k` along the last axis lies inside: begin…end-1. */
static void inside(const Pool *pool, int64_t k, int64_t *ret_begin, int64_t *ret_end)
{
    int64_t offset = k * pool->dilations[2] - pool->before[2], stride = pool->strides[2];
    *ret_begin = offset < 0 ? nn_div_up(-offset, stride) : 0;
    int64_t end = pool->in[2] > offset ? nn_div_up(pool->in[2] - offset, stride) : 0;
    *ret_end = NN_MIN(end, pool->out[2]);
}

#define SWITCH_POOLED(dtype, ...)                                            \
    NN_SWITCH(dtype, NN_CASES_FLOAT(__VA_ARGS__)                             \
                     NN_CASE(NN_DTYPE_I8, int8_t, __VA_ARGS__)               \
                     NN_CASE(NN_DTYPE_U8, uint8_t, __VA_ARGS__))

#define LOWEST \
    _Generic((T)0, float: -INFINITY, double: -(double)INFINITY, int8_t: INT8_MIN, default: 0)

/* Combines n elements of `from`, `step` apart, into `to`. */
#define COMBINE(n, step)                                                          \
    do {                                                                          \
        if (pool->average)                                                        \
            NN_INDEPENDENT for (int64_t i = 0; i < (n); i++)                      \
                to[i] = (T)(to[i] + from[i * (step)]);                            \
        else                                                                      \
            NN_INDEPENDENT for (int64_t i = 0; i < (n); i++) {                    \
                T x = from[i * (step)];                                           \
                to[i] = ((x > to[i]) | (x != x)) ? x : to[i];                     \
            }                                                                     \
    } while (0)

/* The rows under the window of output row (z, y), combined into `row`. */
static void combine_rows(const Pool *pool, const void *plane, int64_t z, int64_t y, void *row)
{
    int64_t first_z, first_y, width = pool->in[2];
    int64_t n_z = taps(pool, 0, z, &first_z), n_y = taps(pool, 1, y, &first_y);
    int64_t at_z = z * pool->strides[0] - pool->before[0] + first_z * pool->dilations[0];
    int64_t at_y = y * pool->strides[1] - pool->before[1] + first_y * pool->dilations[1];
    SWITCH_POOLED(pool->call->in[0]->dtype, {
        T *to = row;
        for (int64_t i = 0; i < width; i++)
            to[i] = pool->average ? (T)0 : (T)LOWEST;
        for (int64_t i_z = 0; i_z < n_z; i_z++) {
            for (int64_t i_y = 0; i_y < n_y; i_y++) {
                int64_t line = (at_z + i_z * pool->dilations[0]) * pool->in[1] + at_y +
                               i_y * pool->dilations[1];
                const T *from = (const T *)plane + line * width;
                COMBINE(width, 1);
            }
        }
    })
}

/* The elements of `row` under each window, combined into a row of the output. */
static void combine_columns(const Pool *pool, const void *row, int64_t n_rows, void *out)
{
    int64_t begin, end;
    useful_taps(pool, &begin, &end);
    SWITCH_POOLED(pool->call->in[0]->dtype, {
        for (int64_t x = 0; x < pool->out[2]; x++)
            ((T *)out)[x] = pool->average ? (T)0 : (T)LOWEST;
        for (int64_t k = begin; k < end; k++) {
            int64_t first, last;
            inside(pool, k, &first, &last);
            const int64_t step = pool->strides[2];
            const T *from =
                (const T *)row + first * step + k * pool->dilations[2] - pool->before[2];
            T *to = (T *)out + first;
            if (step == 1)
                COMBINE(last - first, 1);
            else if (step == 2)
                COMBINE(last - first, 2);
            else
                COMBINE(last - first, step);
        }
        for (int64_t x = 0; pool->average && x < pool->out[2]; x++)
            ((T *)out)[x] /= (T)(n_rows * divisor(pool, 2, x));
    })
}

static void pool_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Pool *pool = argument;
    const NnTensor *in = pool->call->in[0], *out = pool->call->out[0];
    size_t size = nn_dtype_size(in->dtype);
    int64_t plane = pool->in[0] * pool->in[1] * pool->in[2];
    char *row = (char *)pool->call->scratch + worker * pool->row_bytes;
    for (int64_t i = begin; i < end; i++) {
        int64_t y = i % pool->out[1], z = i / pool->out[1] % pool->out[0];
        int64_t channel = i / pool->out[1] / pool->out[0];
        combine_rows(pool, (const char *)in->data + (size_t)(channel * plane) * size, z, y, row);
        combine_columns(pool, row, pool->average ? divisor(pool, 0, z) * divisor(pool, 1, y) : 1,
                        (char *)out->data + (size_t)(i * pool->out[2]) * size);
    }
}

/* Where the largest value under one window stands in its plane, the first of equal
 * ones, and a NaN before all; -1 when the window sees padding alone. */
static int64_t find_largest(const Pool *pool, const void *plane, const int64_t *at)
{
    int64_t first[3], n[3], start[3], best = -1;
    for (int axis = 0; axis < 3; axis++) {
        n[axis] = taps(pool, axis, at[axis], &first[axis]);
        start[axis] = at[axis] * pool->strides[axis] - pool->before[axis] +
                      first[axis] * pool->dilations[axis];
    }
    SWITCH_POOLED(pool->call->in[0]->dtype, {
        const T *from = plane;
        for (int64_t i = 0; i < n[0] * n[1] * n[2]; i++) {
            int64_t z = start[0] + i / n[2] / n[1] * pool->dilations[0];
            int64_t y = start[1] + i / n[2] % n[1] * pool->dilations[1];
            int64_t x = start[2] + i % n[2] * pool->dilations[2];
            int64_t index = (z * pool->in[1] + y) * pool->in[2] + x;
            if (best < 0 || from[index] > from[best] ||
                (from[index] != from[index] && from[best] == from[best]))
                best = index;
        }
    })
    return best;
}

/* The number of a place within its plane that Indices has for it. */
static int64_t storage_index(const Pool *pool, int64_t index)
{
    if (!pool->column_major)
        return index;
    int64_t x = index % pool->in[2], y = index / pool->in[2] % pool->in[1];
    int64_t z = index / pool->in[2] / pool->in[1];
    return (x * pool->in[1] + y) * pool->in[0] + z;
}

/* One row of the output and of Indices at a time. */
static void pool_rows_with_indices(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Pool *pool = argument;
    const NnTensor *in = pool->call->in[0], *out = pool->call->out[0];
    int64_t plane = pool->in[0] * pool->in[1] * pool->in[2], *indices = pool->call->out[1]->data;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        int64_t at[3] = { i / pool->out[1] % pool->out[0], i % pool->out[1], 0 };
        int64_t offset = i / pool->out[1] / pool->out[0] * plane;
        for (; at[2] < pool->out[2]; at[2]++) {
            SWITCH_POOLED(in->dtype, {
                const T *from = (const T *)in->data + offset;
                int64_t best = find_largest(pool, from, at), to = i * pool->out[2] + at[2];
                ((T *)out->data)[to] = best < 0 ? (T)LOWEST : from[best];
                indices[to] = best < 0 ? -1 : offset + storage_index(pool, best);
            })
        }
    }
}

/* Taps that see the input: a kernel may be far larger than what it slides over. */
static uint64_t pool_work(const NnCall *call)
{
    const PoolParams *p = call->params;
    const NnTensor *in = call->in[0];
    NnWindow w;
    int64_t dims[NN_RANK_MAX];
    if (nn_window_resolve(call, &p->window, p->ceil_mode != 0, &w, dims) < 0)
        return 0;
    int last = w.spatial - 1;
    uint64_t rows = (uint64_t)nn_product(dims, 0, in->rank - 1), above = 1;
    uint64_t width = (uint64_t)in->dims[2 + last], out_width = (uint64_t)dims[2 + last];
    uint64_t along = NN_MIN((uint64_t)w.kernel[last], width);
    for (int i = 0; i < last; i++)
        above *= (uint64_t)NN_MIN(w.kernel[i], in->dims[2 + i]);
    if (nn_output(call, 1))
        return rows * out_width * above * along;
    return rows * (above * width + out_width * along);
}

static int run_pool(const NnCall *call, bool average)
{
    const PoolParams *p = call->params;
    const NnTensor *in = call->in[0];
    NnWindow w;
    int64_t dims[NN_RANK_MAX];
    int r = nn_window_resolve(call, &p->window, p->ceil_mode != 0, &w, dims);
    if (r < 0)
        return r;
    Pool pool = { .call = call, .average = average, .include_pad = p->count_include_pad != 0,
                  .column_major = p->storage_order != 0, .row_bytes = row_bytes(in) };
    for (int axis = 0; axis < 3; axis++) {
        int i = axis - (3 - w.spatial);
        pool.in[axis] = i < 0 ? 1 : in->dims[2 + i];
        pool.out[axis] = i < 0 ? 1 : dims[2 + i];
        pool.kernel[axis] = i < 0 ? 1 : w.kernel[i];
        pool.strides[axis] = i < 0 ? 1 : w.strides[i];
        pool.dilations[axis] = i < 0 ? 1 : w.dilations[i];
        pool.before[axis] = i < 0 ? 0 : w.before[i];
        pool.after[axis] = i < 0 ? 0 : w.after[i];
    }
    int64_t rows = in->dims[0] * in->dims[1] * pool.out[0] * pool.out[1];
    int64_t cost = NN_MIN(pool.kernel[0] * pool.kernel[1] * pool.in[2] +
                              pool.kernel[2] * pool.out[2], INT32_MAX);
    nn_range_run(call->pool, rows, nn_grain(cost),
                 nn_output(call, 1) ? pool_rows_with_indices : pool_rows, &pool);
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

const NnOp nn_op_max_pool = {
    .type = "MaxPool",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 2,
    .params_bytes = sizeof(PoolParams),
    .prepare = pool_prepare,
    .infer = max_pool_infer,
    .scratch = pool_scratch,
    .run = max_pool_run,
    .work = pool_work,
};

const NnOp nn_op_average_pool = {
    .type = "AveragePool",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(PoolParams),
    .prepare = pool_prepare,
    .infer = average_pool_infer,
    .scratch = pool_scratch,
    .run = average_pool_run,
    .work = pool_work,
};

/* Global pooling: one number for each plane. */

static int global_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r < 0)
        return r;
    r = nn_check_rank(call, 0, 3, NN_RANK_MAX);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    int64_t dims[NN_RANK_MAX];
    for (int i = 0; i < in->rank; i++)
        dims[i] = i < 2 ? in->dims[i] : 1;
    if (nn_product(in->dims, 2, in->rank) == 0)
        return nn_error_set(call->error, -EBADMSG, "the planes of input 0 are empty");
    return nn_set_output(call, 0, in->dtype, in->rank, dims);
}

static void average_planes(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnTensor *in = call->in[0];
    int64_t n = nn_product(in->dims, 2, in->rank);
    (void)worker;
    NN_SWITCH_FLOAT(in->dtype, {
        for (int64_t plane = begin; plane < end; plane++) {
            const T *from = (const T *)in->data + plane * n;
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += (double)from[i];
            ((T *)call->out[0]->data)[plane] = (T)(sum / (double)n);
        }
    })
}

static void max_planes(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnTensor *in = call->in[0];
    int64_t n = nn_product(in->dims, 2, in->rank);
    (void)worker;
    NN_SWITCH_FLOAT(in->dtype, {
        for (int64_t plane = begin; plane < end; plane++) {
            const T *from = (const T *)in->data + plane * n;
            T max = from[0];
            for (int64_t i = 1; i < n; i++)
                max = from[i] > max || from[i] != from[i] ? from[i] : max;
            ((T *)call->out[0]->data)[plane] = max;
        }
    })
}

static int global_run(const NnCall *call, NnRangeFunc func)
{
    const NnTensor *in = call->in[0];
    nn_range_run(call->pool, in->dims[0] * in->dims[1],
                 nn_grain(nn_product(in->dims, 2, in->rank)), func, (void *)call);
    return 0;
}

static int global_average_run(const NnCall *call)
{
    return global_run(call, average_planes);
}

static int global_max_run(const NnCall *call)
{
    return global_run(call, max_planes);
}

#define GLOBAL_OP(symbol, name, run_func)       \
    const NnOp nn_op_##symbol = {               \
        .type = name,                           \
        .domain = "",                           \
        .since = 1,                             \
        .min_inputs = 1,                        \
        .max_inputs = 1,                        \
        .max_outputs = 1,                       \
        .infer = global_infer,                  \
        .run = run_func,                        \
    };

GLOBAL_OP(global_average_pool, "GlobalAveragePool", global_average_run)
GLOBAL_OP(global_max_pool, "GlobalMaxPool", global_max_run)
