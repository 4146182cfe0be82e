/* SPDX-License-Identifier: Apache-2.0 */

/* Functions of two tensors that broadcast. */

#include <tgmath.h>

#include "base/limits.h"
#include "ops/broadcast.h"

/* Integers wrap instead of being undefined. */
#define ADD(x, y) _Generic((T)0, float: x + y, double: x + y, default: (uint64_t)x + (uint64_t)y)
#define SUB(x, y) _Generic((T)0, float: x - y, double: x - y, default: (uint64_t)x - (uint64_t)y)
#define MUL(x, y) _Generic((T)0, float: x * y, double: x * y, default: (uint64_t)x * (uint64_t)y)
#define MINUS_ONE(y) ((T)-1 < (T)1 && (y) == (T)-1)
#define DIV(x, y)                                           \
    _Generic((T)0, float: x / y, double: x / y,             \
             default: MINUS_ONE(y) ? (T)(0 - (uint64_t)x) : x / y)

/* A row: R is the type of the result, `...` an expression in x and y. */
#define ROW(symbol, SWITCH, R, ...)                                                               \
    static void symbol##_row(const NnBroadcastRow *row)                                           \
    {                                                                                             \
        const BinaryRow *binary = row->argument;                                                  \
        SWITCH(binary->dtype, {                                                                   \
            const T *p = row->in[0], *q = row->in[1];                                             \
            R *to = row->out;                                                                     \
            if (row->step[0] && row->step[1]) {                                                   \
                NN_INDEPENDENT for (int64_t i = 0; i < row->n; i++)                               \
                {                                                                                 \
                    const T x = p[i], y = q[i];                                                   \
                    to[i] = (R)(__VA_ARGS__);                                                     \
                }                                                                                 \
            } else if (row->step[0]) {                                                            \
                const T y = *q;                                                                   \
                NN_INDEPENDENT for (int64_t i = 0; i < row->n; i++)                               \
                {                                                                                 \
                    const T x = p[i];                                                             \
                    to[i] = (R)(__VA_ARGS__);                                                     \
                }                                                                                 \
            } else {                                                                              \
                const T x = *p;                                                                   \
                for (int64_t i = 0; i < row->n; i++) {                                            \
                    const T y = q[i * row->step[1]];                                              \
                    to[i] = (R)(__VA_ARGS__);                                                     \
                }                                                                                 \
            }                                                                                     \
        })                                                                                        \
    }

typedef struct BinaryRow {
    NnDtype dtype;
} BinaryRow;

static int run_binary(const NnCall *call, NnBroadcastFunc func)
{
    BinaryRow row = { .dtype = call->in[0]->dtype };
    nn_broadcast_run(call->pool, call->in, 2, call->out[0], func, &row);
    return 0;
}

static int check_binary(const NnCall *call, unsigned types)
{
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, types);
    return r < 0 ? r : nn_check_same_dtype(call, 1);
}

static int set_broadcast(const NnCall *call, NnDtype dtype)
{
    int rank;
    int64_t dims[NN_RANK_MAX];
    int r = nn_broadcast_dims(call, 0, call->n_in, &rank, dims);
    return r < 0 ? r : nn_set_output(call, 0, dtype, rank, dims);
}

static int infer_number(const NnCall *call)
{
    int r = check_binary(call, NN_TYPES_NUMBER);
    return r < 0 ? r : set_broadcast(call, call->in[0]->dtype);
}

static int infer_compare(const NnCall *call)
{
    int r = check_binary(call, NN_TYPES_NUMBER | NN_TYPES_BOOL);
    return r < 0 ? r : set_broadcast(call, NN_DTYPE_BOOL);
}

static int infer_int(const NnCall *call)
{
    int r = check_binary(call, NN_TYPES_INT);
    return r < 0 ? r : set_broadcast(call, call->in[0]->dtype);
}

static int infer_logical(const NnCall *call)
{
    int r = check_binary(call, NN_TYPES_BOOL);
    return r < 0 ? r : set_broadcast(call, NN_DTYPE_BOOL);
}

