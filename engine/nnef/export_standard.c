/* SPDX-License-Identifier: Apache-2.0 */

/* Which operator of ONNX is which operation of NNEF 1.0, and those that work
 * element by element or are a product of matrices. */

#include <float.h>

#include "nnef/export.h"
#include "ops/support.h"

#define TYPES_SCALAR (NN_TYPES_FLOAT | NN_BIT(NN_DTYPE_F16))

const NnTensor *nn_export_input(const NnExport *export, const NnNode *node, size_t index)
{
    if (index >= node->n_inputs || node->inputs[index] == NN_NO_VALUE)
        return NULL;
    return &export->graph->values[node->inputs[index]].tensor;
}

const NnTensor *nn_export_output(const NnExport *export, const NnNode *node, size_t index)
{
    if (index >= node->n_outputs || node->outputs[index] == NN_NO_VALUE)
        return NULL;
    return &export->graph->values[node->outputs[index]].tensor;
}

int64_t nn_export_int(const NnNode *node, const char *name, int64_t fallback)
{
    const NnAttribute *a = nn_node_attribute(node, name);

    return a && a->type == NN_ATTRIBUTE_INT ? a->i : fallback;
}

float nn_export_scalar(const NnNode *node, const char *name, float fallback)
{
    const NnAttribute *a = nn_node_attribute(node, name);

    return a && a->type == NN_ATTRIBUTE_FLOAT ? a->f : fallback;
}

const char *nn_export_text(const NnNode *node, const char *name, const char *fallback)
{
    const NnAttribute *a = nn_node_attribute(node, name);

    return a && a->type == NN_ATTRIBUTE_STRING ? a->s : fallback;
}

bool nn_export_list(const NnExport *export, const NnNode *node, const char *attribute,
                    int last_attribute, size_t input, int64_t *ret, size_t max, size_t *ret_n,
                    bool *ret_given)
{
    const NnTensor *tensor = nn_export_input(export, node, input);
    int64_t n;

    *ret_n = 0;
    *ret_given = false;
    if (node->opset <= last_attribute) {
        *ret_given = nn_node_attribute(node, attribute) != NULL;
        return nn_node_ints(node, attribute, ret, max, ret_n, NULL) >= 0;
    }
    if (!tensor)
        return true;
    n = nn_tensor_elements(tensor);
    if (!export->graph->values[node->inputs[input]].constant || n > (int64_t)max)
        return false;
    if (tensor->dtype != NN_DTYPE_I64 && tensor->dtype != NN_DTYPE_I32)
        return false;
    for (int64_t i = 0; i < n; i++)
        ret[i] = nn_load_int(tensor, i);
    *ret_n = (size_t)n;
    *ret_given = true;
    return true;
}

static bool same_types(const NnExport *export, const NnNode *node)
{
    for (size_t i = 1; i < node->n_inputs; i++) {
        const NnTensor *tensor = nn_export_input(export, node, i);

        if (!tensor || tensor->dtype != nn_export_input(export, node, 0)->dtype)
            return false;
    }
    return true;
}

static bool say_unary(NnExport *export, const NnNode *node, const char *operation)
{
    const char *x = nn_export_operand(export, node->inputs[0]);

    fprintf(export->body.file, "    %s = %s(%s);\n", nn_export_result(export, node->outputs[0]),
            operation, x);
    return true;
}

/* NNEF lines dimensions up from the first on, ONNX from the last. What has one
 * element means the same under both. */
static const char *aligned(NnExport *export, NnValueId id, int rank)
{
    const NnTensor *tensor = &export->graph->values[id].tensor;

    return nn_tensor_elements(tensor) == 1 ? nn_export_operand(export, id)
                                           : nn_export_operand_rank(export, id, rank);
}

static int result_rank(const NnExport *export, const NnNode *node)
{
    return nn_export_output(export, node, 0)->rank;
}

static bool say_binary(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = result_rank(export, node);
    const char *x, *y;

    if (node->n_inputs != 2 || !same_types(export, node))
        return false;
    x = aligned(export, node->inputs[0], rank);
    y = aligned(export, node->inputs[1], rank);
    fprintf(export->body.file, "    %s = %s(%s, %s);\n", nn_export_result(export, node->outputs[0]),
            operation, x, y);
    return true;
}

/* Max, Min and Sum of any number, from the first on. */
static bool say_chain(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = result_rank(export, node);
    const char *result, *x, *y;

    if (!same_types(export, node))
        return false;
    if (node->n_inputs == 1)
        return say_unary(export, node, "copy");
    result = nn_export_result(export, node->outputs[0]);
    x = aligned(export, node->inputs[0], rank);
    for (size_t i = 1; i < node->n_inputs; i++) {
        const char *to = i + 1 < node->n_inputs ? nn_export_identifier(export, result) : result;

        y = aligned(export, node->inputs[i], rank);
        fprintf(export->body.file, "    %s = %s(%s, %s);\n", to, operation, x, y);
        x = to;
    }
    return true;
}

