/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/infer_node.h"

#include "base/limits.h"

int nn_node_error(const NnNode *node, int code, NnError *error)
{
    /* An operator that finds no memory has nothing to say about the node. */
    if (code == -ENOMEM)
        nn_error_set(error, code, "out of memory");
    return nn_error_prefix(error, code, "node '%s' (%s, opset %d)", node->name, node->op_type,
                           node->opset);
}

int nn_node_set_op(NnNode *node, const NnOp *op)
{
    _cleanup_free_ void *params = calloc(1, NN_MAX(op->params_bytes, 1));
    char *type = strdup(op->type);

    if (!params || !type) {
        free(type);
        return -ENOMEM;
    }
    free(node->params);
    free(node->op_type);
    node->params = NN_TAKE(params);
    node->op_type = type;
    node->op = op;
    return 0;
}

/* Of the nodes that the engine makes itself. */
#define NN_BUILD_OPSET 13

static void infer_clear(NnInfer *infer)
{
    free(infer->in);
    free(infer->out);
    free(infer->results);
    free(infer->wide);
}

/* Room for the pointers of a call; what was there before is stale then. */
static int reserve(NnInfer *infer, size_t n_in, size_t n_out)
{
    if (n_in > infer->n_in || !infer->in) {
        free(infer->in);
        infer->n_in = 2 * n_in + 8;
        infer->in = calloc(infer->n_in, sizeof(infer->in[0]));
    }
    if (n_out > infer->n_out || !infer->out || !infer->results) {
        free(infer->out);
        free(infer->results);
        infer->n_out = 2 * n_out + 8;
        infer->out = calloc(infer->n_out, sizeof(infer->out[0]));
        infer->results = calloc(infer->n_out, sizeof(infer->results[0]));
    }
    return infer->in && infer->out && infer->results ? 0 : -ENOMEM;
}

static NnCall make_call(NnInfer *infer, const NnNode *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        infer->in[i] = node->inputs[i] == NN_NO_VALUE
                           ? NULL
                           : &infer->graph->values[node->inputs[i]].tensor;
    for (size_t i = 0; i < node->n_outputs; i++) {
        infer->results[i] = (NnTensor){ 0 };
        infer->out[i] = node->outputs[i] == NN_NO_VALUE ? NULL : &infer->results[i];
    }
    return (NnCall){
        .node = node,
        .params = node->params,
        .in = infer->in,
        .n_in = node->n_inputs,
        .out = infer->out,
        .n_out = node->n_outputs,
        .kernels = infer->kernels,
        .error = infer->error,
    };
}

/* Runs a node on constants, once. The results' data is malloc'd. */
static int evaluate(NnCall *call)
{
    const NnOp *op = call->node->op;
    _cleanup_free_ void *scratch = NULL;
    _cleanup_free_ void *state = NULL;
    size_t state_bytes;
    int r = 0;

    if (op->create) {
        r = op->create(call, &state, &state_bytes);
        if (r < 0)
            return r;
        call->state = state;
    }
    if (op->scratch) {
        size_t bytes = op->scratch(call);

        scratch = bytes > NN_LIMIT_ARENA_BYTES ? NULL : nn_aligned_alloc(bytes);
        if (!scratch)
            r = nn_error_set(call->error, -ENOMEM, "out of memory for %zu bytes", bytes);
        call->scratch = scratch;
    }
    return r < 0 ? r : op->run(call);
}

/* What a node's outputs are known to be while loading. */
typedef enum Known {
    KNOWN_NOT,
    KNOWN_CONSTANT,
    KNOWN_PLANNED,      /* what they are when dynamic dims are the largest: shape arithmetic */
} Known;

/* Planned values are those of shapes; more bytes are no shape. */
#define PLANNED_BYTES_MAX 1024

/* Steps and bytes that count for nothing. */
#define SMALL_WORK 4096

static Known how_known(const NnInfer *infer, const NnNode *node)
{
    Known known = KNOWN_CONSTANT;

    if (node->op->flags & NN_OP_NO_FOLD)
        return KNOWN_NOT;
    for (size_t i = 0; i < node->n_inputs; i++) {
        const NnValue *value;

        if (node->inputs[i] == NN_NO_VALUE)
            continue;
        value = &infer->graph->values[node->inputs[i]];
        if (value->dynamic)
            known = KNOWN_PLANNED;
        if (!value->tensor.data && !(node->op->flags & NN_OP_DIMS_ONLY))
            return KNOWN_NOT;
    }
    if (known == KNOWN_PLANNED && (node->op->flags & NN_OP_DYNAMIC))
        return KNOWN_NOT;
    return known;
}

static int output_bytes(const NnInfer *infer, const NnNode *node, size_t *ret)
{
    size_t total = 0, bytes;

    for (size_t i = 0; i < node->n_outputs; i++)
        if (infer->out[i] && (nn_tensor_bytes(infer->out[i], &bytes) < 0 ||
                              nn_add_size(total, bytes, &total) < 0))
            return -E2BIG;
    *ret = total;
    return 0;
}