/* The result has the shape of input 0. */
static int infer_one_way(const NnCall *call)
{
    int rank;
    int64_t dims[NN_RANK_MAX];
    const NnTensor *x = nn_input(call, 0);
    char shape[128];
    int r = check_binary(call, NN_TYPES_NUMBER);
    if (r < 0)
        return r;
    r = nn_broadcast_dims(call, 0, 2, &rank, dims);
    if (r < 0)
        return r;
    if (rank != x->rank || memcmp(dims, x->dims, (size_t)rank * sizeof(dims[0])) != 0)
        return nn_error_set(call->error, -EBADMSG, "input 1 does not broadcast to %s",
                            nn_tensor_shape_string(x, shape, sizeof(shape)));
    return nn_set_output(call, 0, x->dtype, rank, dims);
}

#define BINARY_OP(symbol, name, first, infer_func, op_flags, prepare_func)  \
    const NnOp nn_op_##symbol = {                                           \
        .type = name,                                                       \
        .domain = "",                                                       \
        .since = first,                                                     \
        .min_inputs = 2,                                                    \
        .max_inputs = 2,                                                    \
        .max_outputs = 1,                                                   \
        .flags = op_flags,                                                  \
        .params_bytes = sizeof(BinaryParams),                               \
        .prepare = prepare_func,                                            \
        .infer = infer_func,                                                \
        .run = symbol##_run,                                                \
    };

typedef struct BinaryParams {
    int64_t fmod;
} BinaryParams;

