/* SPDX-License-Identifier: Apache-2.0 */

#include "graph/body.h"

#include "base/limits.h"

void nn_body_clear(NnBody *body)
{
    free(body->map);
}

int nn_body_value(NnInfer *infer, const char *name, NnValueId *ret_id)
{
    int r = nn_graph_add_value(infer->graph, name, ret_id);

    return r < 0 ? nn_infer_full(infer, r) : 0;
}

int nn_body_number(NnInfer *infer, NnDtype dtype, int rank, int64_t number, NnValueId *ret_id)
{
    NnTensor tensor = { .dtype = dtype, .rank = rank, .dims = { 1 } };
    int r;

    tensor.data = nn_aligned_alloc(sizeof(number));
    if (!tensor.data)
        return nn_infer_full(infer, -ENOMEM);
    if (dtype == NN_DTYPE_BOOL)
        *(uint8_t *)tensor.data = number != 0;
    else
        *(int64_t *)tensor.data = number;
    r = nn_graph_add_constant(infer->graph, "", &tensor, ret_id);
    if (r < 0) {
        free(tensor.data);
        return nn_infer_full(infer, r);
    }
    return 0;
}

int nn_body_init(NnInfer *infer, const NnNode *node, const char *attribute, size_t n_args,
                     NnBody *ret)
{
    const NnGraph *graph;
    NnBody body = { 0 };
    int r;

    r = nn_node_graph(node, attribute, &graph, infer->error);
    if (r < 0)
        return r;
    if (graph->n_inputs != n_args)
        return nn_error_set(infer->error, -EBADMSG, "its %s has %zu inputs, %zu were expected",
                            attribute, graph->n_inputs, n_args);
    body.graph = graph;
    body.map = malloc(NN_MAX(graph->n_values, 1) * sizeof(body.map[0]));
    if (!body.map)
        return nn_infer_full(infer, -ENOMEM);
    for (size_t i = 0; r >= 0 && i < graph->n_values; i++) {
        body.map[i] = NN_NO_VALUE;
        if (!graph->values[i].constant)
            continue;
        r = nn_body_value(infer, graph->values[i].name, &body.map[i]);
        if (r >= 0)
            nn_value_set_constant(&infer->graph->values[body.map[i]], &graph->values[i].tensor,
                                  false);
    }
    for (size_t i = 0; i < graph->n_captures; i++)
        body.map[graph->captures[i].inner] = node->inputs[graph->captures[i].input];
    if (r < 0)
        nn_body_clear(&body);
    else
        *ret = body;
    return r;
}

static int clone_ids(const NnBody *body, const NnValueId *ids, size_t n, NnValueId **ret)
{
    NnValueId *copy = malloc(NN_MAX(n, 1) * sizeof(copy[0]));

    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        copy[i] = ids[i] == NN_NO_VALUE ? NN_NO_VALUE : body->map[ids[i]];
    *ret = copy;
    return 0;
}

static int clone_node(const NnBody *body, const NnNode *node, NnNode *clone)
{
    clone->opset = node->opset;
    clone->attributes = node->attributes;
    clone->n_attributes = node->n_attributes;
    clone->borrowed = true;
    clone->name = strdup(node->name);
    clone->op_type = strdup(node->op_type);
    clone->domain = strdup(node->domain);
    if (!clone->name || !clone->op_type || !clone->domain ||
        clone_ids(body, node->inputs, node->n_inputs, &clone->inputs) < 0 ||
        clone_ids(body, node->outputs, node->n_outputs, &clone->outputs) < 0)
        return -ENOMEM;
    clone->n_inputs = node->n_inputs;
    clone->n_outputs = node->n_outputs;
    return 0;
}

