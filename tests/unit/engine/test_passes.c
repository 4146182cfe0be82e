/* SPDX-License-Identifier: Apache-2.0 */

/* Every pass that rewrites weights, before and after: the same numbers from less work. */

#include <math.h>

#include "build.h"
#include "exec/exec.h"
#include "test.h"

enum { FLOAT = 1, N = 6, SIZE = 10 };

static const int64_t image[] = { 1, N, SIZE, SIZE };
static const int64_t border[] = { 1, 1, 1, 1 };

static float noise(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return (float)(*state >> 8) / (1 << 23) - 1;
}

static float *add_noise(Build *build, const char *name, size_t rank, const int64_t *dims)
{
    static uint32_t state = 1;
    Onnx__Tensor *tensor = build_floats(build, name, rank, dims, NULL);
    float *data = (float *)tensor->raw_data.data;

    for (size_t i = 0; i < tensor->raw_data.len / sizeof(float); i++)
        data[i] = noise(&state);
    return data;
}

/* Weights NAME and bias NAME_b of a square kernel. */
static void add_weights(Build *build, const char *name, int64_t out, int64_t in, int64_t kernel,
                        float **ret_weights, float **ret_bias)
{
    char bias[32];
    float *w = add_noise(build, name, 4, (const int64_t[]){ out, in, kernel, kernel }), *b;

    snprintf(bias, sizeof(bias), "%s_b", name);
    b = add_noise(build, bias, 1, &out);
    if (ret_weights)
        *ret_weights = w;
    if (ret_bias)
        *ret_bias = b;
}

static void add_norm(Build *build, const char *in, const char *name)
{
    static const char *const parts[] = { "scale", "shift", "mean", "var" };
    const int64_t n = N;
    char text[64], inputs[256];

    snprintf(inputs, sizeof(inputs), "%s", in);
    for (size_t i = 0; i < NN_ARRAY_SIZE(parts); i++) {
        float *data;

        snprintf(text, sizeof(text), " %s_%s", name, parts[i]);
        strcat(inputs, text);
        data = add_noise(build, text + 1, 1, &n);
        for (int c = 0; i == 3 && c < N; c++)
            data[c] += 1.5f;
    }
    build_node(build, "BatchNormalization", inputs, name);
}

typedef struct Run {
    float *y;
    int64_t n;
    uint64_t flops;
    size_t nodes;
} Run;

static Run run(const uint8_t *bytes, size_t n_bytes, bool keep_graph)
{
    NnContextOptions context_options = { .threads = 1 };
    NnModelOptions options = { .verify = true, .keep_graph = keep_graph };
    NnContext *context;
    NnModel *model;
    NnSession *session;
    NnError error;
    uint32_t seed = 7;
    NnTensor *x;
    Run run = { 0 };

    if (nn_context_new(&context_options, &context, &error) < 0 ||
        nn_model_load_memory(context, "m", bytes, n_bytes, &options, &model, &error) < 0 ||
        nn_session_new(model, &session, &error) < 0)
        TEST_FAIL("%s", error.message);
    x = nn_session_input(session, 0);
    for (int64_t i = 0; i < nn_tensor_elements(x); i++)
        ((float *)x->data)[i] = noise(&seed);
    if (nn_session_run(session, &error) < 0)
        TEST_FAIL("%s", error.message);
    run.n = nn_tensor_elements(nn_session_output(session, 0));
    run.y = malloc((size_t)run.n * sizeof(float));
    memcpy(run.y, nn_session_output(session, 0)->data, (size_t)run.n * sizeof(float));
    run.flops = nn_model_flops(model);
    run.nodes = nn_model_graph(model)->n_nodes;
    nn_session_free(session);
    nn_model_free(model);
    nn_context_free(context);
    return run;
}

