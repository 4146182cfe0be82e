/* SPDX-License-Identifier: Apache-2.0 */

/* The graph as an NNEF 1.0 directory. It is written beside its place and moved
 * there when it is whole. */

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nnef/export.h"
#include "nnef/nnef.h"
#include "nnef/onnx_form.h"

static void text_clear(NnExportText *text)
{
    if (text->file)
        fclose(text->file);
    free(text->bytes);
}

static void export_clear(NnExport *export)
{
    text_clear(&export->fragments);
    text_clear(&export->constants);
    text_clear(&export->body);
    for (size_t i = 0; i < export->taken_capacity; i++)
        free(export->taken[i]);
    free(export->taken);
    free(export->names);
    free(export->outputs);
    free(export->declared);
    free(export->first_form);
    free(export->forms);
    for (size_t i = 0; i < export->n_list; i++) {
        free(export->list[i].type);
        free(export->list[i].signature);
        free(export->list[i].name);
    }
    free(export->list);
}

static int export_init(NnExport *export)
{
    size_t n_values = NN_MAX(export->graph->n_values, 1);
    NnExportText *texts[] = { &export->fragments, &export->constants, &export->body };

    for (size_t i = 0; i < NN_ARRAY_SIZE(texts); i++) {
        texts[i]->file = open_memstream(&texts[i]->bytes, &texts[i]->n);
        if (!texts[i]->file)
            return -ENOMEM;
    }
    export->names = calloc(n_values, sizeof(export->names[0]));
    export->outputs = calloc(NN_MAX(export->graph->n_outputs, 1), sizeof(export->outputs[0]));
    export->declared = calloc(n_values, sizeof(export->declared[0]));
    export->first_form = malloc(n_values * sizeof(export->first_form[0]));
    if (!export->names || !export->outputs || !export->declared || !export->first_form)
        return -ENOMEM;
    memset(export->first_form, 0xff, n_values * sizeof(export->first_form[0]));
    return 0;
}

/* Inputs and outputs are named first, so that they get the names they have. */
static void name_ends(NnExport *export)
{
    const NnGraph *graph = export->graph;

    for (size_t i = 0; i < graph->n_inputs; i++)
        nn_export_result(export, graph->inputs[i]);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        NnValueId id = graph->outputs[i];

        /* What is an input too, or an output twice, gets a copy of its own. */
        export->outputs[i] = export->names[id]
                                 ? nn_export_identifier(export, graph->values[id].name)
                                 : nn_export_result(export, id);
    }
}

static const char *external_type(NnDtype dtype, NnDtype *ret_default)
{
    switch (dtype) {
    case NN_DTYPE_F16:
    case NN_DTYPE_F32:
    case NN_DTYPE_F64: *ret_default = NN_DTYPE_F32; return "scalar";
    case NN_DTYPE_BOOL: *ret_default = NN_DTYPE_BOOL; return "logical";
    default: *ret_default = NN_DTYPE_I64; return "integer";
    }
}

static void write_externals(NnExport *export)
{
    for (size_t i = 0; i < export->graph->n_inputs; i++) {
        const NnValue *value = &export->graph->values[export->graph->inputs[i]];
        NnDtype usual;

        fprintf(export->constants.file,
                "    %s = external<%s>(shape = ", export->names[export->graph->inputs[i]],
                external_type(value->tensor.dtype, &usual));
        nn_export_ints(export->constants.file, value->tensor.dims, value->tensor.rank);
        fputs(");\n", export->constants.file);
    }
}

static void write_outputs(NnExport *export)
{
    for (size_t i = 0; i < export->graph->n_outputs; i++) {
        const char *name = nn_export_operand(export, export->graph->outputs[i]);

        if (strcmp(name, export->outputs[i]) != 0)
            fprintf(export->body.file, "    %s = copy(%s);\n", export->outputs[i], name);
    }
}

/* Pairs of one parameter of the fragment that carries names, types and metadata.
 * Begins it with the first pair. */
