/* SPDX-License-Identifier: Apache-2.0 */

/* What is broken is refused with a sentence that says what and where. */

#include <errno.h>

#include "refused.h"
#include "test.h"

enum { FLOAT = 1, INT64 = 7, STRING = 8 };

static const int64_t image[] = { 1, 1, 4, 4 };
static const int64_t kernel[] = { 2, 1, 3, 3 };

/* x → Conv(w) → y, right in every way. */
static Onnx__Node *start_conv(Build *build, int64_t opset)
{
    build_start(build, opset);
    build_input(build, "x", FLOAT, 4, image);
    build_output(build, "y");
    build_floats(build, "w", 4, kernel, NULL);
    return build_node(build, "Conv", "x w", "y");
}

/* x → an operator → y. */
static Onnx__Node *start_node(Build *build, const char *type, const char *inputs)
{
    build_start(build, 13);
    build_input(build, "x", FLOAT, 4, image);
    build_output(build, "y");
    return build_node(build, type, inputs, "y");
}

static void test_bytes(void)
{
    static const uint8_t garbage[] = "GARBAGE that is no model";
    Build build;
    size_t n;
    uint8_t *bytes;

    refused(garbage, sizeof(garbage), -EBADMSG, "m.onnx: not an ONNX model, or cut short");
    refused(garbage, 0, -EBADMSG, "m.onnx: it holds no graph");
    start_conv(&build, 13);
    bytes = build_pack(&build, &n);
    refused(bytes, n - 7, -EBADMSG, "m.onnx: not an ONNX model, or cut short");
    free(bytes);
}

static void test_opset(void)
{
    Build build;

    start_conv(&build, 6);
    refused_build(&build, -ENOTSUP, "m.onnx: it uses ONNX opset 6, opsets 7 to 22 are supported");
    start_conv(&build, 99);
    refused_build(&build, -ENOTSUP, "m.onnx: it uses ONNX opset 99, opsets 7 to 22 are supported");
    start_conv(&build, 13);
    build.opset.domain = build_string("com.example");
    refused_build(&build, -ENOTSUP, "m.onnx: it uses ONNX opset 1, opsets 7 to 22 are supported");
    start_node(&build, "LayerNormalization", "x x");
    refused_build(&build, -ENOTSUP,
                  "m.onnx: node 'y' (LayerNormalization, opset 13): supported from opset 17 on");
}

static void test_order(void)
{
    Build build;

    start_conv(&build, 13)->input[0] = build_string("z");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Conv): its input 'z' is no input or initialiser of the "
                  "graph and no output of a node");

    start_conv(&build, 13)->input[1] = build_string("weights");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Conv): its input 'weights' is no input or initialiser of "
                  "the graph and no output of a node");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "b");
    build_node(&build, "Add", "x b", "a");
    build_node(&build, "Add", "x a", "b");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'a' (Add): its input 'b' is made by a later node or by itself "
                  "(cyclic or unsorted graph)");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "b");
    build_node(&build, "Relu", "a", "b");
    build_node(&build, "Relu", "x", "a");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'b' (Relu): its input 'a' is made by a later node or by itself "
                  "(cyclic or unsorted graph)");

    start_node(&build, "Relu", "y");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Relu): its input 'y' is made by a later node or by itself "
                  "(cyclic or unsorted graph)");
}

static void test_structure(void)
{
    Build build;

    start_conv(&build, 13);
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -EBADMSG, "m.onnx: node 'y' (Relu): its output 'y' is made twice");

    start_conv(&build, 13);
    build_node(&build, "Relu", "y", "x");
    refused_build(&build, -EBADMSG, "m.onnx: node 'x' (Relu): its output 'x' is made twice");

    start_conv(&build, 13);
    build_output(&build, "nowhere");
    refused_build(&build, -EBADMSG, "m.onnx: output 'nowhere' of the graph is made by no node");

    start_conv(&build, 13);
    build.graph.n_output = 0;
    refused_build(&build, -EBADMSG, "m.onnx: the graph has no outputs");

    start_conv(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    refused_build(&build, -EBADMSG, "m.onnx: input 'x' stands there twice");

    start_conv(&build, 13);
    build_floats(&build, "w", 4, kernel, NULL);
    refused_build(&build, -EBADMSG, "m.onnx: initialiser 'w' stands there twice");

    start_conv(&build, 13);
    build.model.graph = NULL;
    refused_build(&build, -EBADMSG, "m.onnx: it holds no graph");
}

static void test_operators(void)
{
    Build build;

    start_conv(&build, 13)->op_type = build_string("Frobnicate");
    refused_build(&build, -ENOTSUP,
                  "m.onnx: node 'y' (Frobnicate, opset 13): operator Frobnicate is not known; "
                  "nn_op_register() can supply it");

    start_conv(&build, 13)->domain = build_string("com.example");
    refused_build(&build, -ENOTSUP,
                  "m.onnx: node 'y' (Conv, opset 1): operator com.example.Conv is not known; "
                  "nn_op_register() can supply it");

    start_conv(&build, 13)->n_input = 1;
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Conv, opset 13): it has 1 inputs, at least 2 were expected");

    start_node(&build, "Relu", "x x x");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Relu, opset 13): it has 3 inputs, at most 1 were expected");

    start_conv(&build, 13)->n_output = 0;
    refused_build(&build, -EBADMSG, "m.onnx: output 'y' of the graph is made by no node");

    start_node(&build, "Conv", " x");
    refused_build(&build, -EBADMSG, "m.onnx: node 'y' (Conv, opset 13): input 0 is missing");

    start_conv(&build, 13)->op_type = build_string("Con\033[31m\nv\xff");
    refused_build(&build, -ENOTSUP,
                  "m.onnx: node 'y' (Con?[31m?v?, opset 13): operator Con?[31m?v? is not known; "
                  "nn_op_register() can supply it");
}

