/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

#include <sys/mman.h>

#include "base/limits.h"

void nn_attribute_clear(NnAttribute *attribute)
{
    free(attribute->name);
    free(attribute->s);
    free(attribute->ints);
    free(attribute->floats);
    for (size_t i = 0; attribute->strings && i < attribute->n; i++)
        free(attribute->strings[i]);
    free(attribute->strings);
    free(attribute->tensor.data);
    nn_graph_free(attribute->graph);
    *attribute = (NnAttribute){ 0 };
}

void nn_node_clear(NnNode *node)
{
    free(node->name);
    free(node->op_type);
    free(node->domain);
    for (size_t i = 0; !node->borrowed && i < node->n_attributes; i++)
        nn_attribute_clear(&node->attributes[i]);
    if (!node->borrowed)
        free(node->attributes);
    free(node->inputs);
    free(node->outputs);
    free(node->params);
    *node = (NnNode){ 0 };
}

static void value_clear(NnValue *value)
{
    free(value->name);
    for (int i = 0; value->dim_names && i < NN_RANK_MAX; i++)
        free(value->dim_names[i]);
    free(value->dim_names);
    if (value->owned)
        free(value->tensor.data);
}

int nn_graph_new(NnGraph **ret_graph)
{
    NnGraph *graph = calloc(1, sizeof(*graph));

    if (!graph)
        return -ENOMEM;
    *ret_graph = graph;
    return 0;
}

NnGraph *nn_graph_free(NnGraph *graph)
{
    if (!graph)
        return NULL;
    for (size_t i = 0; i < graph->n_nodes; i++)
        nn_node_clear(&graph->nodes[i]);
    for (size_t i = 0; i < graph->n_spent; i++)
        nn_node_clear(&graph->spent[i]);
    for (size_t i = 0; i < graph->n_values; i++)
        value_clear(&graph->values[i]);
    for (size_t i = 0; i < graph->n_metadata; i++) {
        free(graph->metadata[i].key);
        free(graph->metadata[i].value);
    }
    free(graph->name);
    free(graph->producer);
    free(graph->declared_outputs);
    free(graph->values);
    free(graph->nodes);
    free(graph->inputs);
    free(graph->outputs);
    free(graph->metadata);
    free(graph->captures);
    free(graph->spent);
    if (graph->mapped)
        munmap(graph->storage, graph->storage_bytes);
    else
        free(graph->storage);
    free(graph);
    return NULL;
}

/* Makes room for one more element of an array. */
static int grow(void **array, size_t n, size_t *capacity, size_t element, size_t limit)
{
    size_t more = NN_MAX(*capacity * 2, 16);
    void *bigger;

    if (n >= limit)
        return -E2BIG;
    if (n < *capacity)
        return 0;
    bigger = reallocarray(*array, more, element);
    if (!bigger)
        return -ENOMEM;
    *array = bigger;
    *capacity = more;
    return 0;
}

int nn_graph_add_value(NnGraph *graph, const char *name, NnValueId *ret_id)
{
    char *copy;
    int r;

    r = grow((void **)&graph->values, graph->n_values, &graph->values_capacity,
             sizeof(graph->values[0]), NN_LIMIT_VALUES);
    if (r < 0)
        return r;
    copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    graph->values[graph->n_values] = (NnValue){ .name = copy };
    *ret_id = (NnValueId)graph->n_values++;
    return 0;
}

int nn_graph_add_node(NnGraph *graph, NnNode **ret_node)
{
    int r;

    r = grow((void **)&graph->nodes, graph->n_nodes, &graph->nodes_capacity,
             sizeof(graph->nodes[0]), NN_LIMIT_NODES);
    if (r < 0)
        return r;
    graph->nodes[graph->n_nodes] = (NnNode){ 0 };
    *ret_node = &graph->nodes[graph->n_nodes++];
    return 0;
}

int nn_graph_take_node(NnGraph *graph, NnNode *node)
{
    NnNode *place;
    int r;

    r = nn_graph_add_node(graph, &place);
    if (r < 0) {
        nn_node_clear(node);
        return r;
    }
    *place = *node;
    *node = (NnNode){ 0 };
    return 0;
}

int nn_graph_take_spent(NnGraph *graph, NnNode *node)
{
    int r;

    r = grow((void **)&graph->spent, graph->n_spent, &graph->spent_capacity,
             sizeof(graph->spent[0]), NN_LIMIT_NODES);
    if (r < 0) {
        nn_node_clear(node);
        return r;
    }
    graph->spent[graph->n_spent++] = *node;
    *node = (NnNode){ 0 };
    return 0;
}

int nn_value_name_dim(NnValue *value, int dim, const char *name)
{
    if (!value->dim_names)
        value->dim_names = calloc(NN_RANK_MAX, sizeof(value->dim_names[0]));
    if (!value->dim_names)
        return -ENOMEM;
    value->dim_names[dim] = strdup(name);
    return value->dim_names[dim] ? 0 : -ENOMEM;
}

void nn_value_set_constant(NnValue *value, const NnTensor *tensor, bool owned)
{
    if (value->owned)
        free(value->tensor.data);
    value->tensor = *tensor;
    value->owned = owned;
    value->constant = true;
    value->inferred = true;
    value->dynamic = false;
}

int nn_graph_add_constant(NnGraph *graph, const char *name, const NnTensor *tensor,
                          NnValueId *ret_id)
{
    int r;

    r = nn_graph_add_value(graph, name, ret_id);
    if (r < 0)
        return r;
    nn_value_set_constant(&graph->values[*ret_id], tensor, true);
    return 0;
}

