/* SPDX-License-Identifier: Apache-2.0 */

/* Element-wise operations and activations. */

#include <float.h>
#include <math.h>

#include "nnef/lower.h"

/* Operations that ONNX has under another name. */
static const char *onnx_name(const char *name)
{
    static const struct {
        const char *nnef, *onnx;
    } names[] = {
        { "abs", "Abs" },         { "sign", "Sign" },   { "exp", "Exp" },
        { "log", "Log" },         { "sin", "Sin" },     { "cos", "Cos" },
        { "tan", "Tan" },         { "sinh", "Sinh" },   { "cosh", "Cosh" },
        { "tanh", "Tanh" },       { "asin", "Asin" },   { "acos", "Acos" },
        { "atan", "Atan" },       { "asinh", "Asinh" }, { "acosh", "Acosh" },
        { "atanh", "Atanh" },     { "neg", "Neg" },     { "rcp", "Reciprocal" },
        { "floor", "Floor" },     { "ceil", "Ceil" },   { "round", "Round" },
        { "sqrt", "Sqrt" },       { "not", "Not" },     { "relu", "Relu" },
        { "sigmoid", "Sigmoid" }, { "softplus", "Softplus" }, { "copy", "Identity" },
        { "add", "Add" },         { "sub", "Sub" },     { "mul", "Mul" },
        { "div", "Div" },         { "pow", "Pow" },     { "min", "Min" },
        { "max", "Max" },         { "lt", "Less" },     { "gt", "Greater" },
        { "le", "LessOrEqual" },  { "ge", "GreaterOrEqual" }, { "eq", "Equal" },
        { "and", "And" },         { "or", "Or" },
    };
    size_t i = 0;

    while (i + 1 < NN_ARRAY_SIZE(names) && strcmp(names[i].nnef, name) != 0)
        i++;
    return names[i].onnx;
}

int nn_nnef_lower_unary(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "x");

    nn_nnef_result(call, 0, nn_nnef_build(call->build, onnx_name(call->fragment->name), NULL, x));
    return 0;
}

static const char *const xy[] = { "x", "y" };

int nn_nnef_lower_binary(NnefCall *call)
{
    NnValueId v[2];

    nn_nnef_operands(call, xy, 2, v);
    nn_nnef_result(call, 0, nn_nnef_with(call->build, onnx_name(call->fragment->name), v[0], v[1]));
    return 0;
}

int nn_nnef_lower_not_equal(NnefCall *call)
{
    NnValueId v[2];

    nn_nnef_operands(call, xy, 2, v);
    v[0] = nn_nnef_with(call->build, "Equal", v[0], v[1]);
    nn_nnef_result(call, 0, nn_nnef_build(call->build, "Not", NULL, v[0]));
    return 0;
}

int nn_nnef_lower_select(NnefCall *call)
{
    static const char *const names[] = { "true_value", "false_value" };
    NnValueId v[3];

    v[0] = nn_nnef_tensor(call, "condition");
    nn_nnef_operands(call, names, 2, v + 1);
    nn_nnef_align(call->build, v, 3);
    nn_nnef_result(call, 0, nn_nnef_build(call->build, "Where", NULL, v[0], v[1], v[2]));
    return 0;
}

int nn_nnef_lower_clamp(NnefCall *call)
{
    static const char *const names[] = { "x", "a", "b" };
    double low, high;
    NnValueId v[3];

    nn_nnef_operands(call, names, 3, v);
    if (nn_nnef_literal(call, "a", &low) && nn_nnef_literal(call, "b", &high) && low <= high)
        v[0] = nn_nnef_build(call->build, "Clip", NULL, v[0], v[1], v[2]);
    else
        v[0] = nn_nnef_with(call->build, "Max", nn_nnef_with(call->build, "Min", v[0], v[2]), v[1]);
    nn_nnef_result(call, 0, v[0]);
    return 0;
}

/* sqr, rsqr, rsqrt */
int nn_nnef_lower_power(NnefCall *call)
{
    const char *name = call->fragment->name;
    NnValueId x = nn_nnef_tensor(call, "x");

    if (strcmp(name, "rsqrt") == 0)
        x = nn_nnef_build(call->build, "Sqrt", NULL, x);
    else
        x = nn_nnef_with(call->build, "Mul", x, x);
    if (*name == 'r')
        x = nn_nnef_build(call->build, "Reciprocal", NULL, x);
    nn_nnef_result(call, 0, x);
    return 0;
}

int nn_nnef_lower_log2(NnefCall *call)
{
    NnValueId x = nn_nnef_build(call->build, "Log", NULL, nn_nnef_tensor(call, "x"));

    nn_nnef_result(call, 0, nn_nnef_with_number(call->build, "Div", x, M_LN2));
    return 0;
}

int nn_nnef_lower_cast(NnefCall *call)
{
    static const NnDtype dtypes[] = {
        [NNEF_PRIMITIVE_INTEGER] = NN_DTYPE_I64,
        [NNEF_PRIMITIVE_SCALAR] = NN_DTYPE_F32,
        [NNEF_PRIMITIVE_LOGICAL] = NN_DTYPE_BOOL,
    };

    if (call->generic < NNEF_PRIMITIVE_INTEGER || call->generic > NNEF_PRIMITIVE_LOGICAL)
        return nn_error_set(call->build->error, -EBADMSG,
                            "the type is missing: cast<scalar>, cast<integer>, cast<logical>");
    nn_nnef_result(call, 0, nn_nnef_build_cast(call->build, nn_nnef_tensor(call, "input"),
                                               dtypes[call->generic]));
    return 0;
}