static void test_attributes(void)
{
    Build build;

    build_attribute_int(start_conv(&build, 13), "strides", 2);
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Conv, opset 13): attribute 'strides' is not a list of "
                  "integers");

    build_attribute_ints(start_conv(&build, 13), "strides", 2, (int64_t[]){ 0, 1 });
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Conv, opset 13): attribute 'strides' has the value 0");

    build_attribute_ints(start_conv(&build, 13), "strides", 3, (int64_t[]){ 1, 1, 1 });
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Conv, opset 13): an input of 4 dimensions, weights of 4 and "
                  "attributes for 3 spatial ones");

    build_attribute_int(start_conv(&build, 13), "group", 0);
    refused_build(&build, -EBADMSG, "m.onnx: node 'y' (Conv, opset 13): attribute 'group' is 0");

    start_node(&build, "MaxPool", "x");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (MaxPool, opset 13): kernel_shape is missing");

    start_node(&build, "Concat", "x x");
    refused_build(&build, -EBADMSG, "m.onnx: node 'y' (Concat, opset 13): axis is missing");

    build_attribute_int(start_node(&build, "Softmax", "x"), "axis", 4);
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Softmax, opset 13): axis 4 is not one of a tensor of 4 "
                  "dimensions");

    build_attribute_ints(start_node(&build, "Transpose", "x"), "perm", 4,
                         (int64_t[]){ 0, 1, 1, 3 });
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Transpose, opset 13): perm is no permutation of 0…3");
}

static void test_shapes(void)
{
    static const int64_t huge[] = { 1, 1000000, 1000000, 4 };
    static const int64_t wrap[] = { (int64_t)1 << 32, (int64_t)1 << 32, 4, 4 };
    static const int64_t channels[] = { 1, 3, 4, 4 };
    static const int64_t nine[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, huge);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -E2BIG, "m.onnx: input 'x' is larger than 1024 MiB");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, wrap);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -E2BIG, "m.onnx: input 'x' is larger than 1024 MiB");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 9, nine);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -E2BIG, "m.onnx: input 'x' has 9 dimensions, at most 8 are possible");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, channels);
    build_output(&build, "y");
    build_floats(&build, "w", 4, kernel, NULL);
    build_node(&build, "Conv", "x w", "y");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Conv, opset 13): the weights expect 1 channels in 1 groups, "
                  "the input has 3");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    build_ints(&build, "s", 2, (int64_t[]){ 5, -1 });
    build_node(&build, "Reshape", "x s", "y");
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Reshape, opset 13): 16 elements do not divide by the 5 of "
                  "the known dimensions");

    start_node(&build, "Add", "x z");
    build_floats(&build, "z", 1, (int64_t[]){ 3 }, NULL);
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Add, opset 13): input 1 has 3 elements in dimension 3 of 4, "
                  "which do not broadcast with 4");

    start_node(&build, "Expand", "x s");
    build_ints(&build, "s", 4, (int64_t[]){ 1000000, 1, 4, 4 });
    build.graph.initializer[0]->int64_data[1] = 1000000;
    refused_build(&build, -E2BIG,
                  "m.onnx: node 'y' (Expand, opset 13): output 0 would be too large");
}

static void test_types(void)
{
    Build build;

    start_node(&build, "Conv", "x s");
    build_ints(&build, "s", 4, (int64_t[]){ 1, 1, 1, 1 });
    refused_build(&build, -ENOTSUP,
                  "m.onnx: node 'y' (Conv, opset 13): input 1 of type int64 is not supported");

    start_node(&build, "Add", "x s");
    build_ints(&build, "s", 1, (int64_t[]){ 1 });
    refused_build(&build, -EBADMSG,
                  "m.onnx: node 'y' (Add, opset 13): input 1 is int64, expected float32 like "
                  "input 0");

    build_start(&build, 13);
    build_input(&build, "x", STRING, 4, image);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    refused_build(&build, -ENOTSUP, "m.onnx: input 'x': element type 8 (string) is not supported");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    build_node(&build, "Relu", "x", "y");
    build.graph.input[0]->type->tensor_type = NULL;
    refused_build(&build, -ENOTSUP, "m.onnx: input 'x' is not a tensor");
}

static void test_initializers(void)
{
    Build build;
    Onnx__Tensor *w;

    start_conv(&build, 13);
    build.graph.initializer[0]->raw_data.len -= 4;
    refused_build(&build, -EBADMSG,
                  "m.onnx: initialiser 'w': it holds 68 bytes where its shape needs 72");

    start_conv(&build, 13);
    build.graph.initializer[0]->dims[0] = -2;
    refused_build(&build, -EBADMSG, "m.onnx: initialiser 'w': a dimension is negative");

    start_conv(&build, 13);
    w = build.graph.initializer[0];
    w->has_raw_data = 0;
    w->dims[0] = 1000000; /* 36 MB that the file does not hold */
    refused_build(&build, -EBADMSG,
                  "m.onnx: initialiser 'w': it holds 0 elements where its shape needs 9000000");

    start_conv(&build, 13);
    w = build.graph.initializer[0];
    w->dims[0] = (int64_t)1 << 62;
    refused_build(&build, -E2BIG, "m.onnx: initialiser 'w': it is larger than 1024 MiB");

    start_conv(&build, 13);
    build.graph.initializer[0]->data_type = STRING;
    refused_build(&build, -ENOTSUP,
                  "m.onnx: initialiser 'w': element type 8 (string) is not supported");
}

int main(void)
{
    test_bytes();
    test_opset();
    test_order();
    test_structure();
    test_operators();
    test_attributes();
    test_shapes();
    test_types();
    test_initializers();
    return 0;
}