/* Returns the share of the operations that is left. */
static double compare(const Build *build, const char *what)
{
    size_t n;
    uint8_t *bytes = build_pack(build, &n);
    Run before = run(bytes, n, true), after = run(bytes, n, false);
    float largest = 0;

    TEST_INT(after.n, before.n);
    for (int64_t i = 0; i < before.n; i++)
        largest = fmaxf(largest, fabsf(before.y[i]));
    for (int64_t i = 0; i < before.n; i++)
        if (!(fabsf(before.y[i] - after.y[i]) <= 1e-5f * largest))
            TEST_FAIL("%s: element %lld is %g, before %g", what, (long long)i, (double)after.y[i],
                      (double)before.y[i]);
    TEST_TRUE(largest > 0.1f);
    printf("%s: %zu nodes of %zu, %.3f of the operations\n", what, after.nodes, before.nodes,
           (double)after.flops / (double)before.flops);
    free(before.y);
    free(after.y);
    free(bytes);
    return (double)after.flops / (double)before.flops;
}

static Onnx__Node *conv3(Build *build, const char *inputs, const char *output)
{
    Onnx__Node *node = build_node(build, "Conv", inputs, output);

    build_attribute_ints(node, "pads", 4, border);
    return node;
}

/* RepConv: 3×3, 1×1 and the input itself, each with BatchNormalization, in any order. */
static void test_branches(int order)
{
    static const char *const sums[][2] = { { "n3 n1", "s nx" }, { "n1 n3", "nx s" },
                                           { "nx n3", "n1 s" } };
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_weights(&build, "w3", N, N, 3, NULL, NULL);
    add_weights(&build, "w1", N, N, 1, NULL, NULL);
    conv3(&build, "x w3 w3_b", "c3");
    build_node(&build, "Conv", "x w1", "c1");
    add_norm(&build, "c3", "n3");
    add_norm(&build, "c1", "n1");
    add_norm(&build, "x", "nx");
    build_node(&build, "Add", sums[order][0], "s");
    build_node(&build, "Add", sums[order][1], "r");
    build_node(&build, "Relu", "r", "y");
    TEST_TRUE(compare(&build, "RepConv") < 0.91);
}

/* Sums that are not one convolution stay two. */
static void test_branches_apart(void)
{
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_weights(&build, "w3", N, N, 3, NULL, NULL);
    add_weights(&build, "w1", N, N, 1, NULL, NULL);
    conv3(&build, "x w3 w3_b", "a");
    build_node(&build, "Relu", "x", "z");
    build_node(&build, "Conv", "z w1 w1_b", "b");
    build_node(&build, "Add", "a b", "y");
    TEST_TRUE(compare(&build, "branches of two inputs") == 1);
}

static void test_pad(int64_t opset, float value)
{
    static const int64_t pads[] = { 0, 0, 1, 2, 0, 0, 3, 0 };
    Onnx__Node *pad;
    Build build;

    build_start(&build, opset);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_weights(&build, "w", N, N, 3, NULL, NULL);
    if (opset >= 11) {
        build_ints(&build, "pads", 8, pads);
        build_floats(&build, "value", 0, NULL, &value);
    }
    pad = build_node(&build, "Pad", opset < 11 ? "x" : "x pads value", "p");
    if (opset < 11) {
        build_attribute_ints(pad, "pads", 8, pads);
        build_attribute_float(pad, "value", value);
    }
    conv3(&build, "p w w_b", "y");
    compare(&build, value == 0 ? "Pad with zeros" : "Pad with a number");
}

static void clear_filters(float *w, int64_t per_filter, unsigned filters)
{
    for (int64_t i = 0; i < N; i++)
        if (filters & (1u << i))
            memset(w + i * per_filter, 0, (size_t)per_filter * sizeof(float));
}

/* Dead channels 0, 2 and 5 of one branch and 1 of another meet in a concat, pass
 * pooling and upsampling, and end in a 1×1 convolution: all can go. */
