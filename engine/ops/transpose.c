/* SPDX-License-Identifier: Apache-2.0 */

/* Transpose, DepthToSpace and SpaceToDepth: permutations of dimensions. */

#include "ops/copy.h"

typedef struct TransposeParams {
    int64_t perm[NN_RANK_MAX];
    size_t n;
    bool given;
} TransposeParams;

static int transpose_prepare(const NnNode *node, void *params, NnError *error)
{
    TransposeParams *p = params;
    bool seen[NN_RANK_MAX] = { false };
    p->given = nn_node_attribute(node, "perm") != NULL;
    int r = nn_node_ints(node, "perm", p->perm, NN_RANK_MAX, &p->n, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < p->n; i++) {
        if (p->perm[i] < 0 || p->perm[i] >= (int64_t)p->n || seen[p->perm[i]])
            return nn_error_set(error, -EBADMSG, "perm is no permutation of 0…%zu", p->n - 1);
        seen[p->perm[i]] = true;
    }
    return 0;
}

static int source_axis(const TransposeParams *p, int rank, int axis)
{
    return p->given ? (int)p->perm[axis] : rank - 1 - axis;
}

static int transpose_infer(const NnCall *call)
{
    const TransposeParams *p = call->params;
    int64_t dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    if (p->given && p->n != (size_t)in->rank)
        return nn_error_set(call->error, -EBADMSG, "perm has %zu entries for %d dimensions", p->n,
                            in->rank);
    for (int i = 0; i < in->rank; i++)
        dims[i] = in->dims[source_axis(p, in->rank, i)];
    return nn_set_output(call, 0, in->dtype, in->rank, dims);
}

static int transpose_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    int64_t from[NN_RANK_MAX], to[NN_RANK_MAX];
    NnCopy copy = { .size = nn_dtype_size(in->dtype), .source = in->data, .target = out->data };
    nn_strides(in, from);
    nn_strides(out, to);
    for (int i = 0; i < out->rank; i++)
        nn_copy_dim(&copy, out->dims[i], from[source_axis(call->params, in->rank, i)], to[i]);
    nn_copy_run(&copy, call->pool);
    return 0;
}

const NnOp nn_op_transpose = {
    .type = "Transpose",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(TransposeParams),
    .prepare = transpose_prepare,
    .infer = transpose_infer,
    .run = transpose_run,
};

typedef struct BlockParams {
    int64_t block;
    bool crd;           /* channels are depth-column-row, else column-row-depth */
} BlockParams;

static int block_prepare(const NnNode *node, void *params, NnError *error)
{
    BlockParams *p = params;
    const char *mode;
    int r = nn_node_int(node, "blocksize", 0, &p->block, error);
    if (r < 0)
        return r;
    if (p->block < 1 || p->block > INT32_MAX)
        return nn_error_set(error, -EBADMSG, "blocksize is %lld", (long long)p->block);
    r = nn_node_string(node, "mode", "DCR", &mode, error);
    if (r < 0)
        return r;
    p->crd = strcmp(mode, "CRD") == 0;
    if (!p->crd && strcmp(mode, "DCR") != 0)
        return nn_error_set(error, -EBADMSG, "mode is %s, expected DCR or CRD", mode);
    return 0;
}

static int check_block(const NnCall *call)
{
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    return r < 0 ? r : nn_check_rank(call, 0, 4, 4);
}

static int depth_to_space_infer(const NnCall *call)
{
    const BlockParams *p = call->params;
    int r = check_block(call);
    if (r < 0)
        return r;
    const int64_t *d = call->in[0]->dims;
    int64_t height, width;
    if (d[1] % (p->block * p->block) != 0)
        return nn_error_set(call->error, -EBADMSG, "%lld channels do not divide by %lld squared",
                            (long long)d[1], (long long)p->block);
    if (__builtin_mul_overflow(d[2], p->block, &height) ||
        __builtin_mul_overflow(d[3], p->block, &width))
        return nn_error_set(call->error, -E2BIG, "blocksize is %lld", (long long)p->block);
    int64_t dims[4] = { d[0], d[1] / (p->block * p->block), height, width };
    return nn_set_output(call, 0, call->in[0]->dtype, 4, dims);
}

/* Both directions walk the same six dimensions. `deep` has the channels of the
 * blocks, `wide` the pixels. */
static void block_run(const NnCall *call, const NnTensor *deep, const NnTensor *wide, bool to_wide)
{
    const BlockParams *p = call->params;
    int64_t b = p->block, c = wide->dims[1], h = deep->dims[2], w = deep->dims[3];
    int64_t plane = h * w;
    NnCopy copy = {
        .size = nn_dtype_size(deep->dtype),
        .source = call->in[0]->data,
        .target = call->out[0]->data,
    };
    struct {
        int64_t dim, deep, wide;
    } axes[] = {
        { deep->dims[0], b * b * c * plane, b * b * c * plane },
        { c, p->crd ? b * b * plane : plane, b * b * plane },
        { h, w, b * w * b },
        { b, p->crd ? b * plane : b * c * plane, w * b },
        { w, 1, b },
        { b, p->crd ? plane : c * plane, 1 },
    };
    for (size_t i = 0; i < NN_ARRAY_SIZE(axes); i++)
        nn_copy_dim(&copy, axes[i].dim, to_wide ? axes[i].deep : axes[i].wide,
                    to_wide ? axes[i].wide : axes[i].deep);
    nn_copy_run(&copy, call->pool);
}

static int depth_to_space_run(const NnCall *call)
{
    block_run(call, call->in[0], call->out[0], true);
    return 0;
}

const NnOp nn_op_depth_to_space = {
    .type = "DepthToSpace",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(BlockParams),
    .prepare = block_prepare,
    .infer = depth_to_space_infer,
    .run = depth_to_space_run,
};

static int space_to_depth_infer(const NnCall *call)
{
    const BlockParams *p = call->params;
    int r = check_block(call);
    if (r < 0)
        return r;
    const int64_t *d = call->in[0]->dims;
    int64_t channels;
    if (d[2] % p->block != 0 || d[3] % p->block != 0)
        return nn_error_set(call->error, -EBADMSG, "%lld×%lld does not divide by %lld",
                            (long long)d[2], (long long)d[3], (long long)p->block);
    if (__builtin_mul_overflow(d[1], p->block * p->block, &channels))
        return nn_error_set(call->error, -E2BIG, "blocksize is %lld", (long long)p->block);
    int64_t dims[4] = { d[0], channels, d[2] / p->block, d[3] / p->block };
    return nn_set_output(call, 0, call->in[0]->dtype, 4, dims);
}

static int space_to_depth_run(const NnCall *call)
{
    block_run(call, call->out[0], call->in[0], false);
    return 0;
}

const NnOp nn_op_space_to_depth = {
    .type = "SpaceToDepth",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(BlockParams),
    .prepare = block_prepare,
    .infer = space_to_depth_infer,
    .run = space_to_depth_run,
};