typedef struct Pairs {
    FILE *file;
    const char *parameter;
    size_t n;               /* pairs so far */
    size_t n_parameters;    /* with pairs, before this one */
} Pairs;

static void write_coded(FILE *file, const char *string)
{
    fputc('\'', file);
    for (; *string; string++) {
        if ((uint8_t)*string < 0x20 || *string == 0x7f || *string == '%')
            fprintf(file, "%%%02X", (uint8_t)*string);
        else if (*string == '\'' || *string == '\\')
            fprintf(file, "\\%c", *string);
        else
            fputc(*string, file);
    }
    fputc('\'', file);
}

static void add_pair(Pairs *pairs, const char *key, const char *value)
{
    if (pairs->n++ == 0)
        fprintf(pairs->file, "%s\n    %s: (string, string)[] = [\n        (",
                pairs->n_parameters ? "," : "", pairs->parameter);
    else
        fputs(",\n        (", pairs->file);
    write_coded(pairs->file, key);
    fputs(", ", pairs->file);
    write_coded(pairs->file, value);
    fputc(')', pairs->file);
}

static void end_parameter(Pairs *pairs, const char *next)
{
    if (pairs->n) {
        fputs(" ]", pairs->file);
        pairs->n_parameters++;
    }
    pairs->n = 0;
    pairs->parameter = next;
}

static void add_names(NnExport *export, Pairs *pairs)
{
    const NnGraph *graph = export->graph;

    for (size_t i = 0; i < graph->n_inputs; i++)
        if (strcmp(export->names[graph->inputs[i]], graph->values[graph->inputs[i]].name) != 0)
            add_pair(pairs, export->names[graph->inputs[i]], graph->values[graph->inputs[i]].name);
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (strcmp(export->outputs[i], graph->values[graph->outputs[i]].name) != 0)
            add_pair(pairs, export->outputs[i], graph->values[graph->outputs[i]].name);
}

static void write_model_fragment(NnExport *export, FILE *file)
{
    const NnGraph *graph = export->graph;
    char *bytes = NULL;
    size_t n = 0;
    Pairs pairs = { .file = open_memstream(&bytes, &n), .parameter = "names" };

    if (!pairs.file) {
        nn_export_fail(export, -ENOMEM, "out of memory");
        return;
    }
    add_names(export, &pairs);
    end_parameter(&pairs, "types");
    for (size_t i = 0; i < graph->n_inputs; i++) {
        NnDtype dtype = graph->values[graph->inputs[i]].tensor.dtype, usual;

        external_type(dtype, &usual);
        if (dtype != usual)
            add_pair(&pairs, export->names[graph->inputs[i]], nn_dtype_name(dtype));
    }
    end_parameter(&pairs, "metadata");
    for (size_t i = 0; i < graph->n_metadata; i++)
        add_pair(&pairs, graph->metadata[i].key, graph->metadata[i].value);
    end_parameter(&pairs, NULL);
    if (fclose(pairs.file) != 0)
        nn_export_fail(export, -ENOMEM, "out of memory");
    else if (pairs.n_parameters)
        fprintf(file, "# Never called: its defaults say what the model is called and knows.\n"
                      "fragment " NN_ONNX_FORM_MODEL "(%s )\n-> ( model: tensor<scalar> );\n\n",
                bytes);
    free(bytes);
}

static void write_signature(NnExport *export, FILE *file)
{
    const NnGraph *graph = export->graph;

    fprintf(file, "graph %s(", nn_export_identifier(export, graph->name ? graph->name : "graph"));
    for (size_t i = 0; i < graph->n_inputs; i++)
        fprintf(file, "%s %s", i ? "," : "", export->names[graph->inputs[i]]);
    fputs(" ) -> (", file);
    for (size_t i = 0; i < graph->n_outputs; i++)
        fprintf(file, "%s %s", i ? "," : "", export->outputs[i]);
    fputs(" )\n{\n", file);
}

