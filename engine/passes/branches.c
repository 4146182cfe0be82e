/* SPDX-License-Identifier: Apache-2.0 */

/* Branches over one input whose sum is one convolution, as in RepConv (Ding et al.,
 * "RepVGG: Making VGG-style ConvNets Great Again", 2021): a smaller kernel is added
 * where it lies within the larger one, BatchNormalization of the input is a 1×1
 * kernel of its own. */

#include <math.h>

#include "passes/conv.h"

/* Where tap 0 of the smaller kernel lies in the larger one, along one axis; -1: a tap
 * of it lies beside the larger kernel's taps. */
static int64_t tap_offset(int64_t large, int64_t small, int64_t large_pad, int64_t small_pad,
                          int64_t large_dilation, int64_t small_dilation)
{
    int64_t offset = large_pad - small_pad;

    if (small > 1 && large > 1 && large_dilation != small_dilation)
        return -1;
    if (offset < 0 || offset % large_dilation != 0)
        return -1;
    offset /= large_dilation;
    return offset + small <= large ? offset : -1;
}

/* Row and column of the larger kernel where the smaller one begins. */
static bool find_place(const NnGraph *graph, const NnNode *large, const NnNode *small,
                       int64_t *ret_place)
{
    const NnConvParams *p = large->params, *q = small->params;
    const NnTensor *v = &graph->values[large->inputs[1]].tensor;
    const NnTensor *w = &graph->values[small->inputs[1]].tensor;

    if (v->rank != 4 || w->rank != 4 || p->group != q->group || p->auto_pad != 0 ||
        q->auto_pad != 0 || v->dims[0] != w->dims[0] || v->dims[1] != w->dims[1])
        return false;
    for (int i = 0; i < 2; i++) {
        if (p->strides[i] != q->strides[i])
            return false;
        ret_place[i] = tap_offset(v->dims[2 + i], w->dims[2 + i], p->pads[i], q->pads[i],
                                  p->dilations[i], q->dilations[i]);
        if (ret_place[i] < 0)
            return false;
    }
    return true;
}

/* Copies of weights and bias, to be added to. */
static int copy_weights(const NnGraph *graph, const NnNode *conv, NnTensor *ret_weights,
                        NnTensor *ret_bias)
{
    const NnTensor *w = &graph->values[conv->inputs[1]].tensor;
    const float *bias = nn_conv_bias(graph, conv);
    size_t n = (size_t)nn_tensor_elements(w), channels = (size_t)w->dims[0];
    float *data = malloc(n * sizeof(data[0])), *sums = calloc(channels, sizeof(sums[0]));

    if (!data || !sums) {
        free(data);
        free(sums);
        return -ENOMEM;
    }
    memcpy(data, w->data, n * sizeof(data[0]));
    if (bias)
        memcpy(sums, bias, channels * sizeof(sums[0]));
    *ret_weights = *w;
    ret_weights->data = data;
    *ret_bias = (NnTensor){ .dtype = NN_DTYPE_F32, .rank = 1, .dims = { w->dims[0] },
                            .data = sums };
    return 0;
}

static int add_conv(NnGraph *graph, NnNode *large, const NnNode *small, const int64_t *place)
{
    const NnTensor *w = &graph->values[small->inputs[1]].tensor;
    const float *from = w->data, *small_bias = nn_conv_bias(graph, small);
    NnTensor weights, bias;
    float *to;
    int r;

    r = copy_weights(graph, large, &weights, &bias);
    if (r < 0)
        return r;
    to = weights.data;
    for (int64_t plane = 0; plane < w->dims[0] * w->dims[1]; plane++)
        for (int64_t y = 0; y < w->dims[2]; y++)
            for (int64_t x = 0; x < w->dims[3]; x++)
                to[(plane * weights.dims[2] + place[0] + y) * weights.dims[3] + place[1] + x] +=
                    *from++;
    for (int64_t c = 0; small_bias && c < w->dims[0]; c++)
        ((float *)bias.data)[c] += small_bias[c];
    return nn_conv_set_weights(graph, large, &weights, &bias);
}

