/* SPDX-License-Identifier: Apache-2.0 */

/* What a model says of itself. */

#include "exec/exec.h"

/* The graph that the file's own words stand in. */
static const NnGraph *facts(const NnModel *model)
{
    return model->source ? model->source : model->program->graph;
}

size_t nn_model_n_inputs(const NnModel *model)
{
    return facts(model)->n_inputs;
}

const char *nn_model_input_name(const NnModel *model, size_t index)
{
    return facts(model)->values[facts(model)->inputs[index]].name;
}

const NnTensor *nn_model_input(const NnModel *model, size_t index)
{
    return &model->inputs[index];
}

const NnTensor *nn_model_declared_input(const NnModel *model, size_t index)
{
    return &model->declared[index];
}

const char *nn_model_dim_name(const NnModel *model, size_t input, int dim)
{
    const NnGraph *graph = facts(model);
    char *const *names = graph->values[graph->inputs[input]].dim_names;

    return names ? names[dim] : NULL;
}

size_t nn_model_n_outputs(const NnModel *model)
{
    return facts(model)->n_outputs;
}

const char *nn_model_output_name(const NnModel *model, size_t index)
{
    return facts(model)->values[facts(model)->outputs[index]].name;
}

const NnTensor *nn_model_output(const NnModel *model, size_t index)
{
    static const NnTensor unknown = { .rank = -1 };

    if (model->program)
        return &model->program->outputs[index];
    return model->source->declared_outputs ? &model->source->declared_outputs[index] : &unknown;
}

static int find(const NnGraph *graph, const NnValueId *ids, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(graph->values[ids[i]].name, name) == 0)
            return (int)i;
    return -ENOENT;
}

int nn_model_find_input(const NnModel *model, const char *name)
{
    const NnGraph *graph = facts(model);

    return find(graph, graph->inputs, graph->n_inputs, name);
}

int nn_model_find_output(const NnModel *model, const char *name)
{
    const NnGraph *graph = facts(model);

    return find(graph, graph->outputs, graph->n_outputs, name);
}

size_t nn_model_n_metadata(const NnModel *model)
{
    return facts(model)->n_metadata;
}

const char *nn_model_metadata_key(const NnModel *model, size_t index)
{
    return facts(model)->metadata[index].key;
}

const char *nn_model_metadata_value(const NnModel *model, size_t index)
{
    return facts(model)->metadata[index].value;
}

const char *nn_model_producer(const NnModel *model)
{
    return facts(model)->producer;
}

int nn_model_opset(const NnModel *model)
{
    return facts(model)->opset;
}

const char *nn_model_metadata(const NnModel *model, const char *key)
{
    for (size_t i = 0; i < facts(model)->n_metadata; i++)
        if (strcmp(facts(model)->metadata[i].key, key) == 0)
            return facts(model)->metadata[i].value;
    return NULL;
}

uint64_t nn_model_flops(const NnModel *model)
{
    return model->program ? model->program->flops : 0;
}

size_t nn_model_arena_bytes(const NnModel *model)
{
    return model->program ? model->program->plan.arena_bytes : 0;
}

const NnGraph *nn_model_graph(const NnModel *model)
{
    return model->program ? model->program->graph : model->source;
}
