/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "exec/exec.h"
#include "tool.h"

typedef struct Counts {
    int64_t elements, zeros;
} Counts;

static Counts count_zeros(const NnTensor *tensor)
{
    Counts counts = { 0 };

    if (tensor->dtype != NN_DTYPE_F32 || !tensor->data)
        return counts;
    counts.elements = nn_tensor_elements(tensor);
    for (int64_t i = 0; i < counts.elements; i++)
        counts.zeros += ((const float *)tensor->data)[i] == 0;
    return counts;
}

static double percent(Counts counts)
{
    return counts.elements ? 100.0 * (double)counts.zeros / (double)counts.elements : 0;
}

static void add(Counts *sum, Counts counts)
{
    sum->elements += counts.elements;
    sum->zeros += counts.zeros;
}

static const NnTensor *constant_input(const NnGraph *graph, const NnNode *node, size_t i)
{
    if (i >= node->n_inputs || node->inputs[i] == NN_NO_VALUE ||
        !graph->values[node->inputs[i]].constant)
        return NULL;
    return &graph->values[node->inputs[i]].tensor;
}

/* The names of the dimensions that the file leaves open. */
static void print_open_dims(const NnModel *model, size_t input)
{
    const NnTensor *declared = nn_model_declared_input(model, input);
    const char *before = " (open: ";

    for (int d = 0; d < declared->rank; d++) {
        const char *name = nn_model_dim_name(model, input, d);

        if (declared->dims[d] >= 0)
            continue;
        printf("%s%d", before, d);
        if (name)
            printf(" '%s'", name);
        before = ", ";
    }
    printf("%s\n", *before == ',' ? ")" : "");
}

static void print_values(const NnModel *model)
{
    char text[128];

    for (size_t i = 0; i < nn_model_n_inputs(model); i++) {
        const NnTensor *input = nn_model_input(model, i);

        printf("input %s: %s %s", nn_model_input_name(model, i), nn_dtype_name(input->dtype),
               nn_tensor_shape_string(input, text, sizeof(text)));
        print_open_dims(model, i);
    }
    for (size_t i = 0; i < nn_model_n_outputs(model); i++) {
        const NnTensor *output = nn_model_output(model, i);

        printf("output %s: %s %s\n", nn_model_output_name(model, i), nn_dtype_name(output->dtype),
               output->rank < 0 ? "of any shape"
                                : nn_tensor_shape_string(output, text, sizeof(text)));
    }
}

static void print_metadata(const NnModel *model)
{
    if (nn_model_producer(model))
        printf("producer: %s\n", nn_model_producer(model));
    printf("opset: %d\n", nn_model_opset(model));
    for (size_t i = 0; i < nn_model_n_metadata(model); i++)
        printf("metadata %s: %s\n", nn_model_metadata_key(model, i),
               nn_model_metadata_value(model, i));
}

static int by_type(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int print_operators(const NnGraph *graph)
{
    _cleanup_free_ const char **types = calloc(NN_MAX(graph->n_nodes, 1), sizeof(types[0]));
    size_t n = 0;

    if (!types)
        return -ENOMEM;
    for (size_t i = 0; i < graph->n_nodes; i++)
        types[i] = graph->nodes[i].op_type;
    qsort(types, graph->n_nodes, sizeof(types[0]), by_type);
    printf("operators: %zu\n", graph->n_nodes);
    for (size_t i = 0; i < graph->n_nodes; i += n) {
        for (n = 1; i + n < graph->n_nodes && strcmp(types[i], types[i + n]) == 0; n++)
            ;
        printf("  %-24s %zu\n", types[i], n);
    }
    return 0;
}

/* Weights of Conv and scales of BatchNormalization, the two that pruning zeroes. */
static void print_layers(const NnGraph *graph)
{
    Counts conv = { 0 }, norm = { 0 };
    char text[128], out[128];

    printf("layers:\n");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const NnNode *node = &graph->nodes[i];
        const NnTensor *weights = constant_input(graph, node, 1);
        bool is_conv = node->op == &nn_op_conv;
        Counts counts;

        if (!weights || (!is_conv && node->op != &nn_op_batch_normalization))
            continue;
        counts = count_zeros(weights);
        add(is_conv ? &conv : &norm, counts);
        printf("  %-20s %-40.40s weight %-14s out %-16s zeros %" PRId64 " (%.2f %%)\n",
               node->op_type, node->name, nn_tensor_shape_string(weights, text, sizeof(text)),
               nn_tensor_shape_string(&graph->values[node->outputs[0]].tensor, out, sizeof(out)),
               counts.zeros, percent(counts));
    }
    printf("zeros in Conv weights: %" PRId64 " of %" PRId64 " (%.2f %%)\n", conv.zeros,
           conv.elements, percent(conv));
    printf("zeros in BatchNormalization scales: %" PRId64 " of %" PRId64 " (%.2f %%)\n", norm.zeros,
           norm.elements, percent(norm));
}

/* Floating-point constants that nodes read: weights, biases, statistics. */
static Counts count_parameters(const NnGraph *graph)
{
    Counts sum = { 0 };

    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant)
            add(&sum, count_zeros(&graph->values[i].tensor));
    return sum;
}

int cmd_inspect(const Options *options)
{
    _cleanup_(tool_unload) Loaded loaded = { 0 };
    const NnGraph *graph;
    Counts parameters;
    int r;

    r = tool_load(options, true, &loaded);
    if (r < 0)
        return r;
    graph = nn_model_graph(loaded.model);
    print_values(loaded.model);
    print_metadata(loaded.model);
    r = print_operators(graph);
    if (r < 0)
        return r;
    parameters = count_parameters(graph);
    printf("parameters: %" PRId64 "\n", parameters.elements);
    printf("sparsity: %.2f %%\n", percent(parameters));
    if (!loaded.model->program) {
        printf("layers and costs: not known before --dim or --shape close the open dimensions\n");
        return 0;
    }
    print_layers(graph);
    printf("GFLOP: %.3f\n", (double)nn_model_flops(loaded.model) / 1e9);
    printf("arena: %.2f MiB\n", (double)nn_model_arena_bytes(loaded.model) / (1 << 20));
    return 0;
}