/* The tap of `conv` that sees the pixel it makes, if there is one. */
static bool find_centre(const NnGraph *graph, const NnNode *conv, int64_t *ret_place)
{
    const NnConvParams *p = conv->params;
    const NnTensor *w = &graph->values[conv->inputs[1]].tensor;

    if (w->rank != 4 || p->group != 1 || p->auto_pad != 0 || w->dims[0] != w->dims[1])
        return false;
    for (int i = 0; i < 2; i++) {
        if (p->strides[i] != 1)
            return false;
        ret_place[i] = tap_offset(w->dims[2 + i], 1, p->pads[i], 0, p->dilations[i], 1);
        if (ret_place[i] < 0)
            return false;
    }
    return true;
}

static int add_norm(NnGraph *graph, NnNode *conv, const NnNode *norm, const int64_t *place)
{
    int64_t n = graph->values[conv->inputs[1]].tensor.dims[0];
    _cleanup_free_ float *factor = malloc((size_t)n * sizeof(factor[0]));
    _cleanup_free_ float *addend = malloc((size_t)n * sizeof(addend[0]));
    NnTensor weights, bias;
    int r;

    if (!factor || !addend)
        return -ENOMEM;
    if (!nn_batch_norm_affine(graph, norm, n, factor, addend))
        return 0;
    r = copy_weights(graph, conv, &weights, &bias);
    if (r < 0)
        return r;
    for (int64_t c = 0; c < n; c++) {
        int64_t plane = c * n + c;

        ((float *)weights.data)[(plane * weights.dims[2] + place[0]) * weights.dims[3] +
                                place[1]] += factor[c];
        ((float *)bias.data)[c] += addend[c];
    }
    r = nn_conv_set_weights(graph, conv, &weights, &bias);
    return r < 0 ? r : 1;
}

static NnNode *norm_before(NnGraph *graph, const NnGraphIndex *index, NnValueId value)
{
    NnNode *node;

    if (index->producer[value] < 0 || index->uses[value] != 1)
        return NULL;
    node = &graph->nodes[index->producer[value]];
    return !node->removed && node->op == &nn_op_batch_normalization ? node : NULL;
}

/* 1: the two are one now. */
static int merge(NnGraph *graph, const NnGraphIndex *index, NnNode *conv, NnValueId other)
{
    NnNode *branch = nn_conv_before(graph, index, other);
    int64_t place[2];
    int r;

    if (branch && nn_conv_is_plain(branch) && branch->inputs[0] == conv->inputs[0] &&
        find_place(graph, conv, branch, place)) {
        r = add_conv(graph, conv, branch, place);
        branch->removed = r >= 0;
        return r < 0 ? r : 1;
    }
    branch = norm_before(graph, index, other);
    if (!branch || branch->inputs[0] != conv->inputs[0] || !find_centre(graph, conv, place))
        return 0;
    r = add_norm(graph, conv, branch, place);
    branch->removed = r > 0;
    return r;
}

int nn_pass_branches(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *add = &graph->nodes[i];

        if (add->removed || add->op != &nn_op_add)
            continue;
        for (size_t j = 0; j < 2; j++) {
            NnValueId mine = add->inputs[j], other = add->inputs[1 - j];
            NnNode *conv = nn_conv_before(graph, &index, mine);

            if (!conv || !nn_conv_is_plain(conv) || mine == other ||
                !nn_tensor_same_shape(&graph->values[mine].tensor, &graph->values[other].tensor))
                continue;
            r = merge(graph, &index, conv, other);
            if (r > 0)
                nn_conv_absorb(conv, add);
            if (r != 0)
                break;
        }
    }
    return NN_MIN(r, 0);
}
