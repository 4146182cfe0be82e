/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/broadcast.h"

typedef struct ShiftParams {
    bool left;
} ShiftParams;

static int shift_prepare(const NnNode *node, void *params, NnError *error)
{
    ShiftParams *p = params;
    const char *direction;
    int r = nn_node_string(node, "direction", "", &direction, error);
    if (r < 0)
        return r;
    p->left = strcmp(direction, "LEFT") == 0;
    if (!p->left && strcmp(direction, "RIGHT") != 0)
        return nn_error_set(error, -EBADMSG, "direction is '%s', expected LEFT or RIGHT",
                            direction);
    return 0;
}

static int shift_infer(const NnCall *call)
{
    int rank, r = nn_check_inputs(call, 2);
    int64_t dims[NN_RANK_MAX];
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_UNSIGNED);
    if (r >= 0)
        r = nn_check_same_dtype(call, 1);
    if (r >= 0)
        r = nn_broadcast_dims(call, 0, 2, &rank, dims);
    return r < 0 ? r : nn_set_output(call, 0, call->in[0]->dtype, rank, dims);
}

typedef struct Shift {
    NnDtype dtype;
    bool left;
} Shift;

/* All bits are gone when the amount is the width or more: C leaves that open. */
static void shift_row(const NnBroadcastRow *row)
{
    const Shift *shift = row->argument;
    NN_SWITCH(shift->dtype, NN_CASES_UNSIGNED({
        const T *p = row->in[0], *q = row->in[1];
        for (int64_t i = 0; i < row->n; i++) {
            uint64_t x = p[i * row->step[0]], y = q[i * row->step[1]];
            uint64_t moved = y < 8 * sizeof(T) ? (shift->left ? x << y : x >> y) : 0;
            ((T *)row->out)[i] = (T)moved;
        }
    }))
}

static int shift_run(const NnCall *call)
{
    const ShiftParams *p = call->params;
    Shift shift = { .dtype = call->in[0]->dtype, .left = p->left };
    nn_broadcast_run(call->pool, call->in, 2, call->out[0], shift_row, &shift);
    return 0;
}

const NnOp nn_op_bit_shift = {
    .type = "BitShift",
    .domain = "",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(ShiftParams),
    .prepare = shift_prepare,
    .infer = shift_infer,
    .run = shift_run,
};
