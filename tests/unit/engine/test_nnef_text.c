/* SPDX-License-Identifier: Apache-2.0 */

/* NNEF text: what it expands to, and the sentences for what is wrong in it. */

#include <errno.h>
#include <locale.h>

#include "base/limits.h"
#include "nnef/nnef.h"
#include "test.h"

#define FLAT "version 1.0;\n"
#define FULL                                                                        \
    "version 1.0;\n"                                                                \
    "extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;\n"
#define GRAPH "graph g(x) -> (y)\n{\nx = external(shape = [2, 3]);\n"

/* The operators of a document's nodes, in their order. */
static void expands_quantized(const char *text, const char *quant, const char *expected)
{
    NnGraph *graph = NULL;
    NnError error = { "" };
    char nodes[512] = "";

    if (nn_nnef_import_text("m", NULL, text, strlen(text), quant, quant ? strlen(quant) : 0, &graph,
                            &error) < 0)
        TEST_FAIL("%s\n%s", error.message, text);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        strcat(nodes, i ? " " : "");
        strcat(nodes, graph->nodes[i].op_type);
    }
    if (strcmp(nodes, expected) != 0)
        TEST_FAIL("\"%s\", expected \"%s\" of\n%s", nodes, expected, text);
    nn_graph_free(graph);
}

static void expands(const char *text, const char *expected)
{
    expands_quantized(text, NULL, expected);
}

static void refused(const char *text, int code, const char *words)
{
    NnGraph *graph = NULL;
    NnError error = { "" };
    int r;

    r = nn_nnef_import_text("m", NULL, text, strlen(text), NULL, 0, &graph, &error);
    if (r != code)
        TEST_FAIL("%d, expected %d: \"%s\" of\n%.500s", r, code, error.message, text);
    TEST_TRUE(graph == NULL);
    TEST_TRUE(strncmp(error.message, "m: ", 3) == 0);
    TEST_WORDS(error.message, words);
}

static void test_flat(void)
{
    expands(FLAT GRAPH "y = relu(x);\n}", "Relu");
    expands("\xef\xbb\xbfversion 1.0; # remark\nextension a_vendor words 1.0;\n" GRAPH
            "a = tanh(x);\r\n\ty = add(a, 1.5e-3);\n}\n# end",
            "Tanh Add");
    expands(FLAT GRAPH "[a, b, c] = split(x, axis = 1, ratios = [1, 1, 1]);\ny = max(a, c);\n}",
            "Split Max");
    expands(FLAT GRAPH "(m, v) = moments(x, axes = [1]);\ny = sub(m, v);\n}",
            "ReduceMean Sub Mul ReduceMean Sub");
    expands(FLAT GRAPH "y = x;\n}", "Identity");
}

static void test_expressions(void)
{
    expands(FULL GRAPH "y = -x * 2.0 + x ^ 2.0;\n}", "Neg Mul Pow Add");
    expands(FULL GRAPH "y = relu(x) if shape_of(x)[0] == 2 else tanh(x);\n}", "Relu");
    expands(FULL GRAPH
            "y = sum_reduce(x, axes = [for i in range_of(shape_of(x)) if i > 0 yield i]);"
            "\n}",
            "ReduceSum");
    expands(FULL GRAPH "y = concat([x] * 3 + [relu(x)], axis = length_of(shape_of(x)[1:]));\n}",
            "Relu Concat");
    expands(FULL GRAPH "c = [for i in [1, 2], j in [3, 4] yield i * j];\n"
                       "y = relu(x) if c[0] == 3 && !(c[1] < 8) && 3 in c else x;\n}",
            "Relu");
    expands(FULL GRAPH "y = tanh(x) if 'a' + string(1) == 'a1' && integer(2.7) == 2 && "
                       "scalar('1.5') == 1.5 && 7 / 2 == 3 && 2 ^ 3 == 8 else x;\n}",
            "Tanh");
    expands(FULL GRAPH "y = select(x < 0.0 && x > -1.0 || !(x == 5.0), x, 0.0);\n}",
            "Less Greater And Equal Not Or Where");
}

