/* SPDX-License-Identifier: Apache-2.0 */

/* From a graph with complete input shapes to a program: infer, passes, pack, plan. */

#include "base/limits.h"
#include "exec/algorithm.h"
#include "passes/passes.h"

typedef struct Pointers {
    const NnTensor **in;
    NnTensor **out;
} Pointers;

static void pointers_clear(Pointers *pointers)
{
    free(pointers->in);
    free(pointers->out);
}

static NnCall step_call(const NnProgram *program, const NnNode *node, Pointers *pointers,
                        NnError *error)
{
    NnValue *values = program->graph->values;

    for (size_t i = 0; i < node->n_inputs; i++)
        pointers->in[i] = node->inputs[i] == NN_NO_VALUE ? NULL : &values[node->inputs[i]].tensor;
    for (size_t i = 0; i < node->n_outputs; i++)
        pointers->out[i] = node->outputs[i] == NN_NO_VALUE ? NULL
                                                           : &values[node->outputs[i]].tensor;
    return (NnCall){
        .node = node,
        .params = node->params,
        .in = pointers->in,
        .n_in = node->n_inputs,
        .out = pointers->out,
        .n_out = node->n_outputs,
        .pool = program->context->pool,
        .kernels = &program->context->kernels,
        .error = error,
    };
}

/* Steps of another program that may have packed the same weights: those near this
 * one, for shapes change few steps. */
#define STATE_REACH 16

/* Uses what another program has packed where it is the same, byte by byte. */
static void share_state(NnStep *step, size_t index, const NnProgram *like)
{
    size_t first = index > STATE_REACH ? index - STATE_REACH : 0;

    for (size_t i = first; i < like->n_steps && i <= index + STATE_REACH; i++) {
        const NnStep *other = &like->steps[i];

        if (!other->state_refs || other->node->op != step->node->op ||
            other->state_bytes != step->state_bytes || other->state == step->state ||
            memcmp(other->state, step->state, step->state_bytes) != 0)
            continue;
        free(step->state);
        free(step->state_refs);
        step->state = other->state;
        step->state_refs = other->state_refs;
        ++*step->state_refs;
        return;
    }
}

static int make_state(NnProgram *program, NnStep *step, NnCall *call, const NnProgram *like)
{
    int r;

    step->state_refs = malloc(sizeof(*step->state_refs));
    if (!step->state_refs)
        return -ENOMEM;
    *step->state_refs = 1;
    r = step->node->op->create(call, &step->state, &step->state_bytes);
    if (r < 0)
        return r;
    if (step->state && like)
        share_state(step, (size_t)(step - program->steps), like);
    call->state = step->state;
    return 0;
}

/* The input whose data is gone when the node has packed it. */
size_t nn_packed_input(const NnOp *op)
{
    return op->packed_input ? op->packed_input : 1;
}

/* In a compiled file packed weights may be all there is of a constant: nobody
 * else may read that, not even what inference added. */
static int check_lost(const NnProgram *program, const NnNode *node, NnError *error)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        const NnValue *value;

        if (node->inputs[i] == NN_NO_VALUE)
            continue;
        value = &program->graph->values[node->inputs[i]];
        if (value->constant && !value->tensor.data &&
            !(i == nn_packed_input(node->op) && node->packed))
            return nn_error_set(error, -EBADMSG, "the file does not hold its input '%s'",
                                value->name);
    }
    return 0;
}

/* Uses what a compiled file has packed, where it is. */
static int take_state(NnStep *step, NnCall *call)
{
    const NnNode *node = step->node;

    if (!node->op->check_state)
        return nn_error_set(call->error, -EBADMSG, "it has no weights that could be packed");
    step->state = (void *)node->packed; /* nobody writes to a state */
    step->state_bytes = node->packed_bytes;
    call->state = step->state;
    return node->op->check_state(call, step->state, step->state_bytes);
}

static void release_state(NnStep *step)
{
    if (!step->state_refs || --*step->state_refs > 0)
        return;
    free(step->state);
    free(step->state_refs);
}

/* Whether an input has a value that is its only while dynamic dims are the largest:
 * nothing may be packed of it. */
static bool has_planned_value(const NnProgram *program, const NnNode *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        const NnValue *value;

        if (node->inputs[i] == NN_NO_VALUE)
            continue;
        value = &program->graph->values[node->inputs[i]];
        if (value->dynamic && value->tensor.data)
            return true;
    }
    return false;
}

static int make_step(NnProgram *program, const NnNode *node, Pointers *pointers,
                     const NnProgram *like, size_t *scratch_bytes, NnError *error)
{
    NnStep *step = &program->steps[program->n_steps++];
    NnCall call = step_call(program, node, pointers, error);
    int r;

    step->node = node;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != NN_NO_VALUE)
            step->dynamic = step->dynamic || program->graph->values[node->inputs[i]].dynamic;
    r = program->graph->compiled ? check_lost(program, node, error) : 0;
    if (r >= 0 && node->packed)
        r = take_state(step, &call);
    else if (r >= 0 && node->op->create && !has_planned_value(program, node))
        r = make_state(program, step, &call, like);
    if (r < 0)
        return r;
    if (node->op->scratch)
        *scratch_bytes = NN_MAX(*scratch_bytes, node->op->scratch(&call));
    if (node->op->flops)
        program->flops += node->op->flops(&call);
    program->work += nn_call_work(&call);
    return 0;
}

