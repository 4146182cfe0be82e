/* SPDX-License-Identifier: Apache-2.0 */

/* Every cap of engine/base/limits.h, gone over by little. Those of a file's and of a
 * thread's number are in test_file() and test_threads(). */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/limits.h"
#include "exec/exec.h"
#include "refused.h"
#include "test.h"

enum { FLOAT = 1, GRAPH = 5 };

static const int64_t image[] = { 1, 1, 4, 4 };

static Onnx__Node *start(Build *build, const char *type, const char *inputs)
{
    build_start(build, 13);
    build_input(build, "x", FLOAT, 4, image);
    build_output(build, "y");
    return build_node(build, type, inputs, "y");
}

static void test_names(void)
{
    static char name[NN_LIMIT_NAME_BYTES + 2];
    Build build;

    memset(name, 'n', sizeof(name) - 1);
    start(&build, "Relu", name);
    refused_build(&build, -E2BIG, "m.onnx: node 'y' (Relu): a name is longer than 4096 bytes");

    start(&build, "Relu", "x");
    build_input(&build, name, FLOAT, 4, image);
    refused_build(&build, -E2BIG, "m.onnx: a name is longer than 4096 bytes");
}

/* As many nodes as asked for that read x; the first makes y. The lists are freed by
 * clear_nodes(). */
static void fill_nodes(Build *build, size_t n, size_t n_outputs)
{
    static char *x[1];
    Onnx__Node *nodes = calloc(n, sizeof(nodes[0]));
    Onnx__Node **list = calloc(n, sizeof(list[0]));
    char *text = malloc(n * n_outputs * 8), **names = calloc(n * n_outputs, sizeof(names[0]));

    x[0] = build_string("x");
    for (size_t i = 0; i < n * n_outputs; i++) {
        names[i] = text + i * 8;
        snprintf(names[i], 8, "%u", (unsigned)i % 1000000);
    }
    memcpy(names[0], "y", 2);
    for (size_t i = 0; i < n; i++) {
        onnx__node__init(&nodes[i]);
        nodes[i].op_type = build_string(n_outputs > 1 ? "Split" : "Relu");
        nodes[i].input = x;
        nodes[i].n_input = 1;
        nodes[i].output = names + i * n_outputs;
        nodes[i].n_output = n_outputs;
        list[i] = &nodes[i];
    }
    build_start(build, 13);
    build_input(build, "x", FLOAT, 4, image);
    build_output(build, "y");
    build->graph.node = list;
    build->graph.n_node = n;
}

static void clear_nodes(Build *build)
{
    free(build->graph.node[0]->output[0]);
    free(build->graph.node[0]->output);
    free(build->graph.node[0]);
    free(build->graph.node);
}

static void test_counts(void)
{
    Build build;

    fill_nodes(&build, NN_LIMIT_NODES + 1, 1);
    refused_build(&build, -E2BIG, "m.onnx: it has more than 100000 values or 20000 nodes");
    clear_nodes(&build);

    fill_nodes(&build, NN_LIMIT_VALUES / 4000 + 1, 4000);
    refused_build(&build, -E2BIG,
                  "m.onnx: node '96000' (Split): it has more than 100000 values or 20000 nodes");
    clear_nodes(&build);

    fill_nodes(&build, 1, NN_LIMIT_NODE_INPUTS + 1);
    refused_build(&build, -E2BIG, "m.onnx: node 'y' (Split): more than 4096 inputs or outputs");
    clear_nodes(&build);
}

static void test_attributes(void)
{
    Build build;
    Onnx__Node *node = start(&build, "Relu", "x");

    for (int i = 0; i <= NN_LIMIT_ATTRIBUTES; i++)
        build_attribute_int(node, "a", i);
    refused_build(&build, -E2BIG, "m.onnx: node 'y' (Relu): more than 64 attributes");
}

