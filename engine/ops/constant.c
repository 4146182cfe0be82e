/* SPDX-License-Identifier: Apache-2.0 */

/* Operators that make tensors out of little: Constant, ConstantOfShape, Range,
 * EyeLike. */

#include <math.h>

#include "ops/copy.h"

typedef struct ConstantForm {
    const char *name;
    NnAttributeType type;
} ConstantForm;

static const ConstantForm forms[] = {
    { "value", NN_ATTRIBUTE_TENSOR },     { "value_float", NN_ATTRIBUTE_FLOAT },
    { "value_int", NN_ATTRIBUTE_INT },    { "value_floats", NN_ATTRIBUTE_FLOATS },
    { "value_ints", NN_ATTRIBUTE_INTS },
};

/* The value as a tensor that borrows the attribute's memory. */
static int constant_value(const NnNode *node, NnTensor *ret, NnError *error)
{
    for (size_t i = 0; i < NN_ARRAY_SIZE(forms); i++) {
        const NnAttribute *a = nn_node_attribute(node, forms[i].name);
        if (!a)
            continue;
        if (a->type != forms[i].type)
            return nn_error_set(error, -EBADMSG, "%s has another type", forms[i].name);
        switch (a->type) {
        case NN_ATTRIBUTE_TENSOR:
            *ret = a->tensor;
            break;
        case NN_ATTRIBUTE_FLOAT:
            *ret = (NnTensor){ .dtype = NN_DTYPE_F32, .data = (void *)&a->f };
            break;
        case NN_ATTRIBUTE_INT:
            *ret = (NnTensor){ .dtype = NN_DTYPE_I64, .data = (void *)&a->i };
            break;
        case NN_ATTRIBUTE_FLOATS:
            *ret = (NnTensor){ .dtype = NN_DTYPE_F32, .rank = 1, .dims = { (int64_t)a->n },
                               .data = a->floats };
            break;
        default:
            *ret = (NnTensor){ .dtype = NN_DTYPE_I64, .rank = 1, .dims = { (int64_t)a->n },
                               .data = a->ints };
            break;
        }
        return 0;
    }
    return nn_error_set(error, -ENOTSUP, "it has no value of numbers");
}

static int constant_prepare(const NnNode *node, void *params, NnError *error)
{
    NnTensor value;
    (void)params;
    return constant_value(node, &value, error);
}

static int constant_infer(const NnCall *call)
{
    NnTensor value;
    int r = constant_value(call->node, &value, call->error);
    return r < 0 ? r : nn_set_output(call, 0, value.dtype, value.rank, value.dims);
}

static int constant_run(const NnCall *call)
{
    NnTensor value;
    int r = constant_value(call->node, &value, call->error);
    if (r < 0)
        return r;
    nn_copy_whole(&value, call->out[0], call->pool);
    return 0;
}

const NnOp nn_op_constant = {
    .type = "Constant",
    .domain = "",
    .since = 1,
    .min_inputs = 0,
    .max_inputs = 0,
    .max_outputs = 1,
    .prepare = constant_prepare,
    .infer = constant_infer,
    .run = constant_run,
};

/* The attribute is one element; a float32 zero without it. */
static int fill_value(const NnNode *node, NnTensor *ret, NnError *error)
{
    static const float zero = 0;
    const NnAttribute *a = nn_node_attribute(node, "value");
    *ret = (NnTensor){ .dtype = NN_DTYPE_F32, .data = (void *)&zero };
    if (!a)
        return 0;
    if (a->type != NN_ATTRIBUTE_TENSOR || nn_tensor_elements(&a->tensor) != 1)
        return nn_error_set(error, -EBADMSG, "value is not a tensor of one element");
    *ret = a->tensor;
    return 0;
}

static int constant_of_shape_prepare(const NnNode *node, void *params, NnError *error)
{
    NnTensor value;
    (void)params;
    return fill_value(node, &value, error);
}

static int constant_of_shape_infer(const NnCall *call)
{
    int64_t dims[NN_RANK_MAX];
    size_t rank;
    NnTensor value;
    int r = fill_value(call->node, &value, call->error);
    if (r < 0)
        return r;
    r = nn_input_ints(call, 0, dims, NN_RANK_MAX, &rank);
    return r < 0 ? r : nn_set_output(call, 0, value.dtype, (int)rank, dims);
}

static int constant_of_shape_run(const NnCall *call)
{
    NnTensor value, *out = call->out[0];
    int r = fill_value(call->node, &value, call->error);
    if (r < 0)
        return r;
    nn_copy_fill(out->data, nn_tensor_elements(out), nn_dtype_size(out->dtype), value.data);
    return 0;
}

