/* SPDX-License-Identifier: Apache-2.0 */

/* Gather, GatherElements and GatherND. */

#include "ops/gather.h"

int nn_check_index(const NnCall *call, int64_t index, int64_t dim, int64_t *ret)
{
    if (index < -dim || index >= dim)
        return nn_error_set(call->error, -EDOM, "index %lld is not one of %lld elements",
                            (long long)index, (long long)dim);
    *ret = index < 0 ? index + dim : index;
    return 0;
}

static int gather_prepare(const NnNode *node, void *params, NnError *error)
{
    NnGatherParams *p = params;
    int r = nn_node_int(node, "axis", 0, &p->axis, error);
    return r < 0 ? r : nn_node_int(node, "batch_dims", 0, &p->batch_dims, error);
}

static int check_gather(const NnCall *call)
{
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    return r < 0 ? r : nn_check_dtype(call, 1, NN_TYPES_INDEX);
}

static int gather_infer(const NnCall *call)
{
    const NnGatherParams *p = call->params;
    int axis = 0, r = check_gather(call);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0], *indices = call->in[1];
    r = nn_resolve_axis(call, p->axis, in->rank, &axis);
    if (r < 0)
        return r;
    int64_t dims[2 * NN_RANK_MAX];
    int rank = 0;
    for (int i = 0; i < axis; i++)
        dims[rank++] = in->dims[i];
    for (int i = 0; i < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (int i = axis + 1; i < in->rank; i++)
        dims[rank++] = in->dims[i];
    return nn_set_output(call, 0, in->dtype, rank, dims);
}

static int gather_run(const NnCall *call)
{
    const NnGatherParams *p = call->params;
    const NnTensor *in = call->in[0], *indices = call->in[1];
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    int64_t outer = nn_product(in->dims, 0, axis), dim = in->dims[axis];
    int64_t inner = nn_product(in->dims, axis + 1, in->rank), n = nn_tensor_elements(indices);
    size_t size = nn_dtype_size(in->dtype);
    for (int64_t i = 0; i < n; i++) {
        int64_t index = 0;
        int r = nn_check_index(call, nn_load_int(indices, i), dim, &index);
        if (r < 0)
            return r;
        NnCopy copy = { .size = size,
                        .source = (const char *)in->data + (size_t)(index * inner) * size,
                        .target = (char *)call->out[0]->data + (size_t)(i * inner) * size };
        nn_copy_dim(&copy, outer, dim * inner, n * inner);
        nn_copy_dim(&copy, inner, 1, 1);
        nn_copy_run(&copy, call->pool);
    }
    return 0;
}

const NnOp nn_op_gather = {
    .type = "Gather",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(NnGatherParams),
    .prepare = gather_prepare,
    .infer = gather_infer,
    .run = gather_run,
};

int nn_check_elements_fit(const NnCall *call, int64_t axis, int *ret_axis)
{
    const NnTensor *in = call->in[0], *indices = call->in[1];
    int r = nn_resolve_axis(call, axis, in->rank, ret_axis);
    if (r < 0)
        return r;
    bool fits = indices->rank == in->rank;
    for (int i = 0; fits && i < in->rank; i++)
        fits = i == *ret_axis || indices->dims[i] <= in->dims[i];
    return fits ? 0 : nn_error_set(call->error, -EBADMSG, "the indices do not fit input 0");
}

static int gather_elements_infer(const NnCall *call)
{
    const NnGatherParams *p = call->params;
    int axis, r = check_gather(call);
    if (r < 0)
        return r;
    r = nn_check_elements_fit(call, p->axis, &axis);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, call->in[0]->dtype, call->in[1]->rank, call->in[1]->dims);
}

int nn_element_offset(const NnCall *call, int axis, const int64_t *strides, int64_t i, int64_t *ret)
{
    const NnTensor *in = call->in[0], *indices = call->in[1];
    int64_t rest = i, offset = 0, index = 0;
    int r = nn_check_index(call, nn_load_int(indices, i), in->dims[axis], &index);
    if (r < 0)
        return r;
    for (int d = indices->rank - 1; d >= 0; d--) {
        offset += (d == axis ? index : rest % indices->dims[d]) * strides[d];
        rest /= indices->dims[d];
    }
    *ret = offset;
    return 0;
}

