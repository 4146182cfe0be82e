/* SPDX-License-Identifier: Apache-2.0 */

/* What is broken is refused with a sentence that says what and where. */

#include <errno.h>

#include "build.h"
#include "nn.h"
#include "test.h"

enum { FLOAT = 1, INT64 = 7, STRING = 8 };

static const int64_t image[] = { 1, 1, 4, 4 };
static const int64_t kernel[] = { 2, 1, 3, 3 };

static void refused(const uint8_t *bytes, size_t n, int code, const char *words)
{
    NnContextOptions options = { .threads = 1 };
    NnContext *context = NULL;
    NnModel *model = NULL;
    NnError error = { "" };

    TEST_INT(nn_context_new(&options, &context, &error), 0);
    TEST_INT(nn_model_load_memory(context, "m.onnx", bytes, n, NULL, &model, &error), code);
    TEST_TRUE(model == NULL);
    TEST_WORDS(error.message, "m.onnx");
    TEST_WORDS(error.message, words);
    nn_context_free(context);
}

static void refused_build(const Build *build, int code, const char *words)
{
    size_t n;
    uint8_t *bytes = build_pack(build, &n);

    refused(bytes, n, code, words);
    free(bytes);
}

/* x → Conv(w) → y, right in every way. */
static void start_conv(Build *build, int64_t opset)
{
    build_start(build, opset);
    build_input(build, "x", FLOAT, 4, image);
    build_output(build, "y");
    build_floats(build, "w", 4, kernel, NULL);
    build_node(build, "Conv", "x w", "y");
}

static void test_file(void)
{
    static const uint8_t garbage[] = "GARBAGE that is no model";
    Build build;
    size_t n;
    uint8_t *bytes;

    refused(garbage, sizeof(garbage), -EBADMSG, "not an ONNX model");
    start_conv(&build, 13);
    bytes = build_pack(&build, &n);
    refused(bytes, n - 7, -EBADMSG, "cut short");
    refused(bytes, 0, -EBADMSG, "no graph");
    free(bytes);
}

static void test_opset(void)
{
    Build build;

    start_conv(&build, 6);
    refused_build(&build, -ENOTSUP, "opset 6, opsets 7 to 22 are supported");
    start_conv(&build, 99);
    refused_build(&build, -ENOTSUP, "opset 99");
}

static void test_structure(void)
{
    Build build;

    start_conv(&build, 13);
    build.graph.node[0]->input[0] = build_string("z");
    refused_build(&build, -EBADMSG, "'z'");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "b");
    build_node(&build, "Add", "x b", "a");
    build_node(&build, "Add", "x a", "b");
    refused_build(&build, -EBADMSG, "cyclic");

    start_conv(&build, 13);
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -EBADMSG, "made twice");

    start_conv(&build, 13);
    build_output(&build, "nowhere");
    refused_build(&build, -EBADMSG, "'nowhere'");

    start_conv(&build, 13);
    build.graph.n_output = 0;
    refused_build(&build, -EBADMSG, "no outputs");
}

static void test_operators(void)
{
    Build build;

    start_conv(&build, 13);
    build.graph.node[0]->op_type = build_string("Frobnicate");
    refused_build(&build, -ENOTSUP, "operator Frobnicate is not known");

    start_conv(&build, 13);
    build.graph.node[0]->domain = build_string("com.example");
    refused_build(&build, -ENOTSUP, "com.example.Conv");

    start_conv(&build, 13);
    build.graph.node[0]->n_input = 1;
    refused_build(&build, -EBADMSG, "1 inputs");

    start_conv(&build, 13);
    build_attribute_int(build.graph.node[0], "strides", 2);
    refused_build(&build, -EBADMSG, "'strides' is not a list of integers");

    start_conv(&build, 13);
    build_attribute_ints(build.graph.node[0], "strides", 2, (int64_t[]){ 0, 1 });
    refused_build(&build, -EBADMSG, "'strides'");
}

/* What is refused only where the shapes are said to be final. */
static void refused_shapes(const Build *build, const char *words)
{
    NnContextOptions context_options = { .threads = 1 };
    NnModelOptions options = { .fixed = true };
    NnContext *context = NULL;
    NnModel *model = NULL;
    NnError error = { "" };
    size_t n;
    uint8_t *bytes = build_pack(build, &n);

    TEST_INT(nn_context_new(&context_options, &context, &error), 0);
    TEST_INT(nn_model_load_memory(context, "m.onnx", bytes, n, &options, &model, &error), -EINVAL);
    TEST_TRUE(model == NULL);
    TEST_WORDS(error.message, words);
    nn_context_free(context);
    free(bytes);
}

static void test_shapes(void)
{
    static const int64_t open[] = { -1, 1, -1, 4 };
    static const int64_t huge[] = { 1, 1000000, 1000000, 4 };
    static const int64_t channels[] = { 1, 3, 4, 4 };
    static const int64_t nine[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, open);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    refused_shapes(&build, "input 'x' leaves dimension 2 open (the model says ?×1×?×4): state the "
                           "whole shape");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, huge);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -E2BIG, "larger than");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 9, nine);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -E2BIG, "9 dimensions");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, channels);
    build_output(&build, "y");
    build_floats(&build, "w", 4, kernel, NULL);
    build_node(&build, "Conv", "x w", "y");
    refused_build(&build, -EBADMSG, "(Conv, opset 13)");

    build_start(&build, 13);
    build_input(&build, "x", STRING, 4, image);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -ENOTSUP, "element type 8");
}

static void test_initializers(void)
{
    Onnx__StringEntry entry, *entries[] = { &entry };
    Build build;
    Onnx__Tensor *w;

    start_conv(&build, 13);
    build.graph.initializer[0]->raw_data.len -= 4;
    refused_build(&build, -EBADMSG, "initialiser 'w': it holds 68 bytes where its shape needs 72");

    start_conv(&build, 13);
    build.graph.initializer[0]->dims[0] = -2;
    refused_build(&build, -EBADMSG, "negative");

    start_conv(&build, 13);
    w = build.graph.initializer[0];
    w->has_raw_data = 0;
    w->dims[0] = 1000000; /* 36 MB that the file does not hold */
    refused_build(&build, -EBADMSG, "it holds 0 elements");

    start_conv(&build, 13);
    w = build.graph.initializer[0];
    w->dims[0] = (int64_t)1 << 62;
    refused_build(&build, -E2BIG, "larger than 1024 MiB");

    start_conv(&build, 13);
    w = build.graph.initializer[0];
    w->has_raw_data = 0;
    w->has_data_location = 1;
    w->data_location = 1;
    onnx__string_entry__init(&entry);
    entry.key = build_string("location");
    entry.value = build_string("../../etc/passwd");
    w->external_data = entries;
    w->n_external_data = 1;
    refused_build(&build, -ENOTSUP, "external data needs a model file");

    start_conv(&build, 13);
    build_floats(&build, "w", 4, kernel, NULL);
    refused_build(&build, -EBADMSG, "'w' stands there twice");
}

int main(void)
{
    test_file();
    test_opset();
    test_structure();
    test_operators();
    test_shapes();
    test_initializers();
    return 0;
}