static void test_fragments(void)
{
    expands(FULL "fragment twice(a: tensor<scalar>, f: scalar = 2.0) -> (b: tensor<scalar>)\n"
                 "{ b = a * f; }\n" GRAPH "y = twice(twice(x), f = 3.0);\n}",
            "Mul Mul");
    expands(FULL "fragment pair<? = scalar>(a: tensor<?>) -> (b: tensor<?>, c: tensor<?>[])\n"
                 "{ b = a; c = [a, relu(a)]; }\n" GRAPH "(a, [b, c]) = pair(x); y = a + b + c;\n}",
            "Relu Add Add");
    /* It calls itself, once for each item. */
    expands(FULL
            "fragment chain(a: tensor<scalar>, n: (integer, scalar)[]) -> (b: tensor<scalar>)\n"
            "{ (i, s) = n[0]; t = a * s;\n"
            "b = chain(t, n = n[1:]) if length_of(n) > 1 else t; }\n" GRAPH
            "y = chain(x, n = [(1, 2.0), (2, 3), (3, 4.0)]);\n}",
            "Mul Mul Mul");
    expands(FULL "fragment unused(a: tensor<scalar>) -> (b: tensor<scalar>);\n" GRAPH
                 "y = x + 1.0;\n}",
            "Add");
}

/* The syntax of 2017 has no semicolons, and other names of types. */
static void test_provisional(void)
{
    expands("version 1.0\nfragment f(a: tensor, n: extent) -> (b: tensor)\n{ b = a * scalar(n) }\n"
            "graph g(x) -> (y)\n{\nx = external(shape = [2, 3])\ny = f(x, n = 2)\n}",
            "Mul");
    refused("version 1.0\ngraph g(x) -> (y)\n{\nx = external(shape = [1, 2, 4, 4])\n"
            "y = conv_layer(x, channels = 2, size = [1, 1], scope = 's')\n}",
            -ENOTSUP, "5:5: variable: label 's/filter': variables need a model directory");
}

/* "onnx_model", "onnx_TYPE": what the exporter writes. */
static void test_onnx_form(void)
{
    static const char text[] = FULL
        "fragment onnx_TopK(x0: tensor<scalar>, x1: tensor<integer>, axis: integer, onnx_opset: "
        "integer) -> (y0: tensor<scalar>, y1: tensor<integer>);\n"
        "fragment onnx_model(names: (string, string)[] = [('y', 'the%20output')], types: (string, "
        "string)[] = [('x', 'float64')], metadata: (string, string)[] = [('key', 'a%0Ab')]) -> "
        "(model: tensor<scalar>);\n" GRAPH
        "k = constant<integer>(shape = [1], value = [2]);\n"
        "(v, i) = onnx_TopK(x, k, axis = 1, onnx_opset = 11);\ny = copy(v);\n}";
    NnGraph *graph = NULL;
    NnError error = { "" };

    if (nn_nnef_import_text("m", NULL, text, strlen(text), NULL, 0, &graph, &error) < 0)
        TEST_FAIL("%s", error.message);
    TEST_INT(graph->n_nodes, 2);
    TEST_TRUE(strcmp(graph->nodes[0].op_type, "TopK") == 0);
    TEST_INT(graph->nodes[0].opset, 11);
    TEST_TRUE(strcmp(graph->values[graph->outputs[0]].name, "the output") == 0);
    TEST_INT(graph->values[graph->inputs[0]].tensor.dtype, NN_DTYPE_F64);
    TEST_INT(graph->n_metadata, 1);
    TEST_TRUE(strcmp(graph->metadata[0].value, "a\nb") == 0);
    nn_graph_free(graph);
}

