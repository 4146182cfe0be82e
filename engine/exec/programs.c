/* SPDX-License-Identifier: Apache-2.0 */

/* The programs of a model: one for each set of input shapes that its sessions are
 * bound to, and the last few. */

#include "exec/exec.h"

void nn_program_log(const NnModel *model, const NnProgram *program)
{
    nn_log(model->context, NN_LOG_DEBUG, "%s: %zu steps, %.2f GFLOP, %.1f MiB of working memory",
           model->name, program->n_steps, (double)program->flops / 1e9,
           (double)program->plan.arena_bytes / (1 << 20));
}

static bool is_for(const NnProgram *program, const NnTensor *inputs)
{
    for (size_t i = 0; i < program->graph->n_inputs; i++)
        if (!nn_tensor_same_shape(&program->inputs[i], &inputs[i]))
            return false;
    return true;
}

/* Moves entry `i` to the front, where the last one stands. */
static void move_to_front(NnProgram **recent, size_t i)
{
    NnProgram *program = recent[i];

    memmove(&recent[1], &recent[0], i * sizeof(recent[0]));
    recent[0] = program;
}

static NnProgram *find_program(NnModel *model, const NnTensor *inputs)
{
    if (model->program && is_for(model->program, inputs))
        return model->program;
    for (size_t i = 0; i < NN_RECENT_PROGRAMS && model->recent[i]; i++)
        if (is_for(model->recent[i], inputs)) {
            move_to_front(model->recent, i);
            return model->recent[0];
        }
    return NULL;
}

static void unref(NnProgram *program)
{
    if (program && --program->refs == 0)
        nn_program_free(program);
}

static int add_program(NnModel *model, const NnTensor *inputs, NnProgram **ret_program,
                       NnError *error)
{
    NnProgram *program, *like = model->program ? model->program : model->recent[0];
    NnGraph *graph;
    int r;

    r = nn_graph_clone(model->source, &graph);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    r = nn_program_new(model, graph, inputs, like, &program, error);
    if (r < 0)
        return r;
    nn_program_log(model, program);
    unref(model->recent[NN_RECENT_PROGRAMS - 1]);
    model->recent[NN_RECENT_PROGRAMS - 1] = program;
    move_to_front(model->recent, NN_RECENT_PROGRAMS - 1);
    *ret_program = program;
    return 0;
}

static int bind(NnModel *model, const NnBinding *binding, NnTensor *inputs,
                NnProgram **ret_program, NnError *error)
{
    const NnGraph *graph = model->source ? model->source : model->program->graph;
    NnProgram *program;
    bool complete;
    int r;

    r = nn_bind_inputs(graph, binding, inputs, &complete, error);
    if (r < 0)
        return r;
    if (!complete)
        return nn_bind_open_error(graph, inputs, error);
    program = find_program(model, inputs);
    if (!program) {
        r = add_program(model, inputs, &program, error);
        if (r < 0)
            return r;
    }
    program->refs++;
    *ret_program = program;
    return 0;
}

int nn_model_bind(NnModel *model, const NnBinding *binding, NnProgram **ret_program,
                  NnError *error)
{
    size_t n = NN_MAX(nn_model_n_inputs(model), 1);
    _cleanup_free_ NnTensor *inputs = calloc(n, sizeof(inputs[0]));
    int r;

    if (!inputs)
        return nn_error_set(error, -ENOMEM, "out of memory");
    pthread_mutex_lock(&model->lock);
    r = bind(model, binding, inputs, ret_program, error);
    pthread_mutex_unlock(&model->lock);
    return r < 0 ? nn_error_prefix(error, r, "%s", model->name) : 0;
}

NnProgram *nn_model_default(NnModel *model)
{
    if (!model->program)
        return NULL;
    pthread_mutex_lock(&model->lock);
    model->program->refs++;
    pthread_mutex_unlock(&model->lock);
    return model->program;
}

void nn_model_unref(NnModel *model, NnProgram *program)
{
    pthread_mutex_lock(&model->lock);
    unref(program);
    pthread_mutex_unlock(&model->lock);
}