#define BINARY(symbol, name, first, infer_func, op_flags, SWITCH, R, ...)   \
    ROW(symbol, SWITCH, R, __VA_ARGS__)                                     \
    static int symbol##_run(const NnCall *call)                             \
    {                                                                       \
        return run_binary(call, symbol##_row);                              \
    }                                                                       \
    BINARY_OP(symbol, name, first, infer_func, op_flags, NULL)

/* Flags of what passes may do on channels-last pictures. */
#define ARITHMETIC (NN_OP_IN_PLACE | NN_OP_ELEMENTWISE)

BINARY(add, "Add", 7, infer_number, ARITHMETIC, NN_SWITCH_NUMBER, T, ADD(x, y))
BINARY(sub, "Sub", 7, infer_number, ARITHMETIC, NN_SWITCH_NUMBER, T, SUB(x, y))
BINARY(mul, "Mul", 7, infer_number, ARITHMETIC, NN_SWITCH_NUMBER, T, MUL(x, y))
BINARY(prelu, "PRelu", 7, infer_one_way, NN_OP_IN_PLACE, NN_SWITCH_NUMBER, T,
       x < (T)0 ? (T)MUL(x, y) : x)

BINARY(equal, "Equal", 7, infer_compare, 0, NN_SWITCH_NUMBER_OR_BOOL, uint8_t, x == y)
BINARY(less, "Less", 7, infer_compare, 0, NN_SWITCH_NUMBER_OR_BOOL, uint8_t, x < y)
BINARY(less_or_equal, "LessOrEqual", 12, infer_compare, 0, NN_SWITCH_NUMBER_OR_BOOL, uint8_t,
       x <= y)
BINARY(greater, "Greater", 7, infer_compare, 0, NN_SWITCH_NUMBER_OR_BOOL, uint8_t, x > y)
BINARY(greater_or_equal, "GreaterOrEqual", 12, infer_compare, 0, NN_SWITCH_NUMBER_OR_BOOL, uint8_t,
       x >= y)
BINARY(and, "And", 7, infer_logical, 0, NN_SWITCH_BOOL, T, x && y)
BINARY(or, "Or", 7, infer_logical, 0, NN_SWITCH_BOOL, T, x || y)
BINARY(xor, "Xor", 7, infer_logical, 0, NN_SWITCH_BOOL, T, !x != !y)
BINARY(bitwise_and, "BitwiseAnd", 18, infer_int, NN_OP_IN_PLACE, NN_SWITCH_INT, T, x & y)
BINARY(bitwise_or, "BitwiseOr", 18, infer_int, NN_OP_IN_PLACE, NN_SWITCH_INT, T, x | y)
BINARY(bitwise_xor, "BitwiseXor", 18, infer_int, NN_OP_IN_PLACE, NN_SWITCH_INT, T, x ^ y)

static int check_divisor(const NnCall *call)
{
    const NnTensor *y = call->in[1];
    if (nn_is_float(y->dtype) || nn_tensor_elements(call->out[0]) == 0)
        return 0;
    for (int64_t i = 0; i < nn_tensor_elements(y); i++)
        if (nn_load_int(y, i) == 0)
            return nn_error_set(call->error, -EDOM, "integer division by zero");
    return 0;
}

ROW(div, NN_SWITCH_NUMBER, T, DIV(x, y))

static int div_run(const NnCall *call)
{
    int r = check_divisor(call);
    return r < 0 ? r : run_binary(call, div_row);
}

BINARY_OP(div, "Div", 7, infer_number, ARITHMETIC, NULL)

static int mod_prepare(const NnNode *node, void *params, NnError *error)
{
    BinaryParams *p = params;
    return nn_node_int(node, "fmod", 0, &p->fmod, error);
}

static int mod_infer(const NnCall *call)
{
    const BinaryParams *p = call->params;
    int r = infer_number(call);
    if (r < 0)
        return r;
    if (!p->fmod && nn_is_float(call->in[0]->dtype))
        return nn_error_set(call->error, -EBADMSG, "fmod must be 1 for %s",
                            nn_dtype_name(call->in[0]->dtype));
    return 0;
}

/* With fmod the sign is that of the dividend, as in C; without, the divisor's. */
#define REMAINDER(x, y) (MINUS_ONE(y) ? (T)0 : (T)((x) % (y)))
ROW(fmod, NN_SWITCH_NUMBER, T,
    _Generic((T)0, float: fmodf((float)x, (float)y), double: fmod((double)x, (double)y),
             default: MINUS_ONE(y) ? 0 : (int64_t)x % (int64_t)y))
ROW(mod, NN_SWITCH_INT, T,
    ({
        T rest = REMAINDER(x, y);
        rest != 0 && (rest < (T)0) != (y < (T)0) ? (T)(rest + y) : rest;
    }))

static int mod_run(const NnCall *call)
{
    const BinaryParams *p = call->params;
    int r = check_divisor(call);
    return r < 0 ? r : run_binary(call, p->fmod ? fmod_row : mod_row);
}

BINARY_OP(mod, "Mod", 10, mod_infer, 0, mod_prepare)

static int pow_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    for (size_t i = 0; i < 2; i++) {
        r = nn_check_dtype(call, i, NN_TYPES_NUMBER);
        if (r < 0)
            return r;
    }
    return set_broadcast(call, call->in[0]->dtype);
}

typedef struct PowRow {
    NnDtype base, exponent;
} PowRow;

static int64_t integer_power(int64_t base, int64_t exponent)
{
    uint64_t result = 1, b = (uint64_t)base;
    if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    for (; exponent; exponent >>= 1, b *= b)
        if (exponent & 1)
            result *= b;
    return (int64_t)result;
}

static void pow_row(const NnBroadcastRow *row)
{
    const PowRow *types = row->argument;
    const NnTensor exponents = { .dtype = types->exponent, .data = (void *)row->in[1] };
    bool integers = !nn_is_float(types->base) && !nn_is_float(types->exponent);
    bool square = row->step[1] == 0 && nn_load_float(&exponents, 0) == 2;
    NN_SWITCH_NUMBER(types->base, {
        const T *p = row->in[0];
        T *to = row->out;
        for (int64_t i = 0; i < row->n; i++) {
            const T x = p[i * row->step[0]];
            if (square)
                to[i] = (T)MUL(x, x);
            else if (integers)
                to[i] = (T)integer_power((int64_t)x, nn_load_int(&exponents, i * row->step[1]));
            else
                to[i] = _Generic((T)0,
                        float: powf((float)x, (float)nn_load_float(&exponents, i * row->step[1])),
                        double: pow((double)x, nn_load_float(&exponents, i * row->step[1])),
                        default: (T)nn_float_to_int(pow((double)x,
                                                        nn_load_float(&exponents,
                                                                      i * row->step[1]))));
        }
    })
}

