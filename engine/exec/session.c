/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "exec/exec.h"

struct NnSession {
    NnModel *model;
    NnProgram *program;     /* a reference; NULL until shapes are bound */
    uint8_t *arena;
    NnTensor *tensors;      /* of all values; data in the arena or a constant's */
    NnCall *calls;          /* of all steps */
    const NnTensor **in;    /* what the calls point at, one after the other */
    NnTensor **out;
    int64_t *pitches;       /* of what they point at, inputs and then outputs of each step */
};

NN_DEFINE_CLEANUP(NnSession, nn_session_free)

static void place_tensors(NnSession *session)
{
    const NnGraph *graph = session->program->graph;

    for (size_t i = 0; i < graph->n_values; i++) {
        session->tensors[i] = graph->values[i].tensor;
        if (session->program->plan.offset[i] != SIZE_MAX)
            session->tensors[i].data = session->arena + session->program->plan.offset[i];
    }
}

static void make_calls(NnSession *session)
{
    const NnProgram *program = session->program;
    const NnTensor **in = session->in;
    NnTensor **out = session->out;
    int64_t *pitch = session->pitches;

    for (size_t i = 0; i < program->n_steps; i++) {
        const NnNode *node = program->steps[i].node;

        session->calls[i] = (NnCall){
            .node = node,
            .params = node->params,
            .state = program->steps[i].state,
            .in = in,
            .n_in = node->n_inputs,
            .out = out,
            .n_out = node->n_outputs,
            .in_pitch = pitch,
            .out_pitch = pitch + node->n_inputs,
            .scratch = session->arena + program->plan.scratch_offset,
            .pool = program->context->pool,
            .kernels = &program->context->kernels,
        };
        for (size_t j = 0; j < node->n_inputs; j++)
            *in++ = node->inputs[j] == NN_NO_VALUE ? NULL : &session->tensors[node->inputs[j]];
        for (size_t j = 0; j < node->n_inputs; j++)
            *pitch++ = node->inputs[j] == NN_NO_VALUE ? 0 : program->plan.pitch[node->inputs[j]];
        for (size_t j = 0; j < node->n_outputs; j++)
            *out++ = node->outputs[j] == NN_NO_VALUE ? NULL : &session->tensors[node->outputs[j]];
        for (size_t j = 0; j < node->n_outputs; j++)
            *pitch++ = node->outputs[j] == NN_NO_VALUE ? 0 : program->plan.pitch[node->outputs[j]];
    }
}

/* The memory that the session's program needs. */
static int prepare(NnSession *session, NnError *error)
{
    const NnProgram *program = session->program;
    const NnGraph *graph = program->graph;
    size_t n_in = 1, n_out = 1;

    for (size_t i = 0; i < graph->n_nodes; i++) {
        n_in += graph->nodes[i].n_inputs;
        n_out += graph->nodes[i].n_outputs;
    }
    session->arena = nn_huge_alloc(program->plan.arena_bytes);
    session->tensors = calloc(NN_MAX(graph->n_values, 1), sizeof(session->tensors[0]));
    session->calls = calloc(NN_MAX(program->n_steps, 1), sizeof(session->calls[0]));
    session->in = calloc(n_in, sizeof(session->in[0]));
    session->out = calloc(n_out, sizeof(session->out[0]));
    session->pitches = calloc(n_in + n_out, sizeof(session->pitches[0]));
    if (!session->arena || !session->tensors || !session->calls || !session->in ||
        !session->out || !session->pitches)
        return nn_error_set(error, -ENOMEM, "out of memory for %zu bytes",
                            program->plan.arena_bytes);
    place_tensors(session);
    make_calls(session);
    return 0;
}

static void release(NnSession *session)
{
    nn_model_unref(session->model, session->program);
    free(session->arena);
    free(session->tensors);
    free(session->calls);
    free(session->in);
    free(session->out);
    free(session->pitches);
}

