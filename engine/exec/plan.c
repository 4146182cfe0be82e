/* SPDX-License-Identifier: Apache-2.0 */

/* The memory plan: lifetimes in steps, views and in-place results share their
 * origin's memory, the rest goes greedily, largest first, to the lowest offset
 * that is free for its whole life (Pisarchyk & Lee, "Efficient Memory Management
 * for Deep Neural Net Inference", 2020). Channels of a picture that are a value of
 * their own lie inside it, see alias.c; it lives from the first of them to the last. */

#include "base/limits.h"
#include "exec/exec.h"

typedef struct Buffer {
    NnValueId root;     /* the value whose memory this is */
    size_t bytes;
    int first, last;    /* steps */
    size_t offset;
} Buffer;

typedef struct Planner {
    const NnGraph *graph;
    NnAlias *aliases;   /* of each value */
    NnValueId *root;    /* of each value: whose memory it lies in, itself or a step nearer */
    Buffer *buffers;    /* by root value id, later packed */
    int *last;          /* step that reads a value, or what lies in it, last */
} Planner;

static void planner_clear(Planner *planner)
{
    free(planner->aliases);
    free(planner->root);
    free(planner->buffers);
    free(planner->last);
}

static bool is_stored(const NnValue *value)
{
    return value->inferred && !value->constant;
}

static NnValueId root_of(const Planner *planner, NnValueId id)
{
    while (planner->root[id] != id)
        id = planner->root[id];
    return id;
}

/* What holds others is needed as long as these. */
static void keep_holders(Planner *planner)
{
    for (size_t i = 0; i < planner->graph->n_values; i++)
        for (NnValueId id = (NnValueId)i; planner->aliases[id].in != NN_NO_VALUE;) {
            id = planner->aliases[id].in;
            planner->last[id] = NN_MAX(planner->last[id], planner->last[i]);
        }
}

static int planner_init(Planner *planner)
{
    const NnGraph *graph = planner->graph;
    size_t n = NN_MAX(graph->n_values, 1);
    int r;

    r = nn_alias_find(graph, &planner->aliases);
    if (r < 0)
        return r;
    planner->root = malloc(n * sizeof(planner->root[0]));
    planner->buffers = calloc(n, sizeof(planner->buffers[0]));
    planner->last = malloc(n * sizeof(planner->last[0]));
    if (!planner->root || !planner->buffers || !planner->last)
        return -ENOMEM;
    for (size_t i = 0; i < graph->n_values; i++) {
        NnValueId holder = planner->aliases[i].in;

        planner->root[i] = holder != NN_NO_VALUE ? holder : (NnValueId)i;
        planner->last[i] = -1;
        planner->buffers[i] = (Buffer){ .root = (NnValueId)i, .first = -1, .last = -1 };
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] != NN_NO_VALUE)
                planner->last[graph->nodes[i].inputs[j]] = (int)i;
    for (size_t i = 0; i < graph->n_outputs; i++)
        planner->last[graph->outputs[i]] = (int)graph->n_nodes;
    keep_holders(planner);
    return 0;
}

/* Whether `node` at step i may write output 0 over input 0. */
static bool may_overwrite(const Planner *planner, const NnNode *node, int i)
{
    const NnValue *in = &planner->graph->values[node->inputs[0]];
    const NnValue *out = &planner->graph->values[node->outputs[0]];
    NnValueId root = root_of(planner, node->inputs[0]);

    return (node->op->flags & NN_OP_IN_PLACE) && planner->buffers[root].last == i &&
           in->tensor.dtype == out->tensor.dtype &&
           nn_tensor_same_shape(&in->tensor, &out->tensor);
}

/* Dynamic values keep to themselves: their true dims may differ from those of
 * what they would share with. */
static bool shares_input(const Planner *planner, const NnNode *node, int i)
{
    const NnValue *values = planner->graph->values;

    if (node->n_inputs == 0 || node->inputs[0] == NN_NO_VALUE || node->outputs[0] == NN_NO_VALUE ||
        !is_stored(&values[node->inputs[0]]) || values[node->inputs[0]].dynamic ||
        values[node->outputs[0]].dynamic)
        return false;
    return (node->op->flags & NN_OP_VIEW) || may_overwrite(planner, node, i);
}

/* The memory of `root`, which is first needed, or needed further, at step i. */
static int need_buffer(Planner *planner, NnValueId root, int i)
{
    Buffer *buffer = &planner->buffers[root];
    int r;

    if (buffer->first < 0) {
        NnTensor tensor = planner->graph->values[root].tensor;

        if (planner->aliases[root].pitch)
            tensor.dims[3] = planner->aliases[root].pitch;
        r = nn_tensor_bytes(&tensor, &buffer->bytes);
        if (r < 0)
            return r;
        buffer->bytes = nn_align_up(NN_MAX(buffer->bytes, 1), 64);
        buffer->first = i;
    }
    buffer->last = NN_MAX(NN_MAX(buffer->last, planner->last[root]), i);
    return 0;
}

