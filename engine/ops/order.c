/* SPDX-License-Identifier: Apache-2.0 */

/* ArgMax, ArgMin and TopK: positions of the largest and smallest along an axis. */

#include "ops/support.h"

typedef struct ArgParams {
    int64_t axis, keepdims, select_last_index;
} ArgParams;

static int arg_prepare(const NnNode *node, void *params, NnError *error)
{
    ArgParams *p = params;
    int r = nn_node_int(node, "axis", 0, &p->axis, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "keepdims", 1, &p->keepdims, error);
    return r < 0 ? r : nn_node_int(node, "select_last_index", 0, &p->select_last_index, error);
}

static int arg_infer(const NnCall *call)
{
    const ArgParams *p = call->params;
    int64_t dims[NN_RANK_MAX];
    int rank = 0, axis = 0, r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_NUMBER);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    r = nn_resolve_axis(call, p->axis, in->rank, &axis);
    if (r < 0)
        return r;
    if (in->dims[axis] == 0)
        return nn_error_set(call->error, -EBADMSG, "dimension %d is empty", axis);
    for (int i = 0; i < in->rank; i++)
        if (i != axis || p->keepdims)
            dims[rank++] = i == axis ? 1 : in->dims[i];
    return nn_set_output(call, 0, NN_DTYPE_I64, rank, dims);
}

static int run_arg(const NnCall *call, bool largest)
{
    const ArgParams *p = call->params;
    const NnTensor *in = call->in[0];
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    int64_t inner = nn_product(in->dims, axis + 1, in->rank), n = in->dims[axis];
    int64_t *to = call->out[0]->data;
    NN_SWITCH_NUMBER(in->dtype, {
        for (int64_t line = 0; line < nn_tensor_elements(call->out[0]); line++) {
            const T *x = (const T *)in->data + line / inner * n * inner + line % inner;
            int64_t best = 0;
            for (int64_t i = 1; i < n; i++) {
                T a = x[i * inner], b = x[best * inner];
                if ((largest ? a > b : a < b) || (p->select_last_index && a == b))
                    best = i;
            }
            to[line] = best;
        }
    })
    return 0;
}

static int arg_max_run(const NnCall *call)
{
    return run_arg(call, true);
}

static int arg_min_run(const NnCall *call)
{
    return run_arg(call, false);
}

#define ARG_OP(symbol, name)                    \
    const NnOp nn_op_##symbol = {               \
        .type = name,                           \
        .domain = "",                           \
        .since = 1,                             \
        .min_inputs = 1,                        \
        .max_inputs = 1,                        \
        .max_outputs = 1,                       \
        .params_bytes = sizeof(ArgParams),      \
        .prepare = arg_prepare,                 \
        .infer = arg_infer,                     \
        .run = symbol##_run,                    \
    };

ARG_OP(arg_max, "ArgMax")
ARG_OP(arg_min, "ArgMin")

typedef struct TopKParams {
    int64_t axis, largest;
    int64_t k;              /* before opset 10 */
} TopKParams;

static int top_k_prepare(const NnNode *node, void *params, NnError *error)
{
    TopKParams *p = params;
    int r = nn_node_int(node, "axis", -1, &p->axis, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "k", -1, &p->k, error);
    return r < 0 ? r : nn_node_int(node, "largest", 1, &p->largest, error);
}

static int top_k_infer(const NnCall *call)
{
    const TopKParams *p = call->params;
    int64_t k = p->k, dims[NN_RANK_MAX];
    int axis = 0, r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_NUMBER);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    r = nn_resolve_axis(call, p->axis, in->rank, &axis);
    if (r < 0)
        return r;
    r = call->node->opset >= 10 ? nn_input_int(call, 1, &k) : 0;
    if (r < 0)
        return r;
    if (k < 0 || k > in->dims[axis])
        return nn_error_set(call->error, -EBADMSG, "k is %lld for %lld elements", (long long)k,
                            (long long)in->dims[axis]);
    memcpy(dims, in->dims, sizeof(dims));
    dims[axis] = k;
    r = nn_set_output(call, 0, in->dtype, in->rank, dims);
    return r < 0 ? r : nn_set_output(call, 1, NN_DTYPE_I64, in->rank, dims);
}

static size_t top_k_scratch(const NnCall *call)
{
    const TopKParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t axis = p->axis < 0 ? p->axis + in->rank : p->axis;
    return (size_t)in->dims[axis] * sizeof(int64_t);
}

typedef struct Line {
    NnDtype dtype;
    const void *x;
    int64_t step;
    bool largest;
} Line;

/* Equal elements stand in the order of their indices; NaN counts as the largest. */
static bool before(const void *context, int64_t a, int64_t b)
{
    const Line *line = context;
    NN_SWITCH_NUMBER(line->dtype, {
        T x = ((const T *)line->x)[a * line->step], y = ((const T *)line->x)[b * line->step];
        bool x_nan = x != x, y_nan = y != y;
        if (x_nan != y_nan)
            return x_nan == line->largest;
        if (x != y && !x_nan)
            return line->largest ? x > y : x < y;
    })
    return a < b;
}

static int top_k_run(const NnCall *call)
{
    const TopKParams *p = call->params;
    const NnTensor *in = call->in[0];
    NnTensor *values = nn_output(call, 0), *positions = nn_output(call, 1);
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    int64_t n = in->dims[axis], inner = nn_product(in->dims, axis + 1, in->rank);
    int64_t lines = nn_product(in->dims, 0, axis) * inner, *index = call->scratch;
    int64_t k = values ? values->dims[axis] : positions ? positions->dims[axis] : 0;
    size_t size = nn_dtype_size(in->dtype);
    for (int64_t i = 0; i < lines; i++) {
        const char *x = (const char *)in->data +
                        (size_t)(i / inner * n * inner + i % inner) * size;
        Line line = { .dtype = in->dtype, .x = x, .step = inner, .largest = p->largest != 0 };
        for (int64_t j = 0; j < n; j++)
            index[j] = j;
        nn_heap_build(index, n, before, &line);
        for (int64_t j = 0; j < k; j++) {
            int64_t to = (i / inner * k + j) * inner + i % inner;
            int64_t at = nn_heap_take(index, n - j, before, &line);
            if (values)
                memcpy((char *)values->data + (size_t)to * size, x + (size_t)(at * inner) * size,
                       size);
            if (positions)
                ((int64_t *)positions->data)[to] = at;
        }
    }
    return 0;
}

const NnOp nn_op_top_k = {
    .type = "TopK",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 2,
    .max_outputs = 2,
    .params_bytes = sizeof(TopKParams),
    .prepare = top_k_prepare,
    .infer = top_k_infer,
    .scratch = top_k_scratch,
    .run = top_k_run,
};
