/* SPDX-License-Identifier: Apache-2.0 */

/* From a file to a model, and what a model says of itself. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "exec/exec.h"
#include "onnx/import.h"

NN_DEFINE_CLEANUP(NnModel, nn_model_free)

/* Takes the graph over. */
static int compile(NnModel *model, NnGraph *graph, const NnModelOptions *options, NnError *error)
{
    int r;

    r = nn_graph_bind(graph, options, error);
    if (r < 0) {
        nn_graph_free(graph);
        return r;
    }
    return nn_program_new(model->context, graph, options, &model->program, error);
}

static int load(NnContext *context, const char *name, const char *directory, const void *bytes,
                size_t n_bytes, const NnModelOptions *options, NnModel **ret_model, NnError *error)
{
    static const NnModelOptions defaults = { 0 };
    _cleanup_(nn_model_freep) NnModel *model = calloc(1, sizeof(*model));
    NnGraph *graph;
    int r;

    if (!model)
        return nn_error_set(error, -ENOMEM, "out of memory");
    model->context = context;
    r = nn_onnx_import(name, directory, bytes, n_bytes, &graph, error);
    if (r < 0)
        return r;
    r = compile(model, graph, options ? options : &defaults, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", name);
    nn_log(context, NN_LOG_DEBUG, "%s: %zu steps, %.2f GFLOP, %.1f MiB of working memory", name,
           model->program->n_steps, (double)model->program->flops / 1e9,
           (double)model->program->plan.arena_bytes / (1 << 20));
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
    nn_program_free(model->program);
    free(model);
    return NULL;
}

size_t nn_model_n_inputs(const NnModel *model)
{
    return model->program->graph->n_inputs;
}

const char *nn_model_input_name(const NnModel *model, size_t index)
{
    return model->program->graph->values[model->program->graph->inputs[index]].name;
}

const NnTensor *nn_model_input(const NnModel *model, size_t index)
{
    return &model->program->inputs[index];
}

size_t nn_model_n_outputs(const NnModel *model)
{
    return model->program->graph->n_outputs;
}

const char *nn_model_output_name(const NnModel *model, size_t index)
{
    return model->program->graph->values[model->program->graph->outputs[index]].name;
}

const NnTensor *nn_model_output(const NnModel *model, size_t index)
{
    return &model->program->outputs[index];
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
    const NnGraph *graph = model->program->graph;

    return find(graph, graph->inputs, graph->n_inputs, name);
}

int nn_model_find_output(const NnModel *model, const char *name)
{
    const NnGraph *graph = model->program->graph;

    return find(graph, graph->outputs, graph->n_outputs, name);
}

size_t nn_model_n_metadata(const NnModel *model)
{
    return model->program->graph->n_metadata;
}

const char *nn_model_metadata_key(const NnModel *model, size_t index)
{
    return model->program->graph->metadata[index].key;
}

const char *nn_model_metadata_value(const NnModel *model, size_t index)
{
    return model->program->graph->metadata[index].value;
}

const char *nn_model_producer(const NnModel *model)
{
    return model->program->graph->producer;
}

int nn_model_opset(const NnModel *model)
{
    return model->program->graph->opset;
}

const char *nn_model_metadata(const NnModel *model, const char *key)
{
    for (size_t i = 0; i < model->program->graph->n_metadata; i++)
        if (strcmp(model->program->graph->metadata[i].key, key) == 0)
            return model->program->graph->metadata[i].value;
    return NULL;
}

uint64_t nn_model_flops(const NnModel *model)
{
    return model->program->flops;
}

size_t nn_model_arena_bytes(const NnModel *model)
{
    return model->program->plan.arena_bytes;
}

const NnGraph *nn_model_graph(const NnModel *model)
{
    return model->program->graph;
}
