/* SPDX-License-Identifier: Apache-2.0 */

/* NonZero, OneHot, Trilu and CumSum. */

#include "ops/support.h"

static int nonzero_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_NUMBER | NN_TYPES_BOOL);
    if (r < 0)
        return r;
    int64_t dims[2] = { call->in[0]->rank, nn_tensor_elements(call->in[0]) };
    return nn_set_output(call, 0, NN_DTYPE_I64, 2, dims);
}

static int nonzero_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    int64_t n = nn_tensor_elements(in), count = 0, at = 0, *to = out->data;
    for (int64_t i = 0; i < n; i++)
        count += nn_load_float(in, i) != 0;
    for (int64_t i = 0; i < n; i++) {
        if (nn_load_float(in, i) == 0)
            continue;
        for (int64_t axis = in->rank - 1, rest = i; axis >= 0; axis--) {
            to[axis * count + at] = rest % in->dims[axis];
            rest /= in->dims[axis];
        }
        at++;
    }
    out->dims[1] = count;
    return 0;
}

const NnOp nn_op_nonzero = {
    .type = "NonZero",
    .domain = "",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_DYNAMIC,
    .infer = nonzero_infer,
    .run = nonzero_run,
};

typedef struct AxisParams {
    int64_t axis;
} AxisParams;

static int one_hot_prepare(const NnNode *node, void *params, NnError *error)
{
    AxisParams *p = params;
    return nn_node_int(node, "axis", -1, &p->axis, error);
}

static int one_hot_infer(const NnCall *call)
{
    const AxisParams *p = call->params;
    int axis = 0, r = nn_check_inputs(call, 3);
    for (size_t i = 0; r >= 0 && i < 2; i++)
        r = nn_check_dtype(call, i, NN_TYPES_NUMBER);
    if (r >= 0)
        r = nn_check_dtype(call, 2, NN_TYPES_ANY);
    if (r >= 0)
        r = nn_check_vector(call, 2, 2);
    if (r < 0)
        return r;
    const NnTensor *indices = call->in[0], *depth = call->in[1];
    if (nn_tensor_elements(depth) != 1)
        return nn_error_set(call->error, -EBADMSG, "input 1 is not one number");
    if (!depth->data)
        return nn_error_set(call->error, -ENOTSUP, "input 1 must be constant");
    double n = nn_load_float(depth, 0);
    if (!(n >= 0 && n <= (double)INT32_MAX))
        return nn_error_set(call->error, -EBADMSG, "the depth is %g", n);
    if (indices->rank + 1 > NN_RANK_MAX)
        return nn_error_set(call->error, -E2BIG, "the output would have %d dimensions, limit %d",
                            indices->rank + 1, NN_RANK_MAX);
    r = nn_resolve_axis(call, p->axis, indices->rank + 1, &axis);
    if (r < 0)
        return r;
    int64_t dims[NN_RANK_MAX];
    for (int i = 0; i <= indices->rank; i++)
        dims[i] = i == axis ? (int64_t)n : indices->dims[i < axis ? i : i - 1];
    return nn_set_output(call, 0, call->in[2]->dtype, indices->rank + 1, dims);
}

static int one_hot_run(const NnCall *call)
{
    const AxisParams *p = call->params;
    NnTensor *out = call->out[0];
    int axis = (int)(p->axis < 0 ? p->axis + out->rank : p->axis);
    int64_t depth = out->dims[axis], inner = nn_product(out->dims, axis + 1, out->rank);
    int64_t n = nn_tensor_elements(out);
    NN_SWITCH_SIZE(nn_dtype_size(out->dtype), {
        const T *values = call->in[2]->data;
        for (int64_t i = 0; i < n; i++) {
            int64_t position = i / inner % depth;
            double index = nn_load_float(call->in[0], i / inner / depth * inner + i % inner);
            /* Indices outside -depth…depth-1 are off everywhere. */
            bool on = index == (double)position || index + (double)depth == (double)position;
            ((T *)out->data)[i] = values[on];
        }
    })
    return 0;
}

const NnOp nn_op_one_hot = {
    .type = "OneHot",
    .domain = "",
    .since = 9,
    .min_inputs = 3,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(AxisParams),
    .prepare = one_hot_prepare,
    .infer = one_hot_infer,
    .run = one_hot_run,
};

