/* SPDX-License-Identifier: Apache-2.0 */

/* MaxUnpool: puts each element where MaxPool's Indices say it stood. */

#include "ops/window.h"

static int unpool_prepare(const NnNode *node, void *params, NnError *error)
{
    return nn_window_read(node, params, error);
}

/* The dims that the indices count in: those of the input of a pooling that the
 * window undoes. */
static int pooled_dims(const NnCall *call, int64_t *ret)
{
    const NnWindow *w = call->params;
    const NnTensor *in = call->in[0];
    if (in->rank != w->spatial + 2)
        return nn_error_set(call->error, -EBADMSG, "input 0 has %d dimensions, the window needs %d",
                            in->rank, w->spatial + 2);
    memcpy(ret, in->dims, sizeof(in->dims));
    for (int i = 0; i < w->spatial; i++) {
        ret[2 + i] = (in->dims[2 + i] - 1) * w->strides[i] + w->kernel[i] - w->before[i] -
                     w->after[i];
        if (ret[2 + i] < 1)
            return nn_error_set(call->error, -EBADMSG, "spatial dimension %d would be %lld", i,
                                (long long)ret[2 + i]);
    }
    return 0;
}

static int read_shape(const NnCall *call, int64_t *dims)
{
    const NnTensor *in = call->in[0];
    size_t n;
    if (!nn_input(call, 2))
        return 0;
    int r = nn_input_ints(call, 2, dims, NN_RANK_MAX, &n);
    if (r < 0)
        return r;
    if (n != (size_t)in->rank || dims[0] != in->dims[0] || dims[1] != in->dims[1])
        return nn_error_set(call->error, -EBADMSG, "the output's shape does not fit input 0");
    for (size_t i = 2; i < n; i++)
        if (dims[i] < 1)
            return nn_error_set(call->error, -EBADMSG, "dimension %zu of the output is %lld", i,
                                (long long)dims[i]);
    return 0;
}

static int unpool_infer(const NnCall *call)
{
    int64_t dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 2);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT | NN_BIT(NN_DTYPE_F16));
    if (r >= 0)
        r = nn_check_dtype(call, 1, NN_BIT(NN_DTYPE_I64));
    if (r >= 0 && !nn_tensor_same_shape(call->in[0], call->in[1]))
        r = nn_error_set(call->error, -EBADMSG, "the indices have another shape than input 0");
    if (r >= 0)
        r = pooled_dims(call, dims);
    /* The indices must not overflow when they are counted. */
    NnTensor pooled = { .dtype = call->in[0]->dtype, .rank = call->in[0]->rank };
    size_t bytes;
    if (r >= 0) {
        memcpy(pooled.dims, dims, sizeof(dims));
        r = nn_tensor_bytes(&pooled, &bytes);
        if (r < 0)
            return nn_error_set(call->error, r, "the output would be too large");
    }
    if (r >= 0)
        r = read_shape(call, dims);
    return r < 0 ? r : nn_set_output(call, 0, call->in[0]->dtype, call->in[0]->rank, dims);
}

/* Where index `index` among `dims` stands in the output; -EDOM outside. */
static int place(const NnCall *call, const int64_t *dims, int64_t index, int64_t *ret)
{
    const NnTensor *out = call->out[0];
    int64_t offset = 0, stride = 1, rest = index;
    if (index < 0 || index >= nn_product(dims, 0, out->rank))
        return nn_error_set(call->error, -EDOM, "index %lld is not one of %lld elements",
                            (long long)index, (long long)nn_product(dims, 0, out->rank));
    for (int i = out->rank - 1; i >= 0; i--) {
        int64_t at = rest % dims[i];
        rest /= dims[i];
        if (at >= out->dims[i])
            return nn_error_set(call->error, -EDOM, "index %lld lies outside the output",
                                (long long)index);
        offset += at * stride;
        stride *= out->dims[i];
    }
    *ret = offset;
    return 0;
}

static int unpool_run(const NnCall *call)
{
    const NnTensor *in = call->in[0], *out = call->out[0];
    const int64_t *indices = call->in[1]->data;
    size_t size = nn_dtype_size(in->dtype);
    int64_t dims[NN_RANK_MAX], at = 0;
    int r = pooled_dims(call, dims);
    if (r < 0)
        return r;
    memset(out->data, 0, (size_t)nn_tensor_elements(out) * size);
    NN_SWITCH_SIZE(size, {
        for (int64_t i = 0; i < nn_tensor_elements(in); i++) {
            r = place(call, dims, indices[i], &at);
            if (r < 0)
                return r;
            ((T *)out->data)[at] = ((const T *)in->data)[i];
        }
    })
    return 0;
}

const NnOp nn_op_max_unpool = {
    .type = "MaxUnpool",
    .domain = "",
    .since = 9,
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(NnWindow),
    .prepare = unpool_prepare,
    .infer = unpool_infer,
    .run = unpool_run,
};
