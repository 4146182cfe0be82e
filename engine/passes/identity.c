/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"

/* Dropout drops nothing outside training. */
static bool is_idle_dropout(const NnGraph *graph, const NnNode *node)
{
    const NnValue *training;

    if (node->op != &nn_op_dropout || node->n_inputs < 3 || node->inputs[2] == NN_NO_VALUE)
        return node->op == &nn_op_dropout;
    training = &graph->values[node->inputs[2]];
    return training->constant && *(const uint8_t *)training->tensor.data == 0;
}

/* Whether output 0 is input 0, bytes and shape alike. */
static bool changes_nothing(const NnGraph *graph, const NnNode *node)
{
    const NnValue *in, *out;

    if ((!(node->op->flags & NN_OP_VIEW) && !is_idle_dropout(graph, node)) ||
        node->outputs[0] == NN_NO_VALUE)
        return false;
    for (size_t i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] != NN_NO_VALUE)
            return false;
    in = &graph->values[node->inputs[0]];
    out = &graph->values[node->outputs[0]];
    return in->dynamic == out->dynamic && !in->dynamic && in->tensor.dtype == out->tensor.dtype &&
           nn_tensor_same_shape(&in->tensor, &out->tensor);
}

int nn_pass_identity(NnGraph *graph)
{
    _cleanup_free_ NnValueId *map = malloc(NN_MAX(graph->n_values, 1) * sizeof(map[0]));

    if (!map)
        return -ENOMEM;
    for (size_t i = 0; i < graph->n_values; i++)
        map[i] = (NnValueId)i;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i];

        /* A graph output keeps its own value: its name is the caller's. */
        if (node->removed || !changes_nothing(graph, node) ||
            graph->values[node->outputs[0]].output)
            continue;
        map[node->outputs[0]] = map[node->inputs[0]];
        node->removed = true;
    }
    nn_graph_apply_map(graph, map);
    return 0;
}