const NnOp nn_op_constant_of_shape = {
    .type = "ConstantOfShape",
    .domain = "",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .prepare = constant_of_shape_prepare,
    .infer = constant_of_shape_infer,
    .run = constant_of_shape_run,
};

static int range_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 3);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_FLOAT | NN_TYPES_SIGNED);
    for (size_t i = 0; r >= 0 && i < 3; i++) {
        r = nn_check_same_dtype(call, i);
        if (r < 0)
            return r;
        if (nn_tensor_elements(call->in[i]) != 1)
            return nn_error_set(call->error, -EBADMSG, "input %zu is not one number", i);
        if (!call->in[i]->data)
            return nn_error_set(call->error, -ENOTSUP, "input %zu must be constant", i);
    }
    if (r < 0)
        return r;
    NnDtype dtype = call->in[0]->dtype;
    double n;
    if (nn_is_float(dtype)) {
        double delta = nn_load_float(call->in[2], 0);
        n = (nn_load_float(call->in[1], 0) - nn_load_float(call->in[0], 0)) / delta;
        n = delta == 0 ? NAN : __builtin_ceil(n);
    } else {
        __int128 span = (__int128)nn_load_int(call->in[1], 0) - nn_load_int(call->in[0], 0);
        __int128 delta = nn_load_int(call->in[2], 0);
        n = delta == 0 ? NAN
                       : (double)((span + delta + (delta > 0 ? -1 : 1)) / delta);
    }
    if (!(n <= (double)INT32_MAX))
        return nn_error_set(call->error, -EBADMSG, "the range has no end or too many elements");
    return nn_set_output(call, 0, dtype, 1, &(int64_t){ n > 0 ? (int64_t)n : 0 });
}

static int range_run(const NnCall *call)
{
    NnTensor *out = call->out[0];
    NN_SWITCH(out->dtype, NN_CASES_FLOAT({
        T start = *(const T *)call->in[0]->data, delta = *(const T *)call->in[2]->data;
        for (int64_t i = 0; i < out->dims[0]; i++)
            ((T *)out->data)[i] = start + (T)i * delta;
    }) NN_CASES_SIGNED({
        T start = *(const T *)call->in[0]->data, delta = *(const T *)call->in[2]->data;
        for (int64_t i = 0; i < out->dims[0]; i++)
            ((T *)out->data)[i] = (T)((uint64_t)start + (uint64_t)i * (uint64_t)delta);
    }))
    return 0;
}

const NnOp nn_op_range = {
    .type = "Range",
    .domain = "",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .max_outputs = 1,
    .infer = range_infer,
    .run = range_run,
};

typedef struct EyeParams {
    NnDtype dtype;      /* undefined: that of the input */
    int64_t k;
} EyeParams;

static int eye_like_prepare(const NnNode *node, void *params, NnError *error)
{
    EyeParams *p = params;
    int64_t number;
    int r = nn_node_int(node, "k", 0, &p->k, error);
    if (r < 0 || !nn_node_attribute(node, "dtype"))
        return r;
    r = nn_node_int(node, "dtype", 0, &number, error);
    return r < 0 ? r : nn_op_dtype(number, &p->dtype, error);
}

static int eye_like_infer(const NnCall *call)
{
    const EyeParams *p = call->params;
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_rank(call, 0, 2, 2);
    if (r < 0)
        return r;
    NnDtype dtype = p->dtype ? p->dtype : call->in[0]->dtype;
    if (!(NN_BIT(dtype) & (NN_TYPES_NUMBER | NN_TYPES_BOOL)))
        return nn_error_set(call->error, -ENOTSUP, "type %s is not supported",
                            nn_dtype_name(dtype));
    return nn_set_output(call, 0, dtype, 2, call->in[0]->dims);
}

static int eye_like_run(const NnCall *call)
{
    const EyeParams *p = call->params;
    NnTensor *out = call->out[0];
    int64_t rows = out->dims[0], columns = out->dims[1];
    NN_SWITCH_NUMBER_OR_BOOL(out->dtype, {
        T *to = out->data;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                to[i * columns + j] = (T)(p->k == j - i);
    })
    return 0;
}

const NnOp nn_op_eye_like = {
    .type = "EyeLike",
    .domain = "",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(EyeParams),
    .prepare = eye_like_prepare,
    .infer = eye_like_infer,
    .run = eye_like_run,
};
