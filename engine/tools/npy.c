/* SPDX-License-Identifier: Apache-2.0 */
#include "npy.h"

#include <ctype.h>
#include <stdio.h>

#include "graph/graph.h"

#define NPY_MAGIC "\x93NUMPY"
#define NPY_HEADER_MAX 65536

static const struct {
    NnDtype dtype;
    const char *descr;
} types[] = {
    { NN_DTYPE_F32, "<f4" }, { NN_DTYPE_F64, "<f8" }, { NN_DTYPE_F16, "<f2" },
    { NN_DTYPE_I8, "|i1" },  { NN_DTYPE_U8, "|u1" },  { NN_DTYPE_I16, "<i2" },
    { NN_DTYPE_U16, "<u2" }, { NN_DTYPE_I32, "<i4" }, { NN_DTYPE_U32, "<u4" },
    { NN_DTYPE_I64, "<i8" }, { NN_DTYPE_U64, "<u8" }, { NN_DTYPE_BOOL, "|b1" },
};

static void fclosep(FILE **file)
{
    if (*file)
        fclose(*file);
}

/* The text behind `'key':` in the header's dictionary. */
static const char *find_key(const char *header, const char *key)
{
    const char *at = strstr(header, key);

    at = at ? strchr(at, ':') : NULL;
    if (!at)
        return NULL;
    for (at++; isspace((unsigned char)*at); at++)
        ;
    return at;
}

static int parse_header(const char *header, NnTensor *tensor)
{
    const char *descr = find_key(header, "'descr'");
    const char *order = find_key(header, "'fortran_order'");
    const char *shape = find_key(header, "'shape'");

    if (!descr || !order || !shape || *shape != '(' || strncmp(order, "False", 5) != 0)
        return -EBADMSG;
    for (size_t i = 0; i < NN_ARRAY_SIZE(types); i++)
        if (descr[0] == '\'' && strncmp(descr + 1, types[i].descr, 3) == 0 && descr[4] == '\'')
            tensor->dtype = types[i].dtype;
    if (tensor->dtype == NN_DTYPE_UNDEFINED)
        return -ENOTSUP;
    for (shape++; *shape != ')';) {
        char *end;
        long long dim;

        errno = 0;
        dim = strtoll(shape, &end, 10);
        if (end == shape || errno || dim < 0 || tensor->rank == NN_RANK_MAX)
            return -EBADMSG;
        tensor->dims[tensor->rank++] = dim;
        for (shape = end; *shape == ',' || isspace((unsigned char)*shape); shape++)
            ;
        if (!*shape)
            return -EBADMSG;
    }
    return 0;
}

static int read_header(FILE *file, NnTensor *tensor)
{
    _cleanup_free_ char *header = NULL;
    uint8_t start[12];
    size_t length, n;

    if (fread(start, 1, 10, file) != 10 || memcmp(start, NPY_MAGIC, 6) != 0 || start[6] < 1 ||
        start[6] > 3)
        return -EBADMSG;
    length = start[8] | start[9] << 8;
    if (start[6] >= 2) {
        if (fread(start + 10, 1, 2, file) != 2)
            return -EBADMSG;
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (length > NPY_HEADER_MAX)
        return -EBADMSG;
    header = malloc(length + 1);
    if (!header)
        return -ENOMEM;
    n = fread(header, 1, length, file);
    header[n] = '\0';
    return n == length ? parse_header(header, tensor) : -EBADMSG;
}

int npy_read(const char *path, NnTensor *ret_tensor, NnError *error)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "rbe");
    _cleanup_free_ void *data = NULL;
    NnTensor tensor = { 0 };
    size_t bytes;
    int r;

    if (!file)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    r = read_header(file, &tensor);
    if (r >= 0)
        r = nn_tensor_bytes(&tensor, &bytes);
    if (r < 0)
        return nn_error_set(error, r,
                            "%s: not a .npy file of numbers in little-endian C order", path);
    data = nn_aligned_alloc(bytes);
    if (!data)
        return nn_error_set(error, -ENOMEM, "%s: out of memory for %zu bytes", path, bytes);
    if (fread(data, 1, bytes, file) != bytes)
        return nn_error_set(error, -EBADMSG, "%s: cut short", path);
    tensor.data = NN_TAKE(data);
    *ret_tensor = tensor;
    return 0;
}

int npy_write(const char *path, const NnTensor *tensor, NnError *error)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "wbe");
    const char *descr = "";
    char shape[256] = "", header[512];
    size_t at = 0, bytes;
    int n, r;

    if (!file)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    r = nn_tensor_bytes(tensor, &bytes);
    if (r < 0)
        return nn_error_set(error, r, "%s: the tensor has no valid shape", path);
    for (size_t i = 0; i < NN_ARRAY_SIZE(types); i++)
        if (types[i].dtype == tensor->dtype)
            descr = types[i].descr;
    for (int i = 0; i < tensor->rank; i++)
        at += snprintf(shape + at, sizeof(shape) - at, "%lld,", (long long)tensor->dims[i]);
    n = snprintf(header, sizeof(header), "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                 descr, shape);
    /* Data starts at a multiple of 64 bytes; the header ends with a line feed. */
    while ((10 + n + 1) % 64)
        header[n++] = ' ';
    header[n++] = '\n';
    fwrite(NPY_MAGIC "\x01\x00", 1, 8, file);
    fputc(n & 0xff, file);
    fputc(n >> 8, file);
    fwrite(header, 1, n, file);
    fwrite(tensor->data, 1, bytes, file);
    if (fflush(file) != 0 || ferror(file))
        return nn_error_set(error, -EIO, "%s: cannot be written", path);
    return 0;
}
