/* SPDX-License-Identifier: Apache-2.0 */

/* Expand and Tile: repetition along dimensions. */

#include "ops/copy.h"

static int expand_infer(const NnCall *call)
{
    int64_t shape[NN_RANK_MAX], dims[NN_RANK_MAX];
    size_t n;
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r < 0)
        return r;
    r = nn_input_ints(call, 1, shape, NN_RANK_MAX, &n);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    int rank = NN_MAX(in->rank, (int)n);
    for (int i = 0; i < rank; i++) {
        int own = i - (rank - in->rank), asked = i - (rank - (int)n);
        int64_t a = own < 0 ? 1 : in->dims[own], b = asked < 0 ? 1 : shape[asked];
        if (b < 0 || (a != b && a != 1 && b != 1))
            return nn_error_set(call->error, -EBADMSG,
                                "dimension %d of %lld does not expand to %lld", i, (long long)a,
                                (long long)b);
        dims[i] = a == 1 ? b : a;
    }
    return nn_set_output(call, 0, in->dtype, rank, dims);
}

static int expand_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    int64_t from[NN_RANK_MAX], to[NN_RANK_MAX];
    NnCopy copy = { .size = nn_dtype_size(in->dtype), .source = in->data, .target = out->data };
    nn_strides(in, from);
    nn_strides(out, to);
    for (int i = 0; i < out->rank; i++) {
        int own = i - (out->rank - in->rank);
        nn_copy_dim(&copy, out->dims[i], own < 0 || in->dims[own] == 1 ? 0 : from[own], to[i]);
    }
    nn_copy_run(&copy, call->pool);
    return 0;
}

const NnOp nn_op_expand = {
    .type = "Expand",
    .domain = "",
    .since = 8,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .infer = expand_infer,
    .run = expand_run,
};

static int tile_infer(const NnCall *call)
{
    int64_t repeats[NN_RANK_MAX], dims[NN_RANK_MAX];
    size_t n;
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r < 0)
        return r;
    r = nn_input_ints(call, 1, repeats, NN_RANK_MAX, &n);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    if (n != (size_t)in->rank)
        return nn_error_set(call->error, -EBADMSG, "%zu repeats for %d dimensions", n, in->rank);
    for (int i = 0; i < in->rank; i++)
        if (repeats[i] < 0 || __builtin_mul_overflow(in->dims[i], repeats[i], &dims[i]))
            return nn_error_set(call->error, -EBADMSG, "dimension %d is repeated %lld times", i,
                                (long long)repeats[i]);
    return nn_set_output(call, 0, in->dtype, in->rank, dims);
}

static int tile_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    int64_t from[NN_RANK_MAX], to[NN_RANK_MAX];
    NnCopy copy = { .size = nn_dtype_size(in->dtype), .source = in->data, .target = out->data };
    if (nn_tensor_elements(out) == 0)
        return 0;
    nn_strides(in, from);
    nn_strides(out, to);
    for (int i = 0; i < out->rank; i++) {
        nn_copy_dim(&copy, out->dims[i] / in->dims[i], 0, in->dims[i] * to[i]);
        nn_copy_dim(&copy, in->dims[i], from[i], to[i]);
    }
    nn_copy_run(&copy, call->pool);
    return 0;
}

const NnOp nn_op_tile = {
    .type = "Tile",
    .domain = "",
    .since = 6,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .infer = tile_infer,
    .run = tile_run,
};
