/* SPDX-License-Identifier: Apache-2.0 */

/* Channels-last pictures that lie inside one another: random networks of convolutions,
 * concats, splits, pools and sums give what the graph as read gives, although the place of
 * every output is filled with NaN before its step: a plan that lets one value lie on another
 * that is still needed is found out. */

#include <math.h>

#include "build.h"
#include "exec/exec.h"
#include "test.h"

enum { FLOAT = 1, SIZE = 5, VALUES_MAX = 40, NODES = 22 };

typedef struct Net {
    Build build;
    uint32_t state;             /* of the random numbers */
    char names[VALUES_MAX][12];
    int64_t channels[VALUES_MAX];
    int n;
} Net;

/* Channels whose pixels the plan moves apart by a line. */
#define WIDE 1024
#define WIDE_PITCH (WIDE + 16)

/* What the plan did with pitches. */
typedef struct Seen {
    int inside, wide;
} Seen;

static uint32_t below(Net *net, uint32_t n)
{
    net->state = net->state * 1664525 + 1013904223;
    return (net->state >> 10) % n;
}

static const char *add_value(Net *net, int64_t channels)
{
    TEST_TRUE(net->n < VALUES_MAX);
    snprintf(net->names[net->n], sizeof(net->names[0]), "v%d", net->n % 1000);
    net->channels[net->n] = channels;
    return net->names[net->n++];
}

/* Late ones more often. */
static int pick(Net *net)
{
    uint32_t a = below(net, (uint32_t)net->n), b = below(net, (uint32_t)net->n);

    return (int)NN_MAX(a, b);
}

static void add_conv(Net *net)
{
    int x = pick(net);
    bool depthwise = below(net, 4) == 0;
    bool wide = net->channels[x] < WIDE && below(net, 12) == 0;
    int64_t out = depthwise ? net->channels[x] : wide ? WIDE : 1 + below(net, 9);
    int64_t kernel = below(net, 2) && !wide ? 3 : 1, pad = kernel / 2;
    int64_t dims[] = { out, depthwise ? 1 : net->channels[x], kernel, kernel };
    const char *y = add_value(net, out);
    char inputs[64], weights[16];
    Onnx__Tensor *w;
    Onnx__Node *node;

    snprintf(weights, sizeof(weights), "w_%s", y);
    w = build_floats(&net->build, build_string(weights), 4, dims, NULL);
    for (size_t i = 0; i < w->raw_data.len / sizeof(float); i++)
        ((float *)w->raw_data.data)[i] = ((float)below(net, 2001) - 1000) / 3000;
    snprintf(inputs, sizeof(inputs), "%s %s", net->names[x], weights);
    node = build_node(&net->build, "Conv", inputs, y);
    build_attribute_ints(node, "pads", 4, (int64_t[]){ pad, pad, pad, pad });
    if (depthwise)
        build_attribute_int(node, "group", out);
}

static void add_concat(Net *net)
{
    char inputs[64] = "";
    int64_t channels = 0;

    for (uint32_t i = 0, n = 2 + below(net, 2); i < n; i++) {
        int x = pick(net);

        snprintf(inputs + strlen(inputs), sizeof(inputs) - strlen(inputs), "%s%s", i ? " " : "",
                 net->names[x]);
        channels += net->channels[x];
    }
    build_attribute_int(build_node(&net->build, "Concat", inputs, add_value(net, channels)),
                        "axis", 1);
}

static void add_split(Net *net)
{
    int x = pick(net);
    int64_t first = net->channels[x] / 2, sizes[] = { first, net->channels[x] - first };
    char inputs[32], outputs[32], name[16];

    if (first == 0)
        return;
    snprintf(name, sizeof(name), "s%d", net->n);
    build_ints(&net->build, build_string(name), 2, sizes);
    snprintf(inputs, sizeof(inputs), "%s %s", net->names[x], name);
    snprintf(outputs, sizeof(outputs), "%s ", add_value(net, sizes[0]));
    strcat(outputs, add_value(net, sizes[1]));
    build_attribute_int(build_node(&net->build, "Split", inputs, outputs), "axis", 1);
}

static void add_pool(Net *net)
{
    int x = pick(net);
    Onnx__Node *node =
        build_node(&net->build, "MaxPool", net->names[x], add_value(net, net->channels[x]));

    build_attribute_ints(node, "kernel_shape", 2, (int64_t[]){ 3, 3 });
    build_attribute_ints(node, "pads", 4, (int64_t[]){ 1, 1, 1, 1 });
}

static void add_sum(Net *net)
{
    int x = pick(net), y = pick(net);
    char inputs[32];

    if (net->channels[x] != net->channels[y])
        return;
    snprintf(inputs, sizeof(inputs), "%s %s", net->names[x], net->names[y]);
    build_node(&net->build, "Add", inputs, add_value(net, net->channels[x]));
}

static uint8_t *random_network(uint32_t seed, size_t *ret_n)
{
    static const int64_t image[] = { 2, 3, SIZE, SIZE };
    Net net = { .state = seed * 2654435761u + 1 };

    build_start(&net.build, 13);
    build_input(&net.build, add_value(&net, 3), FLOAT, 4, image);
    add_conv(&net);
    while (net.build.graph.n_node < NODES) {
        uint32_t what = below(&net, 12);

        if (what < 5)
            add_conv(&net);
        else if (what < 8)
            add_concat(&net);
        else if (what < 10)
            add_split(&net);
        else if (what < 11)
            add_pool(&net);
        else
            add_sum(&net);
        if (net.channels[net.n - 1] > 60)
            add_conv(&net);
    }
    for (int i = net.n - 4; i < net.n; i++)
        build_output(&net.build, net.names[i]);
    return build_pack(&net.build, ret_n);
}