static int pow_run(const NnCall *call)
{
    PowRow types = { .base = call->in[0]->dtype, .exponent = call->in[1]->dtype };
    nn_broadcast_run(call->pool, call->in, 2, call->out[0], pow_row, &types);
    return 0;
}

BINARY_OP(pow, "Pow", 7, pow_infer, NN_OP_IN_PLACE, NULL)

/* Operators of any number of inputs: the first is broadcast into the output, the
 * others are combined with it one by one. */

static int variadic_infer(const NnCall *call, unsigned types)
{
    int r = nn_check_inputs(call, NN_MAX(call->n_in, 1));
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, types);
    for (size_t i = 1; r >= 0 && i < call->n_in; i++)
        r = nn_check_same_dtype(call, i);
    return r < 0 ? r : set_broadcast(call, call->in[0]->dtype);
}

static int variadic_number_infer(const NnCall *call)
{
    return variadic_infer(call, NN_TYPES_NUMBER);
}

static int variadic_float_infer(const NnCall *call)
{
    return variadic_infer(call, NN_TYPES_FLOAT);
}

ROW(first, NN_SWITCH_NUMBER, T, ((void)y, x))
/* NaN wins, as in numpy. */
ROW(max, NN_SWITCH_NUMBER, T, ((x > y) | (x != x)) ? x : y)
ROW(min, NN_SWITCH_NUMBER, T, ((x < y) | (x != x)) ? x : y)
ROW(divide_by, NN_SWITCH_FLOAT, T, x / y)

static int run_variadic(const NnCall *call, NnBroadcastFunc func)
{
    BinaryRow row = { .dtype = call->in[0]->dtype };
    const NnTensor *pair[2] = { call->in[0], call->in[0] };
    nn_broadcast_run(call->pool, pair, 2, call->out[0], first_row, &row);
    pair[0] = call->out[0];
    for (size_t i = 1; i < call->n_in; i++) {
        pair[1] = call->in[i];
        nn_broadcast_run(call->pool, pair, 2, call->out[0], func, &row);
    }
    return 0;
}

static int max_run(const NnCall *call)
{
    return run_variadic(call, max_row);
}

static int min_run(const NnCall *call)
{
    return run_variadic(call, min_row);
}

static int sum_run(const NnCall *call)
{
    return run_variadic(call, add_row);
}

static int mean_run(const NnCall *call)
{
    float n32 = (float)call->n_in;
    double n64 = (double)call->n_in;
    BinaryRow row = { .dtype = call->in[0]->dtype };
    NnTensor n = { .dtype = row.dtype, .data = row.dtype == NN_DTYPE_F32 ? (void *)&n32 : &n64 };
    const NnTensor *pair[2] = { call->out[0], &n };
    int r = run_variadic(call, add_row);
    if (r < 0)
        return r;
    nn_broadcast_run(call->pool, pair, 2, call->out[0], divide_by_row, &row);
    return 0;
}

#define VARIADIC_OP(symbol, name, first, infer_func)        \
    const NnOp nn_op_##symbol = {                           \
        .type = name,                                       \
        .domain = "",                                       \
        .since = first,                                     \
        .min_inputs = 1,                                    \
        .max_inputs = NN_LIMIT_NODE_INPUTS,                 \
        .max_outputs = 1,                                   \
        .infer = infer_func,                                \
        .run = symbol##_run,                                \
    };

VARIADIC_OP(max, "Max", 6, variadic_number_infer)
VARIADIC_OP(min, "Min", 6, variadic_number_infer)
VARIADIC_OP(sum, "Sum", 6, variadic_float_infer)
VARIADIC_OP(mean, "Mean", 6, variadic_float_infer)
