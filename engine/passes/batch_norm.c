/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "passes/conv.h"

/* Scale, bias, mean and variance, when they are constant float32 of `n` elements. */
static bool get_statistics(const NnGraph *graph, const NnNode *node, int64_t n,
                           const float *ret[4])
{
    for (size_t i = 0; i < 4; i++) {
        const NnValue *value;

        if (node->inputs[i + 1] == NN_NO_VALUE)
            return false;
        value = &graph->values[node->inputs[i + 1]];
        if (!value->constant || value->tensor.dtype != NN_DTYPE_F32 ||
            nn_tensor_elements(&value->tensor) != n)
            return false;
        ret[i] = value->tensor.data;
    }
    return true;
}

bool nn_batch_norm_affine(const NnGraph *graph, const NnNode *node, int64_t n, float *factor,
                          float *addend)
{
    const NnBatchNormParams *params = node->params;
    const float *stats[4];

    if (params->training || !get_statistics(graph, node, n, stats))
        return false;
    for (int64_t c = 0; c < n; c++) {
        factor[c] = stats[0][c] / sqrtf(stats[3][c] + params->epsilon);
        addend[c] = stats[1][c] - stats[2][c] * factor[c];
    }
    return true;
}

static int fold(NnGraph *graph, NnNode *conv, NnNode *node)
{
    int64_t n = graph->values[conv->inputs[1]].tensor.dims[0];
    _cleanup_free_ float *factor = malloc(NN_MAX(n, 1) * sizeof(factor[0]));
    _cleanup_free_ float *addend = malloc(NN_MAX(n, 1) * sizeof(addend[0]));
    int r;

    if (!factor || !addend)
        return -ENOMEM;
    if (!nn_batch_norm_affine(graph, node, n, factor, addend))
        return 0;
    r = nn_conv_scale(graph, conv, factor, addend);
    if (r >= 0)
        nn_conv_absorb(conv, node);
    return r;
}

int nn_pass_batch_norm(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i], *conv;

        if (node->removed || node->op != &nn_op_batch_normalization)
            continue;
        conv = nn_conv_before(graph, &index, node->inputs[0]);
        if (conv && nn_conv_is_plain(conv))
            r = fold(graph, conv, node);
    }
    return r;
}
