/* SPDX-License-Identifier: Apache-2.0 */

/* The memory plan: values that live at the same time do not overlap, views and
 * in-place results do, and memory is used again. */

#include "build.h"
#include "exec/exec.h"
#include "onnx/import.h"
#include "test.h"

enum { FLOAT = 1 };

static const int64_t shape[] = { 1, 8, 16, 16 };
#define BYTES ((size_t)8 * 16 * 16 * 4)

typedef struct Planned {
    NnGraph *graph;
    NnPlan plan;
} Planned;

static Planned plan(const Build *build)
{
    Planned planned = { 0 };
    NnKernels kernels;
    NnError error;
    size_t n;
    uint8_t *bytes = build_pack(build, &n);

    nn_kernels_select(NN_ISA_C, &kernels);
    if (nn_onnx_import("m", NULL, bytes, n, false, &planned.graph, &error) < 0)
        TEST_FAIL("%s", error.message);
    for (size_t i = 0; i < planned.graph->n_inputs; i++)
        planned.graph->values[planned.graph->inputs[i]].inferred = true;
    if (nn_graph_resolve(planned.graph, &error) < 0 ||
        nn_graph_infer(planned.graph, &kernels, &error) < 0)
        TEST_FAIL("%s", error.message);
    TEST_INT(nn_plan_make(planned.graph, 4096, &planned.plan), 0);
    free(bytes);
    return planned;
}

static void unplan(Planned *planned)
{
    nn_plan_clear(&planned->plan);
    nn_graph_free(planned->graph);
}

static size_t offset_of(const Planned *planned, const char *name)
{
    for (size_t i = 0; i < planned->graph->n_values; i++)
        if (strcmp(planned->graph->values[i].name, name) == 0)
            return planned->plan.offset[i];
    TEST_FAIL("no value '%s'", name);
}

/* Steps that a value lives through, from its producer to its last reader. */
static void life(const NnGraph *graph, NnValueId id, int *ret_first, int *ret_last)
{
    int first = graph->values[id].input ? 0 : -1, last = -1;

    for (int i = 0; i < (int)graph->n_nodes; i++) {
        for (size_t j = 0; j < graph->nodes[i].n_outputs; j++)
            if (graph->nodes[i].outputs[j] == id)
                first = i;
        for (size_t j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] == id)
                last = i;
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == id)
            last = (int)graph->n_nodes;
    *ret_first = first;
    *ret_last = last;
}

/* Two values whose lives overlap by more than the step that turns one into the
 * other must not share a byte. */
static void check_overlap(const Planned *planned)
{
    const NnGraph *graph = planned->graph;

    for (NnValueId a = 0; a < (NnValueId)graph->n_values; a++)
        for (NnValueId b = 0; b < a; b++) {
            size_t x = planned->plan.offset[a], y = planned->plan.offset[b];
            int a_first, a_last, b_first, b_last;

            if (x == SIZE_MAX || y == SIZE_MAX)
                continue;
            life(graph, a, &a_first, &a_last);
            life(graph, b, &b_first, &b_last);
            if (a_last <= b_first || b_last <= a_first)
                continue;
            if (x < y + BYTES && y < x + BYTES)
                TEST_FAIL("'%s' at %zu and '%s' at %zu overlap", graph->values[a].name, x,
                          graph->values[b].name, y);
        }
}

static void test_chain(void)
{
    Build build;
    Planned planned;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, shape);
    build_output(&build, "e");
    build_node(&build, "Relu", "x", "a");
    build_node(&build, "Sigmoid", "a", "b");
    build_node(&build, "Tanh", "b", "c");
    build_node(&build, "Relu", "c", "d");
    build_node(&build, "Neg", "d", "e");
    planned = plan(&build);
    check_overlap(&planned);
    /* All in place: one buffer and the scratch. */
    TEST_INT(planned.plan.arena_bytes, BYTES + 4096);
    unplan(&planned);
}

static void test_branches(void)
{
    Build build;
    Planned planned;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, shape);
    build_output(&build, "out");
    build_node(&build, "Relu", "x", "a");
    build_node(&build, "Transpose", "a", "t");
    build_attribute_ints(build.graph.node[1], "perm", 4, (int64_t[]){ 0, 1, 3, 2 });
    build_node(&build, "Sigmoid", "a", "b");
    build_node(&build, "Add", "t b", "c");
    build_node(&build, "Mul", "c x", "d");
    build_node(&build, "MaxPool", "d", "out");
    build_attribute_ints(build.graph.node[5], "kernel_shape", 2, (int64_t[]){ 1, 1 });
    planned = plan(&build);
    check_overlap(&planned);
    TEST_TRUE(planned.plan.arena_bytes <= 3 * BYTES + 4096);
    unplan(&planned);
}

static void test_view(void)
{
    Build build;
    Planned planned;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, shape);
    build_output(&build, "y");
    build_output(&build, "z");
    build_ints(&build, "flat", 2, (int64_t[]){ 8, -1 });
    build_node(&build, "Tanh", "x", "a");
    build_node(&build, "Reshape", "a flat", "y");
    build_node(&build, "Neg", "a", "z");
    planned = plan(&build);
    TEST_INT(offset_of(&planned, "y"), offset_of(&planned, "a"));
    TEST_TRUE(offset_of(&planned, "z") != offset_of(&planned, "y"));
    unplan(&planned);
}

int main(void)
{
    test_chain();
    test_branches();
    test_view();
    return 0;
}
