/* SPDX-License-Identifier: Apache-2.0 */

/* TensorProto: elements stand in raw_data, in one of the typed fields, or in a
 * file beside the model (ONNX IR specification, "Serialized tensors" and
 * "External tensor data"). */

#include "onnx/tensor.h"

#include "base/file.h"
#include "base/limits.h"
#include "onnx/types.h"

/* Copies typed elements, which the wire format widens, into narrow ones. */
#define NARROW(type, count, source)                                  \
    do {                                                             \
        if ((int64_t)(count) != n)                                   \
            return -EBADMSG;                                         \
        for (int64_t i = 0; i < n; i++)                              \
            ((type *)data)[i] = (type)(source)[i];                   \
    } while (0)

static int read_typed(const Onnx__Tensor *proto, NnDtype dtype, int64_t n, void *data)
{
    switch (dtype) {
    case NN_DTYPE_F32: NARROW(float, proto->n_float_data, proto->float_data); break;
    case NN_DTYPE_F64: NARROW(double, proto->n_double_data, proto->double_data); break;
    case NN_DTYPE_I64: NARROW(int64_t, proto->n_int64_data, proto->int64_data); break;
    case NN_DTYPE_U64: NARROW(uint64_t, proto->n_uint64_data, proto->uint64_data); break;
    case NN_DTYPE_U32: NARROW(uint32_t, proto->n_uint64_data, proto->uint64_data); break;
    case NN_DTYPE_I32: NARROW(int32_t, proto->n_int32_data, proto->int32_data); break;
    case NN_DTYPE_I16: NARROW(int16_t, proto->n_int32_data, proto->int32_data); break;
    case NN_DTYPE_F16:
    case NN_DTYPE_U16: NARROW(uint16_t, proto->n_int32_data, proto->int32_data); break;
    case NN_DTYPE_I8: NARROW(int8_t, proto->n_int32_data, proto->int32_data); break;
    case NN_DTYPE_U8: NARROW(uint8_t, proto->n_int32_data, proto->int32_data); break;
    case NN_DTYPE_BOOL: NARROW(bool, proto->n_int32_data, proto->int32_data); break;
    default: return -ENOTSUP;
    }
    return 0;
}

static int parse_size(const char *text, uint64_t *ret)
{
    char *end;
    unsigned long long v;

    errno = 0;
    v = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-')
        return -EBADMSG;
    *ret = v;
    return 0;
}

/* A location is the path of a file below the model's directory. */
static int read_external(const Onnx__Tensor *proto, const char *directory, void *data, size_t bytes,
                         NnError *error)
{
    const char *location = NULL;
    uint64_t offset = 0, length = bytes;
    _cleanup_(nn_file_closep) int fd = -1;
    int r = 0;

    for (size_t i = 0; i < proto->n_external_data && r == 0; i++) {
        const Onnx__StringEntry *e = proto->external_data[i];

        if (!e->key || !e->value)
            continue;
        if (strcmp(e->key, "location") == 0)
            location = e->value;
        else if (strcmp(e->key, "offset") == 0)
            r = parse_size(e->value, &offset);
        else if (strcmp(e->key, "length") == 0)
            r = parse_size(e->value, &length);
    }
    if (r < 0 || offset > INT64_MAX - bytes)
        return nn_error_set(error, -EBADMSG, "its external data has an offset or length that is "
                            "no number of bytes");
    if (!location)
        return nn_error_set(error, -EBADMSG, "its external data has no location");
    if (length != bytes)
        return nn_error_set(error, -EBADMSG,
                            "its external data has %llu bytes where its shape needs %zu",
                            (unsigned long long)length, bytes);
    if (!directory)
        return nn_error_set(error, -ENOTSUP,
                            "its external data cannot be found: the model was read from memory");
    fd = nn_file_open_inside(directory, location);
    if (fd == -EBADMSG)
        return nn_error_set(error, fd, "external data '%s' is not a file in the model's directory",
                            location);
    if (fd < 0)
        return nn_error_set(error, -EBADMSG, "external data '%s': %s", location,
                            fd == -ELOOP ? "it is a symbolic link" : strerror(-fd));
    r = nn_file_read(fd, offset, data, bytes);
    if (r == -EBADMSG)
        return nn_error_set(error, r,
                            "external data '%s' ends before the tensor, at byte %llu to %llu",
                            location, (unsigned long long)offset,
                            (unsigned long long)(offset + bytes));
    return r < 0 ? nn_error_set(error, r, "external data '%s': %s", location, strerror(-r)) : 0;
}

static int read_header(const Onnx__Tensor *proto, NnTensor *tensor, size_t *ret_bytes,
                       NnError *error)
{
    int r;

    tensor->dtype = nn_dtype_from_onnx(proto->data_type);
    if (tensor->dtype == NN_DTYPE_UNDEFINED)
        return nn_error_set(error, -ENOTSUP, "element type %d (%s) is not supported",
                            proto->data_type, nn_onnx_type_name(proto->data_type));
    if (proto->n_dims > NN_RANK_MAX)
        return nn_error_set(error, -E2BIG, "it has %zu dimensions, at most %d are possible",
                            proto->n_dims, NN_RANK_MAX);
    tensor->rank = (int)proto->n_dims;
    for (int i = 0; i < tensor->rank; i++)
        tensor->dims[i] = proto->dims[i];
    r = nn_tensor_bytes(tensor, ret_bytes);
    if (r == -E2BIG)
        return nn_error_set(error, r, "it is larger than %zu MiB", NN_LIMIT_TENSOR_BYTES >> 20);
    if (r < 0)
        return nn_error_set(error, r, "a dimension is negative");
    return 0;
}

int nn_onnx_tensor(Onnx__Tensor *proto, const char *directory, NnTensor *ret_tensor, NnError *error)
{
    NnTensor tensor = { 0 };
    _cleanup_free_ void *data = NULL;
    size_t bytes;
    int r;

    r = read_header(proto, &tensor, &bytes, error);
    if (r < 0)
        return r;
    if (proto->has_raw_data && proto->data_location == 0) {
        if (proto->raw_data.len != bytes)
            return nn_error_set(error, -EBADMSG, "it holds %zu bytes where its shape needs %zu",
                                proto->raw_data.len, bytes);
        data = NN_TAKE(proto->raw_data.data);
        proto->raw_data.len = 0;
        for (size_t i = 0; tensor.dtype == NN_DTYPE_BOOL && i < bytes; i++)
            ((uint8_t *)data)[i] = ((uint8_t *)data)[i] != 0;
    }
    if (!data) {
        /* Before allocating what the shape asks for: does the file hold it at all? */
        size_t held = proto->n_float_data + proto->n_int32_data + proto->n_int64_data +
                      proto->n_double_data + proto->n_uint64_data;
        int64_t n = bytes ? nn_tensor_elements(&tensor) : 0;

        if (proto->data_location != 1 && (uint64_t)n > held)
            return nn_error_set(error, -EBADMSG, "it holds %zu elements where its shape needs %lld",
                                held, (long long)n);
        data = malloc(NN_MAX(bytes, 1));
        if (!data)
            return nn_error_set(error, -ENOMEM, "out of memory for %zu bytes", bytes);
        if (proto->data_location == 1)
            r = read_external(proto, directory, data, bytes, error);
        else if (bytes) {
            r = read_typed(proto, tensor.dtype, n, data);
            if (r < 0)
                nn_error_set(error, r, "its elements do not fit its type and shape");
        }
        if (r < 0)
            return r;
    }
    tensor.data = NN_TAKE(data);
    *ret_tensor = tensor;
    return 0;
}