static void test_quant(void)
{
    expands_quantized(FLAT GRAPH "y = relu(x);\n}",
                      "# of 8 bits\n\"x\": zero_point_linear_quantize(zero_point = 0, scale = 0.1, "
                      "bits = 8, signed = false, symmetric = false);\n"
                      "y: linear_quantize(min = -1.0, max = 1.0, bits = 4);\n",
                      "QuantizeLinear DequantizeLinear Relu Sub Min Max Sub Div Mul Round Div Mul "
                      "Add");
}

static void test_syntax_refusals(void)
{
    refused("", -EBADMSG, "1:1: expected 'version' but found end of file");
    refused("version 2.0;", -ENOTSUP, "1:9: NNEF 2.0 is not supported, 1.0 is");
    refused(FLAT "extension KHR_enable_wonders;", -ENOTSUP,
            "2:11: extension 'KHR_enable_wonders' is not supported");
    refused(FLAT GRAPH "y = relu(x)\n}", -EBADMSG, "6:1: expected ';' but found '}'");
    refused(FLAT GRAPH "y = relu(x", -EBADMSG, "5:11: expected ',' or ')' in the arguments");
    refused(FLAT GRAPH "y = relu('a);\n}", -EBADMSG, "5:10: a string does not end on its line");
    refused(FLAT GRAPH "y = x @ x;\n}", -EBADMSG, "5:7: a character that is none of NNEF's");
    refused(FLAT GRAPH "y = add(x, 12abc);\n}", -EBADMSG, "5:12: a number runs into a name");
    refused(FLAT GRAPH "y = copy_n(x, times = 99999999999999999999);\n}", -EBADMSG,
            "5:23: a number is too large");
    refused(FLAT GRAPH "y = x + x;\n}", -EBADMSG,
            "5:7: this needs 'extension KHR_enable_operator_expressions;'");
    refused(FLAT "fragment f(a: integer) -> (b: integer);", -EBADMSG,
            "2:1: a fragment needs 'extension KHR_enable_fragment_definitions;'");
    refused(FULL "fragment f(a: number) -> (b: integer);", -EBADMSG,
            "3:15: expected a type but found 'number'");
    refused(FULL "fragment f(a: integer, a: integer) -> (b: integer);", -EBADMSG,
            "3:24: 'a' is declared twice");
    refused(FLAT GRAPH "y = relu(x);\n}\ngraph h(x) -> (y) {}", -EBADMSG, "7:1: a second graph");
    refused(FLAT GRAPH "y = relu(x);\n}\n}", -EBADMSG,
            "expected the end of the file but found '}'");
}

