/* SPDX-License-Identifier: Apache-2.0 */

/* Operators on quantised tensors that are not in the standard: files of ONNX
 * Runtime's quantiser (domain com.microsoft) put them between QLinearConv. The
 * inputs of one tensor are the tensor, its scale and its zero point, which may be
 * absent; the result is given by scale and zero point behind all others. */

#include <math.h>

#include "base/limits.h"
#include "ops/broadcast.h"
#include "ops/quantised.h"
#include "ops/window.h"

typedef struct Quantity {
    float scale;
    int32_t zero;
} Quantity;

static Quantity load_quantity(const NnCall *call, size_t scale)
{
    return (Quantity){ nn_scale(call->in[scale], 0), nn_zero_point(nn_input(call, scale + 1), 0) };
}

/* The scale at `scale` and the zero point behind it, of the type of input `tensor`. */
static int check_quantity(const NnCall *call, size_t scale, size_t tensor)
{
    const NnTensor *zero = nn_input(call, scale + 1);
    if (!nn_input(call, scale))
        return nn_error_set(call->error, -EBADMSG, "input %zu is missing", scale);
    int r = nn_check_dtype(call, scale, NN_BIT(NN_DTYPE_F32));
    if (r >= 0)
        r = nn_check_one(call, scale);
    if (r >= 0)
        r = nn_check_one(call, scale + 1);
    if (r < 0)
        return r;
    if (zero && zero->dtype != call->in[tensor]->dtype)
        return nn_error_set(call->error, -EBADMSG, "input %zu is %s, expected %s like input %zu",
                            scale + 1, nn_dtype_name(zero->dtype),
                            nn_dtype_name(call->in[tensor]->dtype), tensor);
    return 0;
}

/* Input 0 and `n` pairs of scale and zero point, the first at input `first`, every
 * other one `step` later. */
static int check_tensors(const NnCall *call, size_t first, size_t step, size_t n)
{
    int r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_BYTE);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = check_quantity(call, first + i * step, 0);
    return r;
}

#define LOW(T) ((T)-1 < (T)1 ? INT8_MIN : 0)
#define HIGH(T) ((T)-1 < (T)1 ? INT8_MAX : UINT8_MAX)

enum { BINARY_A, BINARY_B = 3, BINARY_C = 6 };

typedef struct Binary {
    NnDtype dtype;
    Quantity a, b, c;
} Binary;

static int binary_infer(const NnCall *call)
{
    int64_t dims[NN_RANK_MAX];
    const NnTensor *pair[2];
    int rank, r = check_tensors(call, BINARY_A + 1, BINARY_B - BINARY_A, 2);
    if (r >= 0)
        r = check_quantity(call, BINARY_C, 0);
    if (r < 0)
        return r;
    if (!call->in[BINARY_B])
        return nn_error_set(call->error, -EBADMSG, "input %d is missing", BINARY_B);
    r = nn_check_same_dtype(call, BINARY_B);
    if (r < 0)
        return r;
    pair[0] = call->in[BINARY_A];
    pair[1] = call->in[BINARY_B];
    NnCall both = *call;
    both.in = pair;
    r = nn_broadcast_dims(&both, 0, 2, &rank, dims);
    return r < 0 ? r : nn_set_output(call, 0, pair[0]->dtype, rank, dims);
}

static int run_binary(const NnCall *call, NnBroadcastFunc func)
{
    const NnTensor *pair[2] = { call->in[BINARY_A], call->in[BINARY_B] };
    Binary binary = {
        .dtype = pair[0]->dtype,
        .a = load_quantity(call, BINARY_A + 1),
        .b = load_quantity(call, BINARY_B + 1),
        .c = load_quantity(call, BINARY_C),
    };
    nn_broadcast_run(call->pool, pair, 2, call->out[0], func, &binary);
    return 0;
}

/* `...` is what the result is in its own steps, of x and y less their zero points
 * and of the factors a and b. */
