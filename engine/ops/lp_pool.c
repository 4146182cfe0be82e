/* SPDX-License-Identifier: Apache-2.0 */

/* LpPool and GlobalLpPool: the p-norm of what lies under a window. */

#include <math.h>

#include "ops/window.h"

typedef struct LpPoolParams {
    NnWindow window;
    int64_t p, ceil_mode;
} LpPoolParams;

static int global_lp_pool_prepare(const NnNode *node, void *params, NnError *error)
{
    LpPoolParams *p = params;
    int r = nn_node_int(node, "p", 2, &p->p, error);
    if (r < 0)
        return r;
    return p->p >= 1 ? 0 : nn_error_set(error, -EBADMSG, "p is %lld", (long long)p->p);
}

static int lp_pool_prepare(const NnNode *node, void *params, NnError *error)
{
    LpPoolParams *p = params;
    int r = global_lp_pool_prepare(node, params, error);
    if (r >= 0)
        r = nn_window_read(node, &p->window, error);
    return r < 0 ? r : nn_node_int(node, "ceil_mode", 0, &p->ceil_mode, error);
}

static int lp_pool_infer(const NnCall *call)
{
    const LpPoolParams *p = call->params;
    NnWindow window;
    int64_t dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_window_resolve(call, &p->window, p->ceil_mode != 0, &window, dims);
    return r < 0 ? r : nn_set_output(call, 0, call->in[0]->dtype, call->in[0]->rank, dims);
}

static int global_lp_pool_infer(const NnCall *call)
{
    int64_t dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_check_rank(call, 0, 3, NN_RANK_MAX);
    if (r < 0)
        return r;
    for (int i = 0; i < call->in[0]->rank; i++)
        dims[i] = i < 2 ? call->in[0]->dims[i] : 1;
    return nn_set_output(call, 0, call->in[0]->dtype, call->in[0]->rank, dims);
}

static double power(double x, int64_t p)
{
    return p == 1 ? fabs(x) : p == 2 ? x * x : pow(fabs(x), (double)p);
}

static double root(double sum, int64_t p)
{
    return p == 1 ? sum : p == 2 ? sqrt(sum) : pow(sum, 1 / (double)p);
}

/* One call, with three spatial dimensions: missing ones are 1 and stand first. */
typedef struct LpPool {
    const NnCall *call;
    int64_t p;
    int64_t in[3], out[3], kernel[3], strides[3], dilations[3], before[3];
} LpPool;

/* The part begin…end-1 of the input that lies under tap numbers 0…kernel-1 of the
 * window of output `at`: the padding adds nothing. */
static void clip(const LpPool *pool, int axis, int64_t at, int64_t *ret_begin, int64_t *ret_end)
{
    int64_t start = at * pool->strides[axis] - pool->before[axis], d = pool->dilations[axis];
    int64_t end = NN_MIN(start + (pool->kernel[axis] - 1) * d + 1, pool->in[axis]);
    *ret_begin = start < 0 ? start + nn_div_up(-start, d) * d : start;
    *ret_end = end;
}

static double window_sum(const LpPool *pool, int64_t plane, const int64_t at[3])
{
    const NnTensor *in = pool->call->in[0];
    int64_t begin[3], end[3];
    double sum = 0;
    for (int i = 0; i < 3; i++)
        clip(pool, i, at[i], &begin[i], &end[i]);
    for (int64_t z = begin[0]; z < end[0]; z += pool->dilations[0])
        for (int64_t y = begin[1]; y < end[1]; y += pool->dilations[1])
            for (int64_t x = begin[2]; x < end[2]; x += pool->dilations[2])
                sum += power(nn_load_float(in, ((plane * pool->in[0] + z) * pool->in[1] + y) *
                                                   pool->in[2] + x), pool->p);
    return sum;
}

static void lp_outputs(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const LpPool *pool = argument;
    (void)worker;
    NN_SWITCH_FLOAT(pool->call->in[0]->dtype, {
        for (int64_t i = begin; i < end; i++) {
            int64_t x = i % pool->out[2], y = i / pool->out[2] % pool->out[1];
            int64_t z = i / pool->out[2] / pool->out[1] % pool->out[0];
            int64_t plane = i / pool->out[2] / pool->out[1] / pool->out[0];
            double sum = window_sum(pool, plane, (int64_t[]){ z, y, x });
            ((T *)pool->call->out[0]->data)[i] = (T)root(sum, pool->p);
        }
    })
}

static int lp_pool_run(const NnCall *call)
{
    const LpPoolParams *p = call->params;
    const NnTensor *in = call->in[0], *out = call->out[0];
    LpPool pool = { .call = call, .p = p->p };
    int64_t dims[NN_RANK_MAX], taps = 1;
    NnWindow w;
    int r = nn_window_resolve(call, &p->window, p->ceil_mode != 0, &w, dims);
    if (r < 0)
        return r;
    for (int i = 0; i < 3; i++) {
        int from = i - (3 - w.spatial);
        pool.in[i] = from < 0 ? 1 : in->dims[2 + from];
        pool.out[i] = from < 0 ? 1 : out->dims[2 + from];
        pool.kernel[i] = from < 0 ? 1 : w.kernel[from];
        pool.strides[i] = from < 0 ? 1 : w.strides[from];
        pool.dilations[i] = from < 0 ? 1 : w.dilations[from];
        pool.before[i] = from < 0 ? 0 : w.before[from];
        taps *= NN_MIN(pool.kernel[i], pool.in[i]);
    }
    nn_range_run(call->pool, nn_tensor_elements(out), nn_grain(4 * taps), lp_outputs, &pool);
    return 0;
}

const NnOp nn_op_lp_pool = {
    .type = "LpPool",
    .domain = "",
    .since = 2,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(LpPoolParams),
    .prepare = lp_pool_prepare,
    .infer = lp_pool_infer,
    .run = lp_pool_run,
};

static void lp_planes(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const LpPoolParams *p = call->params;
    int64_t n = nn_product(call->in[0]->dims, 2, call->in[0]->rank);
    (void)worker;
    NN_SWITCH_FLOAT(call->in[0]->dtype, {
        for (int64_t plane = begin; plane < end; plane++) {
            const T *x = (const T *)call->in[0]->data + plane * n;
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += power((double)x[i], p->p);
            ((T *)call->out[0]->data)[plane] = (T)root(sum, p->p);
        }
    })
}

static int global_lp_pool_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    nn_range_run(call->pool, in->dims[0] * in->dims[1],
                 nn_grain(4 * nn_product(in->dims, 2, in->rank)), lp_planes, (void *)call);
    return 0;
}

const NnOp nn_op_global_lp_pool = {
    .type = "GlobalLpPool",
    .domain = "",
    .since = 2,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(LpPoolParams),
    .prepare = global_lp_pool_prepare,
    .infer = global_lp_pool_infer,
    .run = global_lp_pool_run,
};
