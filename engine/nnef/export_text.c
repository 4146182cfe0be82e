/* SPDX-License-Identifier: Apache-2.0 */

/* Identifiers, literals and operands of the NNEF writer. */

#include <ctype.h>
#include <math.h>

#include "nnef/export.h"
#include "nnef/tensor.h"

/* Identifiers become file names too. */
#define IDENTIFIER_BYTES 100
/* Constants of up to this many elements stand in the text. */
#define INLINE_ELEMENTS 8

static const char *const keywords[] = {
    "version", "extension", "graph",     "fragment", "tensor",   "integer", "scalar",
    "logical", "string",    "true",      "false",    "for",      "in",      "if",
    "else",    "yield",     "length_of", "shape_of", "range_of", "lengthof", "shapeof",
    "rangeof",
};

void nn_export_fail(NnExport *export, int r, const char *format, ...)
{
    char sentence[sizeof(export->error->message)];
    va_list args;

    if (export->r < 0)
        return;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    export->r = nn_error_set(export->error, r, "%s", sentence);
}

static bool is_word(char c)
{
    return isascii((unsigned char)c) && (isalnum((unsigned char)c) || c == '_');
}

static bool is_keyword(const char *name)
{
    for (size_t i = 0; i < NN_ARRAY_SIZE(keywords); i++)
        if (strcmp(name, keywords[i]) == 0)
            return true;
    return false;
}

bool nn_export_is_identifier(const char *name)
{
    if (!*name || isdigit((unsigned char)*name) || is_keyword(name))
        return false;
    for (const char *at = name; *at; at++)
        if (!is_word(*at))
            return false;
    return strlen(name) <= IDENTIFIER_BYTES;
}

static uint64_t hash(const char *name)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211u;
    return h;
}

/* Where a name stands, or where it would. */
static size_t slot(char *const *taken, size_t capacity, const char *name)
{
    size_t at = hash(name) & (capacity - 1);

    while (taken[at] && strcmp(taken[at], name) != 0)
        at = (at + 1) & (capacity - 1);
    return at;
}

static int make_room(NnExport *export)
{
    size_t capacity = NN_MAX(export->taken_capacity * 2, 256);
    char **taken;

    if (export->n_taken * 2 < export->taken_capacity)
        return 0;
    taken = calloc(capacity, sizeof(taken[0]));
    if (!taken)
        return -ENOMEM;
    for (size_t i = 0; i < export->taken_capacity; i++)
        if (export->taken[i])
            taken[slot(taken, capacity, export->taken[i])] = export->taken[i];
    free(export->taken);
    export->taken = taken;
    export->taken_capacity = capacity;
    return 0;
}

/* The nearest identifier: anything else becomes an underscore. */
static void sanitise(const char *wish, char *name)
{
    size_t n = 0;

    while (*wish && !(isascii((unsigned char)*wish) && isalnum((unsigned char)*wish)) &&
           *wish != '_')
        wish++;
    if (!*wish || isdigit((unsigned char)*wish))
        name[n++] = 't';
    for (; *wish && n < IDENTIFIER_BYTES - 16; wish++)
        name[n++] = is_word(*wish) ? *wish : '_';
    name[n] = '\0';
    if (is_keyword(name))
        strcat(name, "_");
}

const char *nn_export_identifier(NnExport *export, const char *wish)
{
    char name[IDENTIFIER_BYTES + 1], base[IDENTIFIER_BYTES + 1];
    size_t at;

    if (make_room(export) < 0) {
        nn_export_fail(export, -ENOMEM, "out of memory");
        return "";
    }
    if (nn_export_is_identifier(wish))
        strcpy(name, wish);
    else
        sanitise(wish, name);
    at = slot(export->taken, export->taken_capacity, name);
    if (export->taken[at])
        sanitise(wish, base);
    while (export->taken[at]) {
        snprintf(name, sizeof(name), "%.*s_%u", IDENTIFIER_BYTES - 12, base, ++export->suffix);
        at = slot(export->taken, export->taken_capacity, name);
    }
    export->taken[at] = strdup(name);
    if (!export->taken[at]) {
        nn_export_fail(export, -ENOMEM, "out of memory");
        return "";
    }
    export->n_taken++;
    return export->taken[at];
}

void nn_export_ints(FILE *file, const int64_t *values, size_t n)
{
    fputc('[', file);
    for (size_t i = 0; i < n; i++)
        fprintf(file, "%s%lld", i ? ", " : "", (long long)values[i]);
    fputc(']', file);
}

/* Nine digits tell every float from its neighbours. Infinity is a number that a
 * float cannot hold: the grammar has no word for it. */
void nn_export_float(FILE *file, float value)
{
    char text[32];

    if (isinf(value)) {
        fputs(value < 0 ? "-1e999" : "1e999", file);
        return;
    }
    snprintf(text, sizeof(text), "%.9g", (double)value);
    fputs(text, file);
    if (!strpbrk(text, ".e"))
        fputs(".0", file);
}

