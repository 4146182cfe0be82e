/* SPDX-License-Identifier: Apache-2.0 */

/* CenterCropPad: the middle of the input in the middle of the output, zeros around
 * it. Of an odd difference the larger half stands at the end. */

#include "ops/copy.h"

typedef struct CenterParams {
    int64_t axes[NN_RANK_MAX];
    size_t n_axes;
    bool given;
} CenterParams;

static int center_prepare(const NnNode *node, void *params, NnError *error)
{
    CenterParams *p = params;
    p->given = nn_node_attribute(node, "axes") != NULL;
    return nn_node_ints(node, "axes", p->axes, NN_RANK_MAX, &p->n_axes, error);
}

static int center_infer(const NnCall *call)
{
    const CenterParams *p = call->params;
    int64_t sizes[NN_RANK_MAX], dims[NN_RANK_MAX];
    bool selected[NN_RANK_MAX];
    size_t n;
    int r = nn_check_inputs(call, 2);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r >= 0)
        r = nn_input_ints(call, 1, sizes, NN_RANK_MAX, &n);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    size_t expected = p->given ? p->n_axes : (size_t)in->rank;
    if (n != expected)
        return nn_error_set(call->error, -EBADMSG, "%zu sizes for %zu dimensions", n, expected);
    r = nn_resolve_axes(call, p->axes, p->n_axes, in->rank, selected);
    if (r < 0)
        return r;
    memcpy(dims, in->dims, sizeof(dims));
    for (size_t i = 0; i < n; i++) {
        int64_t axis = !p->given ? (int64_t)i : p->axes[i] < 0 ? p->axes[i] + in->rank : p->axes[i];
        if (sizes[i] < 0)
            return nn_error_set(call->error, -EBADMSG, "the size of dimension %d is %lld",
                                (int)axis, (long long)sizes[i]);
        dims[axis] = sizes[i];
    }
    return nn_set_output(call, 0, in->dtype, in->rank, dims);
}

static int center_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    int64_t from[NN_RANK_MAX], to[NN_RANK_MAX], source = 0, target = 0;
    size_t size = nn_dtype_size(in->dtype);
    NnCopy copy = { .size = size };
    bool padded = false;
    nn_strides(in, from);
    nn_strides(out, to);
    for (int i = 0; i < in->rank; i++) {
        source += NN_MAX(in->dims[i] - out->dims[i], 0) / 2 * from[i];
        target += NN_MAX(out->dims[i] - in->dims[i], 0) / 2 * to[i];
        padded = padded || out->dims[i] > in->dims[i];
        nn_copy_dim(&copy, NN_MIN(in->dims[i], out->dims[i]), from[i], to[i]);
    }
    if (padded)
        memset(out->data, 0, (size_t)nn_tensor_elements(out) * size);
    copy.source = (const char *)in->data + (size_t)source * size;
    copy.target = (char *)out->data + (size_t)target * size;
    nn_copy_run(&copy, call->pool);
    return 0;
}

const NnOp nn_op_center_crop_pad = {
    .type = "CenterCropPad",
    .domain = "",
    .since = 18,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(CenterParams),
    .prepare = center_prepare,
    .infer = center_infer,
    .run = center_run,
};
