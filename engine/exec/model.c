/* SPDX-License-Identifier: Apache-2.0 */

/* From a file to a program: import, bind shapes, infer, passes, pack, plan. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "exec/exec.h"
#include "onnx/import.h"
#include "passes/passes.h"

NN_DEFINE_CLEANUP(NnModel, nn_model_free)

/* The dims that the caller gives an input must fit those of the file. */
static int bind_given(const NnShape *shape, const char *name, NnTensor *tensor, NnError *error)
{
    char text[128];

    if (shape->rank != tensor->rank)
        return nn_error_set(error, -EINVAL, "input '%s' has %d dimensions (%s), %d were given",
                            name, tensor->rank,
                            nn_tensor_shape_string(tensor, text, sizeof(text)), shape->rank);
    for (int i = 0; i < tensor->rank; i++) {
        if (shape->dims[i] < 1 || (tensor->dims[i] >= 0 && tensor->dims[i] != shape->dims[i]))
            return nn_error_set(error, -EINVAL,
                                "input '%s': dimension %d cannot be %lld, the model's shape is %s",
                                name, i, (long long)shape->dims[i],
                                nn_tensor_shape_string(tensor, text, sizeof(text)));
        tensor->dims[i] = shape->dims[i];
    }
    return 0;
}

static int bind_input(const NnModelOptions *options, NnValue *value, NnError *error)
{
    NnTensor *tensor = &value->tensor;
    char text[128];
    size_t bytes;
    int r;

    for (size_t i = 0; i < options->n_shapes; i++)
        if (strcmp(options->shapes[i].input, value->name) == 0) {
            r = bind_given(&options->shapes[i], value->name, tensor, error);
            if (r < 0)
                return r;
        }
    if (tensor->rank > 0 && tensor->dims[0] < 0)
        tensor->dims[0] = 1;
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dims[i] < 0)
            return nn_error_set(error, -EINVAL,
                                "input '%s' leaves its shape open (%s): state the whole shape",
                                value->name, nn_tensor_shape_string(tensor, text, sizeof(text)));
    r = nn_tensor_bytes(tensor, &bytes);
    if (r < 0)
        return nn_error_set(error, r, "input '%s' is larger than %zu MiB", value->name,
                            NN_LIMIT_TENSOR_BYTES >> 20);
    value->inferred = true;
    return 0;
}

static int bind_inputs(NnGraph *graph, const NnModelOptions *options, NnError *error)
{
    int r;

    for (size_t i = 0; i < options->n_shapes; i++) {
        bool found = false;

        for (size_t j = 0; j < graph->n_inputs; j++)
            found = found || strcmp(graph->values[graph->inputs[j]].name,
                                    options->shapes[i].input) == 0;
        if (!found)
            return nn_error_set(error, -EINVAL, "the model has no input '%s'",
                                options->shapes[i].input);
    }
    for (size_t i = 0; i < graph->n_inputs; i++) {
        r = bind_input(options, &graph->values[graph->inputs[i]], error);
        if (r < 0)
            return r;
    }
    return 0;
}

typedef struct Pointers {
    const NnTensor **in;
    NnTensor **out;
} Pointers;

static void pointers_clear(Pointers *pointers)
{
    free(pointers->in);
    free(pointers->out);
}

static NnCall step_call(const NnModel *model, const NnNode *node, Pointers *pointers,
                        NnError *error)
{
    NnValue *values = model->graph->values;

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
        .pool = model->context->pool,
        .kernels = &model->context->kernels,
        .error = error,
    };
}

static int make_step(NnModel *model, const NnNode *node, Pointers *pointers,
                     size_t *scratch_bytes, NnError *error)
{
    NnStep *step = &model->steps[model->n_steps++];
    NnCall call = step_call(model, node, pointers, error);
    int r;

    step->node = node;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != NN_NO_VALUE)
            step->dynamic = step->dynamic || model->graph->values[node->inputs[i]].dynamic;
    if (node->op->create) {
        r = node->op->create(&call, &step->state);
        if (r < 0)
            return r;
        call.state = step->state;
    }
    if (node->op->scratch)
        *scratch_bytes = NN_MAX(*scratch_bytes, node->op->scratch(&call));
    if (node->op->flops)
        model->flops += node->op->flops(&call);
    return 0;
}

