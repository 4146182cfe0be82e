/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"

/* The value x when `value` is Sigmoid(x) and nobody else reads it. */
static NnValueId sigmoid_of(const NnGraph *graph, const NnGraphIndex *index, NnValueId value)
{
    const NnNode *node;

    if (index->producer[value] < 0 || index->uses[value] != 1)
        return NN_NO_VALUE;
    node = &graph->nodes[index->producer[value]];
    return node->op == &nn_op_sigmoid ? node->inputs[0] : NN_NO_VALUE;
}

int nn_pass_silu(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i];

        if (node->removed || node->op != &nn_op_mul || node->n_inputs != 2)
            continue;
        for (size_t j = 0; j < 2; j++) {
            NnValueId x = node->inputs[j];

            if (sigmoid_of(graph, &index, node->inputs[1 - j]) != x ||
                graph->values[x].tensor.dtype != NN_DTYPE_F32)
                continue;
            r = nn_node_set_op(node, &nn_op_silu);
            if (r < 0)
                break;
            node->inputs[0] = x;
            node->n_inputs = 1;
            break;
        }
    }
    return r;
}