static int gather_elements_run(const NnCall *call)
{
    const NnGatherParams *p = call->params;
    const NnTensor *in = call->in[0], *indices = call->in[1];
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis), r = 0;
    int64_t strides[NN_RANK_MAX], n = nn_tensor_elements(indices);
    nn_strides(in, strides);
    NN_SWITCH_SIZE(nn_dtype_size(in->dtype), {
        T *to = call->out[0]->data;
        for (int64_t i = 0; r >= 0 && i < n; i++) {
            int64_t offset = 0;
            r = nn_element_offset(call, axis, strides, i, &offset);
            if (r >= 0)
                to[i] = ((const T *)in->data)[offset];
        }
    })
    return r;
}

const NnOp nn_op_gather_elements = {
    .type = "GatherElements",
    .domain = "",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(NnGatherParams),
    .prepare = gather_prepare,
    .infer = gather_elements_infer,
    .run = gather_elements_run,
};

int nn_nd_depth(const NnCall *call, int64_t batch, int *ret_depth)
{
    const NnTensor *in = call->in[0], *indices = call->in[1];
    if (indices->rank < 1 || in->rank < 1)
        return nn_error_set(call->error, -EBADMSG, "scalars have no elements to index");
    if (batch < 0 || batch >= in->rank || batch >= indices->rank)
        return nn_error_set(call->error, -EBADMSG, "batch_dims is %lld", (long long)batch);
    int64_t depth = indices->dims[indices->rank - 1];
    if (depth < 1 || depth > in->rank - batch)
        return nn_error_set(call->error, -EBADMSG,
                            "indices of %lld numbers into %d dimensions", (long long)depth,
                            in->rank - (int)batch);
    *ret_depth = (int)depth;
    return 0;
}

int nn_nd_offset(const NnCall *call, int batch, int depth, const int64_t *strides, int64_t tuple,
                 int64_t *ret)
{
    int64_t offset = 0;
    for (int d = 0; d < depth; d++) {
        int64_t index = 0;
        int r = nn_check_index(call, nn_load_int(call->in[1], tuple * depth + d),
                               call->in[0]->dims[batch + d], &index);
        if (r < 0)
            return r;
        offset += index * strides[batch + d];
    }
    *ret = offset;
    return 0;
}

static int gather_nd_infer(const NnCall *call)
{
    const NnGatherParams *p = call->params;
    int depth, r = check_gather(call);
    if (r < 0)
        return r;
    r = nn_nd_depth(call, p->batch_dims, &depth);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0], *indices = call->in[1];
    int64_t dims[2 * NN_RANK_MAX];
    int batch = (int)p->batch_dims, rank = 0;
    for (int i = 0; i < batch; i++)
        if (in->dims[i] != indices->dims[i])
            return nn_error_set(call->error, -EBADMSG, "batch dimension %d is %lld and %lld", i,
                                (long long)in->dims[i], (long long)indices->dims[i]);
    for (int i = 0; i < indices->rank - 1; i++)
        dims[rank++] = indices->dims[i];
    for (int i = batch + depth; i < in->rank; i++)
        dims[rank++] = in->dims[i];
    return nn_set_output(call, 0, in->dtype, rank, dims);
}

static int gather_nd_run(const NnCall *call)
{
    const NnGatherParams *p = call->params;
    const NnTensor *in = call->in[0], *indices = call->in[1];
    int batch = (int)p->batch_dims, depth, r = nn_nd_depth(call, batch, &depth);
    if (r < 0)
        return r;
    int64_t strides[NN_RANK_MAX];
    nn_strides(in, strides);
    int64_t batches = nn_product(in->dims, 0, batch);
    int64_t tuples = nn_product(indices->dims, batch, indices->rank - 1);
    int64_t inner = nn_product(in->dims, batch + depth, in->rank);
    int64_t block = nn_product(in->dims, batch, in->rank);
    size_t size = nn_dtype_size(in->dtype);
    char *to = call->out[0]->data;
    for (int64_t i = 0; i < batches * tuples; i++) {
        int64_t offset;
        r = nn_nd_offset(call, batch, depth, strides, i, &offset);
        if (r < 0)
            return r;
        offset += i / tuples * block;
        memcpy(to + (size_t)(i * inner) * size, (const char *)in->data + (size_t)offset * size,
               (size_t)inner * size);
    }
    return 0;
}

const NnOp nn_op_gather_nd = {
    .type = "GatherND",
    .domain = "",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(NnGatherParams),
    .prepare = gather_prepare,
    .infer = gather_nd_infer,
    .run = gather_nd_run,
};
