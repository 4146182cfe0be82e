/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>

#include "passes/conv.h"

/* A bound of Clip: an attribute before opset 11, then an input. False when it is
 * not known, or no number to compare with. */
static bool clip_bound(const NnGraph *graph, const NnNode *node, const char *attribute,
                       size_t input, float *bound)
{
    const NnTensor *tensor;

    if (node->opset < 11)
        return nn_node_float(node, attribute, *bound, bound, NULL) >= 0;
    if (input >= node->n_inputs || node->inputs[input] == NN_NO_VALUE)
        return true;
    tensor = &graph->values[node->inputs[input]].tensor;
    if (!graph->values[node->inputs[input]].constant || tensor->dtype != NN_DTYPE_F32 ||
        nn_tensor_elements(tensor) != 1)
        return false;
    *bound = *(const float *)tensor->data;
    return true;
}

static NnActivation clip_of(const NnGraph *graph, const NnNode *node)
{
    NnActivation clip = { .kind = NN_ACTIVATION_CLIP, .low = -FLT_MAX, .high = FLT_MAX };

    if (!clip_bound(graph, node, "min", 1, &clip.low) ||
        !clip_bound(graph, node, "max", 2, &clip.high))
        clip.kind = NN_ACTIVATION_NONE;
    return clip;
}

NnActivation nn_activation_of(const NnGraph *graph, const NnNode *node)
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
    return node->op == &nn_op_clip ? clip_of(graph, node) : (NnActivation){ 0 };
}

static bool fuse_into_conv(NnGraph *graph, const NnGraphIndex *index, NnNode *node,
                           const NnActivation *activation)
{
    NnNode *conv = nn_conv_before(graph, index, node->inputs[0]);

    if (!conv || ((NnConvParams *)conv->params)->activation.kind != NN_ACTIVATION_NONE)
        return false;
    ((NnConvParams *)conv->params)->activation = *activation;
    nn_conv_absorb(conv, node);
    return true;
}

/* Any other operator that says where it keeps an activation of its output 0. It
 * stays where it is among the nodes, for the others of its outputs. */
static void fuse_into_producer(NnGraph *graph, const NnGraphIndex *index, NnNode *node,
                               const NnActivation *activation)
{
    NnValueId x = node->inputs[0];
    NnNode *producer;
    NnFused fused;

    if (index->producer[x] < 0 || index->uses[x] != 1 ||
        graph->values[x].tensor.dtype != NN_DTYPE_F32)
        return;
    producer = &graph->nodes[index->producer[x]];
    if (producer->removed || producer->op == &nn_op_conv || !producer->op->fused ||
        producer->outputs[0] != x)
        return;
    fused = producer->op->fused(producer->params);
    if (fused.activation->kind != NN_ACTIVATION_NONE)
        return;
    *fused.activation = *activation;
    producer->outputs[0] = node->outputs[0];
    node->removed = true;
}

int nn_pass_activation(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i];
        NnActivation activation = nn_activation_of(graph, node);

        if (node->removed || activation.kind == NN_ACTIVATION_NONE)
            continue;
        if (!fuse_into_conv(graph, &index, node, &activation))
            fuse_into_producer(graph, &index, node, &activation);
    }
    return r;
}