static int allocate_results(NnInfer *infer, const NnNode *node)
{
    for (size_t i = 0; i < node->n_outputs; i++) {
        size_t bytes;

        if (!infer->out[i])
            continue;
        if (nn_tensor_bytes(infer->out[i], &bytes) < 0)
            return -E2BIG;
        infer->out[i]->data = nn_aligned_alloc(bytes);
        if (!infer->out[i]->data)
            return nn_error_set(infer->error, -ENOMEM, "out of memory for %zu bytes", bytes);
    }
    return 0;
}

/* All factors of the dims that nn_tensor_bytes() accepted; an empty tensor counts
 * as its other dims do, because loops may run over those. */
static uint64_t elements(const NnTensor *tensor)
{
    uint64_t n = 1;

    for (int i = 0; i < tensor->rank; i++)
        n *= (uint64_t)NN_MAX(tensor->dims[i], 1);
    return n;
}

uint64_t nn_call_work(const NnCall *call)
{
    const NnOp *op = call->node->op;
    uint64_t work = 0;

    for (size_t i = 0; i < call->n_in; i++)
        work += call->in[i] && !(op->flags & NN_OP_DIMS_ONLY) ? elements(call->in[i]) : 0;
    for (size_t i = 0; i < call->n_out; i++)
        work += call->out[i] ? elements(call->out[i]) : 0;
    return work + (op->flops ? op->flops(call) : 0) + (op->work ? op->work(call) : 0);
}

/* Whether a node may still be evaluated. Small ones always may: shape arithmetic
 * must not depend on the weights that were folded before it. */
static bool may_fold(NnInfer *infer, const NnCall *call, size_t bytes)
{
    uint64_t work = nn_call_work(call);

    if (work <= SMALL_WORK && bytes <= SMALL_WORK)
        return true;
    if (infer->folded_bytes + bytes > NN_LIMIT_FOLDED_BYTES ||
        work > NN_LIMIT_FOLDED_WORK - infer->folded_work)
        return false;
    infer->folded_bytes += bytes;
    infer->folded_work += work;
    return true;
}

/* Evaluates a node whose inputs are known. What is too large is left to the run. */
static int fold(NnInfer *infer, NnNode *node, NnCall *call, Known known)
{
    size_t bytes;
    int r;

    r = output_bytes(infer, node, &bytes);
    if (r < 0)
        return r;
    if ((known == KNOWN_PLANNED && bytes > PLANNED_BYTES_MAX) || !may_fold(infer, call, bytes))
        return 0;
    r = allocate_results(infer, node);
    if (r >= 0)
        r = evaluate(call);
    for (size_t i = 0; i < node->n_outputs; i++) {
        NnValue *value;

        if (!infer->out[i])
            continue;
        value = &infer->graph->values[node->outputs[i]];
        if (r < 0)
            free(infer->out[i]->data);
        else
            nn_value_set_constant(value, infer->out[i], true);
        if (known == KNOWN_PLANNED) {
            value->constant = false;
            value->dynamic = true;
        }
    }
    node->removed = r >= 0 && known == KNOWN_CONSTANT;
    return r;
}

/* Types and shapes of a node's outputs from its inputs', into infer->results. */
static int infer_outputs(NnInfer *infer, const NnNode *node)
{
    NnCall call;
    int r;

    r = reserve(infer, node->n_inputs, node->n_outputs);
    if (r < 0)
        return nn_error_set(infer->error, r, "out of memory");
    call = make_call(infer, node);
    return node->op->infer(&call);
}

static int set_outputs(NnInfer *infer, const NnNode *node)
{
    bool dynamic = node->op->flags & NN_OP_DYNAMIC;
    size_t bytes;
    int r;

    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != NN_NO_VALUE)
            dynamic = dynamic || infer->graph->values[node->inputs[i]].dynamic;
    for (size_t i = 0; i < node->n_outputs; i++) {
        NnValue *value;

        if (!infer->out[i])
            continue;
        infer->out[i]->data = NULL;
        r = nn_tensor_bytes(infer->out[i], &bytes);
        if (r < 0)
            return nn_error_set(infer->error, r, "output %zu would be larger than %zu MiB", i,
                                NN_LIMIT_TENSOR_BYTES >> 20);
        value = &infer->graph->values[node->outputs[i]];
        value->tensor = *infer->out[i];
        value->inferred = true;
        value->dynamic = dynamic;
    }
    return 0;
}

static int append_inferred(NnInfer *infer, NnNode *node)
{
    NnGraph *graph = infer->graph;
    NnNode *place;
    NnCall call;
    Known known;
    int r;

    r = nn_graph_take_node(graph, node);
    if (r < 0)
        return nn_infer_full(infer, r);
    place = &graph->nodes[graph->n_nodes - 1];
    r = set_outputs(infer, place);
    if (r < 0)
        return nn_node_error(place, r, infer->error);
    known = how_known(infer, place);
    if (known != KNOWN_NOT) {
        call = make_call(infer, place);
        for (size_t i = 0; i < place->n_outputs; i++)
            if (infer->out[i])
                infer->results[i] = graph->values[place->outputs[i]].tensor;
        r = fold(infer, place, &call, known);
        if (r < 0)
            return nn_node_error(place, r, infer->error);
    }
    if (place->removed) {
        nn_node_clear(place);
        graph->n_nodes--;
    }
    return 0;
}