int nn_nnef_lower_copy_n(NnefCall *call)
{
    int64_t times = nn_nnef_integer(call, "times");
    NnValueId x = nn_nnef_tensor(call, "x"), *ids;

    if (times < 1 || times > 4096)
        return nn_error_set(call->build->error, -EBADMSG, "'times' is %lld, 1 to 4096 was expected",
                            (long long)times);
    ids = nn_nnef_alloc(call->eval->memory, (size_t)times, sizeof(ids[0]));
    if (!ids)
        return nn_error_set(call->build->error, -ENOMEM, "out of memory");
    for (int64_t i = 0; i < times; i++)
        ids[i] = nn_nnef_build(call->build, "Identity", NULL, x);
    return nn_nnef_result_array(call, ids, (size_t)times);
}

int nn_nnef_lower_add_n(NnefCall *call)
{
    size_t n = 0;
    NnValueId *ids = nn_nnef_tensors(call, "x", &n);

    if (!ids)
        return 0;
    nn_nnef_align(call->build, ids, n);
    nn_nnef_result(call, 0, nn_nnef_build_output(call->build, "Sum", NULL, ids, n));
    return 0;
}

int nn_nnef_lower_softmax(NnefCall *call)
{
    NnefBuild *build = call->build;
    NnValueId x = nn_nnef_tensor(call, "x"), sum;
    const NnTensor *tensor = nn_nnef_build_tensor(build, x);
    int64_t axes[NN_RANK_MAX];
    size_t n = tensor ? nn_nnef_axes(call, "axes", tensor->rank, axes) : 0;

    if (n == 1)
        x = nn_nnef_build(build, "Softmax", NNEF_ATTRIBUTES(NNEF_INT("axis", axes[0])), x);
    else {
        x = nn_nnef_with(build, "Sub", x, nn_nnef_reduce(build, "ReduceMax", x, axes, n));
        x = nn_nnef_build(build, "Exp", NULL, x);
        sum = nn_nnef_reduce(build, "ReduceSum", x, axes, n);
        x = nn_nnef_with(build, "Div", x, sum);
    }
    nn_nnef_result(call, 0, x);
    return 0;
}

int nn_nnef_lower_elu(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "x");

    nn_nnef_result(call, 0, nn_nnef_build(call->build, "Elu",
                                          NNEF_ATTRIBUTES(NNEF_FLOAT(
                                              "alpha", nn_nnef_scalar(call, "alpha"))),
                                          x));
    return 0;
}

int nn_nnef_lower_selu(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "x");

    nn_nnef_result(call, 0,
                   nn_nnef_build(call->build, "Selu",
                                 NNEF_ATTRIBUTES(
                                     NNEF_FLOAT("alpha", nn_nnef_scalar(call, "alpha")),
                                     NNEF_FLOAT("gamma", nn_nnef_scalar(call, "lambda"))),
                                 x));
    return 0;
}

/* x·Φ(x), by the error function. */
int nn_nnef_lower_gelu(NnefCall *call)
{
    NnefBuild *build = call->build;
    NnValueId x = nn_nnef_tensor(call, "x"), y;

    y = nn_nnef_build(build, "Erf", NULL, nn_nnef_with_number(build, "Mul", x, M_SQRT1_2));
    y = nn_nnef_with_number(build, "Add", y, 1.0);
    y = nn_nnef_with(build, "Mul", x, nn_nnef_with_number(build, "Mul", y, 0.5));
    nn_nnef_result(call, 0, y);
    return 0;
}

int nn_nnef_lower_silu(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "x");
    NnValueId y = nn_nnef_build(call->build, "Sigmoid", NULL, x);

    nn_nnef_result(call, 0, nn_nnef_with(call->build, "Mul", x, y));
    return 0;
}

int nn_nnef_lower_softabs(NnefCall *call)
{
    NnefBuild *build = call->build;
    NnValueId x = nn_nnef_tensor(call, "x");

    x = nn_nnef_with(build, "Mul", x, x);
    x = nn_nnef_with_number(build, "Add", x, nn_nnef_scalar(call, "epsilon"));
    nn_nnef_result(call, 0, nn_nnef_build(build, "Sqrt", NULL, x));
    return 0;
}

int nn_nnef_lower_prelu(NnefCall *call)
{
    static const char *const names[] = { "x", "alpha" };
    NnValueId v[2];

    nn_nnef_operands(call, names, 2, v);
    nn_nnef_result(call, 0, nn_nnef_with(call->build, "PRelu", v[0], v[1]));
    return 0;
}

int nn_nnef_lower_leaky_relu(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "x");

    nn_nnef_result(call, 0, nn_nnef_build(call->build, "LeakyRelu",
                                          NNEF_ATTRIBUTES(NNEF_FLOAT(
                                              "alpha", nn_nnef_scalar(call, "alpha"))),
                                          x));
    return 0;
}
