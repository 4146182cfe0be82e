/* SPDX-License-Identifier: Apache-2.0 */

/* Where data comes from: inputs, files, and the text itself. */

#include <math.h>
#include <stdio.h>

#include "base/file.h"
#include "base/limits.h"
#include "nnef/lower.h"
#include "nnef/quant.h"
#include "nnef/tensor.h"

static NnDtype generic_dtype(const NnefCall *call)
{
    switch (call->generic) {
    case NNEF_PRIMITIVE_INTEGER: return NN_DTYPE_I64;
    case NNEF_PRIMITIVE_LOGICAL: return NN_DTYPE_BOOL;
    default: return NN_DTYPE_F32;
    }
}

/* The shape argument as a tensor without data. */
static bool shape_of_call(const NnefCall *call, int64_t least, NnTensor *ret, size_t *ret_bytes)
{
    NnTensor tensor = { .dtype = generic_dtype(call) };

    tensor.rank = (int)nn_nnef_integers(call, "shape", tensor.dims);
    for (int i = 0; i < tensor.rank; i++)
        if (tensor.dims[i] < least)
            nn_nnef_build_fail(call->build, -EBADMSG, "'shape' holds %lld",
                               (long long)tensor.dims[i]);
    if (call->build->status < 0)
        return false;
    if (nn_tensor_bytes(&tensor, ret_bytes) < 0) {
        nn_nnef_build_fail(call->build, -E2BIG, "it is larger than %zu MiB",
                           NN_LIMIT_TENSOR_BYTES >> 20);
        return false;
    }
    *ret = tensor;
    return true;
}

static NnDtype dtype_by_name(const char *name)
{
    for (int i = NN_DTYPE_UNDEFINED + 1; i < _NN_DTYPE_MAX; i++)
        if (strcmp(nn_dtype_name((NnDtype)i), name) == 0)
            return (NnDtype)i;
    return NN_DTYPE_UNDEFINED;
}

int nn_nnef_lower_external(NnefCall *call)
{
    NnGraph *graph = call->build->graph;
    const char *name = call->eval->target, *type;
    NnValueId id;
    NnTensor tensor;
    size_t bytes;
    int r;

    if (call->eval->external != NNEF_EXTERNAL_EXPECTED)
        return nn_error_set(call->build->error, -EBADMSG, "it stands only for inputs of the graph");
    if (!shape_of_call(call, 1, &tensor, &bytes))
        return 0;
    type = nn_nnef_map_get(&call->eval->types, name);
    if (type)
        tensor.dtype = dtype_by_name(type);
    if (tensor.dtype == NN_DTYPE_UNDEFINED)
        return nn_error_set(call->build->error, -ENOTSUP, "element type '%s' is not known", type);
    r = nn_graph_add_value(graph, "%", &id);
    if (r < 0)
        return nn_error_set(call->build->error, r, "out of memory, or too many tensors");
    call->eval->external = NNEF_EXTERNAL_MADE;
    graph->values[id].tensor = tensor;
    graph->values[id].inferred = true;
    graph->values[id].input = true;
    nn_nnef_result(call, 0, id);
    return 0;
}

/* Items in float32 where the engine has them narrower or wider. */
static int to_float(NnTensor *tensor, NnError *error)
{
    size_t bytes;
    int64_t n;
    float *to;

    if (tensor->dtype == NN_DTYPE_F32)
        return 0;
    if (nn_tensor_bytes(tensor, &bytes) < 0)
        return -E2BIG;
    n = (int64_t)(bytes / nn_dtype_size(tensor->dtype));
    to = nn_aligned_alloc((size_t)n * sizeof(float));
    if (!to)
        return nn_error_set(error, -ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++)
        switch (tensor->dtype) {
        case NN_DTYPE_F64: to[i] = (float)((const double *)tensor->data)[i]; break;
        case NN_DTYPE_F16: to[i] = (float)((const NnF16 *)tensor->data)[i]; break;
        case NN_DTYPE_I8: to[i] = ((const int8_t *)tensor->data)[i]; break;
        case NN_DTYPE_U8: to[i] = ((const uint8_t *)tensor->data)[i]; break;
        case NN_DTYPE_I16: to[i] = ((const int16_t *)tensor->data)[i]; break;
        case NN_DTYPE_U16: to[i] = ((const uint16_t *)tensor->data)[i]; break;
        case NN_DTYPE_I32: to[i] = (float)((const int32_t *)tensor->data)[i]; break;
        default: to[i] = (float)((const uint32_t *)tensor->data)[i]; break;
        }
    free(tensor->data);
    tensor->data = to;
    tensor->dtype = NN_DTYPE_F32;
    return 0;
}

