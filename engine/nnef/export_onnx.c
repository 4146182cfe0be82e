/* SPDX-License-Identifier: Apache-2.0 */

/* What the standard lacks, as fragments without body: see onnx_form.h. */

#include <ctype.h>
#include <math.h>

#include "nnef/export.h"
#include "nnef/onnx_form.h"

/* Declaration and call of one node. */
typedef struct Form {
    NnExport *export;
    const NnNode *node;
    NnExportText signature;     /* from the opening parenthesis on */
    NnExportText call;          /* arguments */
    size_t n;                   /* parameters so far */
} Form;

static void form_clear(Form *form)
{
    if (form->signature.file)
        fclose(form->signature.file);
    if (form->call.file)
        fclose(form->call.file);
    free(form->signature.bytes);
    free(form->call.bytes);
}

static const char *tensor_type(NnDtype dtype)
{
    switch (dtype) {
    case NN_DTYPE_F16:
    case NN_DTYPE_F32:
    case NN_DTYPE_F64:
    case NN_DTYPE_UNDEFINED: return "tensor<scalar>";
    case NN_DTYPE_BOOL: return "tensor<logical>";
    default: return "tensor<integer>";
    }
}

/* Declares a parameter and begins its argument. */
static FILE *add_named(Form *form, const char *name, const char *type)
{
    const char *comma = form->n++ ? ", " : "";

    fprintf(form->signature.file, "%s%s: %s", comma, name, type);
    fprintf(form->call.file, "%s%s = ", comma, name);
    return form->call.file;
}

static void add_inputs(Form *form)
{
    const NnNode *node = form->node;
    size_t n = 0, last = 0;

    for (size_t i = 0; i < node->n_inputs; i++) {
        const NnTensor *tensor = nn_export_input(form->export, node, i);
        const char *comma = n ? ", " : "";

        if (!tensor)
            continue;
        fprintf(form->signature.file, "%sx%zu: %s", comma, n, tensor_type(tensor->dtype));
        fprintf(form->call.file, "%s%s", comma, nn_export_operand(form->export, node->inputs[i]));
        last = i;
        n++;
    }
    form->n = n;
    if (n == 0 || last + 1 == n)
        return;
    add_named(form, "onnx_inputs", "integer[]");
    n = 0;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (nn_export_input(form->export, node, i))
            fprintf(form->call.file, "%s%zu", n++ ? ", " : "[", i);
    fputc(']', form->call.file);
}

static void fail(Form *form, const NnAttribute *attribute, const char *what)
{
    nn_export_fail(form->export, -ENOTSUP, "node '%s' (%s): attribute '%s' %s", form->node->name,
                   form->node->op_type, attribute->name, what);
}

/* Control characters have no place in the grammar's strings. */
static void add_string(Form *form, const NnAttribute *attribute, const char *string)
{
    for (const char *at = string; *at; at++)
        if ((uint8_t)*at < 0x20)
            fail(form, attribute, "holds a control character, which NNEF cannot say");
    nn_export_string(form->call.file, string);
}

static void add_float(Form *form, const NnAttribute *attribute, float value)
{
    if (isnan(value))
        fail(form, attribute, "is not a number, which NNEF cannot say");
    nn_export_float(form->call.file, value);
}

static void add_list(Form *form, const NnAttribute *attribute)
{
    fputc('[', form->call.file);
    for (size_t i = 0; i < attribute->n; i++) {
        if (i)
            fputs(", ", form->call.file);
        if (attribute->type == NN_ATTRIBUTE_FLOATS)
            add_float(form, attribute, attribute->floats[i]);
        else
            add_string(form, attribute, attribute->strings[i]);
    }
    fputc(']', form->call.file);
}

static void add_tensor(Form *form, const NnAttribute *attribute)
{
    const char *name = nn_export_identifier(form->export, attribute->name);

    nn_export_constant(form->export, name, &attribute->tensor);
    fputs(name, add_named(form, attribute->name, tensor_type(attribute->tensor.dtype)));
}

/* x0, y1, onnx_…: names that the form itself uses. */
static bool is_reserved(const char *name)
{
    if (strncmp(name, NN_ONNX_FORM_PREFIX, strlen(NN_ONNX_FORM_PREFIX)) == 0)
        return true;
    if (*name != 'x' && *name != 'y')
        return false;
    name++;
    return *name && name[strspn(name, "0123456789")] == '\0';
}

static void add_attribute(Form *form, const NnAttribute *attribute)
{
    const char *name = attribute->name;

    if (!nn_export_is_identifier(name) || is_reserved(name)) {
        fail(form, attribute, "has a name that NNEF cannot say");
        return;
    }
    switch (attribute->type) {
    case NN_ATTRIBUTE_INT:
        fprintf(add_named(form, name, "integer"), "%lld", (long long)attribute->i);
        break;
    case NN_ATTRIBUTE_FLOAT:
        add_named(form, name, "scalar");
        add_float(form, attribute, attribute->f);
        break;
    case NN_ATTRIBUTE_STRING:
        add_named(form, name, "string");
        add_string(form, attribute, attribute->s);
        break;
    case NN_ATTRIBUTE_INTS:
        nn_export_ints(add_named(form, name, "integer[]"), attribute->ints, attribute->n);
        break;
    case NN_ATTRIBUTE_FLOATS:
        add_named(form, name, "scalar[]");
        add_list(form, attribute);
        break;
    case NN_ATTRIBUTE_STRINGS:
        add_named(form, name, "string[]");
        add_list(form, attribute);
        break;
    case NN_ATTRIBUTE_TENSOR:
        add_tensor(form, attribute);
        break;
    default:
        fail(form, attribute, "is a subgraph, which NNEF cannot say");
    }
}

