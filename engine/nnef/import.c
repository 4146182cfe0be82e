/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/nnef.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/limits.h"
#include "nnef/custom.h"
#include "nnef/eval.h"
#include "nnef/layers.h"

#define GRAPH_FILE "graph.nnef"
#define QUANT_FILE "graph.quant"

static void add_input(NnefEval *eval, const char *name)
{
    const NnefValue *value = nn_nnef_map_get(&eval->inputs, name);

    eval->build.graph->inputs[eval->build.graph->n_inputs++] = value->id;
}

/* An output needs a tensor of its own, which has its name. */
static int add_output(NnefEval *eval, const NnefScope *scope, const char *name)
{
    NnGraph *graph = eval->build.graph;
    const NnefFragment *declared = &eval->document->graph;
    const NnefValue *value = nn_nnef_map_get(&scope->values, name);
    const char *true_name = nn_nnef_map_get(&eval->names, name);
    NnValueId id;
    char *copy;

    if (value->kind != NNEF_VALUE_TENSOR)
        return nn_error_set(eval->error, -EBADMSG, "%d:%d: output '%s' of the graph is no tensor",
                            declared->line, declared->column, name);
    id = value->id;
    if (!true_name)
        true_name = name;
    if (graph->values[id].input || graph->values[id].constant || graph->values[id].output ||
        strcmp(graph->values[id].name, true_name) != 0) {
        id = nn_nnef_build(&eval->build, "Identity", NULL, id);
        if (eval->build.status < 0)
            return eval->build.status;
        copy = strdup(true_name);
        if (!copy)
            return nn_error_set(eval->error, -ENOMEM, "out of memory");
        free(graph->values[id].name);
        graph->values[id].name = copy;
    }
    graph->values[id].output = true;
    graph->outputs[graph->n_outputs++] = id;
    return 0;
}

static int add_ends(NnefEval *eval, const NnefScope *scope)
{
    const NnefFragment *declared = &eval->document->graph;
    NnGraph *graph = eval->build.graph;
    int r = 0;

    graph->inputs = calloc(NN_MAX(declared->n_parameters, 1), sizeof(graph->inputs[0]));
    graph->outputs = calloc(NN_MAX(declared->n_results, 1), sizeof(graph->outputs[0]));
    graph->name = strdup(declared->name);
    if (!graph->inputs || !graph->outputs || !graph->name)
        return nn_error_set(eval->error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < declared->n_parameters; i++)
        add_input(eval, declared->parameters[i].name);
    for (size_t i = 0; i < declared->n_results && r >= 0; i++)
        r = add_output(eval, scope, declared->results[i].name);
    return r;
}

/* Nodes are called as what they make; tensors that nobody named lose their mark. */
static int name_nodes(NnefEval *eval)
{
    NnGraph *graph = eval->build.graph;

    for (size_t i = 0; i < graph->n_values; i++) {
        char *name = graph->values[i].name;

        if (name[0] == NNEF_UNNAMED)
            memmove(name, name + 1, strlen(name));
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        char *name = strdup(graph->values[graph->nodes[i].outputs[0]].name);

        if (!name)
            return nn_error_set(eval->error, -ENOMEM, "out of memory");
        free(graph->nodes[i].name);
        graph->nodes[i].name = name;
    }
    return 0;
}

static int evaluate(NnefEval *eval)
{
    NnefScope scope = { .graph = true };
    int r = 0;

    if (eval->document->provisional)
        r = nn_nnef_parse_fragments(eval->memory, nn_nnef_layers, &eval->layers, eval->error);
    if (r >= 0)
        r = nn_nnef_custom_model(eval);
    if (r >= 0)
        r = nn_nnef_eval_graph(eval, &scope);
    if (r >= 0)
        r = add_ends(eval, &scope);
    if (r >= 0)
        r = name_nodes(eval);
    return r < 0 ? r : nn_graph_verify(eval->build.graph, eval->error);
}