static bool is_float(NnDtype dtype)
{
    return dtype == NN_DTYPE_F32 || dtype == NN_DTYPE_F64 || dtype == NN_DTYPE_F16;
}

/* Scalars in a file of integers are what graph.quant makes of them. A document
 * with operators of ONNX in it means the types of its files as they are. */
static int fit_items(NnefCall *call, NnTensor *tensor)
{
    const NnefQuant *quant = call->eval->target
                                 ? nn_nnef_map_get(&call->eval->quants, call->eval->target)
                                 : NULL;
    bool logical = tensor->dtype == NN_DTYPE_BOOL;
    NnError *error = call->build->error;
    double scale, offset;
    int r;

    if (call->generic == NNEF_PRIMITIVE_INTEGER && !is_float(tensor->dtype) && !logical)
        return 0;
    if (call->generic == NNEF_PRIMITIVE_LOGICAL && logical)
        return 0;
    if (call->generic != NNEF_PRIMITIVE_SCALAR || logical)
        return nn_error_set(error, -EBADMSG, "its file holds %s", nn_dtype_name(tensor->dtype));
    if (is_float(tensor->dtype))
        return call->eval->document->onnx_form ? 0 : to_float(tensor, error);
    if (!quant || nn_dtype_size(tensor->dtype) > 4)
        return nn_error_set(error, -EBADMSG,
                            "its file holds %s, and graph.quant does not say what they mean",
                            nn_dtype_name(tensor->dtype));
    r = nn_nnef_quant_grid(call->eval, quant, tensor->dtype, &scale, &offset);
    if (r >= 0)
        r = to_float(tensor, error);
    if (r < 0)
        return r;
    for (int64_t i = 0, n = nn_tensor_elements(tensor); i < n; i++)
        ((float *)tensor->data)[i] = (float)(((float *)tensor->data)[i] * scale + offset);
    call->eval->dequantized = true;
    return 0;
}

static int check_shape(NnefCall *call, const NnTensor *tensor, const NnTensor *expected)
{
    char found[96], wanted[96];

    if (nn_tensor_same_shape(tensor, expected))
        return 0;
    return nn_error_set(call->build->error, -EBADMSG, "its file holds %s, the shape is %s",
                        nn_tensor_shape_string(tensor, found, sizeof(found)),
                        nn_tensor_shape_string(expected, wanted, sizeof(wanted)));
}

