/* SPDX-License-Identifier: Apache-2.0 */

/* Functions of one number: no attributes, same dtype out as in. */

#include "ops/unary.h"

#define UNARY(symbol, name, first, types, SWITCH, cost, ...)                      \
    NN_UNARY_RANGE(symbol, SWITCH, T, __VA_ARGS__)                                \
    static int symbol##_infer(const NnCall *call)                                 \
    {                                                                             \
        return nn_infer_same(call, types);                                        \
    }                                                                             \
    static int symbol##_run(const NnCall *call)                                   \
    {                                                                             \
        return nn_unary_run(call, symbol##_range, cost);                          \
    }                                                                             \
    NN_UNARY_OP(symbol, name, first, NULL, symbol##_infer, symbol##_run, NN_OP_IN_PLACE)

#define UNARY_FLOAT(symbol, name, first, cost, ...) \
    UNARY(symbol, name, first, NN_TYPES_FLOAT, NN_SWITCH_FLOAT, cost, __VA_ARGS__)
#define UNARY_NUMBER(symbol, name, first, cost, ...) \
    UNARY(symbol, name, first, NN_TYPES_NUMBER, NN_SWITCH_NUMBER, cost, __VA_ARGS__)

UNARY_FLOAT(exp, "Exp", 6, 16, exp(x))
UNARY_FLOAT(log, "Log", 6, 16, log(x))
UNARY_FLOAT(sqrt, "Sqrt", 6, 8, sqrt(x))
UNARY_FLOAT(reciprocal, "Reciprocal", 6, 4, (T)1 / x)
UNARY_FLOAT(floor, "Floor", 6, 2, floor(x))
UNARY_FLOAT(ceil, "Ceil", 6, 2, ceil(x))
/* Halves go to the even neighbour, as in the default rounding mode. */
UNARY_FLOAT(round, "Round", 11, 2, rint(x))
UNARY_FLOAT(sin, "Sin", 7, 32, sin(x))
UNARY_FLOAT(cos, "Cos", 7, 32, cos(x))
UNARY_FLOAT(tan, "Tan", 7, 32, tan(x))
UNARY_FLOAT(asin, "Asin", 7, 32, asin(x))
UNARY_FLOAT(acos, "Acos", 7, 32, acos(x))
UNARY_FLOAT(atan, "Atan", 7, 32, atan(x))
UNARY_FLOAT(sinh, "Sinh", 9, 32, sinh(x))
UNARY_FLOAT(cosh, "Cosh", 9, 32, cosh(x))
UNARY_FLOAT(asinh, "Asinh", 9, 32, asinh(x))
UNARY_FLOAT(acosh, "Acosh", 9, 32, acosh(x))
UNARY_FLOAT(atanh, "Atanh", 9, 32, atanh(x))
UNARY_FLOAT(tanh, "Tanh", 6, 24, tanh(x))
UNARY_FLOAT(softsign, "Softsign", 1, 4, x / ((T)1 + fabs(x)))
/* log(1 + exp(x)) without overflow on either side. */
UNARY_FLOAT(softplus, "Softplus", 1, 32, fmax(x, (T)0) + log1p(exp(-fabs(x))))
UNARY_FLOAT(mish, "Mish", 18, 48, x * tanh(fmax(x, (T)0) + log1p(exp(-fabs(x)))))

/* Integers wrap: the smallest one has no positive counterpart. */
UNARY_NUMBER(neg, "Neg", 6, 1, _Generic((T)0, float: -x, double: -x, default: 0 - (uint64_t)x))
UNARY_NUMBER(abs, "Abs", 6, 1,
             _Generic((T)0, float: fabs((double)x), double: fabs((double)x),
                      default: x < (T)0 ? 0 - (uint64_t)x : (uint64_t)x))
UNARY_NUMBER(erf, "Erf", 9, 32, erf(x))
UNARY_NUMBER(sign, "Sign", 9, 1, x != x ? x : (T)((x > (T)0) - (x < (T)0)))

UNARY(bitwise_not, "BitwiseNot", 18, NN_TYPES_INT, NN_SWITCH_INT, 1, ~x)
UNARY(not, "Not", 1, NN_TYPES_BOOL, NN_SWITCH_BOOL, 1, !x)

static int test_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, NN_DTYPE_BOOL, call->in[0]->rank, call->in[0]->dims);
}

NN_UNARY_RANGE(is_nan, NN_SWITCH_FLOAT, uint8_t, x != x)

static int is_nan_run(const NnCall *call)
{
    return nn_unary_run(call, is_nan_range, 1);
}

NN_UNARY_OP(is_nan, "IsNaN", 9, NULL, test_infer, is_nan_run, 0)

static int is_inf_prepare(const NnNode *node, void *params, NnError *error)
{
    NnUnaryParams *p = params;
    int64_t positive, negative;
    int r = nn_node_int(node, "detect_positive", 1, &positive, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "detect_negative", 1, &negative, error);
    if (r < 0)
        return r;
    p->alpha = positive != 0;
    p->beta = negative != 0;
    return 0;
}

NN_UNARY_RANGE(is_inf, NN_SWITCH_FLOAT, uint8_t,
               (a != 0 && x == (T)INFINITY) || (b != 0 && x == -(T)INFINITY))

static int is_inf_run(const NnCall *call)
{
    return nn_unary_run(call, is_inf_range, 1);
}

NN_UNARY_OP(is_inf, "IsInf", 10, is_inf_prepare, test_infer, is_inf_run, 0)
