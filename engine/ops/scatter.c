/* SPDX-License-Identifier: Apache-2.0 */

/* ScatterElements (and Scatter, its older name) and ScatterND. */

#include "ops/gather.h"

typedef enum Reduction {
    REDUCTION_NONE,
    REDUCTION_ADD,
    REDUCTION_MUL,
    REDUCTION_MAX,
    REDUCTION_MIN,
} Reduction;

typedef struct ScatterParams {
    int64_t axis;
    Reduction reduction;
} ScatterParams;

static int scatter_prepare(const NnNode *node, void *params, NnError *error)
{
    static const char *const names[] = {
        [REDUCTION_NONE] = "none", [REDUCTION_ADD] = "add", [REDUCTION_MUL] = "mul",
        [REDUCTION_MAX] = "max",   [REDUCTION_MIN] = "min",
    };
    ScatterParams *p = params;
    const char *name;
    int r = nn_node_int(node, "axis", 0, &p->axis, error);
    if (r < 0)
        return r;
    r = nn_node_string(node, "reduction", "none", &name, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            p->reduction = (Reduction)i;
            return 0;
        }
    }
    return nn_error_set(error, -ENOTSUP, "reduction %s is not supported", name);
}

static int check_scatter(const NnCall *call)
{
    const ScatterParams *p = call->params;
    int r = nn_check_inputs(call, 3);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, p->reduction ? NN_TYPES_NUMBER : NN_TYPES_ANY);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 1, NN_TYPES_INDEX);
    return r < 0 ? r : nn_check_same_dtype(call, 2);
}

static void combine(Reduction reduction, NnDtype dtype, void *target, const void *source, int64_t n)
{
    if (reduction == REDUCTION_NONE) {
        memcpy(target, source, (size_t)n * nn_dtype_size(dtype));
        return;
    }
    NN_SWITCH_NUMBER(dtype, {
        T *to = target;
        const T *from = source;
        for (int64_t i = 0; i < n; i++) {
            const T x = to[i], y = from[i];
            switch (reduction) {
            case REDUCTION_ADD:
                to[i] = _Generic((T)0, float: x + y, double: x + y,
                                 default: (T)((uint64_t)x + (uint64_t)y));
                break;
            case REDUCTION_MUL:
                to[i] = _Generic((T)0, float: x * y, double: x * y,
                                 default: (T)((uint64_t)x * (uint64_t)y));
                break;
            case REDUCTION_MAX:
                to[i] = x > y || x != x ? x : y;
                break;
            default:
                to[i] = x < y || x != x ? x : y;
                break;
            }
        }
    })
}

static int scatter_elements_infer(const NnCall *call)
{
    const ScatterParams *p = call->params;
    int axis, r = check_scatter(call);
    if (r < 0)
        return r;
    r = nn_check_elements_fit(call, p->axis, &axis);
    if (r < 0)
        return r;
    if (!nn_tensor_same_shape(call->in[1], call->in[2]))
        return nn_error_set(call->error, -EBADMSG, "indices and updates have different shapes");
    return nn_set_output(call, 0, call->in[0]->dtype, call->in[0]->rank, call->in[0]->dims);
}

static int scatter_elements_run(const NnCall *call)
{
    const ScatterParams *p = call->params;
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    size_t size = nn_dtype_size(in->dtype);
    int64_t strides[NN_RANK_MAX];
    nn_strides(in, strides);
    nn_copy_whole(in, out, call->pool);
    for (int64_t i = 0; i < nn_tensor_elements(call->in[1]); i++) {
        int64_t offset;
        int r = nn_element_offset(call, axis, strides, i, &offset);
        if (r < 0)
            return r;
        combine(p->reduction, in->dtype, (char *)out->data + (size_t)offset * size,
                (const char *)call->in[2]->data + (size_t)i * size, 1);
    }
    return 0;
}

#define SCATTER_ELEMENTS_OP(symbol, name, first)    \
    const NnOp nn_op_##symbol = {                   \
        .type = name,                               \
        .domain = "",                               \
        .since = first,                             \
        .min_inputs = 3,                            \
        .max_inputs = 3,                            \
        .max_outputs = 1,                           \
        .params_bytes = sizeof(ScatterParams),      \
        .prepare = scatter_prepare,                 \
        .infer = scatter_elements_infer,            \
        .run = scatter_elements_run,                \
    };

SCATTER_ELEMENTS_OP(scatter, "Scatter", 9)
SCATTER_ELEMENTS_OP(scatter_elements, "ScatterElements", 11)

static int scatter_nd_infer(const NnCall *call)
{
    int depth = 0, r = check_scatter(call);
    if (r < 0)
        return r;
    r = nn_nd_depth(call, 0, &depth);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0], *indices = call->in[1], *updates = call->in[2];
    int outer = indices->rank - 1;
    bool fits = updates->rank == outer + in->rank - depth;
    for (int i = 0; fits && i < updates->rank; i++)
        fits = updates->dims[i] == (i < outer ? indices->dims[i] : in->dims[depth + i - outer]);
    if (!fits)
        return nn_error_set(call->error, -EBADMSG, "the updates do not fit data and indices");
    return nn_set_output(call, 0, in->dtype, in->rank, in->dims);
}

static int scatter_nd_run(const NnCall *call)
{
    const ScatterParams *p = call->params;
    const NnTensor *in = call->in[0], *indices = call->in[1];
    NnTensor *out = call->out[0];
    int depth, r = nn_nd_depth(call, 0, &depth);
    if (r < 0)
        return r;
    int64_t strides[NN_RANK_MAX];
    nn_strides(in, strides);
    int64_t tuples = nn_product(indices->dims, 0, indices->rank - 1);
    int64_t inner = nn_product(in->dims, depth, in->rank);
    size_t size = nn_dtype_size(in->dtype);
    nn_copy_whole(in, out, call->pool);
    for (int64_t i = 0; i < tuples; i++) {
        int64_t offset;
        r = nn_nd_offset(call, 0, depth, strides, i, &offset);
        if (r < 0)
            return r;
        combine(p->reduction, in->dtype, (char *)out->data + (size_t)offset * size,
                (const char *)call->in[2]->data + (size_t)(i * inner) * size, inner);
    }
    return 0;
}

const NnOp nn_op_scatter_nd = {
    .type = "ScatterND",
    .domain = "",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(ScatterParams),
    .prepare = scatter_prepare,
    .infer = scatter_nd_infer,
    .run = scatter_nd_run,
};
