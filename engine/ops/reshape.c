/* SPDX-License-Identifier: Apache-2.0 */

/* Operators that give the same elements another shape: all are views. */

#include "ops/copy.h"

typedef struct ReshapeParams {
    int64_t number;     /* allowzero of Reshape, axis of Flatten */
} ReshapeParams;

static int view_run(const NnCall *call)
{
    nn_copy_whole(call->in[0], call->out[0], call->pool);
    return 0;
}

static int check_any(const NnCall *call, size_t n_inputs)
{
    int r = nn_check_inputs(call, n_inputs);
    return r < 0 ? r : nn_check_dtype(call, 0, NN_TYPES_ANY);
}

static int reshape_prepare(const NnNode *node, void *params, NnError *error)
{
    ReshapeParams *p = params;
    return nn_node_int(node, "allowzero", 0, &p->number, error);
}

/* The product of dims, checked: they come from the file. */
static int checked_product(const int64_t *dims, int rank, int64_t *ret)
{
    int64_t product = 1;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(product, dims[i], &product))
            return -E2BIG;
    *ret = product;
    return 0;
}

static int reshape_dims(const NnCall *call, int64_t *dims, int rank)
{
    const ReshapeParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t known, elements = nn_tensor_elements(in);
    int open = -1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0 && !p->number) {
            if (i >= in->rank)
                return nn_error_set(call->error, -EBADMSG,
                                    "dimension %d is copied from an input of %d dimensions", i,
                                    in->rank);
            dims[i] = in->dims[i];
        } else if (dims[i] == -1 && open < 0) {
            open = i;
            dims[i] = 1;
        } else if (dims[i] < 0) {
            return nn_error_set(call->error, -EBADMSG, "dimension %d is %lld", i,
                                (long long)dims[i]);
        }
    }
    if (checked_product(dims, rank, &known) < 0)
        return nn_error_set(call->error, -E2BIG, "the new shape is too large");
    if (open >= 0) {
        if (known == 0 || elements % known != 0)
            return nn_error_set(call->error, -EBADMSG,
                                "%lld elements do not divide by the %lld of the known dimensions",
                                (long long)elements, (long long)known);
        dims[open] = elements / known;
    } else if (known != elements) {
        return nn_error_set(call->error, -EBADMSG, "%lld elements do not make a shape of %lld",
                            (long long)elements, (long long)known);
    }
    return 0;
}

static int reshape_infer(const NnCall *call)
{
    int64_t dims[NN_RANK_MAX];
    size_t rank;
    int r = check_any(call, 2);
    if (r < 0)
        return r;
    r = nn_input_ints(call, 1, dims, NN_RANK_MAX, &rank);
    if (r < 0)
        return r;
    r = reshape_dims(call, dims, (int)rank);
    return r < 0 ? r : nn_set_output(call, 0, call->in[0]->dtype, (int)rank, dims);
}

const NnOp nn_op_reshape = {
    .type = "Reshape",
    .domain = "",
    .since = 5,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .flags = NN_OP_VIEW,
    .params_bytes = sizeof(ReshapeParams),
    .prepare = reshape_prepare,
    .infer = reshape_infer,
    .run = view_run,
};

static int flatten_prepare(const NnNode *node, void *params, NnError *error)
{
    ReshapeParams *p = params;
    return nn_node_int(node, "axis", 1, &p->number, error);
}

static int flatten_infer(const NnCall *call)
{
    const ReshapeParams *p = call->params;
    int r = check_any(call, 1);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    if (p->number < -in->rank || p->number > in->rank)
        return nn_error_set(call->error, -EBADMSG, "axis %lld of a tensor of %d dimensions",
                            (long long)p->number, in->rank);
    int axis = (int)(p->number < 0 ? p->number + in->rank : p->number);
    int64_t dims[2] = { nn_product(in->dims, 0, axis), nn_product(in->dims, axis, in->rank) };
    return nn_set_output(call, 0, in->dtype, 2, dims);
}

const NnOp nn_op_flatten = {
    .type = "Flatten",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_VIEW,
    .params_bytes = sizeof(ReshapeParams),
    .prepare = flatten_prepare,
    .infer = flatten_infer,
    .run = view_run,
};

static int squeeze_infer(const NnCall *call)
{
    int64_t axes[NN_RANK_MAX], dims[NN_RANK_MAX];
    bool given, selected[NN_RANK_MAX];
    size_t n;
    int rank = 0, r = check_any(call, 1);
    if (r < 0)
        return r;
    r = nn_list(call, "axes", 12, 1, axes, NN_RANK_MAX, &n, &given);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    r = nn_resolve_axes(call, axes, n, in->rank, selected);
    if (r < 0)
        return r;
    for (int i = 0; i < in->rank; i++) {
        if (selected[i] && in->dims[i] != 1)
            return nn_error_set(call->error, -EBADMSG, "dimension %d is %lld, expected 1", i,
                                (long long)in->dims[i]);
        if (given ? !selected[i] : in->dims[i] != 1)
            dims[rank++] = in->dims[i];
    }
    return nn_set_output(call, 0, in->dtype, rank, dims);
}

const NnOp nn_op_squeeze = {
    .type = "Squeeze",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 2,
    .max_outputs = 1,
    .flags = NN_OP_VIEW,
    .infer = squeeze_infer,
    .run = view_run,
};

static int unsqueeze_infer(const NnCall *call)
{
    int64_t axes[NN_RANK_MAX], dims[NN_RANK_MAX];
    bool given, selected[NN_RANK_MAX];
    size_t n;
    int r = check_any(call, 1);
    if (r < 0)
        return r;
    r = nn_list(call, "axes", 12, 1, axes, NN_RANK_MAX, &n, &given);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    if (!given)
        return nn_error_set(call->error, -EBADMSG, "axes are missing");
    int rank = in->rank + (int)n, from = 0;
    if (rank > NN_RANK_MAX)
        return nn_error_set(call->error, -E2BIG, "the output would have %d dimensions, limit %d",
                            rank, NN_RANK_MAX);
    r = nn_resolve_axes(call, axes, n, rank, selected);
    if (r < 0)
        return r;
    for (int i = 0; i < rank; i++)
        dims[i] = selected[i] ? 1 : in->dims[from++];
    return nn_set_output(call, 0, in->dtype, rank, dims);
}

const NnOp nn_op_unsqueeze = {
    .type = "Unsqueeze",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 2,
    .max_outputs = 1,
    .flags = NN_OP_VIEW,
    .infer = unsqueeze_infer,
    .run = view_run,
};

static int identity_infer(const NnCall *call)
{
    return nn_infer_same(call, NN_TYPES_ANY);
}

const NnOp nn_op_identity = {
    .type = "Identity",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_VIEW,
    .infer = identity_infer,
    .run = view_run,
};