/* If in If in If … */
static void test_depth(void)
{
    static Onnx__Graph graphs[NN_LIMIT_BODY_DEPTH + 1];
    static Onnx__Attribute attributes[NN_LIMIT_BODY_DEPTH + 1], *lists[NN_LIMIT_BODY_DEPTH + 1];
    Build build;
    Onnx__Node *node = start(&build, "If", "x");

    for (size_t i = 0; i <= NN_LIMIT_BODY_DEPTH; i++) {
        Build inner;

        build_start(&inner, 13);
        build_output(&inner, "z");
        build_node(&inner, "If", "x", "z");
        graphs[i] = inner.graph;
    }
    for (size_t i = NN_LIMIT_BODY_DEPTH + 1; i-- > 0;) {
        Onnx__Node *outer = i ? graphs[i - 1].node[0] : node;
        size_t n = onnx__graph__get_packed_size(&graphs[i]);

        onnx__attribute__init(&attributes[i]);
        attributes[i].name = build_string("then_branch");
        attributes[i].type = GRAPH;
        attributes[i].has_type = attributes[i].has_g = 1;
        attributes[i].g = (ProtobufCBinaryData){ .data = malloc(n), .len = n };
        onnx__graph__pack(&graphs[i], attributes[i].g.data);
        lists[i] = &attributes[i];
        outer->attribute = &lists[i];
        outer->n_attribute = 1;
    }
    refused_build(&build, -E2BIG,
                  "m.onnx: node 'y' (If): attribute 'then_branch': node 'z' (If): attribute "
                  "'then_branch': node 'z' (If): attribute 'then_branch': node 'z' (If): "
                  "attribute 'then_branch': node 'z' (If): attribute 'then_branch': node 'z' "
                  "(If): attribute 'then_branch': node 'z' (If): attribute 'then_branch': node "
                  "'z' (If): attribute 'then_branch': node 'z' (If): attribute 'then_branch': "
                  "graphs stand more than 8 deep in each other");
    for (size_t i = 0; i <= NN_LIMIT_BODY_DEPTH; i++)
        free(attributes[i].g.data);
}

/* Tensors, one by one and together. */
static void test_bytes(void)
{
    static const int64_t large[] = { 1 << 14, 1 << 14 };
    Build build;

    start(&build, "ConstantOfShape", "s");
    build_ints(&build, "s", 2, (int64_t[]){ 1 << 14, (1 << 14) + 1 });
    refused_build(&build, -E2BIG,
                  "m.onnx: node 'y' (ConstantOfShape, opset 13): output 0 would be too large");

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 2, large);
    build_output(&build, "y");
    build_output(&build, "z");
    build_output(&build, "w");
    build_node(&build, "Sin", "x", "y");
    build_node(&build, "Sin", "x", "z");
    build_node(&build, "Sin", "x", "w");
    refused_build(&build, -E2BIG, "m.onnx: running it would need more than 2048 MiB");
}

/* What is too much to fold is left to the run. */
static size_t nodes_left(const Build *build)
{
    NnContextOptions options = { .threads = 1 };
    NnContext *context = NULL;
    NnModel *model = NULL;
    NnError error = { "" };
    size_t n, left;
    uint8_t *bytes = build_pack(build, &n);

    TEST_INT(nn_context_new(&options, &context, NULL), 0);
    if (nn_model_load_memory(context, "m", bytes, n, NULL, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    left = nn_model_graph(model)->n_nodes;
    nn_model_free(model);
    nn_context_free(context);
    free(bytes);
    return left;
}

static void test_folding(void)
{
    Build build;

    /* 1 Mi elements, folded; 2 Gi multiplications, not. */
    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 0, NULL);
    build_output(&build, "y");
    build_ints(&build, "s", 2, (int64_t[]){ 1024, 1024 });
    build_node(&build, "ConstantOfShape", "s", "c");
    build_node(&build, "MatMul", "c c", "m");
    build_node(&build, "Add", "m x", "y");
    TEST_INT(nodes_left(&build), 2);

    /* 64 Mi elements are as much as may be folded: the second is left. */
    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 0, NULL);
    build_output(&build, "y");
    build_ints(&build, "s", 1, (int64_t[]){ NN_LIMIT_FOLDED_BYTES / 4 + 1 });
    build_node(&build, "ConstantOfShape", "s", "c");
    build_node(&build, "Add", "c x", "y");
    TEST_INT(nodes_left(&build), 2);
}

static void test_file(void)
{
    char path[] = "/tmp/test_limits.XXXXXX";
    char sentence[128];
    int fd = mkstemp(path);

    if (fd < 0 || ftruncate(fd, (off_t)NN_LIMIT_FILE_BYTES + 1) < 0)
        TEST_FAIL("%s cannot be made", path);
    snprintf(sentence, sizeof(sentence), "%s: larger than 2048 MiB", path);
    refused_path(path, -E2BIG, sentence);
    close(fd);
    unlink(path);
}

static void test_threads(void)
{
    NnContextOptions options = { .threads = NN_LIMIT_THREADS + 1 };
    NnContext *context = NULL;
    NnError error = { "" };

    TEST_INT(nn_context_new(&options, &context, &error), -EINVAL);
    TEST_STRING(error.message, "65 threads, 1 to 64 are possible");
}

int main(void)
{
    test_names();
    test_counts();
    test_attributes();
    test_depth();
    test_bytes();
    test_folding();
    test_file();
    test_threads();
    return 0;
}
