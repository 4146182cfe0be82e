/* SPDX-License-Identifier: Apache-2.0 */

/* From a file to a model. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "exec/cache.h"
#include "exec/exec.h"
#include "nnef/nnef.h"
#include "nnp/format.h"
#include "nnp/nnp.h"
#include "onnx/import.h"

NN_DEFINE_CLEANUP(NnModel, nn_model_free)

static int model_new(NnContext *context, const char *name, NnModel **ret_model)
{
    _cleanup_(nn_model_freep) NnModel *model = calloc(1, sizeof(*model));

    if (!model)
        return -ENOMEM;
    pthread_mutex_init(&model->lock, NULL);
    model->context = context;
    atomic_store(&context->sealed, true);
    model->name = strdup(name);
    if (!model->name)
        return -ENOMEM;
    *ret_model = NN_TAKE(model);
    return 0;
}

static bool is_open(const NnTensor *inputs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int d = 0; d < inputs[i].rank; d++)
            if (inputs[i].dims[d] < 0)
                return true;
    return false;
}

/* What can be said of a model without shapes: whether its operators are there. */
static int check_operators(const NnGraph *source, NnError *error)
{
    _cleanup_(nn_graph_freep) NnGraph *graph = NULL;
    int r;

    r = nn_graph_clone(source, &graph);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    return nn_graph_resolve(graph, error);
}

static int compile_open(NnModel *model, bool complete, NnError *error)
{
    NnGraph *graph;
    int r;

    if (!complete)
        return check_operators(model->source, error);
    r = nn_graph_clone(model->source, &graph);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    return nn_program_new(model, graph, model->inputs, NULL, &model->program, error);
}

/* Takes the graph over. */
static int compile(NnModel *model, NnGraph *graph, const NnModelOptions *options, NnError *error)
{
    NnBinding binding = { options->shapes, options->n_shapes, options->dims, options->n_dims };
    bool complete;
    int r;

    model->source = graph;
    graph->registry = &model->context->registry;
    model->verify = options->verify;
    model->keep_graph = options->keep_graph;
    model->exact = options->exact;
    model->tune = options->tune;
    model->declared = calloc(NN_MAX(graph->n_inputs, 1), sizeof(model->declared[0]));
    model->inputs = calloc(NN_MAX(graph->n_inputs, 1), sizeof(model->inputs[0]));
    if (!model->declared || !model->inputs)
        return nn_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < graph->n_inputs; i++)
        model->declared[i] = graph->values[graph->inputs[i]].tensor;
    r = nn_bind_inputs(graph, &binding, model->inputs, &complete, error);
    if (r < 0)
        return r;
    if (!complete && options->fixed)
        return nn_bind_open_error(graph, model->inputs, error);
    if (!options->fixed && is_open(model->declared, graph->n_inputs))
        return compile_open(model, complete, error);
    return nn_program_new(model, NN_TAKE(model->source), model->inputs, NULL, &model->program,
                          error);
}