typedef struct TriluParams {
    int64_t upper;
} TriluParams;

static int trilu_prepare(const NnNode *node, void *params, NnError *error)
{
    TriluParams *p = params;
    return nn_node_int(node, "upper", 1, &p->upper, error);
}

/* Input 1 of both is one integer that may be known only while running. */
static int check_integer_input(const NnCall *call)
{
    const NnTensor *in = nn_input(call, 1);
    if (in && nn_tensor_elements(in) != 1)
        return nn_error_set(call->error, -EBADMSG, "input 1 is not one integer");
    return nn_check_dtype(call, 1, NN_TYPES_INDEX);
}

static int trilu_infer(const NnCall *call)
{
    int r = nn_infer_same(call, NN_TYPES_ANY);
    if (r < 0)
        return r;
    r = nn_check_rank(call, 0, 2, NN_RANK_MAX);
    return r < 0 ? r : check_integer_input(call);
}

static int trilu_run(const NnCall *call)
{
    const TriluParams *p = call->params;
    const NnTensor *in = call->in[0], *offset = nn_input(call, 1);
    int64_t k = offset ? nn_load_int(offset, 0) : 0, n = nn_tensor_elements(in);
    int64_t rows = in->dims[in->rank - 2], columns = in->dims[in->rank - 1];
    NN_SWITCH_SIZE(nn_dtype_size(in->dtype), {
        const T *from = in->data;
        T *to = call->out[0]->data;
        for (int64_t i = 0; i < n; i++) {
            int64_t diagonal = i % columns - i / columns % rows;
            to[i] = (p->upper ? diagonal >= k : diagonal <= k) ? from[i] : 0;
        }
    })
    return 0;
}

const NnOp nn_op_trilu = {
    .type = "Trilu",
    .domain = "",
    .since = 14,
    .min_inputs = 1,
    .max_inputs = 2,
    .max_outputs = 1,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(TriluParams),
    .prepare = trilu_prepare,
    .infer = trilu_infer,
    .run = trilu_run,
};

typedef struct CumSumParams {
    int64_t exclusive, reverse;
} CumSumParams;

static int cumsum_prepare(const NnNode *node, void *params, NnError *error)
{
    CumSumParams *p = params;
    int r = nn_node_int(node, "exclusive", 0, &p->exclusive, error);
    return r < 0 ? r : nn_node_int(node, "reverse", 0, &p->reverse, error);
}

static int cumsum_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = check_integer_input(call);
    return r < 0 ? r : nn_infer_same(call, NN_TYPES_NUMBER);
}

static int cumsum_run(const NnCall *call)
{
    const CumSumParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t axis = nn_load_int(call->in[1], 0);
    if (axis < -in->rank || axis >= in->rank)
        return nn_error_set(call->error, -EDOM, "axis %lld is not one of %d dimensions",
                            (long long)axis, in->rank);
    axis += axis < 0 ? in->rank : 0;
    int64_t outer = nn_product(in->dims, 0, (int)axis), n = in->dims[axis];
    int64_t inner = nn_product(in->dims, (int)axis + 1, in->rank);
    NN_SWITCH_NUMBER(in->dtype, {
        typedef __typeof__(_Generic((T)0, float: 0.0, double: 0.0, default: (uint64_t)0)) Sum;
        for (int64_t i = 0; i < outer * inner; i++) {
            const T *from = (const T *)in->data + i / inner * n * inner + i % inner;
            T *to = (T *)call->out[0]->data + i / inner * n * inner + i % inner;
            Sum sum = 0;
            for (int64_t j = 0; j < n; j++) {
                int64_t at = (p->reverse ? n - 1 - j : j) * inner;
                Sum next = sum + (Sum)from[at];
                to[at] = (T)(p->exclusive ? sum : next);
                sum = next;
            }
        }
    })
    return 0;
}

const NnOp nn_op_cumsum = {
    .type = "CumSum",
    .domain = "",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(CumSumParams),
    .prepare = cumsum_prepare,
    .infer = cumsum_infer,
    .run = cumsum_run,
};