static int make_program(NnModel *model, NnError *error)
{
    NnGraph *graph = model->graph;
    _cleanup_(pointers_clear) Pointers pointers = { 0 };
    size_t scratch_bytes = 0, n_in = 1, n_out = 1;
    int r;

    for (size_t i = 0; i < graph->n_nodes; i++) {
        n_in = NN_MAX(n_in, graph->nodes[i].n_inputs);
        n_out = NN_MAX(n_out, graph->nodes[i].n_outputs);
    }
    pointers.in = calloc(n_in, sizeof(pointers.in[0]));
    pointers.out = calloc(n_out, sizeof(pointers.out[0]));
    model->steps = calloc(NN_MAX(graph->n_nodes, 1), sizeof(model->steps[0]));
    if (!pointers.in || !pointers.out || !model->steps)
        return nn_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        r = make_step(model, &graph->nodes[i], &pointers, &scratch_bytes, error);
        if (r < 0)
            return nn_node_error(&graph->nodes[i], r, error);
    }
    r = nn_plan_make(graph, scratch_bytes, &model->plan);
    if (r == -E2BIG)
        return nn_error_set(error, r, "running it would need more than %zu MiB",
                            NN_LIMIT_ARENA_BYTES >> 20);
    return r < 0 ? nn_error_set(error, r, "planning memory: %s", strerror(-r)) : 0;
}

/* Packed weights take the place of those in the graph. */
static void drop_packed_constants(NnModel *model)
{
    NnGraph *graph = model->graph;
    _cleanup_free_ uint8_t *kept = calloc(NN_MAX(graph->n_values, 1), 1);

    if (!kept)
        return;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const NnNode *node = &graph->nodes[i];

        for (size_t j = 0; j < node->n_inputs; j++)
            if (node->inputs[j] != NN_NO_VALUE && !(j == 1 && model->steps[i].state))
                kept[node->inputs[j]] = 1;
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        kept[graph->outputs[i]] = 1;
    for (size_t i = 0; i < graph->n_values; i++) {
        NnValue *value = &graph->values[i];

        if (!value->constant || !value->owned || kept[i])
            continue;
        free(value->tensor.data);
        value->tensor.data = NULL;
        value->owned = false;
    }
}

static int describe(NnModel *model, NnError *error)
{
    const NnGraph *graph = model->graph;

    model->inputs = calloc(NN_MAX(graph->n_inputs, 1), sizeof(model->inputs[0]));
    model->outputs = calloc(NN_MAX(graph->n_outputs, 1), sizeof(model->outputs[0]));
    if (!model->inputs || !model->outputs)
        return nn_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < graph->n_inputs; i++)
        model->inputs[i] = graph->values[graph->inputs[i]].tensor;
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const NnValue *value = &graph->values[graph->outputs[i]];

        model->outputs[i] = value->tensor;
        model->outputs[i].data = NULL;
        for (int d = 0; value->dynamic && d < value->tensor.rank; d++)
            model->outputs[i].dims[d] = -1;
    }
    return 0;
}

static int compile(NnModel *model, const NnModelOptions *options, NnError *error)
{
    int r;

    r = bind_inputs(model->graph, options, error);
    if (r >= 0)
        r = nn_graph_resolve(model->graph, error);
    if (r >= 0)
        r = nn_graph_infer(model->graph, &model->context->kernels, error);
    if (r >= 0 && !options->keep_graph)
        r = nn_passes_run(model->graph, options->verify, error);
    if (r >= 0)
        r = make_program(model, error);
    if (r >= 0)
        r = describe(model, error);
    if (r >= 0 && !options->keep_graph)
        drop_packed_constants(model);
    return r;
}