int nn_body_append(NnInfer *infer, NnBody *body, const NnValueId *args)
{
    const NnGraph *graph = body->graph;
    int r = 0;

    for (size_t i = 0; i < graph->n_inputs; i++)
        body->map[graph->inputs[i]] = args[i];
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        const NnNode *node = &graph->nodes[i];
        NnNode clone = { 0 };

        for (size_t j = 0; r >= 0 && j < node->n_outputs; j++)
            if (node->outputs[j] != NN_NO_VALUE)
                r = nn_body_value(infer, graph->values[node->outputs[j]].name,
                              &body->map[node->outputs[j]]);
        if (r < 0)
            return r;
        if (clone_node(body, node, &clone) < 0) {
            nn_node_clear(&clone);
            return nn_infer_full(infer, -ENOMEM);
        }
        r = nn_infer_append(infer, &clone);
    }
    return r;
}

int nn_body_identity(NnInfer *infer, NnValueId from, NnValueId to)
{
    return to == NN_NO_VALUE ? 0 : nn_infer_build(infer, "Identity", &from, 1, NULL, 0, to);
}

int nn_body_stack(NnInfer *infer, const NnValueId *ids, size_t n, size_t step, bool reverse,
                        int64_t axis, NnValueId to)
{
    const NnBuildAttribute attribute = { .name = "axis", .i = axis };
    _cleanup_free_ NnValueId *parts = NULL;
    NnValueId axes;
    int r;

    if (to == NN_NO_VALUE)
        return 0;
    if (n == 0)
        return nn_error_set(infer->error, -ENOTSUP, "it makes no turn, so that an output is empty");
    if (n > NN_LIMIT_NODE_INPUTS)
        return nn_error_set(infer->error, -E2BIG, "it makes more than %d turns",
                            NN_LIMIT_NODE_INPUTS);
    parts = malloc(n * sizeof(parts[0]));
    if (!parts)
        return nn_infer_full(infer, -ENOMEM);
    r = nn_body_number(infer, NN_DTYPE_I64, 1, axis, &axes);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        const NnValueId in[] = { ids[(reverse ? n - 1 - i : i) * step], axes };

        r = nn_body_value(infer, "", &parts[i]);
        if (r >= 0)
            r = nn_infer_build(infer, "Unsqueeze", in, 2, NULL, 0, parts[i]);
    }
    return r < 0 ? r : nn_infer_build(infer, "Concat", parts, n, &attribute, 1, to);
}

int nn_body_check_outputs(NnInfer *infer, const NnNode *node, const NnBody *body, size_t extra)
{
    if (body->graph->n_outputs != node->n_outputs + extra)
        return nn_error_set(infer->error, -EBADMSG,
                            "a body has %zu outputs, %zu were expected", body->graph->n_outputs,
                            node->n_outputs + extra);
    return 0;
}

size_t nn_body_own_inputs(const NnNode *node)
{
    size_t n = node->n_inputs;

    for (size_t i = 0; i < node->n_attributes; i++)
        if (node->attributes[i].type == NN_ATTRIBUTE_GRAPH)
            n -= node->attributes[i].graph->n_captures;
    return n;
}

void nn_turns_clear(NnTurns *turns)
{
    free(turns->ids);
}

int nn_turns_add(NnInfer *infer, NnTurns *turns, const NnBody *body)
{
    if (turns->each && turns->n >= NN_LIMIT_NODE_INPUTS)
        return nn_error_set(infer->error, -E2BIG, "it makes more than %d turns",
                            NN_LIMIT_NODE_INPUTS);
    if ((turns->n + 1) * turns->each > turns->capacity) {
        size_t capacity = NN_MAX(2 * turns->capacity, 16 * turns->each);
        NnValueId *more = reallocarray(turns->ids, capacity, sizeof(more[0]));

        if (!more)
            return nn_infer_full(infer, -ENOMEM);
        turns->ids = more;
        turns->capacity = capacity;
    }
    for (size_t i = 0; i < turns->each; i++)
        turns->ids[turns->n * turns->each + i] = nn_body_output(body, turns->first + i);
    turns->n++;
    return 0;
}