static int finish(NnExportText *text)
{
    int r = fclose(text->file);

    text->file = NULL;
    return r == 0 ? 0 : -ENOMEM;
}

static int write_document(NnExport *export, FILE *file)
{
    if (finish(&export->fragments) < 0 || finish(&export->constants) < 0 ||
        finish(&export->body) < 0)
        return -ENOMEM;
    fputs("version 1.0;\n\n", file);
    if (export->fragments.n)
        fprintf(file, "extension KHR_enable_fragment_definitions;\n\n%s", export->fragments.bytes);
    write_signature(export, file);
    fprintf(file, "%s%s}\n", export->constants.bytes, export->body.bytes);
    return ferror(file) ? -EIO : 0;
}

static int write_text(NnExport *export)
{
    _cleanup_free_ char *path = NULL;
    FILE *file;
    int r;

    if (asprintf(&path, "%s/graph.nnef", export->directory) < 0) {
        path = NULL;
        return nn_error_set(export->error, -ENOMEM, "out of memory");
    }
    file = fopen(path, "wxe");
    if (!file)
        return nn_error_set(export->error, -errno, "%s: %s", path, strerror(errno));
    r = write_document(export, file);
    if (fclose(file) != 0 && r >= 0)
        r = -errno;
    return r < 0 ? nn_error_set(export->error, r, "%s: %s", path, strerror(-r)) : export->r;
}

static int write_graph(NnExport *export)
{
    const NnGraph *graph = export->graph;
    int r;

    r = export_init(export);
    if (r < 0)
        return nn_error_set(export->error, r, "out of memory");
    name_ends(export);
    if (export->r >= 0) {
        write_externals(export);
        write_model_fragment(export, export->fragments.file);
    }
    for (size_t i = 0; i < graph->n_nodes && export->r >= 0; i++) {
        if (graph->nodes[i].removed)
            continue;
        if (!nn_export_standard(export, &graph->nodes[i]))
            nn_export_onnx_form(export, &graph->nodes[i]);
    }
    if (export->r >= 0)
        write_outputs(export);
    return export->r < 0 ? export->r : write_text(export);
}

/* Missing or empty. */
static int check_place(const char *directory, NnError *error)
{
    struct dirent *entry;
    bool empty = true;
    DIR *dir;

    dir = opendir(directory);
    if (!dir && errno == ENOENT)
        return 0;
    if (!dir)
        return nn_error_set(error, -errno, "%s: %s", directory, strerror(errno));
    while (empty && (entry = readdir(dir)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(dir);
    return empty ? 0
                 : nn_error_set(error, -EEXIST,
                                "%s: it holds files already, an empty or new directory is needed",
                                directory);
}

static void remove_directory(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* A new directory beside `directory`. */
static int make_beside(const char *directory, char **ret_path, NnError *error)
{
    size_t n = strlen(directory);
    char *path;

    while (n > 1 && directory[n - 1] == '/')
        n--;
    if (asprintf(&path, "%.*s.XXXXXX", (int)n, directory) < 0)
        return nn_error_set(error, -ENOMEM, "out of memory");
    if (!mkdtemp(path) || chmod(path, 0755) < 0) {
        int r = -errno;

        free(path);
        return nn_error_set(error, r, "%s: %s", directory, strerror(-r));
    }
    *ret_path = path;
    return 0;
}

int nn_nnef_export(const NnGraph *graph, const char *directory, NnError *error)
{
    _cleanup_(export_clear) NnExport export = { .graph = graph, .error = error };
    _cleanup_free_ char *path = NULL;
    int r;

    r = check_place(directory, error);
    if (r < 0)
        return r;
    r = make_beside(directory, &path, error);
    if (r < 0)
        return r;
    export.directory = path;
    r = write_graph(&export);
    if (r >= 0 && rename(path, directory) < 0)
        r = nn_error_set(error, -errno, "%s: %s", directory, strerror(errno));
    if (r < 0)
        remove_directory(path);
    return r;
}