/* How often each value is read, by nodes and as an output of the graph. */
static uint32_t *count_readers(const NnGraph *graph)
{
    uint32_t *readers = calloc(NN_MAX(graph->n_values, 1), sizeof(readers[0]));

    if (!readers)
        return NULL;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] != NN_NO_VALUE)
                readers[graph->nodes[i].inputs[j]]++;
    for (size_t i = 0; i < graph->n_outputs; i++)
        readers[graph->outputs[i]]++;
    return readers;
}

/* Packed weights take the place of those in the graph, step by step, so that there
 * are never two of all. */
static void drop_packed(NnProgram *program, const NnStep *step, uint32_t *readers)
{
    size_t packed = nn_packed_input(step->node->op);
    NnValue *value;

    if (!step->state || packed >= step->node->n_inputs ||
        step->node->inputs[packed] == NN_NO_VALUE || --readers[step->node->inputs[packed]] > 0)
        return;
    value = &program->graph->values[step->node->inputs[packed]];
    if (value->constant)
        nn_value_drop(value);
}

static int make_steps(NnProgram *program, bool keep_graph, const NnProgram *like, NnError *error)
{
    NnGraph *graph = program->graph;
    _cleanup_(pointers_clear) Pointers pointers = { 0 };
    _cleanup_free_ uint32_t *readers = count_readers(graph);
    size_t scratch_bytes = 0, n_in = 1, n_out = 1;
    int r;

    for (size_t i = 0; i < graph->n_nodes; i++) {
        n_in = NN_MAX(n_in, graph->nodes[i].n_inputs);
        n_out = NN_MAX(n_out, graph->nodes[i].n_outputs);
    }
    pointers.in = calloc(n_in, sizeof(pointers.in[0]));
    pointers.out = calloc(n_out, sizeof(pointers.out[0]));
    program->steps = calloc(NN_MAX(graph->n_nodes, 1), sizeof(program->steps[0]));
    if (!readers || !pointers.in || !pointers.out || !program->steps)
        return nn_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        r = make_step(program, &graph->nodes[i], &pointers, like, &scratch_bytes, error);
        if (r < 0)
            return nn_node_error(&graph->nodes[i], r, error);
        if (!keep_graph)
            drop_packed(program, &program->steps[i], readers);
    }
    r = nn_plan_make(graph, scratch_bytes, &program->plan);
    if (r == -E2BIG)
        return nn_error_set(error, r, "running it would need more than %zu MiB",
                            NN_LIMIT_ARENA_BYTES >> 20);
    return r < 0 ? nn_error_set(error, r, "planning memory: %s", strerror(-r)) : 0;
}

static int describe(NnProgram *program, NnError *error)
{
    const NnGraph *graph = program->graph;

    program->inputs = calloc(NN_MAX(graph->n_inputs, 1), sizeof(program->inputs[0]));
    program->outputs = calloc(NN_MAX(graph->n_outputs, 1), sizeof(program->outputs[0]));
    if (!program->inputs || !program->outputs)
        return nn_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < graph->n_inputs; i++)
        program->inputs[i] = graph->values[graph->inputs[i]].tensor;
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const NnValue *value = &graph->values[graph->outputs[i]];

        program->outputs[i] = value->tensor;
        program->outputs[i].data = NULL;
        for (int d = 0; value->dynamic && d < value->tensor.rank; d++)
            program->outputs[i].dims[d] = -1;
    }
    return 0;
}

static void set_inputs(NnGraph *graph, const NnTensor *inputs)
{
    for (size_t i = 0; i < graph->n_inputs; i++) {
        graph->values[graph->inputs[i]].tensor = inputs[i];
        graph->values[graph->inputs[i]].inferred = true;
    }
}

static int run_passes(NnProgram *program, const NnModel *model, NnError *error)
{
    int r;

    r = nn_passes_run(program->graph, model->verify, error);
    if (r < 0 || model->exact)
        return r;
    return nn_algorithms_choose(program->graph, program->context, model->tune, error);
}

static int compile(NnProgram *program, const NnModel *model, const NnProgram *like,
                   NnError *error)
{
    int r;

    r = nn_graph_resolve(program->graph, error);
    if (r >= 0)
        r = nn_graph_infer(program->graph, &program->context->kernels, error);
    if (r >= 0 && !model->keep_graph && !program->graph->compiled)
        r = run_passes(program, model, error);
    if (r >= 0)
        r = make_steps(program, model->keep_graph, like, error);
    if (r >= 0)
        r = describe(program, error);
    return r;
}

int nn_program_new(const NnModel *model, NnGraph *graph, const NnTensor *inputs,
                   const NnProgram *like, NnProgram **ret_program, NnError *error)
{
    _cleanup_(nn_program_freep) NnProgram *program = calloc(1, sizeof(*program));
    int r;

    if (!program) {
        nn_graph_free(graph);
        return nn_error_set(error, -ENOMEM, "out of memory");
    }
    program->context = model->context;
    program->graph = graph;
    program->refs = 1;
    set_inputs(graph, inputs);
    r = compile(program, model, like, error);
    if (r < 0)
        return r;
    *ret_program = NN_TAKE(program);
    return 0;
}

NnProgram *nn_program_free(NnProgram *program)
{
    if (!program)
        return NULL;
    for (size_t i = 0; i < program->n_steps; i++)
        release_state(&program->steps[i]);
    free(program->steps);
    nn_plan_clear(&program->plan);
    nn_graph_free(program->graph);
    free(program->inputs);
    free(program->outputs);
    free(program);
    return NULL;
}