static bool node_needed(const NnNode *node, const uint8_t *needed)
{
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != NN_NO_VALUE && needed[node->outputs[i]])
            return true;
    return false;
}

void nn_value_drop(NnValue *value)
{
    size_t bytes = 0;

    if (!value->owned || nn_tensor_bytes(&value->tensor, &bytes) < 0)
        return;
    nn_free_large(value->tensor.data, bytes);
    value->tensor.data = NULL;
    value->owned = false;
}

void nn_graph_compact(NnGraph *graph)
{
    _cleanup_free_ uint8_t *needed = calloc(NN_MAX(graph->n_values, 1), 1);
    size_t kept = 0;

    if (!needed)
        return; /* the graph stays right, only longer than it need be */
    for (size_t i = 0; i < graph->n_outputs; i++)
        needed[graph->outputs[i]] = 1;
    for (size_t i = graph->n_nodes; i-- > 0;) {
        NnNode *node = &graph->nodes[i];

        if (!node->removed && !node_needed(node, needed))
            node->removed = true;
        for (size_t j = 0; !node->removed && j < node->n_inputs; j++)
            if (node->inputs[j] != NN_NO_VALUE)
                needed[node->inputs[j]] = 1;
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (graph->nodes[i].removed)
            nn_node_clear(&graph->nodes[i]);
        else
            graph->nodes[kept++] = graph->nodes[i];
    }
    graph->n_nodes = kept;
    for (size_t i = 0; i < graph->n_values; i++) {
        NnValue *value = &graph->values[i];

        if (!needed[i] && value->constant)
            nn_value_drop(value);
    }
}

static int check_id(const NnGraph *graph, const NnNode *node, NnValueId id, NnError *error)
{
    if (id == NN_NO_VALUE || (id >= 0 && (size_t)id < graph->n_values))
        return 0;
    return nn_error_set(error, -EBADMSG, "node '%s' (%s): value %d does not exist", node->name,
                        node->op_type, id);
}

static bool is_made(const NnGraph *graph, NnValueId id)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_outputs; j++)
            if (!graph->nodes[i].removed && graph->nodes[i].outputs[j] == id)
                return true;
    return false;
}

static int verify_node(const NnGraph *graph, const NnNode *node, uint8_t *made, NnError *error)
{
    int r;

    for (size_t i = 0; i < node->n_inputs; i++) {
        NnValueId id = node->inputs[i];

        r = check_id(graph, node, id, error);
        if (r < 0)
            return r;
        if (id != NN_NO_VALUE && !made[id])
            return nn_error_set(error, -EBADMSG,
                                is_made(graph, id)
                                    ? "node '%s' (%s): its input '%s' is made by a later node "
                                      "or by itself (cyclic or unsorted graph)"
                                    : "node '%s' (%s): its input '%s' is no input or initialiser "
                                      "of the graph and no output of a node",
                                node->name, node->op_type, graph->values[id].name);
    }
    for (size_t i = 0; i < node->n_outputs; i++) {
        NnValueId id = node->outputs[i];

        r = check_id(graph, node, id, error);
        if (r < 0)
            return r;
        if (id == NN_NO_VALUE)
            continue;
        if (made[id])
            return nn_error_set(error, -EBADMSG, "node '%s' (%s): its output '%s' is made twice",
                                node->name, node->op_type, graph->values[id].name);
        made[id] = 1;
    }
    return 0;
}

int nn_graph_verify(const NnGraph *graph, NnError *error)
{
    _cleanup_free_ uint8_t *made = calloc(NN_MAX(graph->n_values, 1), 1);
    int r;

    if (!made)
        return nn_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < graph->n_values; i++)
        made[i] = graph->values[i].input || graph->values[i].constant;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (graph->nodes[i].removed)
            continue;
        r = verify_node(graph, &graph->nodes[i], made, error);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (!made[graph->outputs[i]])
            return nn_error_set(error, -EBADMSG, "output '%s' of the graph is made by no node",
                                graph->values[graph->outputs[i]].name);
    return 0;
}

int nn_graph_index(const NnGraph *graph, NnGraphIndex *ret_index)
{
    size_t n = NN_MAX(graph->n_values, 1);
    NnGraphIndex index = {
        .producer = malloc(n * sizeof(index.producer[0])),
        .uses = calloc(n, sizeof(index.uses[0])),
    };

    if (!index.producer || !index.uses) {
        nn_graph_index_clear(&index);
        return -ENOMEM;
    }
    memset(index.producer, 0xff, n * sizeof(index.producer[0]));
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const NnNode *node = &graph->nodes[i];

        for (size_t j = 0; !node->removed && j < node->n_inputs; j++)
            if (node->inputs[j] != NN_NO_VALUE)
                index.uses[node->inputs[j]]++;
        for (size_t j = 0; !node->removed && j < node->n_outputs; j++)
            if (node->outputs[j] != NN_NO_VALUE)
                index.producer[node->outputs[j]] = (int32_t)i;
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        index.uses[graph->outputs[i]]++;
    *ret_index = index;
    return 0;
}

void nn_graph_index_clear(NnGraphIndex *index)
{
    free(index->producer);
    free(index->uses);
    *index = (NnGraphIndex){ 0 };
}

void nn_graph_apply_map(NnGraph *graph, const NnValueId *map)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] != NN_NO_VALUE)
                graph->nodes[i].inputs[j] = map[graph->nodes[i].inputs[j]];
    for (size_t i = 0; i < graph->n_outputs; i++)
        graph->outputs[i] = map[graph->outputs[i]];
}