/* Type as a part of the fragment's name, and whether it needs onnx_type. */
static bool plain_type(const char *type)
{
    const char *digits = type + strlen(type);

    while (digits > type && isdigit((unsigned char)digits[-1]))
        digits--;
    if (*digits && digits - type >= 2 && digits[-1] == '_' && digits[-2] == '_')
        return false;
    return nn_export_is_identifier(type) && strcmp(type, "model") != 0;
}

static void add_identity(Form *form)
{
    const NnNode *node = form->node;

    fprintf(add_named(form, "onnx_opset", "integer"), "%d", node->opset);
    if (*node->domain)
        nn_export_string(add_named(form, "onnx_domain", "string"), node->domain);
    if (!plain_type(node->op_type))
        nn_export_string(add_named(form, "onnx_type", "string"), node->op_type);
}

static size_t count_outputs(const Form *form)
{
    size_t n = form->node->n_outputs;

    while (n && form->node->outputs[n - 1] == NN_NO_VALUE)
        n--;
    return n;
}

static void add_outputs(Form *form)
{
    size_t n = count_outputs(form);

    fputs(" ) -> ( ", form->signature.file);
    for (size_t i = 0; i < n; i++) {
        const NnTensor *tensor = nn_export_output(form->export, form->node, i);

        fprintf(form->signature.file, "%sy%zu: %s", i ? ", " : "", i,
                tensor_type(tensor ? tensor->dtype : NN_DTYPE_UNDEFINED));
    }
    fputs(" );", form->signature.file);
}

/* Appends a declaration; its name is a new one. */
static const char *declare(Form *form, const char *key)
{
    NnExport *export = form->export;
    char wish[128];
    NnExportFragment *list;
    size_t same = 0;

    for (size_t i = 0; i < export->n_list; i++)
        if (strcmp(export->list[i].type, key) == 0) {
            if (strcmp(export->list[i].signature, form->signature.bytes) == 0)
                return export->list[i].name;
            same++;
        }
    snprintf(wish, sizeof(wish),
             same ? NN_ONNX_FORM_PREFIX "%.80s__%zu" : NN_ONNX_FORM_PREFIX "%.80s",
             plain_type(form->node->op_type) ? form->node->op_type : "operator", same);
    list = reallocarray(export->list, export->n_list + 1, sizeof(list[0]));
    if (!list)
        return NULL;
    export->list = list;
    list[export->n_list] = (NnExportFragment){
        .type = strdup(key),
        .signature = strdup(form->signature.bytes),
        .name = strdup(wish),
    };
    export->n_list++;
    if (!list[export->n_list - 1].type || !list[export->n_list - 1].signature ||
        !list[export->n_list - 1].name)
        return NULL;
    fprintf(export->fragments.file, "fragment %s( %s\n\n", wish, form->signature.bytes);
    return list[export->n_list - 1].name;
}

static void write_call(Form *form, const char *fragment)
{
    FILE *file = form->export->body.file;
    size_t n = count_outputs(form);

    fputs(n > 1 ? "    ( " : "    ", file);
    for (size_t i = 0; i < n; i++) {
        NnValueId id = form->node->outputs[i];

        fprintf(file, "%s%s", i ? ", " : "",
                id == NN_NO_VALUE ? nn_export_identifier(form->export, "unused")
                                  : nn_export_result(form->export, id));
    }
    fprintf(file, "%s = %s(%s);\n", n > 1 ? " )" : "", fragment, form->call.bytes);
}

static int form_init(Form *form)
{
    form->signature.file = open_memstream(&form->signature.bytes, &form->signature.n);
    form->call.file = open_memstream(&form->call.bytes, &form->call.n);
    return form->signature.file && form->call.file ? 0 : -ENOMEM;
}

void nn_export_onnx_form(NnExport *export, const NnNode *node)
{
    _cleanup_(form_clear) Form form = { .export = export, .node = node };
    const char *fragment;

    if (form_init(&form) < 0) {
        nn_export_fail(export, -ENOMEM, "out of memory");
        return;
    }
    add_inputs(&form);
    for (size_t i = 0; i < node->n_attributes; i++)
        add_attribute(&form, &node->attributes[i]);
    add_identity(&form);
    add_outputs(&form);
    if (export->r < 0)
        return;
    if (fflush(form.signature.file) != 0 || fflush(form.call.file) != 0) {
        nn_export_fail(export, -ENOMEM, "out of memory");
        return;
    }
    /* Types of one name count as one where the fragment's name does not tell them apart. */
    fragment = declare(&form, plain_type(node->op_type) ? node->op_type : "");
    if (!fragment)
        nn_export_fail(export, -ENOMEM, "out of memory");
    else
        write_call(&form, fragment);
}