/* The file LABEL.dat below the model's directory. */
static int read_file(NnefCall *call, const char *label, const NnTensor *expected, NnTensor *ret)
{
    NnefEval *eval = call->eval;
    NnError *error = call->build->error;
    _cleanup_free_ char *path = NULL;
    _cleanup_(nn_file_closep) int fd = -1;
    _cleanup_(nn_file_unmap) NnFileMap map = { 0 };
    char text[128];
    int r;

    if (!eval->directory)
        return nn_error_set(error, -ENOTSUP, "variables need a model directory, not memory");
    if (asprintf(&path, "%s.dat", label) < 0) {
        path = NULL;
        return nn_error_set(error, -ENOMEM, "out of memory");
    }
    fd = nn_file_open_inside(eval->directory, path);
    if (fd == -EBADMSG)
        return nn_error_set(error, fd, "'%s' is not a file in the model's directory", path);
    if (fd < 0)
        return nn_error_set(error, -EBADMSG, "'%s' of shape %s: %s", path,
                            nn_tensor_shape_string(expected, text, sizeof(text)), strerror(-fd));
    r = nn_file_map(fd, NN_LIMIT_TENSOR_BYTES + NN_NNEF_HEADER_BYTES + 4, &map);
    if (r >= 0 && nn_add_size(eval->variable_bytes, map.n, &eval->variable_bytes) >= 0 &&
        eval->variable_bytes > NN_LIMIT_FILE_BYTES)
        r = -E2BIG;
    if (r == -E2BIG)
        return nn_error_set(error, r, "the variables are larger than %zu MiB",
                            NN_LIMIT_FILE_BYTES >> 20);
    if (r < 0)
        return nn_error_set(error, r, "'%s': %s", path, strerror(-r));
    return nn_nnef_tensor_parse(path, map.bytes, map.n, ret, error);
}

/* A label is read once. */
static int known_label(NnefCall *call, const NnefValue *known, const NnTensor *expected)
{
    const NnTensor *tensor = nn_nnef_build_tensor(call->build, known->id);
    int r;

    r = check_shape(call, tensor, expected);
    if (r < 0)
        return r;
    if (is_float(tensor->dtype) != (call->generic == NNEF_PRIMITIVE_SCALAR))
        return nn_error_set(call->build->error, -EBADMSG, "its label has another type elsewhere");
    nn_nnef_result(call, 0, known->id);
    return 0;
}

int nn_nnef_lower_variable(NnefCall *call)
{
    const char *label = nn_nnef_text(call, "label");
    NnefEval *eval = call->eval;
    NnefValue *known = nn_nnef_map_get(&eval->labels, label);
    NnTensor expected, tensor = { 0 };
    size_t bytes;
    int r;

    if (!shape_of_call(call, 0, &expected, &bytes))
        return 0;
    if (known)
        return known_label(call, known, &expected);
    r = read_file(call, label, &expected, &tensor);
    if (r >= 0)
        r = check_shape(call, &tensor, &expected);
    if (r >= 0)
        r = fit_items(call, &tensor);
    if (r < 0) {
        free(tensor.data);
        return nn_error_prefix(call->build->error, r, "label '%s'", label);
    }
    nn_nnef_result(call, 0, nn_nnef_build_constant(call->build, &tensor));
    known = nn_nnef_alloc(eval->memory, 1, sizeof(*known));
    if (!known || nn_nnef_map_add(&eval->labels, eval->memory, label, known) < 0)
        return nn_error_set(call->build->error, -ENOMEM, "out of memory");
    *known = call->results[0];
    return 0;
}

static void put(NnTensor *tensor, int64_t at, const NnefValue *value)
{
    switch (tensor->dtype) {
    case NN_DTYPE_I64: ((int64_t *)tensor->data)[at] = value->i; break;
    case NN_DTYPE_BOOL: ((bool *)tensor->data)[at] = value->b; break;
    default: ((float *)tensor->data)[at] = (float)value->f; break;
    }
}

int nn_nnef_lower_constant(NnefCall *call)
{
    const NnefValue *value = nn_nnef_argument(call, "value");
    NnTensor tensor;
    size_t bytes;
    int64_t n;

    if (!shape_of_call(call, 0, &tensor, &bytes))
        return 0;
    n = (int64_t)(bytes / nn_dtype_size(tensor.dtype));
    if ((int64_t)value->n != n && value->n != 1)
        return nn_error_set(call->build->error, -EBADMSG, "%zu values for %lld elements", value->n,
                            (long long)n);
    tensor.data = nn_nnef_build_alloc(call->build, bytes);
    for (int64_t i = 0; tensor.data && i < n; i++)
        put(&tensor, i, &value->items[value->n == 1 ? 0 : i]);
    nn_nnef_result(call, 0, nn_nnef_build_constant(call->build, &tensor));
    return 0;
}
