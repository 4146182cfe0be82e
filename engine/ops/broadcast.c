/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/broadcast.h"

int nn_broadcast_dims(const NnCall *call, size_t first, size_t n, int *ret_rank, int64_t *ret_dims)
{
    int rank = 0;
    int64_t dims[NN_RANK_MAX] = { 0 };
    for (size_t i = first; i < first + n; i++)
        rank = NN_MAX(rank, call->in[i]->rank);
    for (int axis = 0; axis < rank; axis++)
        dims[axis] = 1;
    for (size_t i = first; i < first + n; i++) {
        const NnTensor *in = call->in[i];
        for (int axis = rank - in->rank; axis < rank; axis++) {
            int64_t dim = in->dims[axis - (rank - in->rank)];
            if (dims[axis] == 1)
                dims[axis] = dim;
            else if (dim != 1 && dim != dims[axis])
                return nn_error_set(call->error, -EBADMSG,
                                    "input %zu has %lld elements in dimension %d of %d, which do "
                                    "not broadcast with %lld", i, (long long)dim, axis, rank,
                                    (long long)dims[axis]);
        }
    }
    *ret_rank = rank;
    memcpy(ret_dims, dims, sizeof(dims));
    return 0;
}

typedef struct Plan {
    int rank;                       /* at least 1; dims[rank - 1] is the row */
    int64_t dims[NN_RANK_MAX];
    int64_t strides[NN_BROADCAST_MAX][NN_RANK_MAX];
    size_t n;
    const char *in[NN_BROADCAST_MAX];
    size_t in_size[NN_BROADCAST_MAX];
    char *out;
    size_t out_size;
    NnBroadcastFunc func;
    const void *argument;
} Plan;

static bool joins(const Plan *plan, const int64_t *strides, int64_t dim)
{
    for (size_t i = 0; i < plan->n; i++)
        if (plan->strides[i][plan->rank - 1] != strides[i] * dim)
            return false;
    return true;
}

/* Adds the dimensions outermost first; those that are one run everywhere join. */
static void plan_dims(Plan *plan, const NnTensor *const *in, const NnTensor *out)
{
    int64_t dense[NN_BROADCAST_MAX][NN_RANK_MAX];
    for (size_t i = 0; i < plan->n; i++)
        nn_strides(in[i], dense[i]);
    for (int axis = 0; axis < out->rank; axis++) {
        int64_t strides[NN_BROADCAST_MAX];
        if (out->dims[axis] == 1)
            continue;
        for (size_t i = 0; i < plan->n; i++) {
            int own = axis - (out->rank - in[i]->rank);
            strides[i] = own < 0 || in[i]->dims[own] == 1 ? 0 : dense[i][own];
        }
        if (plan->rank > 0 && joins(plan, strides, out->dims[axis]))
            plan->dims[plan->rank - 1] *= out->dims[axis];
        else
            plan->dims[plan->rank++] = out->dims[axis];
        for (size_t i = 0; i < plan->n; i++)
            plan->strides[i][plan->rank - 1] = strides[i];
    }
    if (plan->rank == 0)
        plan->dims[plan->rank++] = 1;
}

static void run_row(const Plan *plan, int64_t row, int64_t begin, int64_t end)
{
    int last = plan->rank - 1;
    int64_t offset[NN_BROADCAST_MAX] = { 0 }, rest = row;
    NnBroadcastRow r = { .n = end - begin, .argument = plan->argument };
    for (int axis = last - 1; axis >= 0; axis--) {
        for (size_t i = 0; i < plan->n; i++)
            offset[i] += rest % plan->dims[axis] * plan->strides[i][axis];
        rest /= plan->dims[axis];
    }
    for (size_t i = 0; i < plan->n; i++) {
        r.step[i] = plan->strides[i][last];
        r.in[i] = plan->in[i] + (offset[i] + begin * r.step[i]) * (int64_t)plan->in_size[i];
    }
    r.out = plan->out + (row * plan->dims[last] + begin) * (int64_t)plan->out_size;
    plan->func(&r);
}

static void run_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Plan *plan = argument;
    (void)worker;
    for (int64_t row = begin; row < end; row++)
        run_row(plan, row, 0, plan->dims[plan->rank - 1]);
}

static void run_part(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    (void)worker;
    run_row(argument, 0, begin, end);
}

void nn_broadcast_run(NnPool *pool, const NnTensor *const *in, size_t n, NnTensor *out,
                      NnBroadcastFunc func, const void *argument)
{
    Plan plan = { .n = n, .out = out->data, .out_size = nn_dtype_size(out->dtype), .func = func,
                  .argument = argument };
    if (nn_tensor_elements(out) == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        plan.in[i] = in[i]->data;
        plan.in_size[i] = nn_dtype_size(in[i]->dtype);
    }
    plan_dims(&plan, in, out);
    int64_t row = plan.dims[plan.rank - 1];
    if (plan.rank == 1)
        nn_range_run(pool, row, nn_grain(1), run_part, &plan);
    else
        nn_range_run(pool, nn_product(plan.dims, 0, plan.rank - 1), nn_grain(row), run_rows, &plan);
}