int nn_session_new(NnModel *model, NnSession **ret_session, NnError *error)
{
    _cleanup_(nn_session_freep) NnSession *session = calloc(1, sizeof(*session));
    int r;

    if (!session)
        return nn_error_set(error, -ENOMEM, "out of memory");
    session->model = model;
    session->program = nn_model_default(model);
    if (session->program) {
        r = prepare(session, error);
        if (r < 0)
            return r;
    }
    *ret_session = NN_TAKE(session);
    return 0;
}

int nn_session_bind(NnSession *session, const NnShape *shapes, size_t n_shapes, const NnDim *dims,
                    size_t n_dims, NnError *error)
{
    NnBinding binding = { shapes, n_shapes, dims, n_dims };
    NnSession next = { .model = session->model };
    int r;

    r = nn_model_bind(session->model, &binding, &next.program, error);
    if (r < 0)
        return r;
    if (next.program == session->program) {
        release(&next);
        return 0;
    }
    r = prepare(&next, error);
    if (r < 0) {
        release(&next);
        return r;
    }
    release(session);
    *session = next;
    return 0;
}

NnSession *nn_session_free(NnSession *session)
{
    if (!session)
        return NULL;
    release(session);
    free(session);
    return NULL;
}

NnTensor *nn_session_input(NnSession *session, size_t index)
{
    const NnProgram *program = session->program;

    if (!program || index >= program->graph->n_inputs)
        return NULL;
    return &session->tensors[program->graph->inputs[index]];
}

const NnTensor *nn_session_output(const NnSession *session, size_t index)
{
    const NnProgram *program = session->program;

    if (!program || index >= program->graph->n_outputs)
        return NULL;
    return &session->tensors[program->graph->outputs[index]];
}

/* The true dims of outputs whose inputs' dims are known only now. They need at
 * most the memory of the planned ones, or the step is refused. */
static int infer_again(NnSession *session, NnCall *call)
{
    const NnGraph *graph = session->program->graph;
    const NnPlan *plan = &session->program->plan;
    const NnNode *node = call->node;
    size_t planned, needed;
    int r;

    r = node->op->infer(call);
    for (size_t j = 0; r >= 0 && j < node->n_outputs; j++) {
        if (node->outputs[j] == NN_NO_VALUE)
            continue;
        session->tensors[node->outputs[j]].data =
            session->arena + session->program->plan.offset[node->outputs[j]];
        r = nn_tensor_bytes(&graph->values[node->outputs[j]].tensor, &planned);
        if (r >= 0)
            r = nn_tensor_bytes(&session->tensors[node->outputs[j]], &needed);
        if (r >= 0 && needed > planned)
            r = nn_error_set(call->error, -EDOM, "output %zu is larger than was planned", j);
    }
    if (r >= 0 && node->op->scratch &&
        node->op->scratch(call) > plan->arena_bytes - plan->scratch_offset)
        r = nn_error_set(call->error, -EDOM, "it needs more working memory than was planned");
    return r;
}

static int run_step(NnSession *session, size_t i, NnError *error)
{
    NnCall *call = &session->calls[i];
    int r = 0;

    call->error = error;
    if (session->program->steps[i].dynamic)
        r = infer_again(session, call);
    if (r >= 0)
        r = call->node->op->run(call);
    return r < 0 ? nn_node_error(call->node, r, error) : 0;
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int nn_session_run_observed(NnSession *session, NnObserveFunc observe, void *userdata,
                            NnError *error)
{
    const NnProgram *program = session->program;
    int r = 0;

    if (!program) {
        r = nn_bind_open_error(session->model->source, session->model->inputs, error);
        return nn_error_prefix(error, r, "nn_session_bind() comes before the first run");
    }
    nn_pool_begin(program->context->pool);
    for (size_t i = 0; i < program->n_steps && r >= 0; i++) {
        uint64_t start = observe ? now_ns() : 0;

        r = run_step(session, i, error);
        if (observe && r >= 0)
            observe(userdata, &program->steps[i], &session->calls[i], now_ns() - start);
    }
    nn_pool_end(program->context->pool);
    return r;
}

int nn_session_run(NnSession *session, NnError *error)
{
    return nn_session_run_observed(session, NULL, NULL, error);
}
