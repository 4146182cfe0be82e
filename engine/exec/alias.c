/* SPDX-License-Identifier: Apache-2.0 */

/* Concat and Slice of channels-last pictures without a copy. A value is made inside
 * another when all who touch it know of pitches; whoever cannot has it copied, by the
 * operator. A value that stands for itself has a pitch where its pixels would get into
 * each other's way in the cache. */

#include "exec/exec.h"

/* Pixels that begin this many bytes apart, or a multiple, share few sets of a first-level
 * cache; a line more from each to the next spreads them over all. */
#define SET_BYTES 4096
#define LINE_FLOATS 16

typedef struct Finder {
    const NnGraph *graph;
    NnAlias *aliases;
    uint8_t *fixed;     /* of each value: it must be dense */
} Finder;

static bool is_pitched(const NnNode *node)
{
    return node->op->flags & NN_OP_PITCH;
}

/* What some node or caller needs dense. */
static void mark_fixed(Finder *finder)
{
    const NnGraph *graph = finder->graph;

    for (size_t i = 0; i < graph->n_inputs; i++)
        finder->fixed[graph->inputs[i]] = 1;
    for (size_t i = 0; i < graph->n_outputs; i++)
        finder->fixed[graph->outputs[i]] = 1;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const NnNode *node = &graph->nodes[i];

        for (size_t j = 0; !is_pitched(node) && j < node->n_inputs; j++)
            if (node->inputs[j] != NN_NO_VALUE)
                finder->fixed[node->inputs[j]] = 1;
        for (size_t j = 0; !is_pitched(node) && j < node->n_outputs; j++)
            if (node->outputs[j] != NN_NO_VALUE)
                finder->fixed[node->outputs[j]] = 1;
    }
    for (size_t i = 0; i < graph->n_values; i++) {
        const NnValue *value = &graph->values[i];

        if (!value->inferred || value->constant || value->dynamic || value->tensor.rank != 4 ||
            value->tensor.dtype != NN_DTYPE_F32)
            finder->fixed[i] = 1;
    }
}

static bool can_hold(const Finder *finder, NnValueId id)
{
    const NnValue *value = &finder->graph->values[id];

    return value->inferred && !value->constant && !value->dynamic;
}

static void alias_inputs(Finder *finder, const NnNode *node)
{
    int64_t first = 0;

    if (!can_hold(finder, node->outputs[0]))
        return;
    for (size_t i = 0; i < node->n_inputs; i++) {
        NnValueId id = node->inputs[i];

        if (!finder->fixed[id] && finder->aliases[id].in == NN_NO_VALUE)
            finder->aliases[id] = (NnAlias){ node->outputs[0], first };
        first += finder->graph->values[id].tensor.dims[3];
    }
}

static void alias_part(Finder *finder, const NnNode *node)
{
    NnValueId id = node->outputs[0];

    if (!finder->fixed[id] && can_hold(finder, node->inputs[0]))
        finder->aliases[id] =
            (NnAlias){ node->inputs[0], node->op->first_channel(node->params) };
}

/* The pitch of a value whose users all know of pitches. */
static int64_t spread_pixels(const NnTensor *tensor)
{
    int64_t channels = tensor->dims[3];

    return channels > 0 && channels * (int64_t)sizeof(float) % SET_BYTES == 0
               ? channels + LINE_FLOATS
               : 0;
}

int nn_alias_find(const NnGraph *graph, NnAlias **ret_aliases)
{
    size_t n = NN_MAX(graph->n_values, 1);
    _cleanup_free_ NnAlias *aliases = malloc(n * sizeof(aliases[0]));
    _cleanup_free_ uint8_t *fixed = calloc(n, 1);
    Finder finder = { .graph = graph, .aliases = aliases, .fixed = fixed };

    if (!aliases || !fixed)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        aliases[i] = (NnAlias){ .in = NN_NO_VALUE };
    mark_fixed(&finder);
    /* Slices first: what is read inside another cannot be made inside a third. */
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op->flags & NN_OP_PART)
            alias_part(&finder, &graph->nodes[i]);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op->flags & NN_OP_JOIN)
            alias_inputs(&finder, &graph->nodes[i]);
    for (size_t i = 0; i < graph->n_values; i++)
        if (!fixed[i] && aliases[i].in == NN_NO_VALUE)
            aliases[i].pitch = spread_pixels(&graph->values[i].tensor);
    *ret_aliases = NN_TAKE(aliases);
    return 0;
}
