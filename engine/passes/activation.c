/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/conv.h"

/* The activation that a node applies; kind NONE when it is something else. */
static NnActivation activation_of(const NnNode *node)
{
    if (node->op == &nn_op_relu)
        return (NnActivation){ .kind = NN_ACTIVATION_RELU };
    if (node->op == &nn_op_sigmoid)
        return (NnActivation){ .kind = NN_ACTIVATION_SIGMOID };
    if (node->op == &nn_op_silu)
        return (NnActivation){ .kind = NN_ACTIVATION_SILU };
    if (node->op == &nn_op_hard_swish)
        return (NnActivation){ .kind = NN_ACTIVATION_HARD_SWISH };
    if (node->op == &nn_op_leaky_relu) {
        const NnLeakyReluParams *params = node->params;

        return (NnActivation){ .kind = NN_ACTIVATION_LEAKY_RELU, .alpha = params->alpha };
    }
    return (NnActivation){ 0 };
}

int nn_pass_activation(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i], *conv;
        NnActivation activation = activation_of(node);

        if (node->removed || activation.kind == NN_ACTIVATION_NONE)
            continue;
        conv = nn_conv_before(graph, &index, node->inputs[0]);
        if (!conv || ((NnConvParams *)conv->params)->activation.kind != NN_ACTIVATION_NONE)
            continue;
        ((NnConvParams *)conv->params)->activation = activation;
        nn_conv_absorb(conv, node);
    }
    return r;
}
