/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

static int copy_ids(const NnValueId *from, size_t n, NnValueId **ret)
{
    NnValueId *ids = malloc(NN_MAX(n, 1) * sizeof(ids[0]));

    if (!ids)
        return -ENOMEM;
    if (n)
        memcpy(ids, from, n * sizeof(ids[0]));
    *ret = ids;
    return 0;
}

static int clone_value(NnGraph *clone, const NnValue *value)
{
    NnValueId id;
    int r;

    r = nn_graph_add_value(clone, value->name, &id);
    if (r < 0)
        return r;
    if (value->constant)
        nn_value_set_constant(&clone->values[id], &value->tensor, false);
    clone->values[id].tensor = value->tensor;
    clone->values[id].input = value->input;
    clone->values[id].output = value->output;
    return 0;
}

static int clone_node(NnGraph *clone, const NnNode *node)
{
    NnNode *copy;
    int r;

    r = nn_graph_add_node(clone, &copy);
    if (r < 0)
        return r;
    copy->opset = node->opset;
    copy->attributes = node->attributes;
    copy->n_attributes = node->n_attributes;
    copy->borrowed = true;
    copy->name = strdup(node->name);
    copy->op_type = strdup(node->op_type);
    copy->domain = strdup(node->domain);
    if (!copy->name || !copy->op_type || !copy->domain)
        return -ENOMEM;
    r = copy_ids(node->inputs, node->n_inputs, &copy->inputs);
    if (r < 0)
        return r;
    copy->n_inputs = node->n_inputs;
    r = copy_ids(node->outputs, node->n_outputs, &copy->outputs);
    if (r < 0)
        return r;
    copy->n_outputs = node->n_outputs;
    return 0;
}

static int clone_words(NnGraph *clone, const NnGraph *graph)
{
    clone->opset = graph->opset;
    clone->registry = graph->registry;
    clone->producer = graph->producer ? strdup(graph->producer) : NULL;
    clone->metadata = calloc(NN_MAX(graph->n_metadata, 1), sizeof(clone->metadata[0]));
    if (!clone->metadata || (graph->producer && !clone->producer))
        return -ENOMEM;
    for (size_t i = 0; i < graph->n_metadata; i++) {
        NnMetadata *m = &clone->metadata[clone->n_metadata++];

        m->key = strdup(graph->metadata[i].key);
        m->value = strdup(graph->metadata[i].value);
        if (!m->key || !m->value)
            return -ENOMEM;
    }
    return 0;
}

int nn_graph_clone(const NnGraph *graph, NnGraph **ret_graph)
{
    _cleanup_(nn_graph_freep) NnGraph *clone = NULL;
    int r;

    r = nn_graph_new(&clone);
    if (r >= 0)
        r = clone_words(clone, graph);
    for (size_t i = 0; r >= 0 && i < graph->n_values; i++)
        r = clone_value(clone, &graph->values[i]);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++)
        r = clone_node(clone, &graph->nodes[i]);
    if (r >= 0)
        r = copy_ids(graph->inputs, graph->n_inputs, &clone->inputs);
    if (r >= 0)
        r = copy_ids(graph->outputs, graph->n_outputs, &clone->outputs);
    if (r < 0)
        return r;
    clone->n_inputs = graph->n_inputs;
    clone->n_outputs = graph->n_outputs;
    *ret_graph = NN_TAKE(clone);
    return 0;
}
