/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/broadcast.h"

static int where_infer(const NnCall *call)
{
    int rank;
    int64_t dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 3);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_BOOL);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 1, NN_TYPES_ANY);
    if (r < 0)
        return r;
    if (call->in[1]->dtype != call->in[2]->dtype)
        return nn_error_set(call->error, -EBADMSG, "inputs 1 and 2 are %s and %s",
                            nn_dtype_name(call->in[1]->dtype), nn_dtype_name(call->in[2]->dtype));
    r = nn_broadcast_dims(call, 0, 3, &rank, dims);
    return r < 0 ? r : nn_set_output(call, 0, call->in[1]->dtype, rank, dims);
}

static void where_row(const NnBroadcastRow *row)
{
    const size_t *size = row->argument;
    const uint8_t *condition = row->in[0];
    NN_SWITCH_SIZE(*size, {
        const T *x = row->in[1], *y = row->in[2];
        T *to = row->out;
        for (int64_t i = 0; i < row->n; i++)
            to[i] = condition[i * row->step[0]] ? x[i * row->step[1]] : y[i * row->step[2]];
    })
}

static int where_run(const NnCall *call)
{
    size_t size = nn_dtype_size(call->out[0]->dtype);
    nn_broadcast_run(call->pool, call->in, 3, call->out[0], where_row, &size);
    return 0;
}

const NnOp nn_op_where = {
    .type = "Where",
    .domain = "",
    .since = 9,
    .min_inputs = 3,
    .max_inputs = 3,
    .max_outputs = 1,
    .infer = where_infer,
    .run = where_run,
};
