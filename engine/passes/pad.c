/* SPDX-License-Identifier: Apache-2.0 */

/* Zeros that a Pad puts around a picture are a Conv's own to imagine. */

#include "passes/conv.h"

#define RANK 4

static const NnTensor *constant_input(const NnGraph *graph, const NnNode *node, size_t i)
{
    if (i >= node->n_inputs || node->inputs[i] == NN_NO_VALUE ||
        !graph->values[node->inputs[i]].constant)
        return NULL;
    return &graph->values[node->inputs[i]].tensor;
}

static bool pads_with_zeros(const NnGraph *graph, const NnNode *pad)
{
    const NnTensor *value = constant_input(graph, pad, 2);
    const char *mode;
    float fill;

    if (nn_node_string(pad, "mode", "constant", &mode, NULL) < 0 ||
        nn_node_float(pad, "value", 0, &fill, NULL) < 0 || strcmp(mode, "constant") != 0)
        return false;
    if (pad->opset < 11)
        return fill == 0;
    if (pad->n_inputs <= 2 || pad->inputs[2] == NN_NO_VALUE)
        return true;
    return value && value->dtype == NN_DTYPE_F32 && *(const float *)value->data == 0;
}

/* Zeros before and after each of the four dimensions. */
static bool read_pads(const NnGraph *graph, const NnNode *pad, int64_t *ret)
{
    const NnTensor *list = constant_input(graph, pad, 1);
    size_t n;

    if (pad->opset < 11)
        return nn_node_ints(pad, "pads", ret, 2 * RANK, &n, NULL) >= 0 && n == 2 * RANK;
    if (!list || list->dtype != NN_DTYPE_I64 || nn_tensor_elements(list) != 2 * RANK ||
        (pad->n_inputs > 3 && pad->inputs[3] != NN_NO_VALUE))
        return false;
    memcpy(ret, list->data, 2 * RANK * sizeof(ret[0]));
    return true;
}

/* Only rows and columns, and none cut off. */
static bool is_border(const int64_t *pads)
{
    for (int i = 0; i < 2 * RANK; i++)
        if (pads[i] < 0 || (i % RANK < 2 && pads[i] != 0))
            return false;
    return true;
}

static int fold(NnNode *conv, const NnNode *pad, const int64_t *pads)
{
    NnConvParams *params = conv->params;
    int64_t sums[4];
    int r;

    for (int i = 0; i < 4; i++)
        sums[i] = params->pads[i] + pads[i / 2 * RANK + 2 + i % 2];
    r = nn_node_set_ints(conv, "pads", sums, 4);
    if (r < 0)
        return r;
    memcpy(params->pads, sums, sizeof(sums));
    conv->inputs[0] = pad->inputs[0];
    return 0;
}

int nn_pass_pad(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *conv = &graph->nodes[i];
        const NnConvParams *params = conv->params;
        const NnNode *pad;
        int64_t pads[2 * RANK];

        /* A model that is bound to other shapes shares its attributes with its source. */
        if (conv->removed || conv->op != &nn_op_conv || conv->borrowed || params->auto_pad != 0 ||
            index.producer[conv->inputs[0]] < 0)
            continue;
        pad = &graph->nodes[index.producer[conv->inputs[0]]];
        if (pad->op != &nn_op_pad || pad->removed ||
            graph->values[pad->outputs[0]].tensor.rank != RANK ||
            !pads_with_zeros(graph, pad) || !read_pads(graph, pad, pads) || !is_border(pads))
            continue;
        r = fold(conv, pad, pads);
    }
    return r;
}
