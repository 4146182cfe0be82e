/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/infer.h"
#include "ops/custom.h"
#include "ops/nhwc.h"

static bool has_output(const NnNode *node)
{
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != NN_NO_VALUE)
            return true;
    return false;
}

int nn_node_resolve(const NnGraph *graph, NnNode *node, NnError *error)
{
    const NnOp *op = nn_op_find(node->domain, node->op_type);

    /* What passes have put there. */
    if (!op && graph->compiled && strcmp(node->domain, NN_NHWC_DOMAIN) == 0)
        op = nn_nhwc_op_find(node->op_type);
    if (!op && graph->registry)
        op = nn_registry_find(graph->registry, node->domain, node->op_type);
    if (!op)
        return nn_error_set(error, -ENOTSUP,
                            "operator %s%s%s is not known; nn_op_register() can supply it",
                            node->domain, *node->domain ? "." : "", node->op_type);
    if (node->opset < op->since)
        return nn_error_set(error, -ENOTSUP, "supported from opset %d on", op->since);
    if (node->n_inputs < op->min_inputs)
        return nn_error_set(error, -EBADMSG, "it has %zu inputs, at least %zu were expected",
                            node->n_inputs, op->min_inputs);
    if (node->n_inputs > op->max_inputs)
        return nn_error_set(error, -EBADMSG, "it has %zu inputs, at most %zu were expected",
                            node->n_inputs, op->max_inputs);
    for (size_t i = 0; i < op->min_inputs; i++)
        if (node->inputs[i] == NN_NO_VALUE)
            return nn_error_set(error, -EBADMSG, "input %zu is missing", i);
    if (node->n_outputs > op->max_outputs)
        return nn_error_set(error, -EBADMSG, "it has %zu outputs, at most %zu were expected",
                            node->n_outputs, op->max_outputs);
    if (!has_output(node))
        return nn_error_set(error, -EBADMSG, "none of its outputs has a name");
    node->params = calloc(1, NN_MAX(op->params_bytes, 1));
    if (!node->params)
        return nn_error_set(error, -ENOMEM, "out of memory");
    node->op = op;
    return op->prepare ? op->prepare(node, node->params, error) : 0;
}

/* Files name optional outputs that nobody reads, such as the mask of Dropout:
 * an operator that makes its first output need not make them. */
static int drop_unread_outputs(NnGraph *graph)
{
    NnGraphIndex index;
    int r;

    r = nn_graph_index(graph, &index);
    if (r < 0)
        return r;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i];

        if (node->op || node->n_outputs == 0 || node->outputs[0] == NN_NO_VALUE)
            continue;
        for (size_t j = 1; j < node->n_outputs; j++)
            if (node->outputs[j] != NN_NO_VALUE && index.uses[node->outputs[j]] == 0)
                node->outputs[j] = NN_NO_VALUE;
    }
    nn_graph_index_clear(&index);
    return 0;
}

int nn_graph_resolve(NnGraph *graph, NnError *error)
{
    int r;

    r = drop_unread_outputs(graph);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (graph->nodes[i].op)
            continue;
        r = nn_node_resolve(graph, &graph->nodes[i], error);
        if (r < 0)
            return nn_node_error(&graph->nodes[i], r, error);
    }
    return 0;
}
