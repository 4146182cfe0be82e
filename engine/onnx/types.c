/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/types.h"

#include "base/limits.h"

bool nn_onnx_is_default_domain(const char *domain)
{
    return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

int nn_onnx_opset(const Onnx__Model *proto, const char *domain, int fallback)
{
    int64_t version = fallback;

    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const Onnx__OperatorSet *set = proto->opset_import[i];

        if (nn_onnx_is_default_domain(domain)
                ? nn_onnx_is_default_domain(set->domain)
                : set->domain && strcmp(set->domain, domain) == 0)
            version = set->version;
    }
    return version < 1 || version > INT32_MAX ? 0 : (int)version;
}

static int64_t dim_size(const Onnx__Dimension *dim)
{
    if (dim->dim_param && *dim->dim_param)
        return -1;
    return dim->has_dim_value && dim->dim_value >= 0 ? dim->dim_value : -1;
}

static int name_dims(const Onnx__Shape *shape, NnValue *value, NnError *error)
{
    for (size_t i = 0; i < shape->n_dim; i++) {
        const char *name = shape->dim[i]->dim_param;

        if (!name || !*name)
            continue;
        if (strlen(name) > NN_LIMIT_NAME_BYTES)
            return nn_error_set(error, -E2BIG, "input '%s': a dimension's name is longer than %d "
                                "bytes", value->name, NN_LIMIT_NAME_BYTES);
        if (nn_value_name_dim(value, (int)i, name) < 0)
            return nn_error_set(error, -ENOMEM, "out of memory");
    }
    return 0;
}

int nn_onnx_input_type(const Onnx__ValueInfo *info, NnValue *value, NnError *error)
{
    const char *name = value->name;
    const Onnx__TensorType *type;
    NnTensor tensor = { 0 };

    if (!info->type || !info->type->tensor_type)
        return nn_error_set(error, -ENOTSUP, "input '%s' is not a tensor", name);
    type = info->type->tensor_type;
    tensor.dtype = nn_dtype_from_onnx(type->elem_type);
    if (tensor.dtype == NN_DTYPE_UNDEFINED)
        return nn_error_set(error, -ENOTSUP, "input '%s': element type %d (%s) is not supported",
                            name, type->elem_type, nn_onnx_type_name(type->elem_type));
    if (!type->shape)
        return nn_error_set(error, -ENOTSUP, "input '%s' has no shape", name);
    if (type->shape->n_dim > NN_RANK_MAX)
        return nn_error_set(error, -E2BIG, "input '%s' has %zu dimensions, at most %d are possible",
                            name, type->shape->n_dim, NN_RANK_MAX);
    tensor.rank = (int)type->shape->n_dim;
    for (int i = 0; i < tensor.rank; i++)
        tensor.dims[i] = dim_size(type->shape->dim[i]);
    value->tensor = tensor;
    return name_dims(type->shape, value, error);
}

NnTensor nn_onnx_output_type(const Onnx__ValueInfo *info)
{
    const Onnx__TensorType *type = info->type ? info->type->tensor_type : NULL;
    NnTensor tensor = { .rank = -1 };

    if (!type)
        return tensor;
    tensor.dtype = nn_dtype_from_onnx(type->elem_type);
    if (!type->shape || type->shape->n_dim > NN_RANK_MAX)
        return tensor;
    tensor.rank = (int)type->shape->n_dim;
    for (int i = 0; i < tensor.rank; i++)
        tensor.dims[i] = dim_size(type->shape->dim[i]);
    return tensor;
}
