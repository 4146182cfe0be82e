/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/infer.h"

#include "base/limits.h"

int nn_node_error(const NnNode *node, int code, NnError *error)
{
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

typedef struct Infer {
    NnGraph *graph;
    const NnKernels *kernels;
    NnError *error;
    const NnTensor **in;        /* of the node in hand */
    NnTensor **out;
    NnTensor *results;
    size_t folded_bytes;
} Infer;

static void infer_clear(Infer *infer)
{
    free(infer->in);
    free(infer->out);
    free(infer->results);
}

static int infer_init(Infer *infer)
{
    size_t n_in = 1, n_out = 1;

    for (size_t i = 0; i < infer->graph->n_nodes; i++) {
        n_in = NN_MAX(n_in, infer->graph->nodes[i].n_inputs);
        n_out = NN_MAX(n_out, infer->graph->nodes[i].n_outputs);
    }
    infer->in = calloc(n_in, sizeof(infer->in[0]));
    infer->out = calloc(n_out, sizeof(infer->out[0]));
    infer->results = calloc(n_out, sizeof(infer->results[0]));
    return infer->in && infer->out && infer->results ? 0 : -ENOMEM;
}

static NnCall make_call(Infer *infer, const NnNode *node)
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

static Known how_known(const Infer *infer, const NnNode *node)
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

static int output_bytes(const Infer *infer, const NnNode *node, size_t *ret)
{
    size_t total = 0, bytes;

    for (size_t i = 0; i < node->n_outputs; i++)
        if (infer->out[i] && (nn_tensor_bytes(infer->out[i], &bytes) < 0 ||
                              nn_add_size(total, bytes, &total) < 0))
            return -E2BIG;
    *ret = total;
    return 0;
}

static int allocate_results(Infer *infer, const NnNode *node)
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

/* Evaluates a node whose inputs are known. What is too large is left to the run. */
static int fold(Infer *infer, NnNode *node, NnCall *call, Known known)
{
    size_t bytes;
    int r;

    r = output_bytes(infer, node, &bytes);
    if (r < 0)
        return r;
    if (infer->folded_bytes + bytes > NN_LIMIT_FOLDED_BYTES ||
        (known == KNOWN_PLANNED && bytes > PLANNED_BYTES_MAX))
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
    infer->folded_bytes += bytes;
    node->removed = r >= 0 && known == KNOWN_CONSTANT;
    return r;
}

static int infer_node(Infer *infer, NnNode *node)
{
    NnCall call = make_call(infer, node);
    bool dynamic = node->op->flags & NN_OP_DYNAMIC;
    Known known;
    size_t bytes;
    int r;

    r = node->op->infer(&call);
    if (r < 0)
        return r;
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
    known = how_known(infer, node);
    return known == KNOWN_NOT ? 0 : fold(infer, node, &call, known);
}

int nn_graph_infer(NnGraph *graph, const NnKernels *kernels, NnError *error)
{
    _cleanup_(infer_clear) Infer infer = { .graph = graph, .kernels = kernels, .error = error };
    int r;

    r = infer_init(&infer);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        NnNode *node = &graph->nodes[i];

        if (node->removed)
            continue;
        r = infer_node(&infer, node);
        if (r < 0)
            return nn_node_error(node, r, error);
    }
    nn_graph_compact(graph);
    return 0;
}