int nn_infer_full(NnInfer *infer, int r)
{
    if (r == -E2BIG)
        return nn_error_set(infer->error, r, "it has more than %d values or %d nodes",
                            NN_LIMIT_VALUES, NN_LIMIT_NODES);
    return nn_error_set(infer->error, r, "out of memory");
}

/* Shapes of a node that does not do float16, between casts. */
static int infer_widened(NnInfer *infer, NnNode *node, NnHalfPair **ret_pairs, size_t *ret_n)
{
    bool narrow;
    int r;

    r = nn_half_widen(infer, node, &narrow);
    if (r >= 0)
        r = infer_outputs(infer, node);
    return r >= 0 && narrow ? nn_half_split(infer, node, ret_pairs, ret_n) : r;
}

static int append_plain(NnInfer *infer, NnNode *node)
{
    _cleanup_free_ NnHalfPair *pairs = NULL;
    size_t n_pairs = 0;
    int r;

    r = infer_outputs(infer, node);
    if (r == -ENOTSUP && nn_half_reads(infer, node))
        r = infer_widened(infer, node, &pairs, &n_pairs);
    if (r < 0) {
        nn_node_error(node, r, infer->error);
        nn_node_clear(node);
        return r;
    }
    r = append_inferred(infer, node);
    return r < 0 ? r : nn_half_narrow(infer, pairs, n_pairs);
}

int nn_infer_append(NnInfer *infer, NnNode *node)
{
    int r = 0;

    if (!node->op)
        r = nn_node_resolve(infer->graph, node, infer->error);
    if (r >= 0 && !(node->op->flags & NN_OP_BODY))
        return append_plain(infer, node);
    if (r >= 0)
        r = nn_body_expand(infer, node);
    if (r < 0) {
        nn_node_error(node, r, infer->error);
        nn_node_clear(node);
        return r;
    }
    r = nn_graph_take_spent(infer->graph, node);
    return r < 0 ? nn_infer_full(infer, r) : 0;
}

static int build_node(NnNode *node, const char *type, const NnValueId *inputs, size_t n_inputs,
                      const NnBuildAttribute *attributes, size_t n_attributes, NnValueId output)
{
    node->name = strdup(type);
    node->op_type = strdup(type);
    node->domain = strdup("");
    node->inputs = reallocarray(NULL, NN_MAX(n_inputs, 1), sizeof(node->inputs[0]));
    node->outputs = malloc(sizeof(node->outputs[0]));
    node->attributes = calloc(NN_MAX(n_attributes, 1), sizeof(node->attributes[0]));
    if (!node->name || !node->op_type || !node->domain || !node->inputs || !node->outputs ||
        !node->attributes)
        return -ENOMEM;
    memcpy(node->inputs, inputs, n_inputs * sizeof(inputs[0]));
    node->n_inputs = n_inputs;
    node->outputs[0] = output;
    node->n_outputs = 1;
    for (size_t i = 0; i < n_attributes; i++) {
        node->attributes[i].type = NN_ATTRIBUTE_INT;
        node->attributes[i].i = attributes[i].i;
        node->attributes[i].name = strdup(attributes[i].name);
        node->n_attributes++;
        if (!node->attributes[i].name)
            return -ENOMEM;
    }
    return 0;
}

int nn_infer_build(NnInfer *infer, const char *type, const NnValueId *inputs, size_t n_inputs,
                   const NnBuildAttribute *attributes, size_t n_attributes, NnValueId output)
{
    NnNode node = { .opset = NN_BUILD_OPSET };

    if (build_node(&node, type, inputs, n_inputs, attributes, n_attributes, output) < 0) {
        nn_node_clear(&node);
        return nn_infer_full(infer, -ENOMEM);
    }
    return nn_infer_append(infer, &node);
}

int nn_graph_infer(NnGraph *graph, const NnKernels *kernels, NnError *error)
{
    _cleanup_(infer_clear) NnInfer infer = { .graph = graph, .kernels = kernels, .error = error };
    _cleanup_free_ NnNode *nodes = graph->nodes;
    size_t n = graph->n_nodes;
    int r = 0;

    graph->nodes = NULL;
    graph->n_nodes = graph->nodes_capacity = 0;
    for (size_t i = 0; i < n; i++) {
        if (r < 0 || nodes[i].removed)
            nn_node_clear(&nodes[i]);
        else
            r = nn_infer_append(&infer, &nodes[i]);
    }
    if (r >= 0)
        nn_graph_compact(graph);
    return r;
}