static int place_outputs(Planner *planner, const NnNode *node, int i)
{
    int r;

    for (size_t j = 0; j < node->n_outputs; j++) {
        NnValueId id = node->outputs[j], root;

        if (id == NN_NO_VALUE || !is_stored(&planner->graph->values[id]))
            continue;
        if (j == 0 && shares_input(planner, node, i)) {
            planner->root[id] = node->inputs[0];
            root = root_of(planner, id);
            planner->buffers[root].last = NN_MAX(planner->buffers[root].last, planner->last[id]);
            continue;
        }
        r = need_buffer(planner, root_of(planner, id), i);
        if (r < 0)
            return r;
    }
    return 0;
}

static int collect(Planner *planner)
{
    const NnGraph *graph = planner->graph;
    int r;

    for (size_t i = 0; i < graph->n_inputs; i++) {
        r = need_buffer(planner, graph->inputs[i], 0); /* written before the first step */
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        r = place_outputs(planner, &graph->nodes[i], (int)i);
        if (r < 0)
            return r;
    }
    return 0;
}

static int by_size(const void *a, const void *b)
{
    const Buffer *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->root - y->root;
}

static int by_offset(const void *a, const void *b)
{
    const Buffer *x = *(Buffer *const *)a, *y = *(Buffer *const *)b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The lowest gap among `placed`, sorted by offset, that the buffer's life allows. */
static size_t lowest_gap(const Buffer *buffer, Buffer *const *placed, size_t n)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const Buffer *other = placed[i];

        if (other->last < buffer->first || other->first > buffer->last)
            continue;
        if (other->offset >= at && other->offset - at >= buffer->bytes)
            break;
        at = NN_MAX(at, other->offset + other->bytes);
    }
    return at;
}

static int assign(Buffer *buffers, size_t n, size_t *ret_bytes)
{
    _cleanup_free_ Buffer **placed = calloc(NN_MAX(n, 1), sizeof(placed[0]));
    size_t end = 0;

    if (!placed)
        return -ENOMEM;
    qsort(buffers, n, sizeof(buffers[0]), by_size);
    for (size_t i = 0; i < n; i++) {
        size_t at = i;

        buffers[i].offset = lowest_gap(&buffers[i], placed, i);
        end = NN_MAX(end, buffers[i].offset + buffers[i].bytes);
        if (end > NN_LIMIT_ARENA_BYTES)
            return -E2BIG;
        while (at > 0 && by_offset(&placed[at - 1], &(Buffer *){ &buffers[i] }) > 0) {
            placed[at] = placed[at - 1];
            at--;
        }
        placed[at] = &buffers[i];
    }
    *ret_bytes = end;
    return 0;
}

/* Offsets and pitches of all values from those of the buffers. */
static void place_values(const Planner *planner, size_t n_buffers, NnPlan *plan)
{
    const NnGraph *graph = planner->graph;

    for (size_t i = 0; i < graph->n_values; i++) {
        plan->offset[i] = SIZE_MAX;
        plan->pitch[i] = 0;
    }
    for (size_t i = 0; i < n_buffers; i++)
        plan->offset[planner->buffers[i].root] = planner->buffers[i].offset;
    for (size_t i = 0; i < graph->n_values; i++) {
        NnValueId id = (NnValueId)i;
        int64_t first = 0;

        for (; planner->aliases[id].in != NN_NO_VALUE; id = planner->aliases[id].in)
            first += planner->aliases[id].first;
        plan->pitch[i] = planner->aliases[id].pitch;
        if (id != (NnValueId)i && plan->pitch[i] == 0)
            plan->pitch[i] = graph->values[id].tensor.dims[3];
        plan->offset[i] = plan->offset[root_of(planner, id)];
        if (plan->offset[i] != SIZE_MAX)
            plan->offset[i] += (size_t)first * sizeof(float);
    }
}

int nn_plan_make(const NnGraph *graph, size_t scratch_bytes, NnPlan *ret_plan)
{
    _cleanup_(planner_clear) Planner planner = { .graph = graph };
    size_t n = 0, bytes, total, n_values = NN_MAX(graph->n_values, 1);
    NnPlan plan;
    int r;

    r = planner_init(&planner);
    if (r >= 0)
        r = collect(&planner);
    if (r < 0)
        return r;
    for (size_t i = 0; i < graph->n_values; i++)
        if (planner.buffers[i].first >= 0)
            planner.buffers[n++] = planner.buffers[i];
    r = assign(planner.buffers, n, &bytes);
    if (r < 0)
        return r;
    if (nn_add_size(bytes, scratch_bytes, &total) < 0 || total > NN_LIMIT_ARENA_BYTES)
        return -E2BIG;
    plan = (NnPlan){
        .offset = malloc(n_values * sizeof(plan.offset[0])),
        .pitch = malloc(n_values * sizeof(plan.pitch[0])),
        .scratch_offset = bytes,
        .arena_bytes = total,
    };
    if (!plan.offset || !plan.pitch) {
        nn_plan_clear(&plan);
        return -ENOMEM;
    }
    place_values(&planner, n, &plan);
    *ret_plan = plan;
    return 0;
}

void nn_plan_clear(NnPlan *plan)
{
    free(plan->offset);
    free(plan->pitch);
    *plan = (NnPlan){ 0 };
}