void nn_export_string(FILE *file, const char *string)
{
    fputc('\'', file);
    for (; *string; string++) {
        if (*string == '\'' || *string == '\\')
            fputc('\\', file);
        fputc(*string, file);
    }
    fputc('\'', file);
}

static const char *type_name(NnDtype dtype)
{
    switch (dtype) {
    case NN_DTYPE_F16:
    case NN_DTYPE_F32:
    case NN_DTYPE_F64: return "scalar";
    case NN_DTYPE_BOOL: return "logical";
    default: return "integer";
    }
}

/* Whether a literal in the text gives the same bits. */
static bool fits_inline(const NnTensor *tensor, int64_t n)
{
    if (n < 1 || n > INLINE_ELEMENTS)
        return false;
    if (tensor->dtype == NN_DTYPE_I64 || tensor->dtype == NN_DTYPE_BOOL)
        return true;
    if (tensor->dtype != NN_DTYPE_F32)
        return false;
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(((const float *)tensor->data)[i]))
            return false;
    return true;
}

static void write_element(FILE *file, const NnTensor *tensor, int64_t i)
{
    if (tensor->dtype == NN_DTYPE_F32)
        nn_export_float(file, ((const float *)tensor->data)[i]);
    else if (tensor->dtype == NN_DTYPE_I64)
        fprintf(file, "%lld", (long long)((const int64_t *)tensor->data)[i]);
    else
        fputs(((const uint8_t *)tensor->data)[i] ? "true" : "false", file);
}

static void write_file(NnExport *export, const char *name, const NnTensor *tensor)
{
    _cleanup_free_ char *path = NULL;
    int r;

    if (export->r < 0)
        return;
    if (asprintf(&path, "%s/%s.dat", export->directory, name) < 0) {
        path = NULL;
        nn_export_fail(export, -ENOMEM, "out of memory");
        return;
    }
    r = nn_nnef_tensor_write(path, tensor, export->error);
    if (r < 0)
        export->r = r;
}

void nn_export_constant(NnExport *export, const char *name, const NnTensor *tensor)
{
    FILE *file = export->constants.file;
    int64_t n = nn_tensor_elements(tensor);

    if (!fits_inline(tensor, n)) {
        fprintf(file, "    %s = variable<%s>(shape = ", name, type_name(tensor->dtype));
        nn_export_ints(file, tensor->dims, tensor->rank);
        fprintf(file, ", label = '%s');\n", name);
        write_file(export, name, tensor);
        return;
    }
    fprintf(file, "    %s = constant<%s>(shape = ", name, type_name(tensor->dtype));
    nn_export_ints(file, tensor->dims, tensor->rank);
    fputs(", value = [", file);
    for (int64_t i = 0; i < n; i++) {
        if (i)
            fputs(", ", file);
        write_element(file, tensor, i);
    }
    fputs("]);\n", file);
}

const char *nn_export_result(NnExport *export, NnValueId id)
{
    if (!export->names[id])
        export->names[id] = nn_export_identifier(export, export->graph->values[id].name);
    return export->names[id];
}

const char *nn_export_operand(NnExport *export, NnValueId id)
{
    const NnValue *value = &export->graph->values[id];
    const char *name = nn_export_result(export, id);

    if (value->constant && !export->declared[id]) {
        export->declared[id] = true;
        nn_export_constant(export, name, &value->tensor);
    }
    return name;
}

static const char *new_form(NnExport *export, NnValueId id, int rank)
{
    const NnValue *value = &export->graph->values[id];
    NnTensor tensor = value->tensor;
    int64_t axes[NN_RANK_MAX];
    int added = rank - tensor.rank;
    const char *from, *name;

    for (int i = 0; i < added; i++)
        axes[i] = i;
    if (!value->constant) {
        from = nn_export_operand(export, id);
        name = nn_export_identifier(export, value->name);
        fprintf(export->body.file, "    %s = unsqueeze(%s, axes = ", name, from);
        nn_export_ints(export->body.file, axes, added);
        fputs(");\n", export->body.file);
        return name;
    }
    memmove(tensor.dims + added, tensor.dims, tensor.rank * sizeof(tensor.dims[0]));
    for (int i = 0; i < added; i++)
        tensor.dims[i] = 1;
    tensor.rank = rank;
    name = nn_export_identifier(export, value->name);
    nn_export_constant(export, name, &tensor);
    return name;
}

const char *nn_export_operand_rank(NnExport *export, NnValueId id, int rank)
{
    NnExportForm *forms;
    const char *name;

    if (export->graph->values[id].tensor.rank >= rank)
        return nn_export_operand(export, id);
    for (int32_t i = export->first_form[id]; i >= 0; i = export->forms[i].next)
        if (export->forms[i].rank == rank)
            return export->forms[i].name;
    name = new_form(export, id, rank);
    forms = reallocarray(export->forms, export->n_forms + 1, sizeof(forms[0]));
    if (!forms) {
        nn_export_fail(export, -ENOMEM, "out of memory");
        return name;
    }
    export->forms = forms;
    forms[export->n_forms] = (NnExportForm){ name, rank, export->first_form[id] };
    export->first_form[id] = (int32_t)export->n_forms++;
    return name;
}