static void test_meaning_refusals(void)
{
    refused(FLAT GRAPH "y = tract_core_cast(x, to = 'f16');\n}", -ENOTSUP,
            "5:5: 'tract_core_cast' is no operation of NNEF 1.0");
    refused(FULL "fragment odd(a: tensor<scalar>) -> (b: tensor<scalar>);\n" GRAPH
                 "y = odd(x);\n}",
            -ENOTSUP, "7:5: fragment 'odd' has no body and is no operation of NNEF 1.0");
    refused(FLAT GRAPH "y = relu(z);\n}", -EBADMSG, "5:10: 'z' is used before it is assigned");
    refused(FLAT GRAPH "a = relu(x);\na = relu(x);\ny = a;\n}", -EBADMSG,
            "6:1: 'a' is assigned twice");
    refused(FLAT GRAPH "z = relu(x);\n}", -EBADMSG, "2:7: output 'y' of the graph is not assigned");
    refused(FLAT "graph g(x) -> (y)\n{\nx = constant(shape = [1], value = [1.0]);\ny = relu(x);\n}",
            -EBADMSG, "4:1: input 'x' of the graph is not assigned by external()");
    refused(FLAT GRAPH "z = external(shape = [1]);\ny = add(x, z);\n}", -EBADMSG,
            "5:5: external: it stands only for inputs of the graph");
    refused(FLAT GRAPH "y = relu();\n}", -EBADMSG, "5:5: relu: parameter 'x' is missing");
    refused(FLAT GRAPH "y = relu(x, x);\n}", -EBADMSG, "5:5: relu takes 1 arguments, not 2");
    refused(FLAT GRAPH "y = relu(x, slope = 1.0);\n}", -EBADMSG,
            "5:5: relu has no parameter 'slope'");
    refused(FLAT GRAPH "y = relu(x, x = x);\n}", -EBADMSG, "parameter 'x' is given twice");
    refused(FLAT GRAPH "y = softmax(x, axes = 1);\n}", -EBADMSG,
            "5:5: softmax: parameter 'axes' is of type integer, integer[] was expected");
    refused(FLAT GRAPH "y = and(x, x);\n}", -EBADMSG,
            "parameter 'x' is of type tensor, tensor<logical> was expected");
    refused(FULL "fragment f(a: tensor<scalar>) -> (b: integer) { b = a; }\n" GRAPH
                 "y = f(x);\n}",
            -EBADMSG, "f: result 'b' is of type tensor, integer was expected");
    refused(FULL "fragment f(a: tensor<scalar>) -> (b: tensor<scalar>) { c = a; }\n" GRAPH
                 "y = f(x);\n}",
            -EBADMSG, "fragment f does not assign 'b'");
    refused(FLAT GRAPH "(a, b) = relu(x);\ny = a;\n}", -EBADMSG,
            "5:1: 2 names for a value of type tensor");
    refused(FULL GRAPH "y = relu(x) if 1 else x;\n}", -EBADMSG,
            "a condition is of type integer, logical was expected");
    refused(FULL GRAPH "a = [1, 2];\ny = x * a[2];\n}", -EBADMSG,
            "7:9: a subscript is out of the 2 items that there are");
    refused(FULL GRAPH "a = 1 / 0;\ny = x;\n}", -EBADMSG, "6:5: 1 / 0 is no integer");
    refused(FULL GRAPH "a = 'b' * 2;\ny = x;\n}", -EBADMSG,
            "* does not take values of type string and integer");
    refused(FLAT GRAPH "y = variable(shape = [1], label = 'w');\n}", -ENOTSUP,
            "variables need a model directory, not memory");
    refused(FLAT GRAPH "y = update(x, x);\n}", -ENOTSUP, "update: variables that change");
    refused(FLAT GRAPH "y = max_roi_align(x, x, x, output_size = [1], sampling_rate = [1]);\n}",
            -EBADMSG, "parameter 'batch_index' is of type tensor, tensor<integer> was expected");
}

static void test_shape_refusals(void)
{
    refused(FLAT "graph g(x) -> (y)\n{\nx = external(shape = [1, 0]);\ny = x;\n}", -EBADMSG,
            "4:5: external: 'shape' holds 0");
    refused(FLAT "graph g(x) -> (y)\n{\nx = external(shape = [99999, 99999]);\ny = x;\n}", -E2BIG,
            "larger than");
    refused(FLAT "graph g(x) -> (y)\n{\nx = external(shape = [1,1,1,1,1,1,1,1,1]);\ny = x;\n}",
            -E2BIG, "'shape' has 9 items, at most 8 are possible");
    refused(FLAT GRAPH "y = reshape(x, shape = [4]);\n}", -EBADMSG,
            "the new shape does not fit the elements of 2×3");
    refused(FLAT GRAPH "y = transpose(x, axes = [0, 0]);\n}", -EBADMSG, "'axes' holds 0");
    refused(FLAT GRAPH "y = conv(x, x);\n}", -EBADMSG, "as many and three or more were expected");
    refused(FLAT GRAPH "y = max_pool(x, size = [3, 3], padding = [(0, 0), (0, 0)]);\n}", -EBADMSG,
            "a window of 3 does not fit into 2 elements");
    refused(FLAT GRAPH "y = max_pool(x, size = [1, 2], stride = [1]);\n}", -EBADMSG,
            "'stride' has 1 items, 2 were expected");
    refused(FLAT GRAPH "y = slice(x, axes = [1], begin = [2], end = [1]);\n}", -EBADMSG,
            "takes nothing of dimension 1, whose extent is 3");
    refused(FLAT GRAPH "y = matmul(x, x);\n}", -EBADMSG, "5:5: matmul: as MatMul");
    refused(FLAT GRAPH "y = constant(shape = [2], value = [1.0, 2.0, 3.0]);\n}", -EBADMSG,
            "3 values for 2 elements");
}