#define BINARY(symbol, name, a_factor, b_factor, ...)                                           \
    static void symbol##_row(const NnBroadcastRow *row)                                         \
    {                                                                                           \
        const Binary *q = row->argument;                                                        \
        const float a = (a_factor), b __attribute__((unused)) = (b_factor);                     \
        NN_SWITCH_BYTE(q->dtype, {                                                              \
            const T *from_x = row->in[0], *from_y = row->in[1];                                 \
            T *to = row->out;                                                                   \
            const int64_t step_x = row->step[0], step_y = row->step[1];                         \
            if (step_x == 1 && step_y == 1)                                                     \
                for (int64_t i = 0; i < row->n; i++) {                                          \
                    const int32_t x = from_x[i] - q->a.zero, y = from_y[i] - q->b.zero;         \
                    to[i] = (T)nn_quantize(__VA_ARGS__, q->c.zero, LOW(T), HIGH(T));            \
                }                                                                               \
            else                                                                                \
                for (int64_t i = 0; i < row->n; i++) {                                          \
                    const int32_t x = from_x[i * step_x] - q->a.zero;                           \
                    const int32_t y = from_y[i * step_y] - q->b.zero;                           \
                    to[i] = (T)nn_quantize(__VA_ARGS__, q->c.zero, LOW(T), HIGH(T));            \
                }                                                                               \
        })                                                                                      \
    }                                                                                           \
    static int symbol##_run(const NnCall *call)                                                 \
    {                                                                                           \
        return run_binary(call, symbol##_row);                                                  \
    }                                                                                           \
    const NnOp nn_op_##symbol = {                                                               \
        .type = name,                                                                           \
        .domain = "com.microsoft",                                                              \
        .since = 1,                                                                             \
        .min_inputs = 2,                                                                        \
        .max_inputs = 8,                                                                        \
        .max_outputs = 1,                                                                       \
        .infer = binary_infer,                                                                  \
        .run = symbol##_run,                                                                    \
    };

BINARY(qlinear_add, "QLinearAdd", q->a.scale / q->c.scale, q->b.scale / q->c.scale,
       (float)x * a + (float)y * b)
BINARY(qlinear_mul, "QLinearMul", q->a.scale * q->b.scale / q->c.scale, 0, (float)(x * y) * a)

/* Functions of one number: a table for all 256 of them. */

enum { UNARY_X, UNARY_X_SCALE, UNARY_Y_SCALE = 3 };

typedef struct UnaryParams {
    float alpha;
} UnaryParams;

typedef struct Table {
    const NnCall *call;
    uint8_t values[256];        /* by the bits of the input */
} Table;

static int unary_prepare(const NnNode *node, void *params, NnError *error)
{
    UnaryParams *p = params;
    return nn_node_float(node, "alpha", 0.01f, &p->alpha, error);
}

static int unary_infer(const NnCall *call)
{
    int r = check_tensors(call, UNARY_X_SCALE, UNARY_Y_SCALE - UNARY_X_SCALE, 2);
    return r < 0 ? r : nn_infer_same(call, NN_TYPES_BYTE);
}

static void unary_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Table *table = argument;
    const uint8_t *from = table->call->in[0]->data;
    uint8_t *to = table->call->out[0]->data;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        to[i] = table->values[from[i]];
}

/* The table from quantity x to quantity y by way of `func`; NULL: the same number. */
static void fill_table(NnDtype dtype, Quantity x, Quantity y, float (*func)(float, float),
                       float alpha, uint8_t *values)
{
    NN_SWITCH_BYTE(dtype, {
        for (int i = 0; i < 256; i++) {
            float number = (float)((T)i - x.zero) * x.scale;
            number = func ? func(number, alpha) : number;
            values[i] = (uint8_t)nn_quantize(number / y.scale, y.zero, LOW(T), HIGH(T));
        }
    })
}

static int run_unary(const NnCall *call, float (*func)(float, float))
{
    const UnaryParams *p = call->params;
    Table table = { .call = call };
    fill_table(call->in[0]->dtype, load_quantity(call, UNARY_X_SCALE),
               load_quantity(call, UNARY_Y_SCALE), func, p->alpha, table.values);
    nn_range_run(call->pool, nn_tensor_elements(call->in[0]), nn_grain(1), unary_range, &table);
    return 0;
}

