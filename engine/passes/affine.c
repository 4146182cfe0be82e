/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/conv.h"

/* Spreads a constant over `n` channels when it has one value, or one for each
 * channel of a tensor of rank `rank`. */
static bool per_channel(const NnGraph *graph, NnValueId id, int rank, int64_t n, float *ret)
{
    const NnTensor *t;
    const float *data;
    int64_t elements;

    if (id == NN_NO_VALUE || !graph->values[id].constant)
        return false;
    t = &graph->values[id].tensor;
    if (t->dtype != NN_DTYPE_F32 || t->rank > rank)
        return false;
    elements = nn_tensor_elements(t);
    if (elements != 1 && elements != n)
        return false;
    if (elements == n && n != 1 && (t->rank < rank - 1 || t->dims[t->rank - rank + 1] != n))
        return false;
    data = t->data;
    for (int64_t c = 0; c < n; c++)
        ret[c] = data[elements == 1 ? 0 : c];
    return true;
}

/* The conv that makes one input of `node` and the other input, a constant. */
static NnNode *conv_and_constant(NnGraph *graph, const NnGraphIndex *index, const NnNode *node,
                                 NnValueId *ret_constant)
{
    for (size_t i = 0; i < 2; i++) {
        NnNode *conv = nn_conv_before(graph, index, node->inputs[i]);

        if (conv && nn_conv_is_plain(conv) && node->inputs[1 - i] != NN_NO_VALUE &&
            graph->values[node->inputs[1 - i]].constant) {
            *ret_constant = node->inputs[1 - i];
            return conv;
        }
    }
    return NULL;
}

/* Conv, then Mul or Add. */
static int fold_after(NnGraph *graph, const NnGraphIndex *index, NnNode *node)
{
    NnValueId constant;
    NnNode *conv = conv_and_constant(graph, index, node, &constant);
    _cleanup_free_ float *factor = NULL, *addend = NULL;
    const NnTensor *out;
    int64_t n;
    int r;

    if (!conv)
        return 0;
    out = &graph->values[conv->outputs[0]].tensor;
    if (!nn_tensor_same_shape(out, &graph->values[node->outputs[0]].tensor))
        return 0;
    n = graph->values[conv->inputs[1]].tensor.dims[0];
    factor = malloc(NN_MAX(n, 1) * sizeof(factor[0]));
    addend = malloc(NN_MAX(n, 1) * sizeof(addend[0]));
    if (!factor || !addend)
        return -ENOMEM;
    for (int64_t c = 0; c < n; c++) {
        factor[c] = 1;
        addend[c] = 0;
    }
    if (!per_channel(graph, constant, out->rank, n, node->op == &nn_op_mul ? factor : addend))
        return 0;
    r = nn_conv_scale(graph, conv, factor, addend);
    if (r >= 0)
        nn_conv_absorb(conv, node);
    return r;
}

/* The border of a padded conv sees zeros, not the addend: only without padding
 * is an addend before it a bias behind it. */
static bool is_unpadded_1x1(const NnNode *conv, const NnTensor *w)
{
    const NnConvParams *params = conv->params;

    for (int i = 2; i < w->rank; i++)
        if (w->dims[i] != 1)
            return false;
    return params->group == 1 && w->rank >= 2 && nn_conv_is_unpadded(conv);
}

/* Add, then a 1×1 Conv. */
static int fold_before(NnGraph *graph, const NnGraphIndex *index, NnNode *conv)
{
    const NnTensor *w = &graph->values[conv->inputs[1]].tensor;
    _cleanup_free_ float *added = NULL, *factor = NULL, *addend = NULL;
    const float *weights;
    NnNode *add;
    int64_t n_in, n_out;
    int r;

    if (index->producer[conv->inputs[0]] < 0 || index->uses[conv->inputs[0]] != 1 ||
        !is_unpadded_1x1(conv, w))
        return 0;
    add = &graph->nodes[index->producer[conv->inputs[0]]];
    if (add->removed || add->op != &nn_op_add)
        return 0;
    n_out = w->dims[0];
    n_in = w->dims[1];
    weights = w->data;
    added = malloc(NN_MAX(n_in, 1) * sizeof(added[0]));
    factor = malloc(NN_MAX(n_out, 1) * sizeof(factor[0]));
    addend = malloc(NN_MAX(n_out, 1) * sizeof(addend[0]));
    if (!added || !factor || !addend)
        return -ENOMEM;
    for (size_t i = 0; i < 2; i++) {
        const NnTensor *x = &graph->values[add->inputs[1 - i]].tensor;

        if (!nn_tensor_same_shape(x, &graph->values[add->outputs[0]].tensor) ||
            !per_channel(graph, add->inputs[i], x->rank, n_in, added))
            continue;
        for (int64_t o = 0; o < n_out; o++) {
            double sum = 0;

            for (int64_t c = 0; c < n_in; c++)
                sum += (double)weights[o * n_in + c] * added[c];
            factor[o] = 1;
            addend[o] = (float)sum;
        }
        r = nn_conv_scale(graph, conv, factor, addend);
        if (r >= 0) {
            conv->inputs[0] = add->inputs[1 - i];
            add->removed = true;
        }
        return r;
    }
    return 0;
}

static int fold_all_before(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i];

        if (!node->removed && node->op == &nn_op_conv && node->inputs[0] != NN_NO_VALUE &&
            graph->values[node->inputs[1]].constant &&
            graph->values[node->inputs[1]].tensor.dtype == NN_DTYPE_F32 &&
            nn_conv_is_plain(node))
            r = fold_before(graph, &index, node);
    }
    return r;
}

static int fold_all_after(NnGraph *graph)
{
    _cleanup_(nn_graph_index_clear) NnGraphIndex index = { 0 };
    int r;

    r = nn_graph_index(graph, &index);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i];

        if (!node->removed && (node->op == &nn_op_mul || node->op == &nn_op_add))
            r = fold_after(graph, &index, node);
    }
    return r;
}

int nn_pass_affine(NnGraph *graph)
{
    int r;

    r = fold_all_before(graph);
    return r < 0 ? r : fold_all_after(graph);
}