static bool is_inside(const NnPlan *plan, const NnNode *node, NnValueId out)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != NN_NO_VALUE && plan->offset[node->inputs[i]] == plan->offset[out])
            return true;
    return node->op->flags & (NN_OP_JOIN | NN_OP_PART);
}

/* All floats of a value, between which others may lie. */
static void poison(const NnTensor *tensor, int64_t pitch)
{
    int64_t row = tensor->rank > 0 ? tensor->dims[tensor->rank - 1] : 1;

    for (int64_t i = 0; i < nn_tensor_elements(tensor); i++)
        ((float *)tensor->data)[i / row * (pitch ? pitch : row) + i % row] = NAN;
}

static void run_step(const NnProgram *program, const NnStep *step, NnTensor *tensors,
                     uint8_t *arena)
{
    const NnNode *node = step->node;
    const NnTensor *in[8];
    NnTensor *out[2];
    int64_t in_pitch[8] = { 0 }, out_pitch[2] = { 0 };
    NnError error;
    NnCall call = {
        .node = node, .params = node->params, .state = step->state, .in = in,
        .n_in = node->n_inputs, .out = out, .n_out = node->n_outputs, .in_pitch = in_pitch,
        .out_pitch = out_pitch, .scratch = arena + program->plan.scratch_offset,
        .kernels = &program->context->kernels, .error = &error,
    };

    for (size_t i = 0; i < node->n_inputs; i++) {
        NnValueId id = node->inputs[i];

        in[i] = id == NN_NO_VALUE ? NULL : &tensors[id];
        in_pitch[i] = id == NN_NO_VALUE ? 0 : program->plan.pitch[id];
    }
    for (size_t i = 0; i < node->n_outputs; i++) {
        NnValueId id = node->outputs[i];

        out[i] = id == NN_NO_VALUE ? NULL : &tensors[id];
        if (!out[i])
            continue;
        out_pitch[i] = program->plan.pitch[id];
        if (!is_inside(&program->plan, node, id))
            poison(out[i], out_pitch[i]);
    }
    if (node->op->run(&call) < 0)
        TEST_FAIL("%s: %s", node->op_type, error.message);
}

static NnModel *load(NnContext *context, const uint8_t *bytes, size_t n, bool keep_graph)
{
    NnModelOptions options = { .keep_graph = keep_graph, .verify = true };
    NnModel *model;
    NnError error;

    if (nn_model_load_memory(context, "m", bytes, n, &options, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    return model;
}

static void fill(NnTensor *tensor)
{
    for (int64_t i = 0; i < nn_tensor_elements(tensor); i++)
        ((float *)tensor->data)[i] = (float)(i * 37 % 101) / 101 - 0.4f;
}

static void compare(const NnTensor *a, const NnTensor *b, uint32_t seed)
{
    const float *x = a->data, *y = b->data;

    TEST_INT(nn_tensor_elements(a), nn_tensor_elements(b));
    for (int64_t i = 0; i < nn_tensor_elements(a); i++)
        if (!(fabsf(x[i] - y[i]) <= 1e-4f * (1 + fabsf(y[i]))))
            TEST_FAIL("seed %u, element %lld is %g, as read %g", seed, (long long)i, (double)x[i],
                      (double)y[i]);
}

/* Adds to `seen`. */
static void check_network(NnContext *context, uint32_t seed, Seen *seen)
{
    size_t n;
    uint8_t *bytes = random_network(seed, &n);
    NnModel *plain = load(context, bytes, n, true), *model = load(context, bytes, n, false);
    const NnProgram *program = model->program;
    const NnGraph *graph = program->graph;
    uint8_t *arena = nn_aligned_alloc(program->plan.arena_bytes);
    NnTensor *tensors = calloc(graph->n_values, sizeof(tensors[0]));
    NnSession *session;
    NnError error;

    if (nn_session_new(plain, &session, &error) < 0)
        TEST_FAIL("%s", error.message);
    fill(nn_session_input(session, 0));
    TEST_INT(nn_session_run(session, &error), 0);
    for (size_t i = 0; i < graph->n_values; i++) {
        tensors[i] = graph->values[i].tensor;
        if (program->plan.offset[i] != SIZE_MAX)
            tensors[i].data = arena + program->plan.offset[i];
        seen->wide += program->plan.pitch[i] == WIDE_PITCH;
        seen->inside += program->plan.pitch[i] != 0 && program->plan.pitch[i] != WIDE_PITCH;
    }
    fill(&tensors[graph->inputs[0]]);
    for (size_t i = 0; i < program->n_steps; i++)
        run_step(program, &program->steps[i], tensors, arena);
    for (size_t i = 0; i < graph->n_outputs; i++)
        compare(&tensors[graph->outputs[i]], nn_session_output(session, i), seed);
    nn_session_free(session);
    nn_model_free(plain);
    nn_model_free(model);
    free(arena);
    free(tensors);
    free(bytes);
}

int main(void)
{
    NnContextOptions options = { .threads = 1 };
    NnContext *context;
    Seen seen = { 0 };
    NnError error;

    if (nn_context_new(&options, &context, &error) < 0)
        TEST_FAIL("%s", error.message);
    for (uint32_t seed = 0; seed < 150; seed++)
        check_network(context, seed, &seen);
    TEST_TRUE(seen.inside > 150);
    TEST_TRUE(seen.wide > 10);
    nn_context_free(context);
    return 0;
}
