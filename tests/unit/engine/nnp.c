/* SPDX-License-Identifier: Apache-2.0 */
#include "nnp.h"

#include <unistd.h>

#include "test.h"

float noise(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return (float)(*state >> 8) / (1 << 23) - 1;
}

void add_noise(Build *build, const char *name, size_t rank, const int64_t *dims)
{
    static uint32_t state = 1;
    Onnx__Tensor *tensor = build_floats(build, name, rank, dims, NULL);
    float *data = (float *)tensor->raw_data.data;

    for (size_t i = 0; i < tensor->raw_data.len / sizeof(float); i++)
        data[i] = noise(&state);
}

uint8_t *image_network(size_t *ret_n)
{
    static const int64_t image[] = { 1, CHANNELS, SIZE, SIZE }, channel[] = { CHANNELS };
    static const int64_t w3[] = { CHANNELS, CHANNELS, 3, 3 }, wd[] = { CHANNELS, 1, 3, 3 };
    static const int64_t matrix[] = { CHANNELS, 4 };
    static const int64_t pads[] = { 1, 1, 1, 1 };
    Onnx__Node *node;
    Build build;

    build_start(&build, 13);
    build_metadata(&build, "plated.task", "nothing");
    build_metadata(&build, "empty", "");
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    build_output(&build, "probabilities");
    add_noise(&build, "w1", 4, w3);
    add_noise(&build, "w2", 4, wd);
    add_noise(&build, "w3", 4, w3);
    add_noise(&build, "b1", 1, channel);
    add_noise(&build, "m", 2, matrix);
    build_floats(&build, "sizes", 1, (int64_t[]){ 4 }, (float[]){ 1, 1, 2, 2 });
    build_attribute_ints(build_node(&build, "Conv", "x w1 b1", "c1"), "pads", 4, pads);
    build_node(&build, "Sigmoid", "c1", "s1");
    build_node(&build, "Mul", "s1 c1", "a1");
    node = build_node(&build, "Conv", "a1 w2", "c2");
    build_attribute_ints(node, "pads", 4, pads);
    build_attribute_int(node, "group", CHANNELS);
    build_attribute_ints(build_node(&build, "Conv", "c2 w3", "c3"), "pads", 4, pads);
    build_node(&build, "Add", "c3 a1", "r3");
    build_attribute_float(build_node(&build, "LeakyRelu", "r3", "a3"), "alpha", 0.3f);
    build_attribute_string(build_node(&build, "Resize", "a3  sizes", "y"), "mode", "nearest");
    build_node(&build, "GlobalAveragePool", "a3", "g");
    build_attribute_int(build_node(&build, "Flatten", "g", "f"), "axis", 1);
    build_attribute_float(build_node(&build, "Gemm", "f m", "l"), "alpha", 0.5f);
    build_attribute_int(build_node(&build, "Softmax", "l", "probabilities"), "axis", -1);
    return build_pack(&build, ret_n);
}

uint8_t *dynamic_network(size_t *ret_n)
{
    static const int64_t dims[] = { 2, 3 }, one[] = { 1 }, flat[] = { -1 };
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 2, dims);
    build_output(&build, "y");
    build_ints(&build, "index", 1, one);
    build_ints(&build, "flat", 1, flat);
    build_node(&build, "NonZero", "x", "n");
    build_node(&build, "Shape", "n", "s");
    build_node(&build, "Gather", "s index", "count");
    build_attribute_ints(build_node(&build, "Transpose", "n", "t"), "perm", 2,
                         (int64_t[]){ 1, 0 });
    build_node(&build, "Reshape", "t flat", "r");
    build_node(&build, "Add", "r count", "y");
    return build_pack(&build, ret_n);
}

uint8_t *large_network(size_t *ret_n)
{
    static const int64_t image[] = { 1, 600, 2, 2 }, w[] = { 512, 600, 1, 1 };
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_noise(&build, "w", 4, w);
    build_node(&build, "Conv", "x w", "y");
    return build_pack(&build, ret_n);
}

static char folder[] = "/tmp/test_nnp.XXXXXX";
static bool made;

const char *in_folder(const char *name)
{
    static char path[128];

    if (!made && !mkdtemp(folder))
        TEST_FAIL("no folder for files");
    made = true;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

void clear_folder(void)
{
    unlink(in_folder("a.nnp"));
    unlink(in_folder("small.nnp"));
    TEST_INT(rmdir(folder), 0);
}

NnContext *new_context(const char *isa)
{
    NnContextOptions options = { .threads = 1, .isa = isa };
    NnContext *context = NULL;
    NnError error;

    return nn_context_new(&options, &context, &error) < 0 ? NULL : context;
}

NnModel *load_bytes(NnContext *context, const uint8_t *bytes, size_t n)
{
    NnModelOptions options = { .verify = true };
    NnModel *model = NULL;
    NnError error;

    if (nn_model_load_memory(context, "m", bytes, n, &options, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    return model;
}

uint8_t *read_file(const char *path, size_t *ret_n)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes;

    if (!file)
        TEST_FAIL("%s cannot be read", path);
    fseek(file, 0, SEEK_END);
    *ret_n = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*ret_n + 1);
    TEST_INT(fread(bytes, 1, *ret_n, file), *ret_n);
    fclose(file);
    return bytes;
}

uint8_t *write_compact(const NnModel *model, size_t *ret_n)
{
    NnError error;

    if (nn_nnp_write(model->program, in_folder("small.nnp"), NNP_ALIGN, &error) < 0)
        TEST_FAIL("%s", error.message);
    return read_file(in_folder("small.nnp"), ret_n);
}

uint8_t *compile(NnContext *context, uint8_t *onnx, size_t n_onnx, size_t *ret_n)
{
    NnModel *model = load_bytes(context, onnx, n_onnx);
    uint8_t *bytes = write_compact(model, ret_n);

    nn_model_free(model);
    free(onnx);
    return bytes;
}