#define UNARY(symbol, name, ...)                            \
    static float symbol##_of(float x, float alpha)          \
    {                                                       \
        (void)alpha;                                        \
        return __VA_ARGS__;                                 \
    }                                                       \
    static int symbol##_run(const NnCall *call)             \
    {                                                       \
        return run_unary(call, symbol##_of);                \
    }                                                       \
    const NnOp nn_op_##symbol = {                           \
        .type = name,                                       \
        .domain = "com.microsoft",                          \
        .since = 1,                                         \
        .min_inputs = 2,                                    \
        .max_inputs = 5,                                    \
        .max_outputs = 1,                                   \
        .flags = NN_OP_IN_PLACE,                            \
        .params_bytes = sizeof(UnaryParams),                \
        .prepare = unary_prepare,                           \
        .infer = unary_infer,                               \
        .run = symbol##_run,                                \
    };

UNARY(qlinear_sigmoid, "QLinearSigmoid", 1 / (1 + expf(-x)))
UNARY(qlinear_leaky_relu, "QLinearLeakyRelu", x < 0 ? alpha * x : x)

/* Concat: scale and zero point of the result, then three inputs for each tensor. */

enum { CONCAT_Y_SCALE, CONCAT_FIRST = 2, CONCAT_EACH = 3 };

typedef struct AxisParams {
    int64_t axis;
} AxisParams;

static int concat_prepare(const NnNode *node, void *params, NnError *error)
{
    AxisParams *p = params;
    if (!nn_node_attribute(node, "axis"))
        return nn_error_set(error, -EBADMSG, "axis is missing");
    if ((node->n_inputs - CONCAT_FIRST) % CONCAT_EACH != 0)
        return nn_error_set(error, -EBADMSG, "%zu inputs are no two and three for each tensor",
                            node->n_inputs);
    return nn_node_int(node, "axis", 0, &p->axis, error);
}

static int concat_infer(const NnCall *call)
{
    const AxisParams *p = call->params;
    const NnTensor *first = call->in[CONCAT_FIRST];
    int64_t dims[NN_RANK_MAX];
    char shape[128];
    int axis = 0;
    int r = nn_check_inputs(call, CONCAT_FIRST + 1);
    if (r >= 0)
        r = nn_check_dtype(call, CONCAT_FIRST, NN_TYPES_BYTE);
    if (r >= 0)
        r = check_quantity(call, CONCAT_Y_SCALE, CONCAT_FIRST);
    if (r >= 0)
        r = nn_resolve_axis(call, p->axis, first->rank, &axis);
    if (r < 0)
        return r;
    memcpy(dims, first->dims, sizeof(dims));
    dims[axis] = 0;
    for (size_t i = CONCAT_FIRST; i < call->n_in; i += CONCAT_EACH) {
        const NnTensor *in = call->in[i];
        bool fits = in && in->dtype == first->dtype && in->rank == first->rank;
        for (int d = 0; fits && d < in->rank; d++)
            fits = d == axis || in->dims[d] == first->dims[d];
        if (!fits)
            return nn_error_set(call->error, -EBADMSG, "input %zu is %s, which does not fit input "
                                "%d", i, in ? nn_tensor_shape_string(in, shape, sizeof(shape))
                                            : "absent", CONCAT_FIRST);
        if (__builtin_add_overflow(dims[axis], in->dims[axis], &dims[axis]))
            return nn_error_set(call->error, -E2BIG, "the output would be too large");
        r = check_quantity(call, i + 1, i);
        if (r < 0)
            return r;
    }
    return nn_set_output(call, 0, first->dtype, first->rank, dims);
}

typedef struct Part {
    uint8_t values[256];
    const uint8_t *from;
    uint8_t *to;
    int64_t n, row;
} Part;

static void concat_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Part *part = argument;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < part->n; j++)
            part->to[i * part->row + j] = part->values[part->from[i * part->n + j]];
}

static int concat_run(const NnCall *call)
{
    const AxisParams *p = call->params;
    const NnTensor *out = call->out[0];
    Quantity y = load_quantity(call, CONCAT_Y_SCALE);
    int axis = (int)(p->axis < 0 ? p->axis + out->rank : p->axis);
    int64_t outer = nn_product(out->dims, 0, axis), at = 0;
    for (size_t i = CONCAT_FIRST; i < call->n_in; i += CONCAT_EACH) {
        const NnTensor *in = call->in[i];
        Part part = { .from = in->data, .to = (uint8_t *)out->data + at,
                      .n = nn_product(in->dims, axis, in->rank),
                      .row = nn_product(out->dims, axis, out->rank) };
        fill_table(in->dtype, load_quantity(call, i + 1), y, NULL, 0, part.values);
        nn_range_run(call->pool, outer, nn_grain(part.n), concat_rows, &part);
        at += part.n;
    }
    return 0;
}