static bool say_select(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = result_rank(export, node);
    const char *condition, *x, *y;

    condition = aligned(export, node->inputs[0], rank);
    x = aligned(export, node->inputs[1], rank);
    y = aligned(export, node->inputs[2], rank);
    fprintf(export->body.file, "    %s = %s(%s, %s, %s);\n",
            nn_export_result(export, node->outputs[0]), operation, condition, x, y);
    return true;
}

static bool say_leaky_relu(NnExport *export, const NnNode *node, const char *operation)
{
    const char *x = nn_export_operand(export, node->inputs[0]);

    fprintf(export->body.file, "    %s = %s(%s, alpha = ",
            nn_export_result(export, node->outputs[0]), operation, x);
    nn_export_float(export->body.file, nn_export_scalar(node, "alpha", 0.01f));
    fputs(");\n", export->body.file);
    return true;
}

static bool say_elu(NnExport *export, const NnNode *node, const char *operation)
{
    return nn_export_scalar(node, "alpha", 1) == 1 && say_unary(export, node, operation);
}

/* Only the value itself leaves: no mask. */
static bool say_dropout(NnExport *export, const NnNode *node, const char *operation)
{
    return !nn_export_output(export, node, 1) && say_unary(export, node, operation);
}

/* A bound of Clip: an operand, or a number from an attribute. */
typedef struct Bound {
    bool given;
    const char *operand;    /* NULL: the number */
    float number;
} Bound;

static bool find_bound(NnExport *export, const NnNode *node, const char *attribute, size_t input,
                       Bound *ret)
{
    const NnTensor *tensor = nn_export_input(export, node, input);
    const NnAttribute *a = nn_node_attribute(node, attribute);

    *ret = (Bound){ 0 };
    if (node->opset < 11) {
        *ret = (Bound){ .given = a, .number = nn_export_scalar(node, attribute, 0) };
        return !a || nn_export_input(export, node, 0)->dtype == NN_DTYPE_F32;
    }
    if (!tensor)
        return true;
    if (!export->graph->values[node->inputs[input]].constant)
        return false;
    *ret = (Bound){ .given = true, .number = (float)nn_load_float(tensor, 0) };
    return tensor->rank == 0 && tensor->dtype != NN_DTYPE_F16;
}

static void name_bound(NnExport *export, const NnNode *node, size_t input, Bound *bound)
{
    if (bound->given && node->opset >= 11)
        bound->operand = nn_export_operand(export, node->inputs[input]);
}

static void write_bound(FILE *file, const Bound *bound)
{
    if (!bound->given)
        return;
    fputs(", ", file);
    if (bound->operand)
        fputs(bound->operand, file);
    else
        nn_export_float(file, bound->number);
}

static bool say_clamp(NnExport *export, const NnNode *node, const char *operation)
{
    FILE *file = export->body.file;
    Bound low, high;
    const char *x;

    if (!find_bound(export, node, "min", 1, &low) || !find_bound(export, node, "max", 2, &high))
        return false;
    if (!low.given && !high.given)
        return say_unary(export, node, "copy");
    /* Where the bounds cross, the two standards take different ones. */
    if (low.given && high.given && !(low.number <= high.number))
        return false;
    x = nn_export_operand(export, node->inputs[0]);
    name_bound(export, node, 1, &low);
    name_bound(export, node, 2, &high);
    fprintf(file, "    %s = %s(%s", nn_export_result(export, node->outputs[0]),
            !high.given ? "max" : !low.given ? "min" : operation, x);
    write_bound(file, &low);
    write_bound(file, &high);
    fputs(");\n", file);
    return true;
}

static bool say_batch_normalization(NnExport *export, const NnNode *node, const char *operation)
{
    static const char *const order[] = { "mean", "variance", "offset", "scale" };
    static const size_t inputs[] = { 3, 4, 2, 1 };
    const char *x, *names[4];

    for (size_t i = 1; i < node->n_outputs; i++)
        if (nn_export_output(export, node, i))
            return false;
    if (nn_export_input(export, node, 0)->rank < 2)
        return false;
    for (size_t i = 0; i < 4; i++)
        if (nn_export_input(export, node, inputs[i])->rank != 1)
            return false;
    x = nn_export_operand(export, node->inputs[0]);
    for (size_t i = 0; i < 4; i++)
        names[i] = nn_export_operand_rank(export, node->inputs[inputs[i]], 2);
    fprintf(export->body.file, "    %s = %s(%s", nn_export_result(export, node->outputs[0]),
            operation, x);
    for (size_t i = 0; i < 4; i++)
        fprintf(export->body.file, ", %s = %s", order[i], names[i]);
    fputs(", epsilon = ", export->body.file);
    nn_export_float(export->body.file, nn_export_scalar(node, "epsilon", 1e-5f));
    fputs(");\n", export->body.file);
    return true;
}

