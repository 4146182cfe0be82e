/* SPDX-License-Identifier: Apache-2.0 */

/* Reductions. The input is brought into an order with the reduced dimensions
 * last, unless it is in it, and every line is reduced to one number. */

#include <math.h>

#include "ops/copy.h"

typedef struct ReduceParams {
    int64_t keepdims, noop_with_empty_axes;
} ReduceParams;

static int reduce_prepare(const NnNode *node, void *params, NnError *error)
{
    ReduceParams *p = params;
    int r = nn_node_int(node, "keepdims", 1, &p->keepdims, error);
    if (r < 0)
        return r;
    return nn_node_int(node, "noop_with_empty_axes", 0, &p->noop_with_empty_axes, error);
}

/* Axes became an input in opset 13 for ReduceSum, in 18 for the others. */
static int reduced_axes(const NnCall *call, bool *ret_selected)
{
    const ReduceParams *p = call->params;
    int last = strcmp(call->node->op_type, "ReduceSum") == 0 ? 12 : 17;
    int64_t axes[NN_RANK_MAX];
    size_t n;
    bool given;
    int r = nn_list(call, "axes", last, 1, axes, NN_RANK_MAX, &n, &given);
    if (r < 0)
        return r;
    r = nn_resolve_axes(call, axes, n, call->in[0]->rank, ret_selected);
    if (r < 0)
        return r;
    if (n == 0 && !p->noop_with_empty_axes)
        memset(ret_selected, true, NN_RANK_MAX * sizeof(*ret_selected));
    return 0;
}

static int reduce_infer(const NnCall *call, unsigned types, bool needs_elements)
{
    const ReduceParams *p = call->params;
    bool selected[NN_RANK_MAX];
    int64_t dims[NN_RANK_MAX], n = 1;
    int rank = 0, r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, types);
    if (r < 0)
        return r;
    r = reduced_axes(call, selected);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    for (int i = 0; i < in->rank; i++) {
        n *= selected[i] ? in->dims[i] : 1;
        if (!selected[i] || p->keepdims)
            dims[rank++] = selected[i] ? 1 : in->dims[i];
    }
    if (n == 0 && needs_elements)
        return nn_error_set(call->error, -EBADMSG, "there is nothing to reduce");
    return nn_set_output(call, 0, in->dtype, rank, dims);
}

/* Whether the reduced dimensions stand last, dimensions of 1 aside. */
static bool in_order(const NnTensor *in, const bool *selected)
{
    bool reduced = false;
    for (int i = 0; i < in->rank; i++) {
        if (in->dims[i] == 1)
            continue;
        if (reduced && !selected[i])
            return false;
        reduced = selected[i];
    }
    return true;
}

static size_t reduce_scratch(const NnCall *call)
{
    size_t bytes = 0;
    int r = nn_tensor_bytes(call->in[0], &bytes);
    return r < 0 ? 0 : bytes;
}

typedef void (*ReduceFunc)(NnDtype dtype, const void *line, int64_t n, void *ret);

typedef struct Reduce {
    NnDtype dtype;
    const char *from;
    char *to;
    int64_t n;
    ReduceFunc func;
} Reduce;

static void reduce_lines(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Reduce *x = argument;
    int64_t size = (int64_t)nn_dtype_size(x->dtype);
    (void)worker;
    for (int64_t line = begin; line < end; line++)
        x->func(x->dtype, x->from + line * x->n * size, x->n, x->to + line * size);
}

static int reduce_run(const NnCall *call, ReduceFunc func)
{
    const NnTensor *in = call->in[0];
    bool selected[NN_RANK_MAX];
    int64_t strides[NN_RANK_MAX], n = 1, to = 1;
    int r = reduced_axes(call, selected);
    if (r < 0)
        return r;
    NnCopy copy = { .size = nn_dtype_size(in->dtype), .source = in->data, .target = call->scratch };
    nn_strides(in, strides);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < in->rank; i++)
            if (selected[i] == (pass == 1))
                nn_copy_dim(&copy, in->dims[i], strides[i], 0);
    for (int i = copy.rank - 1; i >= 0; i--) {
        copy.to[i] = to;
        to *= copy.dims[i];
    }
    for (int i = 0; i < in->rank; i++)
        n *= selected[i] ? in->dims[i] : 1;
    bool direct = in_order(in, selected);
    if (!direct)
        nn_copy_run(&copy, call->pool);
    Reduce reduce = { .dtype = in->dtype, .from = direct ? in->data : call->scratch,
                      .to = call->out[0]->data, .n = n, .func = func };
    nn_range_run(call->pool, nn_tensor_elements(call->out[0]), nn_grain(n), reduce_lines, &reduce);
    return 0;
}

