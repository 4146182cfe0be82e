/* SPDX-License-Identifier: Apache-2.0 */

/* Tensor files of NNEF that are written read back equal. */

#include <errno.h>
#include <unistd.h>

#include "nnef/tensor.h"
#include "test.h"

static char directory[] = "/tmp/test_nnef_write.XXXXXX";

/* The path of a file in a directory of its own. */
static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static size_t slurp(const char *path, uint8_t *bytes, size_t max)
{
    FILE *file = fopen(path, "rb");
    size_t n;

    if (!file)
        TEST_FAIL("%s is not there", path);
    n = fread(bytes, 1, max, file);
    fclose(file);
    return n;
}

static void round_trip(const NnTensor *tensor)
{
    const char *path = path_of("w.dat");
    uint8_t file[NN_NNEF_HEADER_BYTES + 256];
    NnError error = { "" };
    NnTensor read;
    size_t bytes;

    if (nn_nnef_tensor_write(path, tensor, &error) < 0 ||
        nn_nnef_tensor_parse(path, file, slurp(path, file, sizeof(file)), &read, &error) < 0)
        TEST_FAIL("%s", error.message);
    TEST_INT(read.dtype, tensor->dtype);
    TEST_TRUE(nn_tensor_same_shape(&read, tensor));
    TEST_INT(nn_tensor_bytes(tensor, &bytes), 0);
    if (bytes && memcmp(read.data, tensor->data, bytes) != 0)
        TEST_FAIL("the items of dtype %d differ", tensor->dtype);
    free(read.data);
    unlink(path);
}

static void test_dtypes(void)
{
    uint8_t items[6 * 8];

    for (NnDtype dtype = NN_DTYPE_F32; dtype < _NN_DTYPE_MAX; dtype++) {
        NnTensor tensor = { .dtype = dtype, .rank = 2, .dims = { 2, 3 }, .data = items };

        for (size_t i = 0; i < sizeof(items); i++)
            items[i] = dtype == NN_DTYPE_BOOL ? i % 3 == 0 : (uint8_t)(91 * i + 5);
        round_trip(&tensor);
    }
}

static void test_shapes(void)
{
    float items[8] = { 1.5f, -2, 3, 4, 5, 6, 7, 8 };

    round_trip(&(NnTensor){ .dtype = NN_DTYPE_F32, .rank = 0, .data = items });
    round_trip(&(NnTensor){ .dtype = NN_DTYPE_F32, .rank = 1, .dims = { 0 }, .data = items });
    round_trip(&(NnTensor){ .dtype = NN_DTYPE_F32, .rank = 8,
                            .dims = { 1, 2, 1, 2, 1, 2, 1, 1 }, .data = items });
}

static void refused(const char *path, const NnTensor *tensor, int code, const char *words)
{
    NnError error = { "" };

    TEST_INT(nn_nnef_tensor_write(path, tensor, &error), code);
    TEST_WORDS(error.message, path);
    TEST_WORDS(error.message, words);
}

static void test_refusals(void)
{
    float item = 1;
    NnTensor tensor = { .dtype = NN_DTYPE_F32, .rank = 1, .dims = { 1 }, .data = &item };
    NnTensor open = { .dtype = NN_DTYPE_F32, .rank = 1, .dims = { -1 } };
    NnTensor wide = { .dtype = NN_DTYPE_F32, .rank = 2, .dims = { 0, (int64_t)1 << 32 } };
    NnError error;

    refused(path_of("a.dat"), &open, -EBADMSG, "has no size");
    refused(path_of("a.dat"), &wide, -E2BIG, "larger than a file may be");
    refused("/nowhere/a.dat", &tensor, -ENOENT, "No such file");
    TEST_INT(nn_nnef_tensor_write(path_of("a.dat"), &tensor, &error), 0);
    refused(path_of("a.dat"), &tensor, -EEXIST, "File exists");
    unlink(path_of("a.dat"));
}

int main(void)
{
    if (!mkdtemp(directory))
        TEST_FAIL("no temporary directory");
    test_dtypes();
    test_shapes();
    test_refusals();
    rmdir(directory);
    return 0;
}