static bool say_matmul(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = result_rank(export, node);
    const char *a, *b;

    if (nn_export_input(export, node, 0)->rank < 2 || nn_export_input(export, node, 1)->rank < 2 ||
        !same_types(export, node))
        return false;
    a = nn_export_operand_rank(export, node->inputs[0], rank);
    b = nn_export_operand_rank(export, node->inputs[1], rank);
    fprintf(export->body.file, "    %s = %s(%s, %s);\n", nn_export_result(export, node->outputs[0]),
            operation, a, b);
    return true;
}

/* A·Bᵀ + C with C one row. */
static bool say_linear(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *c = nn_export_input(export, node, 2);
    int64_t n = nn_export_output(export, node, 0)->dims[1];
    const char *x, *filter, *bias = NULL;

    if (nn_export_int(node, "transA", 0) || nn_export_scalar(node, "alpha", 1) != 1 ||
        nn_export_scalar(node, "beta", 1) != 1)
        return false;
    if (c && (nn_tensor_elements(c) != n || c->rank == 0 || c->dims[c->rank - 1] != n))
        return false;
    x = nn_export_operand(export, node->inputs[0]);
    filter = nn_export_operand(export, node->inputs[1]);
    if (!nn_export_int(node, "transB", 0)) {
        const char *transposed = nn_export_identifier(export, filter);

        fprintf(export->body.file, "    %s = transpose(%s, axes = [1, 0]);\n", transposed, filter);
        filter = transposed;
    }
    if (c)
        bias = nn_export_operand_rank(export, node->inputs[2], 2);
    fprintf(export->body.file, "    %s = %s(%s, %s%s%s);\n",
            nn_export_result(export, node->outputs[0]), operation, x, filter, bias ? ", " : "",
            bias ? bias : "");
    return true;
}