/* Takes the graph over. */
static int make_model(NnContext *context, const char *name, NnGraph *graph,
                      const NnModelOptions *options, NnModel **ret_model, NnError *error)
{
    _cleanup_(nn_model_freep) NnModel *model = NULL;
    int r;

    r = model_new(context, name, &model);
    if (r < 0) {
        nn_graph_free(graph);
        return nn_error_set(error, r, "out of memory");
    }
    r = compile(model, graph, options, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", name);
    if (model->program)
        nn_program_log(model, model->program);
    *ret_model = NN_TAKE(model);
    return 0;
}

/* `ret_alone`, which may be NULL: the file holds all of its tensors. */
static int load_onnx(NnContext *context, const char *name, const char *directory,
                     const void *bytes, size_t n_bytes, const NnModelOptions *options,
                     NnModel **ret_model, bool *ret_alone, NnError *error)
{
    NnGraph *graph;
    int r;

    /* Bytes without a directory are the caller's own memory. */
    r = nn_onnx_import(name, directory, bytes, n_bytes, directory != NULL, &graph, error);
    if (r < 0)
        return r;
    if (ret_alone)
        *ret_alone = !graph->external;
    return make_model(context, name, graph, options, ret_model, error);
}

/* Takes `bytes` over, which are mapped or malloc'd. */
static int load_compiled(NnContext *context, const char *name, void *bytes, size_t n_bytes,
                         bool mapped, const NnModelOptions *options, NnModel **ret_model,
                         NnError *error)
{
    NnGraph *graph;
    int r;

    r = nn_nnp_import(name, context, bytes, n_bytes, options->check_weights, &graph, error);
    if (r < 0) {
        if (mapped)
            munmap(bytes, n_bytes);
        else
            free(bytes);
        return r;
    }
    graph->storage = bytes;
    graph->storage_bytes = n_bytes;
    graph->mapped = mapped;
    return make_model(context, name, graph, options, ret_model, error);
}

static const NnModelOptions defaults = { 0 };

int nn_model_load_memory(NnContext *context, const char *name, const void *bytes, size_t n_bytes,
                         const NnModelOptions *options, NnModel **ret_model, NnError *error)
{
    void *copy;

    options = options ? options : &defaults;
    if (!nn_nnp_detect(bytes, n_bytes))
        return load_onnx(context, name, NULL, bytes, n_bytes, options, ret_model, NULL, error);
    copy = n_bytes <= NN_LIMIT_FILE_BYTES ? nn_aligned_alloc(n_bytes) : NULL;
    if (!copy)
        return nn_error_set(error, -ENOMEM, "%s: out of memory for %zu bytes", name, n_bytes);
    memcpy(copy, bytes, n_bytes);
    return load_compiled(context, name, copy, n_bytes, false, options, ret_model, error);
}

int nn_model_save(const NnModel *model, const char *path, NnError *error)
{
    if (!model->program)
        return nn_error_set(error, -EINVAL, "%s: the shapes of the model's inputs are open", path);
    return nn_nnp_write(model->program, path, NNP_SECTION_ALIGN, error);
}

/* A directory, or the text in it. */
static bool is_nnef(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct stat st;

    return strcmp(slash ? slash + 1 : path, "graph.nnef") == 0 ||
           (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

static int load_nnef(NnContext *context, const char *path, const NnModelOptions *options,
                     NnModel **ret_model, NnError *error)
{
    NnGraph *graph;
    int r;

    r = nn_nnef_import(path, &graph, error);
    return r < 0 ? r : make_model(context, path, graph, options, ret_model, error);
}

static int map_model(const char *path, NnFileMap *ret_map, NnError *error)
{
    _cleanup_(nn_file_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    NnFileMap map;
    int r;

    if (fd < 0)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    r = nn_file_map(fd, NN_LIMIT_FILE_BYTES, &map);
    if (r == -EBADMSG)
        return nn_error_set(error, r, "%s: it is not a regular file", path);
    if (r == -E2BIG)
        return nn_error_set(error, r, "%s: larger than %zu MiB", path, NN_LIMIT_FILE_BYTES >> 20);
    if (r < 0)
        return nn_error_set(error, r, "%s: %s", path, strerror(-r));
    if (!map.bytes)
        return nn_error_set(error, -EBADMSG, "%s: the file is empty", path);
    *ret_map = map;
    return 0;
}

/* The compiled form at `path` of the model that messages call `name`. */
static int load_kept(NnContext *context, const char *path, const char *name,
                     const NnModelOptions *options, NnModel **ret_model, NnError *error)
{
    NnFileMap map;
    int r;

    r = map_model(path, &map, error);
    return r < 0 ? r : load_compiled(context, name, map.bytes, map.n, true, options, ret_model,
                                     error);
}

static int load_source(NnContext *context, const char *path, const NnFileMap *map,
                       const NnModelOptions *options, NnModel **ret_model, bool *ret_alone,
                       NnError *error)
{
    _cleanup_free_ char *directory = strdup(path);
    char *slash;

    if (!directory)
        return nn_error_set(error, -ENOMEM, "out of memory");
    slash = strrchr(directory, '/');
    if (slash)
        slash[1] = '\0';
    return load_onnx(context, path, slash ? directory : ".", map->bytes, map->n, options,
                     ret_model, ret_alone, error);
}

/* Keeps the compiled form of `*model`, and uses it from there: weights that are mapped
 * are no memory of this process. */
static void keep_compiled(NnContext *context, const char *path, const NnModelOptions *options,
                          NnModel **model)
{
    NnModel *mapped;
    NnError error;

    if (nn_model_save(*model, path, &error) < 0) {
        nn_log(context, NN_LOG_WARNING, "the compiled model is not kept: %s", error.message);
        return;
    }
    nn_cache_prune(path);
    if (load_kept(context, path, (*model)->name, options, &mapped, &error) < 0) {
        nn_log(context, NN_LOG_WARNING, "the compiled model is not used: %s", error.message);
        return;
    }
    nn_model_free(*model);
    *model = mapped;
}

static int load_through_cache(NnContext *context, const char *path, const NnFileMap *map,
                              const NnModelOptions *options, NnModel **ret_model, NnError *error)
{
    _cleanup_free_ char *kept = NULL;
    NnError refused;
    bool alone;
    int r;

    r = nn_cache_path(options->cache, path, map->bytes, map->n, &kept);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    r = load_kept(context, kept, path, options, ret_model, &refused);
    if (r >= 0)
        return r;
    if (r != -ENOENT)
        nn_log(context, NN_LOG_INFO, "compiled anew: %s", refused.message);
    r = load_source(context, path, map, options, ret_model, &alone, error);
    if (r >= 0 && alone)
        keep_compiled(context, kept, options, ret_model);
    return r;
}

static int load_file(NnContext *context, const char *path, const NnModelOptions *options,
                     NnModel **ret_model, NnError *error)
{
    NnFileMap map;
    int r;

    r = map_model(path, &map, error);
    if (r < 0)
        return r;
    if (nn_nnp_detect(map.bytes, map.n))
        return load_compiled(context, path, map.bytes, map.n, true, options, ret_model, error);
    if (nn_cache_serves(options))
        r = load_through_cache(context, path, &map, options, ret_model, error);
    else
        r = load_source(context, path, &map, options, ret_model, NULL, error);
    nn_file_unmap(&map);
    return r;
}

int nn_model_load(NnContext *context, const char *path, const NnModelOptions *options,
                  NnModel **ret_model, NnError *error)
{
    options = options ? options : &defaults;
    return is_nnef(path) ? load_nnef(context, path, options, ret_model, error)
                         : load_file(context, path, options, ret_model, error);
}

NnModel *nn_model_free(NnModel *model)
{
    if (!model)
        return NULL;
    nn_program_free(model->program);
    for (size_t i = 0; i < NN_RECENT_PROGRAMS; i++)
        nn_program_free(model->recent[i]);
    nn_graph_free(model->source);
    free(model->declared);
    free(model->inputs);
    free(model->name);
    pthread_mutex_destroy(&model->lock);
    free(model);
    return NULL;
}