static int load(NnContext *context, const char *name, const char *directory, const void *bytes,
                size_t n_bytes, const NnModelOptions *options, NnModel **ret_model, NnError *error)
{
    static const NnModelOptions defaults = { 0 };
    _cleanup_(nn_model_freep) NnModel *model = calloc(1, sizeof(*model));
    int r;

    if (!model)
        return nn_error_set(error, -ENOMEM, "out of memory");
    model->context = context;
    r = nn_onnx_import(name, directory, bytes, n_bytes, &model->graph, error);
    if (r < 0)
        return r;
    r = compile(model, options ? options : &defaults, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", name);
    nn_log(context, NN_LOG_DEBUG, "%s: %zu steps, %.2f GFLOP, %.1f MiB of working memory", name,
           model->n_steps, (double)model->flops / 1e9,
           (double)model->plan.arena_bytes / (1 << 20));
    *ret_model = NN_TAKE(model);
    return 0;
}

int nn_model_load_memory(NnContext *context, const char *name, const void *bytes, size_t n_bytes,
                         const NnModelOptions *options, NnModel **ret_model, NnError *error)
{
    return load(context, name, NULL, bytes, n_bytes, options, ret_model, error);
}

static void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

int nn_model_load(NnContext *context, const char *path, const NnModelOptions *options,
                  NnModel **ret_model, NnError *error)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    _cleanup_free_ char *directory = strdup(path);
    struct stat st;
    char *slash;
    void *bytes;
    int r;

    if (!directory)
        return nn_error_set(error, -ENOMEM, "out of memory");
    if (fd < 0 || fstat(fd, &st) < 0)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return nn_error_set(error, -EBADMSG, "%s: not a file, or empty", path);
    if ((size_t)st.st_size > NN_LIMIT_FILE_BYTES)
        return nn_error_set(error, -E2BIG, "%s: larger than %zu MiB", path,
                            NN_LIMIT_FILE_BYTES >> 20);
    bytes = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    slash = strrchr(directory, '/');
    if (slash)
        slash[1] = '\0';
    r = load(context, path, slash ? directory : ".", bytes, st.st_size, options, ret_model, error);
    munmap(bytes, st.st_size);
    return r;
}

NnModel *nn_model_free(NnModel *model)
{
    if (!model)
        return NULL;
    for (size_t i = 0; i < model->n_steps; i++)
        if (model->steps[i].node->op->destroy)
            model->steps[i].node->op->destroy(model->steps[i].state);
    free(model->steps);
    nn_plan_clear(&model->plan);
    nn_graph_free(model->graph);
    free(model->inputs);
    free(model->outputs);
    free(model);
    return NULL;
}

size_t nn_model_n_inputs(const NnModel *model)
{
    return model->graph->n_inputs;
}

const char *nn_model_input_name(const NnModel *model, size_t index)
{
    return model->graph->values[model->graph->inputs[index]].name;
}

const NnTensor *nn_model_input(const NnModel *model, size_t index)
{
    return &model->inputs[index];
}

size_t nn_model_n_outputs(const NnModel *model)
{
    return model->graph->n_outputs;
}

const char *nn_model_output_name(const NnModel *model, size_t index)
{
    return model->graph->values[model->graph->outputs[index]].name;
}

const NnTensor *nn_model_output(const NnModel *model, size_t index)
{
    return &model->outputs[index];
}

const char *nn_model_metadata(const NnModel *model, const char *key)
{
    for (size_t i = 0; i < model->graph->n_metadata; i++)
        if (strcmp(model->graph->metadata[i].key, key) == 0)
            return model->graph->metadata[i].value;
    return NULL;
}

uint64_t nn_model_flops(const NnModel *model)
{
    return model->flops;
}

size_t nn_model_arena_bytes(const NnModel *model)
{
    return model->plan.arena_bytes;
}

const NnGraph *nn_model_graph(const NnModel *model)
{
    return model->graph;
}