/* Text of `n` times a piece between two others. */
static char *repeated(const char *head, const char *piece, size_t n, const char *tail)
{
    char *text = malloc(strlen(head) + n * strlen(piece) + strlen(tail) + 1);
    char *to = text + sprintf(text, "%s", head);

    for (size_t i = 0; i < n; i++)
        to += sprintf(to, "%s", piece);
    sprintf(to, "%s", tail);
    return text;
}

static void refused_repeated(const char *head, const char *piece, size_t n, const char *tail,
                             int code, const char *words)
{
    char *text = repeated(head, piece, n, tail);

    refused(text, code, words);
    free(text);
}

static void test_caps(void)
{
    refused(FULL "fragment f(a: tensor<scalar>) -> (b: tensor<scalar>) { b = f(a); }\n" GRAPH
                 "y = f(x);\n}",
            -E2BIG, "does a fragment call itself for ever?");
    refused(FULL "fragment f(a: tensor<scalar>, n: integer) -> (b: tensor<scalar>)\n"
                 "{ b = f(f(a, n = n - 1), n = n - 1) if n > 0 else a; }\n" GRAPH
                 "y = f(x, n = 40);\n}",
            -E2BIG, "more than 200000 operations and fragments");
    refused(FLAT GRAPH "c = constant(shape = [3, 4, 999999], value = [1.0]);\n"
                       "d = constant(shape = [7, 9, 999999], value = [1.0]);\ny = x;\n}",
            -E2BIG, "6:5: constant: the constants are larger than 256 MiB");
    refused(FULL GRAPH "a = [1] * 100000000000;\ny = x;\n}", -ENOMEM, "out of memory, or over");
    refused(FULL GRAPH "a = [1, 2, 3, 4, 5, 6, 7, 8] * 1000;\nb = [a] * 10000;\n"
                       "c = [for i in b yield i * 10];\ny = x;\n}",
            -ENOMEM, "out of memory, or over");
    refused_repeated(FLAT GRAPH "y = ", "(", 100000, "x;\n}", -E2BIG,
                     "more than 100 expressions within each other");
    refused_repeated(FULL GRAPH "y = relu(", "-", 100000, "1);\n}", -E2BIG, "within each other");
    refused_repeated(FULL GRAPH "y = ", "[for i in ", 100000, "x;\n}", -E2BIG, "within each other");
    refused_repeated(FULL GRAPH "y = x", "[0]", 100000, ";\n}", -E2BIG, "more than 100 subscripts");
    refused_repeated(FULL GRAPH "y = x", " + x", 100000, ";\n}", -E2BIG, "too long an expression");
    refused_repeated(FULL "fragment f(a: ", "(", 100000, "", -E2BIG,
                     "more than 100 types within each other");
    refused_repeated(FLAT GRAPH, "[", 100000, "", -E2BIG, "within each other");
    refused_repeated(FLAT "graph ", "g", NN_LIMIT_NAME_BYTES + 1, "", -E2BIG, "too long");
    refused_repeated(FLAT GRAPH "y = copy(x);\n", "[a] = copy_n(x, times = 1);\n", 2, "}", -EBADMSG,
                     "7:2: 'a' is assigned twice");
}

int main(void)
{
    /* Where the comma is the point, numbers are read all the same. */
    setlocale(LC_ALL, "de_DE.UTF-8");
    test_flat();
    test_expressions();
    test_fragments();
    test_provisional();
    test_onnx_form();
    test_quant();
    test_syntax_refusals();
    test_meaning_refusals();
    test_shape_refusals();
    test_caps();
    return 0;
}
