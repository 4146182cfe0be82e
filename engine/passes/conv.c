/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/conv.h"

static bool is_constant_f32(const NnGraph *graph, NnValueId id)
{
    return id != NN_NO_VALUE && graph->values[id].constant &&
           graph->values[id].tensor.dtype == NN_DTYPE_F32;
}

bool nn_conv_is_constant(const NnGraph *graph, const NnNode *conv)
{
    return conv->op == &nn_op_conv && is_constant_f32(graph, conv->inputs[1]) &&
           (conv->n_inputs <= 2 || conv->inputs[2] == NN_NO_VALUE ||
            is_constant_f32(graph, conv->inputs[2]));
}

NnNode *nn_conv_before(NnGraph *graph, const NnGraphIndex *index, NnValueId value)
{
    NnNode *conv;

    if (value == NN_NO_VALUE || index->producer[value] < 0 || index->uses[value] != 1)
        return NULL;
    conv = &graph->nodes[index->producer[value]];
    return !conv->removed && nn_conv_is_constant(graph, conv) ? conv : NULL;
}

bool nn_conv_is_plain(const NnNode *conv)
{
    const NnConvParams *params = conv->params;

    return !params->residual && params->activation.kind == NN_ACTIVATION_NONE;
}

static int set_input(NnNode *node, size_t i, NnValueId id)
{
    if (i >= node->n_inputs) {
        NnValueId *more = reallocarray(node->inputs, i + 1, sizeof(more[0]));

        if (!more)
            return -ENOMEM;
        for (size_t j = node->n_inputs; j < i; j++)
            more[j] = NN_NO_VALUE;
        node->inputs = more;
        node->n_inputs = i + 1;
    }
    node->inputs[i] = id;
    return 0;
}

static int scaled_weights(const NnTensor *w, const float *factor, NnTensor *ret)
{
    int64_t n = nn_tensor_elements(w), row = n / NN_MAX(w->dims[0], 1);
    const float *from = w->data;
    float *data = malloc(NN_MAX(n, 1) * sizeof(data[0]));

    if (!data)
        return -ENOMEM;
    for (int64_t i = 0; i < n; i++)
        data[i] = from[i] * factor[i / row];
    *ret = *w;
    ret->data = data;
    return 0;
}

static int scaled_bias(const float *from, int64_t channels, const float *factor,
                       const float *addend, NnTensor *ret)
{
    float *data = malloc(NN_MAX(channels, 1) * sizeof(data[0]));

    if (!data)
        return -ENOMEM;
    for (int64_t c = 0; c < channels; c++)
        data[c] = (from ? from[c] * factor[c] : 0) + addend[c];
    *ret = (NnTensor){ .dtype = NN_DTYPE_F32, .rank = 1, .dims = { channels }, .data = data };
    return 0;
}

int nn_conv_set_weights(NnGraph *graph, NnNode *conv, NnTensor *weights, NnTensor *bias)
{
    NnValueId w, b;
    int r;

    r = nn_graph_add_constant(graph, graph->values[conv->inputs[1]].name, weights, &w);
    if (r >= 0) {
        weights->data = NULL;
        r = nn_graph_add_constant(graph, conv->name, bias, &b);
    }
    if (r >= 0) {
        bias->data = NULL;
        r = set_input(conv, 2, b);
    }
    if (r >= 0)
        conv->inputs[1] = w;
    free(weights->data);
    free(bias->data);
    return r;
}

const float *nn_conv_bias(const NnGraph *graph, const NnNode *conv)
{
    bool has_bias = conv->n_inputs > 2 && conv->inputs[2] != NN_NO_VALUE;

    return has_bias ? graph->values[conv->inputs[2]].tensor.data : NULL;
}

int nn_conv_scale(NnGraph *graph, NnNode *conv, const float *factor, const float *addend)
{
    NnTensor weights, bias;
    int r;

    r = scaled_weights(&graph->values[conv->inputs[1]].tensor, factor, &weights);
    if (r < 0)
        return r;
    r = scaled_bias(nn_conv_bias(graph, conv), weights.dims[0], factor, addend, &bias);
    if (r < 0) {
        free(weights.data);
        return r;
    }
    return nn_conv_set_weights(graph, conv, &weights, &bias);
}

bool nn_conv_is_unpadded(const NnNode *conv)
{
    const NnConvParams *params = conv->params;

    for (int i = 0; i < 4; i++)
        if (params->pads[i] != 0 || params->depth_pads[i / 2] != 0)
            return false;
    return params->auto_pad == 0 || params->auto_pad == 3;
}

void nn_conv_absorb(NnNode *conv, NnNode *node)
{
    NnNode moved = *conv;

    moved.outputs[0] = node->outputs[0];
    *conv = *node;
    conv->removed = true;
    *node = moved;
}
