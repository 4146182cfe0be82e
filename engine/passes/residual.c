/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/conv.h"

static int fuse(NnGraph *graph, NnNode *conv, NnNode *add, NnValueId other)
{
    NnConvParams *params = conv->params;
    NnValueId *inputs = reallocarray(conv->inputs, 4, sizeof(inputs[0]));

    if (!inputs)
        return -ENOMEM;
    for (size_t i = conv->n_inputs; i < 3; i++)
        inputs[i] = NN_NO_VALUE;
    inputs[3] = other;
    conv->inputs = inputs;
    conv->n_inputs = 4;
    params->residual = true;
    nn_conv_absorb(conv, add);
    return 0;
}

int nn_pass_residual(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i];

        if (node->removed || node->op != &nn_op_add)
            continue;
        for (size_t j = 2; j-- > 0;) {
            NnValueId mine = node->inputs[j], other = node->inputs[1 - j];
            NnNode *conv = nn_conv_before(graph, &index, mine);

            if (!conv || !nn_conv_is_plain(conv) || graph->values[mine].dynamic ||
                graph->values[other].dynamic ||
                !nn_tensor_same_shape(&graph->values[mine].tensor, &graph->values[other].tensor))
                continue;
            r = fuse(graph, conv, node, other);
            break;
        }
    }
    return r;
}