/* Float sums are made in double, integer ones wrap. */
#define ACCUMULATOR __typeof__(_Generic((T)0, float: 0.0, double: 0.0, default: (uint64_t)0))

/* A sum over `x` of the expression, then `...` of the sum and n. */
#define REDUCE_SUM(symbol, TERM, RESULT)                                                   \
    static void symbol##_line(NnDtype dtype, const void *line, int64_t n, void *ret)       \
    {                                                                                      \
        (void)n;                                                                           \
        NN_SWITCH_NUMBER(dtype, {                                                          \
            ACCUMULATOR sum = 0;                                                           \
            for (int64_t i = 0; i < n; i++) {                                              \
                const ACCUMULATOR x = (ACCUMULATOR)((const T *)line)[i];                   \
                sum += (TERM);                                                             \
            }                                                                              \
            *(T *)ret = (T)(RESULT);                                                       \
        })                                                                                 \
    }

#define MAGNITUDE(x) _Generic((T)0, float: fabs((double)x), double: fabs((double)x), \
                              default: (int64_t)x < 0 ? 0 - x : x)

/* Functions of integers are rounded towards zero; a wrapped sum has a sign. */
#define FROM_DOUBLE(x) _Generic((T)0, float: (x), double: (x), default: nn_float_to_int(x))
#define SIGNED(sum) _Generic((T)0, float: (double)sum, double: (double)sum, \
                             default: (double)(int64_t)sum)

REDUCE_SUM(reduce_sum, x, sum)
REDUCE_SUM(reduce_sum_square, x * x, sum)
REDUCE_SUM(reduce_l1, MAGNITUDE(x), sum)
REDUCE_SUM(reduce_l2, x * x, FROM_DOUBLE(sqrt((double)sum)))
REDUCE_SUM(reduce_log_sum, x, FROM_DOUBLE(log(SIGNED(sum))))
/* The quotient of integers is that of the signed sum. */
REDUCE_SUM(reduce_mean, x,
           _Generic((T)0, float: (double)sum / (double)n, double: (double)sum / (double)n,
                    default: (int64_t)sum / n))

static void reduce_prod_line(NnDtype dtype, const void *line, int64_t n, void *ret)
{
    NN_SWITCH_NUMBER(dtype, {
        ACCUMULATOR product = 1;
        for (int64_t i = 0; i < n; i++)
            product *= (ACCUMULATOR)((const T *)line)[i];
        *(T *)ret = (T)product;
    })
}

static void reduce_log_sum_exp_line(NnDtype dtype, const void *line, int64_t n, void *ret)
{
    NN_SWITCH_NUMBER(dtype, {
        const T *x = line;
        double max = -INFINITY, sum = 0;
        for (int64_t i = 0; i < n; i++)
            max = (double)x[i] > max ? (double)x[i] : max;
        for (int64_t i = 0; i < n; i++)
            sum += exp((double)x[i] - max);
        max = isinf(max) ? max : max + log(sum);
        *(T *)ret = (T)FROM_DOUBLE(max);
    })
}

/* Several running extremes at once, for the vectoriser: one would make every step
 * wait for the one before. NaN wins; it is looked for apart, because a comparison
 * that minds it is no single instruction. */
#define LANES 32
#define EXTREME(RELATION, v, best) ((v) RELATION (best) ? (v) : (best))
#define LEAST                                                                               \
    _Generic((T)0, float: -INFINITY, double: -(double)INFINITY, int8_t: INT8_MIN,          \
             int16_t: INT16_MIN, int32_t: INT32_MIN, int64_t: INT64_MIN, default: 0)
