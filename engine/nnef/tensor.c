/* SPDX-License-Identifier: Apache-2.0 */

/* NNEF 1.0 specification, "Tensor file format". */

#include "nnef/tensor.h"

#include "base/limits.h"

/* Offsets of the header's fields. */
enum {
    MAJOR = 2,
    MINOR = 3,
    LENGTH = 4,
    RANK = 8,
    EXTENTS = 12,
    BITS = 44,
    ITEM = 48,
    SIGNED = 52,    /* files of 2018 say so of item type 1 */
};

/* Writers before 2018 left four bytes between header and items. */
#define EXCESS_BYTES 4

static uint32_t field(const uint8_t *header, size_t offset)
{
    const uint8_t *p = header + offset;

    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static NnDtype integer_dtype(uint32_t bits, bool is_signed)
{
    switch (bits) {
    case 8: return is_signed ? NN_DTYPE_I8 : NN_DTYPE_U8;
    case 16: return is_signed ? NN_DTYPE_I16 : NN_DTYPE_U16;
    case 32: return is_signed ? NN_DTYPE_I32 : NN_DTYPE_U32;
    case 64: return is_signed ? NN_DTYPE_I64 : NN_DTYPE_U64;
    default: return NN_DTYPE_UNDEFINED;
    }
}

static NnDtype item_dtype(const uint8_t *header)
{
    uint32_t bits = field(header, BITS);

    switch (field(header, ITEM)) {
    case NN_NNEF_FLOAT:
        return bits == 16 ? NN_DTYPE_F16 : bits == 32 ? NN_DTYPE_F32
                                       : bits == 64   ? NN_DTYPE_F64
                                                      : NN_DTYPE_UNDEFINED;
    case NN_NNEF_UINT: return integer_dtype(bits, field(header, SIGNED) != 0);
    case NN_NNEF_QUINT: return integer_dtype(bits, false);
    case NN_NNEF_QINT:
    case NN_NNEF_INT: return integer_dtype(bits, true);
    case NN_NNEF_BOOL: return bits == 1 || bits == 8 ? NN_DTYPE_BOOL : NN_DTYPE_UNDEFINED;
    default: return NN_DTYPE_UNDEFINED;
    }
}

static int read_shape(const uint8_t *header, NnTensor *tensor, size_t *ret_bytes, NnError *error)
{
    uint32_t rank = field(header, RANK);
    int r;

    if (rank > NN_RANK_MAX)
        return nn_error_set(error, -E2BIG, "it has %u dimensions, at most %d are possible", rank,
                            NN_RANK_MAX);
    tensor->rank = (int)rank;
    for (uint32_t i = 0; i < rank; i++)
        tensor->dims[i] = field(header, EXTENTS + 4 * i);
    tensor->dtype = item_dtype(header);
    if (tensor->dtype == NN_DTYPE_UNDEFINED)
        return nn_error_set(error, -ENOTSUP, "items of %u bits and type %#x are not supported",
                            field(header, BITS), field(header, ITEM));
    r = nn_tensor_bytes(tensor, ret_bytes);
    return r < 0 ? nn_error_set(error, r, "it is larger than %zu MiB", NN_LIMIT_TENSOR_BYTES >> 20)
                 : 0;
}

/* Bytes in memory and where the items begin in the file. */
static int read_header(const uint8_t *header, size_t n, NnTensor *tensor, size_t *ret_bytes,
                       size_t *ret_offset, NnError *error)
{
    uint64_t length, expected;
    size_t bytes = 0;
    int r;

    if (n < NN_NNEF_HEADER_BYTES || header[0] != 0x4e || header[1] != 0xef)
        return nn_error_set(error, -EBADMSG, "not an NNEF tensor file, or cut short");
    if (header[MAJOR] != 1 || header[MINOR] != 0)
        return nn_error_set(error, -ENOTSUP, "its version is %d.%d, 1.0 is supported",
                            header[MAJOR], header[MINOR]);
    r = read_shape(header, tensor, &bytes, error);
    if (r < 0)
        return r;
    length = field(header, LENGTH);
    expected = ((uint64_t)bytes / nn_dtype_size(tensor->dtype) * field(header, BITS) + 7) / 8;
    if (length != expected)
        return nn_error_set(error, -EBADMSG,
                            "its header states %llu bytes of items where the shape needs %llu",
                            (unsigned long long)length, (unsigned long long)expected);
    if (n - NN_NNEF_HEADER_BYTES != length && n - NN_NNEF_HEADER_BYTES != length + EXCESS_BYTES)
        return nn_error_set(error, -EBADMSG, "it holds %zu bytes after the header, %llu expected",
                            n - NN_NNEF_HEADER_BYTES, (unsigned long long)length);
    *ret_bytes = bytes;
    *ret_offset = n - length;
    return 0;
}

int nn_nnef_tensor_parse(const char *name, const void *bytes, size_t n, NnTensor *ret_tensor,
                         NnError *error)
{
    const uint8_t *header = bytes, *items;
    NnTensor tensor = { 0 };
    size_t size = 0, offset = 0;
    int r;

    r = read_header(header, n, &tensor, &size, &offset, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", name);
    tensor.data = nn_aligned_alloc(size);
    if (!tensor.data)
        return nn_error_set(error, -ENOMEM, "%s: out of memory for %zu bytes", name, size);
    items = header + offset;
    if (tensor.dtype == NN_DTYPE_BOOL && field(header, BITS) == 1)
        for (size_t i = 0; i < size; i++)
            ((bool *)tensor.data)[i] = items[i / 8] >> (7 - i % 8) & 1;
    else if (tensor.dtype == NN_DTYPE_BOOL)
        for (size_t i = 0; i < size; i++)
            ((bool *)tensor.data)[i] = items[i] != 0;
    else
        memcpy(tensor.data, items, size);
    *ret_tensor = tensor;
    return 0;
}