static void test_channels_through_concat(bool zero_bias)
{
    Build build;
    float *w, *b;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_weights(&build, "w1", N, N, 3, &w, &b);
    clear_filters(w, N * 9, 0x25);
    for (int c = 0; zero_bias && c < N; c++)
        b[c] = 0;
    add_weights(&build, "w2", N, N, 1, &w, NULL);
    clear_filters(w, N, 0x02);
    add_weights(&build, "w3", N, 2 * N, 1, NULL, NULL);
    conv3(&build, "x w1 w1_b", "c1");
    build_node(&build, "LeakyRelu", "c1", "a1");
    build_node(&build, "Conv", "x w2 w2_b", "c2");
    build_node(&build, "Sigmoid", "c2", "s2");
    build_node(&build, "Mul", "c2 s2", "a2");
    build_node(&build, "Concat", "a1 a2", "cat");
    build_attribute_int(build.graph.node[build.graph.n_node - 1], "axis", 1);
    {
        Onnx__Node *pool = build_node(&build, "MaxPool", "cat", "pool");

        build_attribute_ints(pool, "kernel_shape", 2, (const int64_t[]){ 3, 3 });
        build_attribute_ints(pool, "pads", 4, border);
        build_attribute_ints(pool, "strides", 2, (const int64_t[]){ 2, 2 });
    }
    build_floats(&build, "scales", 1, (const int64_t[]){ 4 }, (const float[]){ 1, 1, 2, 2 });
    build_floats(&build, "roi", 1, (const int64_t[]){ 0 }, NULL);
    build_node(&build, "Resize", "pool roi scales", "up");
    build_node(&build, "Conv", "up w3 w3_b", "y");
    TEST_TRUE(compare(&build, "channels through concat") < 0.67);
}

/* A residual sum loses a channel only where both addends are constant; a padded
 * convolution sees the border of a channel that is not zero. */
static void test_channels_in_sums(bool zero_bias)
{
    Build build;
    float *w, *b;
    double left;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    for (int i = 0; i < 2; i++) {
        add_weights(&build, i ? "w2" : "w1", N, N, 3, &w, &b);
        clear_filters(w, N * 9, i ? 0x0e : 0x07);
        for (int c = 0; zero_bias && c < N; c++)
            b[c] = 0;
    }
    add_weights(&build, "w3", N, N, 3, NULL, NULL);
    conv3(&build, "x w1 w1_b", "c1");
    conv3(&build, "x w2 w2_b", "c2");
    build_node(&build, "Add", "c1 c2", "s");
    build_node(&build, "Relu", "s", "a");
    conv3(&build, "a w3 w3_b", "y");
    left = compare(&build, zero_bias ? "zero channels in sums" : "channels in sums");
    /* Two sums of branches are one convolution; of that, channels 1 and 2 go where
     * their number is 0. */
    TEST_TRUE(zero_bias ? left < 0.45 : left > 0.5);
}

/* All of a layer's channels are constant: the network still runs. */
static void test_all_dead(void)
{
    Build build;
    float *w;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_weights(&build, "w1", N, N, 1, &w, NULL);
    clear_filters(w, N, 0x3f);
    add_weights(&build, "w2", N, N, 1, NULL, NULL);
    build_node(&build, "Conv", "x w1 w1_b", "c1");
    build_node(&build, "Relu", "c1", "a1");
    build_node(&build, "Conv", "a1 w2 w2_b", "y");
    TEST_TRUE(compare(&build, "a dead layer") < 0.2);
}

int main(void)
{
    for (int order = 0; order < 3; order++)
        test_branches(order);
    test_branches_apart();
    test_pad(10, 0);
    test_pad(13, 0);
    test_pad(13, 0.5f);
    for (int zero_bias = 0; zero_bias < 2; zero_bias++) {
        test_channels_through_concat(zero_bias);
        test_channels_in_sums(zero_bias);
    }
    test_all_dead();
    return 0;
}
