/* SPDX-License-Identifier: Apache-2.0 */

/* Tensor files of NNEF: every kind of item, and what is refused. */

#include <errno.h>

#include "nnef/tensor.h"
#include "test.h"

#define FILE_MAX (NN_NNEF_HEADER_BYTES + 64)

static void put(uint8_t *file, size_t offset, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        file[offset + i] = (uint8_t)(value >> 8 * i);
}

/* A file of shape [rows, columns] whose items are `bytes` bytes of `items`. */
static size_t make(uint8_t *file, uint32_t item, uint32_t bits, uint32_t rows, uint32_t columns,
                   const void *items, size_t bytes)
{
    memset(file, 0, FILE_MAX);
    memcpy(file, "\x4e\xef\x01\x00", 4);
    put(file, 4, (uint32_t)bytes);
    put(file, 8, 2);
    put(file, 12, rows);
    put(file, 16, columns);
    put(file, 44, bits);
    put(file, 48, item);
    memcpy(file + NN_NNEF_HEADER_BYTES, items, bytes);
    return NN_NNEF_HEADER_BYTES + bytes;
}

static void reads(const uint8_t *file, size_t n, NnDtype dtype, const void *items, size_t bytes)
{
    NnTensor tensor = { 0 };
    NnError error = { "" };
    int r;

    r = nn_nnef_tensor_parse("w.dat", file, n, &tensor, &error);
    if (r < 0)
        TEST_FAIL("%s", error.message);
    TEST_INT(tensor.dtype, dtype);
    TEST_INT(tensor.rank, 2);
    if (memcmp(tensor.data, items, bytes) != 0)
        TEST_FAIL("the items of dtype %d differ", dtype);
    free(tensor.data);
}

static void refused(const uint8_t *file, size_t n, int code, const char *words)
{
    NnTensor tensor = { 0 };
    NnError error = { "" };

    TEST_INT(nn_nnef_tensor_parse("w.dat", file, n, &tensor, &error), code);
    TEST_TRUE(tensor.data == NULL);
    TEST_WORDS(error.message, "w.dat");
    TEST_WORDS(error.message, words);
}

static void test_items(void)
{
    static const struct {
        uint32_t item, bits;
        NnDtype dtype;
    } cases[] = {
        { NN_NNEF_FLOAT, 16, NN_DTYPE_F16 }, { NN_NNEF_FLOAT, 32, NN_DTYPE_F32 },
        { NN_NNEF_FLOAT, 64, NN_DTYPE_F64 }, { NN_NNEF_UINT, 8, NN_DTYPE_U8 },
        { NN_NNEF_UINT, 16, NN_DTYPE_U16 },  { NN_NNEF_UINT, 32, NN_DTYPE_U32 },
        { NN_NNEF_UINT, 64, NN_DTYPE_U64 },  { NN_NNEF_QUINT, 8, NN_DTYPE_U8 },
        { NN_NNEF_QINT, 8, NN_DTYPE_I8 },    { NN_NNEF_QINT, 32, NN_DTYPE_I32 },
        { NN_NNEF_INT, 8, NN_DTYPE_I8 },     { NN_NNEF_INT, 16, NN_DTYPE_I16 },
        { NN_NNEF_INT, 32, NN_DTYPE_I32 },   { NN_NNEF_INT, 64, NN_DTYPE_I64 },
    };
    uint8_t file[FILE_MAX], items[48];
    size_t n;

    for (size_t i = 0; i < sizeof(items); i++)
        items[i] = (uint8_t)(7 * i + 3);
    for (size_t i = 0; i < NN_ARRAY_SIZE(cases); i++) {
        size_t bytes = 6 * cases[i].bits / 8;

        n = make(file, cases[i].item, cases[i].bits, 2, 3, items, bytes);
        reads(file, n, cases[i].dtype, items, bytes);
    }
    n = make(file, NN_NNEF_UINT, 16, 2, 3, items, 12);
    put(file, 52, 1);
    reads(file, n, NN_DTYPE_I16, items, 12);
}

static void test_logical(void)
{
    static const uint8_t bits[] = { 0xb1, 0x40 }, bytes[] = { 1, 0, 2, 255, 0, 0 };
    static const bool of_bits[] = {true, false, true, true, false, false, false, true, false, true},
                      of_bytes[] = {true, false, true, true, false, false};
    uint8_t file[FILE_MAX];
    size_t n;

    n = make(file, NN_NNEF_BOOL, 1, 2, 5, bits, 2);
    reads(file, n, NN_DTYPE_BOOL, of_bits, sizeof(of_bits));
    n = make(file, NN_NNEF_BOOL, 8, 2, 3, bytes, 6);
    reads(file, n, NN_DTYPE_BOOL, of_bytes, sizeof(of_bytes));
}

/* Files of an old writer have four bytes more before the items. */
static void test_excess(void)
{
    static const float items[] = { 0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f };
    uint8_t file[FILE_MAX];
    size_t n;

    n = make(file, NN_NNEF_FLOAT, 32, 2, 3, items, sizeof(items));
    put(file, 4, 24);
    reads(file, n, NN_DTYPE_F32, items + 1, 24);
    refused(file, n + 4, -EBADMSG, "holds 32 bytes after the header, 24 expected");
}

static void test_refusals(void)
{
    static const float items[6];
    uint8_t file[FILE_MAX];
    size_t n = make(file, NN_NNEF_FLOAT, 32, 2, 3, items, 24);

    refused(file, 127, -EBADMSG, "not an NNEF tensor file, or cut short");
    refused(file, n - 1, -EBADMSG, "holds 23 bytes after the header, 24 expected");
    put(file, 12, 4);
    refused(file, n, -EBADMSG, "states 24 bytes of items where the shape needs 48");
    put(file, 12, 0xffffffff);
    refused(file, n, -E2BIG, "larger than");
    put(file, 8, 9);
    refused(file, n, -E2BIG, "9 dimensions, at most 8");
    n = make(file, NN_NNEF_FLOAT, 12, 2, 3, items, 9);
    refused(file, n, -ENOTSUP, "items of 12 bits and type 0");
    n = make(file, 0x54522040, 0xffffffff, 2, 3, items, 24);
    refused(file, n, -ENOTSUP, "items of 4294967295 bits and type 0x54522040");
    file[2] = 2;
    refused(file, n, -ENOTSUP, "version is 2.0");
    file[0] = 'x';
    refused(file, n, -EBADMSG, "not an NNEF tensor file");
}

int main(void)
{
    test_items();
    test_logical();
    test_excess();
    test_refusals();
    return 0;
}
