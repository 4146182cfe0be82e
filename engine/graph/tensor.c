/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/limits.h"
#include "graph/graph.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[_NN_DTYPE_MAX] = {
    [NN_DTYPE_UNDEFINED] = { "undefined", 0 }, [NN_DTYPE_F32] = { "float32", 4 },
    [NN_DTYPE_F64] = { "float64", 8 },         [NN_DTYPE_F16] = { "float16", 2 },
    [NN_DTYPE_I8] = { "int8", 1 },             [NN_DTYPE_U8] = { "uint8", 1 },
    [NN_DTYPE_I16] = { "int16", 2 },           [NN_DTYPE_U16] = { "uint16", 2 },
    [NN_DTYPE_I32] = { "int32", 4 },           [NN_DTYPE_U32] = { "uint32", 4 },
    [NN_DTYPE_I64] = { "int64", 8 },           [NN_DTYPE_U64] = { "uint64", 8 },
    [NN_DTYPE_BOOL] = { "bool", 1 },
};

size_t nn_dtype_size(NnDtype dtype)
{
    return (unsigned)dtype < _NN_DTYPE_MAX ? dtypes[dtype].size : 0;
}

const char *nn_dtype_name(NnDtype dtype)
{
    return dtypes[(unsigned)dtype < _NN_DTYPE_MAX ? dtype : NN_DTYPE_UNDEFINED].name;
}

NnDtype nn_dtype_from_onnx(int64_t number)
{
    static const NnDtype table[] = {
        [1] = NN_DTYPE_F32,  [2] = NN_DTYPE_U8,   [3] = NN_DTYPE_I8,   [4] = NN_DTYPE_U16,
        [5] = NN_DTYPE_I16,  [6] = NN_DTYPE_I32,  [7] = NN_DTYPE_I64,  [9] = NN_DTYPE_BOOL,
        [10] = NN_DTYPE_F16, [11] = NN_DTYPE_F64, [12] = NN_DTYPE_U32, [13] = NN_DTYPE_U64,
    };

    if (number < 0 || number >= (int64_t)NN_ARRAY_SIZE(table))
        return NN_DTYPE_UNDEFINED;
    return table[number];
}

const char *nn_onnx_type_name(int64_t number)
{
    static const char *const names[] = {
        [8] = "string",          [14] = "complex64",      [15] = "complex128",
        [16] = "bfloat16",       [17] = "float8e4m3fn",   [18] = "float8e4m3fnuz",
        [19] = "float8e5m2",     [20] = "float8e5m2fnuz", [21] = "uint4",
        [22] = "int4",           [23] = "float4e2m1",
    };
    NnDtype dtype = nn_dtype_from_onnx(number);

    if (dtype != NN_DTYPE_UNDEFINED)
        return nn_dtype_name(dtype);
    return number >= 0 && number < (int64_t)NN_ARRAY_SIZE(names) && names[number] ? names[number]
                                                                                  : "unknown";
}

int64_t nn_tensor_elements(const NnTensor *tensor)
{
    int64_t n = 1;

    for (int i = 0; i < tensor->rank; i++)
        n *= tensor->dims[i];
    return n;
}

int nn_tensor_bytes(const NnTensor *tensor, size_t *ret_bytes)
{
    size_t bytes = nn_dtype_size(tensor->dtype);
    bool empty = false;

    if (tensor->rank < 0 || tensor->rank > NN_RANK_MAX || bytes == 0)
        return -EBADMSG;
    for (int i = 0; i < tensor->rank; i++) {
        if (tensor->dims[i] < 0)
            return -EBADMSG;
        if (tensor->dims[i] == 0) {
            empty = true;
            continue;
        }
        if (nn_mul_size(bytes, tensor->dims[i], &bytes) < 0 || bytes > NN_LIMIT_TENSOR_BYTES)
            return -E2BIG;
    }
    *ret_bytes = empty ? 0 : bytes;
    return 0;
}

bool nn_tensor_same_shape(const NnTensor *a, const NnTensor *b)
{
    if (a->rank != b->rank)
        return false;
    return memcmp(a->dims, b->dims, a->rank * sizeof(a->dims[0])) == 0;
}

const char *nn_tensor_shape_string(const NnTensor *tensor, char *buffer, size_t n)
{
    size_t at = 0;

    if (tensor->rank == 0)
        snprintf(buffer, n, "scalar");
    for (int i = 0; i < tensor->rank && at < n; i++) {
        int written = tensor->dims[i] < 0
                          ? snprintf(buffer + at, n - at, "%s?", i ? "×" : "")
                          : snprintf(buffer + at, n - at, "%s%lld", i ? "×" : "",
                                     (long long)tensor->dims[i]);

        at += NN_MAX(written, 0);
    }
    return buffer;
}