const NnOp nn_op_qlinear_concat = {
    .type = "QLinearConcat",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = CONCAT_FIRST + CONCAT_EACH,
    .max_inputs = NN_LIMIT_NODE_INPUTS,
    .max_outputs = 1,
    .params_bytes = sizeof(AxisParams),
    .prepare = concat_prepare,
    .infer = concat_infer,
    .run = concat_run,
};

/* Averages: of a window, or of a whole plane. */

typedef struct PoolParams {
    NnWindow window;
    int64_t ceil_mode, count_include_pad, channels_last;
} PoolParams;

static int global_prepare(const NnNode *node, void *params, NnError *error)
{
    PoolParams *p = params;
    return nn_node_int(node, "channels_last", 0, &p->channels_last, error);
}

static int global_infer(const NnCall *call)
{
    const PoolParams *p = call->params;
    int r = check_tensors(call, UNARY_X_SCALE, UNARY_Y_SCALE - UNARY_X_SCALE, 2);
    if (r >= 0)
        r = nn_check_rank(call, 0, 3, NN_RANK_MAX);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    int channels = p->channels_last ? in->rank - 1 : 1;
    int64_t dims[NN_RANK_MAX], n = 1;
    for (int i = 0; i < in->rank; i++) {
        dims[i] = i == 0 || i == channels ? in->dims[i] : 1;
        n *= i == 0 || i == channels ? 1 : in->dims[i];
    }
    if (n < 1 || n > INT32_MAX / UINT8_MAX)
        return nn_error_set(call->error, -EBADMSG, "planes of %lld elements", (long long)n);
    return nn_set_output(call, 0, in->dtype, in->rank, dims);
}

/* The mean of `count` numbers of the given sum less zero points, as an output. */
static int32_t mean_of(const NnCall *call, int32_t sum, int64_t count)
{
    Quantity x = load_quantity(call, UNARY_X_SCALE), y = load_quantity(call, UNARY_Y_SCALE);
    bool is_signed = call->in[0]->dtype == NN_DTYPE_I8;
    return nn_quantize((float)sum * (x.scale / (y.scale * (float)count)), y.zero,
                       is_signed ? INT8_MIN : 0, is_signed ? INT8_MAX : UINT8_MAX);
}

static void global_planes(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const PoolParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t channels = in->dims[p->channels_last ? in->rank - 1 : 1];
    int64_t n = p->channels_last ? nn_product(in->dims, 1, in->rank - 1)
                                 : nn_product(in->dims, 2, in->rank);
    int64_t step = p->channels_last ? channels : 1;
    int32_t zero = nn_zero_point(nn_input(call, UNARY_X_SCALE + 1), 0);
    (void)worker;
    NN_SWITCH_BYTE(in->dtype, {
        for (int64_t plane = begin; plane < end; plane++) {
            int64_t image = plane / channels, channel = plane % channels;
            const T *x = (const T *)in->data + image * channels * n +
                         (p->channels_last ? channel : channel * n);
            int32_t sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += x[i * step] - zero;
            ((T *)call->out[0]->data)[plane] = (T)mean_of(call, sum, n);
        }
    })
}

static int global_run(const NnCall *call)
{
    int64_t planes = nn_tensor_elements(call->out[0]);
    nn_range_run(call->pool, planes, nn_grain(nn_tensor_elements(call->in[0]) / NN_MAX(planes, 1)),
                 global_planes, (void *)call);
    return 0;
}

const NnOp nn_op_qlinear_global_average_pool = {
    .type = "QLinearGlobalAveragePool",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 5,
    .max_outputs = 1,
    .params_bytes = sizeof(PoolParams),
    .prepare = global_prepare,
    .infer = global_infer,
    .run = global_run,
};

