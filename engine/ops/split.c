/* SPDX-License-Identifier: Apache-2.0 */

#include "base/limits.h"
#include "ops/copy.h"

typedef struct SplitParams {
    int64_t axis;
    int64_t num_outputs;    /* 0: not given */
} SplitParams;

static int split_prepare(const NnNode *node, void *params, NnError *error)
{
    SplitParams *p = params;
    int r = nn_node_int(node, "axis", 0, &p->axis, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "num_outputs", 0, &p->num_outputs, error);
    if (r < 0)
        return r;
    if (p->num_outputs && p->num_outputs != (int64_t)node->n_outputs)
        return nn_error_set(error, -EBADMSG, "num_outputs is %lld for %zu outputs",
                            (long long)p->num_outputs, node->n_outputs);
    return 0;
}

/* Size of part `index` where no list gives it. */
static int equal_part(const NnCall *call, size_t index, int64_t dim, int64_t *ret)
{
    const SplitParams *p = call->params;
    int64_t n = (int64_t)call->n_out;
    if (!p->num_outputs && dim % n != 0)
        return nn_error_set(call->error, -EBADMSG, "%lld elements do not make %lld equal parts",
                            (long long)dim, (long long)n);
    int64_t part = nn_div_up(dim, n);
    *ret = NN_MAX(NN_MIN(part, dim - (int64_t)index * part), 0);
    return 0;
}

/* Size of part `index` from the attribute (before opset 13) or the input. */
static int listed_part(const NnCall *call, size_t index, int64_t *ret)
{
    const NnAttribute *attribute = nn_node_attribute(call->node, "split");
    const NnTensor *input = nn_input(call, 1);
    if (call->node->opset < 13) {
        if (attribute->type != NN_ATTRIBUTE_INTS || attribute->n != call->n_out)
            return nn_error_set(call->error, -EBADMSG, "split is no list of %zu integers",
                                call->n_out);
        *ret = attribute->ints[index];
        return 0;
    }
    int r = nn_check_dtype(call, 1, NN_TYPES_INDEX);
    if (r < 0)
        return r;
    r = nn_check_vector(call, 1, (int64_t)call->n_out);
    if (r < 0)
        return r;
    if (!input->data)
        return nn_error_set(call->error, -ENOTSUP, "input 1 must be constant");
    *ret = nn_load_int(input, (int64_t)index);
    return 0;
}

static int part_size(const NnCall *call, size_t index, int64_t dim, int64_t *ret)
{
    bool listed = call->node->opset < 13 ? nn_node_attribute(call->node, "split") != NULL
                                         : nn_input(call, 1) != NULL;
    return listed ? listed_part(call, index, ret) : equal_part(call, index, dim, ret);
}

static int split_infer(const NnCall *call)
{
    const SplitParams *p = call->params;
    int axis = 0, r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    r = nn_resolve_axis(call, p->axis, in->rank, &axis);
    if (r < 0)
        return r;
    int64_t dims[NN_RANK_MAX], rest = in->dims[axis];
    memcpy(dims, in->dims, sizeof(dims));
    for (size_t i = 0; i < call->n_out; i++) {
        r = part_size(call, i, in->dims[axis], &dims[axis]);
        if (r < 0)
            return r;
        if (dims[axis] < 0 || dims[axis] > rest)
            return nn_error_set(call->error, -EBADMSG, "part %zu has %lld of %lld elements", i,
                                (long long)dims[axis], (long long)rest);
        rest -= dims[axis];
        r = nn_set_output(call, i, in->dtype, in->rank, dims);
        if (r < 0)
            return r;
    }
    if (rest != 0)
        return nn_error_set(call->error, -EBADMSG, "the parts leave %lld of %lld elements",
                            (long long)rest, (long long)in->dims[axis]);
    return 0;
}

static int split_run(const NnCall *call)
{
    const SplitParams *p = call->params;
    const NnTensor *in = call->in[0];
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    int64_t outer = nn_product(in->dims, 0, axis), inner = nn_product(in->dims, axis + 1, in->rank);
    int64_t row = in->dims[axis] * inner, at = 0;
    size_t size = nn_dtype_size(in->dtype);
    for (size_t i = 0; i < call->n_out; i++) {
        int64_t part = 0;
        int r = part_size(call, i, in->dims[axis], &part);
        if (r < 0)
            return r;
        if (call->out[i]) {
            NnCopy copy = { .size = size, .target = call->out[i]->data,
                            .source = (const char *)in->data + (size_t)at * size };
            nn_copy_dim(&copy, outer, row, part * inner);
            nn_copy_dim(&copy, part * inner, 1, 1);
            nn_copy_run(&copy, call->pool);
        }
        at += part * inner;
    }
    return 0;
}

const NnOp nn_op_split = {
    .type = "Split",
    .domain = "",
    .since = 2,
    .min_inputs = 1,
    .max_inputs = 2,
    .max_outputs = NN_LIMIT_NODE_INPUTS,
    .params_bytes = sizeof(SplitParams),
    .prepare = split_prepare,
    .infer = split_infer,
    .run = split_run,
};