#define MOST                                                                                \
    _Generic((T)0, float: INFINITY, double: (double)INFINITY, int8_t: INT8_MAX,            \
             int16_t: INT16_MAX, int32_t: INT32_MAX, int64_t: INT64_MAX,                   \
             uint8_t: dtype == NN_DTYPE_BOOL ? 1 : UINT8_MAX, uint16_t: UINT16_MAX,        \
             uint32_t: UINT32_MAX, default: UINT64_MAX)
#define REDUCE_EXTREME(symbol, RELATION, NOTHING)                                          \
    static void symbol##_line(NnDtype dtype, const void *line, int64_t n, void *ret)       \
    {                                                                                      \
        NN_SWITCH_NUMBER_OR_BOOL(dtype, {                                                  \
            const T *x = line;                                                             \
            T best[LANES];                                                                 \
            if (n == 0) {                                                                  \
                *(T *)ret = (T)NOTHING;                                                    \
                return;                                                                    \
            }                                                                              \
            T nan = x[0];                                                                  \
            int64_t i = 0;                                                                 \
            for (int j = 0; j < LANES; j++)                                                \
                best[j] = x[0];                                                            \
            for (; i + LANES <= n; i += LANES)                                             \
                for (int j = 0; j < LANES; j++)                                            \
                    best[j] = EXTREME(RELATION, x[i + j], best[j]);                        \
            for (; i < n; i++)                                                             \
                best[0] = EXTREME(RELATION, x[i], best[0]);                                \
            for (int j = 1; j < LANES; j++)                                                \
                best[0] = EXTREME(RELATION, best[j], best[0]);                             \
            for (int64_t j = 0; j < n; j++)                                                \
                nan = x[j] != x[j] ? x[j] : nan;                                           \
            *(T *)ret = nan != nan ? nan : best[0];                                        \
        })                                                                                 \
    }

REDUCE_EXTREME(reduce_max, >, LEAST)
REDUCE_EXTREME(reduce_min, <, MOST)

#define REDUCE_OP(symbol, name, types, needs_elements)                  \
    static int symbol##_infer(const NnCall *call)                       \
    {                                                                   \
        return reduce_infer(call, types, needs_elements);               \
    }                                                                   \
    static int symbol##_run(const NnCall *call)                         \
    {                                                                   \
        return reduce_run(call, symbol##_line);                         \
    }                                                                   \
    const NnOp nn_op_##symbol = {                                       \
        .type = name,                                                   \
        .domain = "",                                                   \
        .since = 1,                                                     \
        .min_inputs = 1,                                                \
        .max_inputs = 2,                                                \
        .max_outputs = 1,                                               \
        .params_bytes = sizeof(ReduceParams),                           \
        .prepare = reduce_prepare,                                      \
        .infer = symbol##_infer,                                        \
        .scratch = reduce_scratch,                                      \
        .run = symbol##_run,                                            \
    };

REDUCE_OP(reduce_sum, "ReduceSum", NN_TYPES_NUMBER, false)
REDUCE_OP(reduce_mean, "ReduceMean", NN_TYPES_NUMBER, true)
REDUCE_OP(reduce_prod, "ReduceProd", NN_TYPES_NUMBER, false)
REDUCE_OP(reduce_max, "ReduceMax", NN_TYPES_NUMBER | NN_TYPES_BOOL, false)
REDUCE_OP(reduce_min, "ReduceMin", NN_TYPES_NUMBER | NN_TYPES_BOOL, false)
REDUCE_OP(reduce_l1, "ReduceL1", NN_TYPES_NUMBER, false)
REDUCE_OP(reduce_l2, "ReduceL2", NN_TYPES_NUMBER, false)
REDUCE_OP(reduce_sum_square, "ReduceSumSquare", NN_TYPES_NUMBER, false)
REDUCE_OP(reduce_log_sum, "ReduceLogSum", NN_TYPES_NUMBER, false)
REDUCE_OP(reduce_log_sum_exp, "ReduceLogSumExp", NN_TYPES_NUMBER, false)