static int pool_prepare(const NnNode *node, void *params, NnError *error)
{
    PoolParams *p = params;
    int r = nn_window_read(node, &p->window, error);
    if (r >= 0)
        r = nn_node_int(node, "ceil_mode", 0, &p->ceil_mode, error);
    if (r >= 0)
        r = nn_node_int(node, "count_include_pad", 0, &p->count_include_pad, error);
    if (r >= 0)
        r = nn_node_int(node, "channels_last", 0, &p->channels_last, error);
    if (r < 0)
        return r;
    return p->channels_last ? nn_error_set(error, -ENOTSUP, "channels_last is not supported") : 0;
}

static int pool_infer(const NnCall *call)
{
    const PoolParams *p = call->params;
    int64_t dims[NN_RANK_MAX], n = 1;
    NnWindow window;
    int r = check_tensors(call, UNARY_X_SCALE, UNARY_Y_SCALE - UNARY_X_SCALE, 2);
    if (r >= 0)
        r = nn_window_resolve(call, &p->window, p->ceil_mode != 0, &window, dims);
    if (r < 0)
        return r;
    for (int i = 0; i < window.spatial; i++)
        if (__builtin_mul_overflow(n, window.kernel[i], &n) || n > INT32_MAX / UINT8_MAX)
            return nn_error_set(call->error, -E2BIG, "the window is too large");
    return nn_set_output(call, 0, call->in[0]->dtype, call->in[0]->rank, dims);
}

typedef struct Pool {
    const NnCall *call;
    NnWindow window;
    int64_t dims[NN_RANK_MAX];
    bool include_pad;
} Pool;

/* The elements under one window: their sum less zero points and what it is divided
 * by. `at` is the output's place along each dimension. */
static int32_t window_sum(const Pool *pool, int64_t plane, const int64_t *at, int64_t *ret_count)
{
    const NnWindow *w = &pool->window;
    const NnTensor *in = pool->call->in[0];
    int32_t zero = nn_zero_point(nn_input(pool->call, UNARY_X_SCALE + 1), 0);
    int64_t count = 0, taps = nn_product(w->kernel, 0, w->spatial);
    int32_t sum = 0;
    for (int64_t tap = 0; tap < taps; tap++) {
        int64_t rest = tap, offset = 0, step = 1;
        bool inside = true, counted = pool->include_pad;
        for (int i = w->spatial - 1; i >= 0; i--) {
            int64_t dim = in->dims[2 + i];
            int64_t x =
                at[i] * w->strides[i] + rest % w->kernel[i] * w->dilations[i] - w->before[i];
            rest /= w->kernel[i];
            inside = inside && x >= 0 && x < dim;
            counted = counted && x < dim + w->after[i];
            offset += x * step;
            step *= dim;
        }
        count += inside || counted;
        if (inside)
            NN_SWITCH_BYTE(in->dtype, sum += ((const T *)in->data)[plane * step + offset] - zero;)
    }
    *ret_count = NN_MAX(count, 1);
    return sum;
}

static void pool_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Pool *pool = argument;
    const NnWindow *w = &pool->window;
    int64_t outputs = nn_product(pool->dims, 2, 2 + w->spatial);
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        int64_t at[NN_SPATIAL_MAX], rest = i % outputs, count;
        for (int d = w->spatial - 1; d >= 0; d--) {
            at[d] = rest % pool->dims[2 + d];
            rest /= pool->dims[2 + d];
        }
        int32_t sum = window_sum(pool, i / outputs, at, &count);
        ((uint8_t *)pool->call->out[0]->data)[i] = (uint8_t)mean_of(pool->call, sum, count);
    }
}

static int pool_run(const NnCall *call)
{
    const PoolParams *p = call->params;
    Pool pool = { .call = call, .include_pad = p->count_include_pad != 0 };
    int r = nn_window_resolve(call, &p->window, p->ceil_mode != 0, &pool.window, pool.dims);
    if (r < 0)
        return r;
    nn_range_run(call->pool, nn_tensor_elements(call->out[0]),
                 nn_grain(4 * nn_product(pool.window.kernel, 0, pool.window.spatial)), pool_range,
                 &pool);
    return 0;
}

const NnOp nn_op_qlinear_average_pool = {
    .type = "QLinearAveragePool",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 5,
    .max_outputs = 1,
    .params_bytes = sizeof(PoolParams),
    .prepare = pool_prepare,
    .infer = pool_infer,
    .run = pool_run,
};