/* `types` are those of input 0 with which the operation exists. */
static const struct {
    const char *type;
    const char *operation;
    unsigned types;
    NnExportFunc say;
} standard[] = {
    { "Abs", "abs", TYPES_SCALAR, say_unary },
    { "Acos", "acos", TYPES_SCALAR, say_unary },
    { "Acosh", "acosh", TYPES_SCALAR, say_unary },
    { "Add", "add", TYPES_SCALAR, say_binary },
    { "And", "and", NN_TYPES_BOOL, say_binary },
    { "ArgMax", "argmax_reduce", TYPES_SCALAR, nn_export_arg_reduce },
    { "ArgMin", "argmin_reduce", TYPES_SCALAR, nn_export_arg_reduce },
    { "Asin", "asin", TYPES_SCALAR, say_unary },
    { "Asinh", "asinh", TYPES_SCALAR, say_unary },
    { "Atan", "atan", TYPES_SCALAR, say_unary },
    { "Atanh", "atanh", TYPES_SCALAR, say_unary },
    { "AveragePool", "avg_pool", TYPES_SCALAR, nn_export_pool },
    { "BatchNormalization", "batch_normalization", TYPES_SCALAR, say_batch_normalization },
    { "Ceil", "ceil", TYPES_SCALAR, say_unary },
    { "Clip", "clamp", TYPES_SCALAR, say_clamp },
    { "Concat", "concat", NN_TYPES_ANY, nn_export_concat },
    { "Conv", "conv", TYPES_SCALAR, nn_export_conv },
    { "ConvTranspose", "deconv", TYPES_SCALAR, nn_export_deconv },
    { "Cos", "cos", TYPES_SCALAR, say_unary },
    { "Cosh", "cosh", TYPES_SCALAR, say_unary },
    { "Div", "div", TYPES_SCALAR, say_binary },
    { "Dropout", "copy", NN_TYPES_ANY, say_dropout },
    { "Elu", "elu", TYPES_SCALAR, say_elu },
    { "Equal", "eq", TYPES_SCALAR, say_binary },
    { "Exp", "exp", TYPES_SCALAR, say_unary },
    { "Expand", "tile", NN_TYPES_ANY, nn_export_tile },
    { "Flatten", "reshape", NN_TYPES_ANY, nn_export_reshape },
    { "Floor", "floor", TYPES_SCALAR, say_unary },
    { "Gemm", "linear", TYPES_SCALAR, say_linear },
    { "GlobalAveragePool", "mean_reduce", TYPES_SCALAR, nn_export_global_pool },
    { "GlobalMaxPool", "max_reduce", TYPES_SCALAR, nn_export_global_pool },
    { "Greater", "gt", TYPES_SCALAR, say_binary },
    { "GreaterOrEqual", "ge", TYPES_SCALAR, say_binary },
    { "Identity", "copy", NN_TYPES_ANY, say_unary },
    { "LRN", "local_response_normalization", TYPES_SCALAR, nn_export_lrn },
    { "LeakyRelu", "leaky_relu", TYPES_SCALAR, say_leaky_relu },
    { "Less", "lt", TYPES_SCALAR, say_binary },
    { "LessOrEqual", "le", TYPES_SCALAR, say_binary },
    { "Log", "log", TYPES_SCALAR, say_unary },
    { "MatMul", "matmul", TYPES_SCALAR, say_matmul },
    { "Max", "max", TYPES_SCALAR, say_chain },
    { "MaxPool", "max_pool", TYPES_SCALAR, nn_export_pool },
    { "Min", "min", TYPES_SCALAR, say_chain },
    { "Mul", "mul", TYPES_SCALAR, say_binary },
    { "Neg", "neg", TYPES_SCALAR, say_unary },
    { "Not", "not", NN_TYPES_BOOL, say_unary },
    { "Or", "or", NN_TYPES_BOOL, say_binary },
    { "PRelu", "prelu", TYPES_SCALAR, say_binary },
    { "Pad", "pad", TYPES_SCALAR, nn_export_pad },
    { "Pow", "pow", TYPES_SCALAR, say_binary },
    { "Reciprocal", "rcp", TYPES_SCALAR, say_unary },
    { "ReduceMax", "max_reduce", TYPES_SCALAR, nn_export_reduce },
    { "ReduceMean", "mean_reduce", TYPES_SCALAR, nn_export_reduce },
    { "ReduceMin", "min_reduce", TYPES_SCALAR, nn_export_reduce },
    { "ReduceSum", "sum_reduce", TYPES_SCALAR, nn_export_reduce },
    { "Relu", "relu", TYPES_SCALAR, say_unary },
    { "Reshape", "reshape", NN_TYPES_ANY, nn_export_reshape },
    { "Resize", "", TYPES_SCALAR, nn_export_resize },
    { "Sigmoid", "sigmoid", TYPES_SCALAR, say_unary },
    { "Sign", "sign", TYPES_SCALAR, say_unary },
    { "Sin", "sin", TYPES_SCALAR, say_unary },
    { "Sinh", "sinh", TYPES_SCALAR, say_unary },
    { "Slice", "slice", NN_TYPES_ANY, nn_export_slice },
    { "Softmax", "softmax", TYPES_SCALAR, nn_export_softmax },
    { "Softplus", "softplus", TYPES_SCALAR, say_unary },
    { "Split", "split", NN_TYPES_ANY, nn_export_split },
    { "Sqrt", "sqrt", TYPES_SCALAR, say_unary },
    { "Squeeze", "squeeze", NN_TYPES_ANY, nn_export_squeeze },
    { "Sub", "sub", TYPES_SCALAR, say_binary },
    { "Sum", "add", TYPES_SCALAR, say_chain },
    { "Tan", "tan", TYPES_SCALAR, say_unary },
    { "Tanh", "tanh", TYPES_SCALAR, say_unary },
    { "Tile", "tile", NN_TYPES_ANY, nn_export_tile },
    { "Transpose", "transpose", NN_TYPES_ANY, nn_export_transpose },
    { "Unsqueeze", "unsqueeze", NN_TYPES_ANY, nn_export_squeeze },
    { "Upsample", "", TYPES_SCALAR, nn_export_resize },
    { "Where", "select", NN_TYPES_BOOL, say_select },
};

/* The standard knows all shapes before it runs, and none with a 0. */
static bool is_static(const NnExport *export, NnValueId id)
{
    const NnValue *value = &export->graph->values[id];

    return !value->dynamic;
}

static bool has_elements(const NnExport *export, NnValueId id)
{
    return nn_tensor_elements(&export->graph->values[id].tensor) > 0;
}

static bool shapes_allow(const NnExport *export, const NnNode *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != NN_NO_VALUE &&
            (!is_static(export, node->inputs[i]) ||
             (i == 0 && !has_elements(export, node->inputs[i]))))
            return false;
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != NN_NO_VALUE && (!is_static(export, node->outputs[i]) ||
                                                !has_elements(export, node->outputs[i])))
            return false;
    return true;
}

bool nn_export_standard(NnExport *export, const NnNode *node)
{
    const NnTensor *first = nn_export_input(export, node, 0);

    if (*node->domain || !first || !nn_export_output(export, node, 0) ||
        !shapes_allow(export, node))
        return false;
    for (size_t i = 0; i < NN_ARRAY_SIZE(standard); i++)
        if (strcmp(standard[i].type, node->op_type) == 0)
            return (standard[i].types & NN_BIT(first->dtype)) &&
                   standard[i].say(export, node, standard[i].operation);
    return false;
}