static int import(NnefMemory *memory, const char *directory, const char *text, size_t n_text,
                  const char *quant, size_t n_quant, NnGraph **ret_graph, NnError *error)
{
    _cleanup_(nn_graph_freep) NnGraph *graph = NULL;
    NnefDocument document;
    NnefEval eval = { .memory = memory, .document = &document, .directory = directory,
                      .build = { .opset = NN_NNEF_OPSET, .error = error }, .error = error };
    int r;

    if (n_text > NN_LIMIT_NNEF_TEXT_BYTES || n_quant > NN_LIMIT_NNEF_TEXT_BYTES)
        return nn_error_set(error, -E2BIG, "larger than %zu MiB", NN_LIMIT_NNEF_TEXT_BYTES >> 20);
    r = nn_nnef_parse(memory, text, n_text, &document, error);
    if (r >= 0 && quant) {
        r = nn_nnef_parse_quant(memory, quant, n_quant, &eval.quants, error);
        if (r < 0)
            nn_error_prefix(error, r, QUANT_FILE);
    }
    if (r < 0)
        return r;
    r = nn_graph_new(&graph);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    eval.build.graph = graph;
    r = evaluate(&eval);
    if (r < 0)
        return r;
    *ret_graph = NN_TAKE(graph);
    return 0;
}

static void locale_clear(locale_t *locale)
{
    if (*locale)
        freelocale(*locale);
}

int nn_nnef_import_text(const char *name, const char *directory, const char *text, size_t n_text,
                        const char *quant, size_t n_quant, NnGraph **ret_graph, NnError *error)
{
    /* Numbers have a point whatever the application's language. */
    _cleanup_(locale_clear) locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    _cleanup_(nn_nnef_memory_clear) NnefMemory memory = { 0 };
    locale_t before = locale ? uselocale(locale) : (locale_t)0;
    int r;

    r = import(&memory, directory, text, n_text, quant, n_quant, ret_graph, error);
    if (before)
        uselocale(before);
    return r < 0 ? nn_error_prefix(error, r, "%s", name) : 0;
}

/* Takes the descriptor. */
static int map_file(int fd, const char *path, NnFileMap *ret, NnError *error)
{
    int r;

    r = fd < 0 ? fd : nn_file_map(fd, NN_LIMIT_NNEF_TEXT_BYTES, ret);
    nn_file_closep(&fd);
    if (r == -E2BIG)
        return nn_error_set(error, r, "%s: larger than %zu MiB", path,
                            NN_LIMIT_NNEF_TEXT_BYTES >> 20);
    return r < 0 ? nn_error_set(error, r, "%s: %s", path,
                                r == -EBADMSG ? "not a file" : strerror(-r))
                 : 0;
}

/* The text and its directory, from the path of either. */
static int find(const char *path, char **ret_directory, char **ret_file)
{
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        *ret_directory = strdup(path);
        if (asprintf(ret_file, "%s/" GRAPH_FILE, path) < 0)
            *ret_file = NULL;
    } else {
        *ret_directory = !slash ? strdup(".")
                                : strndup(path, slash == path ? 1 : (size_t)(slash - path));
        *ret_file = strdup(path);
    }
    return *ret_directory && *ret_file ? 0 : -ENOMEM;
}

int nn_nnef_import(const char *path, NnGraph **ret_graph, NnError *error)
{
    _cleanup_free_ char *directory = NULL, *file = NULL;
    _cleanup_(nn_file_unmap) NnFileMap text = { 0 }, quant = { 0 };
    int r, fd;

    r = find(path, &directory, &file);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    r = map_file(fd < 0 ? -errno : fd, file, &text, error);
    if (r < 0)
        return r;
    fd = nn_file_open_inside(directory, QUANT_FILE);
    if (fd != -ENOENT)
        r = map_file(fd, QUANT_FILE, &quant, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", path);
    return nn_nnef_import_text(file, directory, text.bytes ? text.bytes : "", text.n, quant.bytes,
                               quant.n, ret_graph, error);
}
