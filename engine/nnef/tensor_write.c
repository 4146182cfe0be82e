/* SPDX-License-Identifier: Apache-2.0 */

/* NNEF 1.0 specification, "Tensor file format". */

#include <stdio.h>

#include "nnef/tensor.h"

/* Offsets of the header's fields. */
enum {
    LENGTH = 4,
    RANK = 8,
    EXTENTS = 12,
    BITS = 44,
    ITEM = 48,
};

static void put_field(uint8_t *header, size_t offset, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        header[offset + i] = (uint8_t)(value >> (8 * i));
}

static NnNnefItem item_type(NnDtype dtype)
{
    switch (dtype) {
    case NN_DTYPE_F16:
    case NN_DTYPE_F32:
    case NN_DTYPE_F64: return NN_NNEF_FLOAT;
    case NN_DTYPE_U8:
    case NN_DTYPE_U16:
    case NN_DTYPE_U32:
    case NN_DTYPE_U64: return NN_NNEF_UINT;
    case NN_DTYPE_BOOL: return NN_NNEF_BOOL;
    default: return NN_NNEF_INT;
    }
}

/* The limit of a tensor keeps its dims, and all its bytes, within 32 bits. */
static int fill_header(const NnTensor *tensor, uint8_t *header, size_t *ret_bytes, NnError *error)
{
    size_t bytes;
    int r;

    r = nn_tensor_bytes(tensor, &bytes);
    if (r < 0)
        return nn_error_set(error, r, "a tensor has no size, or is larger than a file may be");
    header[0] = 0x4e;
    header[1] = 0xef;
    header[2] = 1;
    put_field(header, LENGTH, (uint32_t)bytes);
    put_field(header, RANK, (uint32_t)tensor->rank);
    for (int i = 0; i < tensor->rank; i++)
        put_field(header, EXTENTS + 4 * i, (uint32_t)tensor->dims[i]);
    put_field(header, BITS, (uint32_t)(8 * nn_dtype_size(tensor->dtype)));
    put_field(header, ITEM, item_type(tensor->dtype));
    *ret_bytes = bytes;
    return 0;
}

int nn_nnef_tensor_write(const char *path, const NnTensor *tensor, NnError *error)
{
    uint8_t header[NN_NNEF_HEADER_BYTES] = { 0 };
    size_t bytes = 0;
    bool written;
    FILE *file;
    int r;

    r = fill_header(tensor, header, &bytes, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", path);
    errno = 0;
    file = fopen(path, "wbxe");
    if (!file)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    written = fwrite(header, sizeof(header), 1, file) == 1 &&
              (bytes == 0 || fwrite(tensor->data, bytes, 1, file) == 1);
    if (fclose(file) != 0 || !written) {
        r = errno ? -errno : -EIO;
        return nn_error_set(error, r, "%s: %s", path, strerror(-r));
    }
    return 0;
}
