/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/custom.h"

#include "base/limits.h"
#include "nnef/onnx_form.h"

#define PREFIX_BYTES (sizeof(NN_ONNX_FORM_PREFIX) - 1)

bool nn_nnef_is_custom(const NnefFragment *fragment)
{
    return !fragment->operation && !fragment->body &&
           strncmp(fragment->name, NN_ONNX_FORM_PREFIX, PREFIX_BYTES) == 0 &&
           strcmp(fragment->name, NN_ONNX_FORM_MODEL) != 0;
}

/* What a call is made of. */
typedef struct Custom {
    NnefEval *eval;
    const NnefExpr *call;
    const NnefFragment *fragment;
    const char *type, *domain;
    int64_t opset;
    NnValueId *inputs;
    size_t n_inputs;
    NnefValue places;               /* onnx_inputs */
    NnefAttribute *attributes;      /* one more, zeroed */
    size_t n_attributes;
} Custom;

static int out_of_memory(const Custom *custom)
{
    return nn_nnef_eval_error(custom->eval, custom->call, -ENOMEM, "out of memory, or over %zu MiB",
                              NN_LIMIT_NNEF_BYTES >> 20);
}

/* "onnx_TopK__1" is TopK. */
static int read_type(Custom *custom)
{
    const char *name = custom->fragment->name + PREFIX_BYTES;
    size_t n = strlen(name), digits = n;

    while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
        digits--;
    if (digits < n && digits > 2 && name[digits - 1] == '_' && name[digits - 2] == '_')
        n = digits - 2;
    custom->type = nn_nnef_string(custom->eval->memory, name, n);
    return custom->type ? 0 : out_of_memory(custom);
}

static int add_input(Custom *custom, const NnefValue *value)
{
    NnefBuild *build = &custom->eval->build;
    NnValueId id;

    switch (value->kind) {
    case NNEF_VALUE_TENSOR: id = value->id; break;
    case NNEF_VALUE_INTEGER: id = nn_nnef_build_ints(build, &value->i, 1);
        id = nn_nnef_build_reshape(build, id, NULL, 0);
        break;
    case NNEF_VALUE_SCALAR: id = nn_nnef_build_scalar(build, value->f, NN_DTYPE_F32); break;
    case NNEF_VALUE_LOGICAL: id = nn_nnef_build_scalar(build, value->b, NN_DTYPE_BOOL); break;
    default:
        return nn_nnef_eval_error(custom->eval, custom->call, -EBADMSG,
                                  "%s: an argument without name is of type %s, a tensor was "
                                  "expected",
                                  custom->fragment->name, nn_nnef_value_name(value));
    }
    custom->inputs[custom->n_inputs++] = id;
    return 0;
}

static const NnefType *declared_type(const Custom *custom, const char *name)
{
    for (size_t i = 0; i < custom->fragment->n_parameters; i++)
        if (strcmp(custom->fragment->parameters[i].name, name) == 0)
            return custom->fragment->parameters[i].type;
    return NULL;
}

static int wrong_attribute(const Custom *custom, const char *name, const NnefValue *value)
{
    return nn_nnef_eval_error(custom->eval, custom->call, -EBADMSG,
                              "%s: attribute '%s' is of type %s, which none of ONNX has",
                              custom->fragment->name, name, nn_nnef_value_name(value));
}

/* Lists have the type of their items, empty ones the declared type. */
static int add_list(Custom *custom, NnefAttribute *to, const NnefValue *value)
{
    const NnefType *type = declared_type(custom, to->name);
    NnefValueKind kind = value->n ? value->items[0].kind : NNEF_VALUE_INTEGER;
    int64_t *ints = nn_nnef_alloc(custom->eval->memory, value->n, sizeof(ints[0]));
    const char **strings = nn_nnef_alloc(custom->eval->memory, value->n, sizeof(strings[0]));
    float *floats = (float *)ints;

    if (!ints || !strings)
        return out_of_memory(custom);
    if (value->n == 0 && type && type->kind == NNEF_TYPE_ARRAY)
        kind = type->items[0]->primitive == NNEF_PRIMITIVE_SCALAR   ? NNEF_VALUE_SCALAR
               : type->items[0]->primitive == NNEF_PRIMITIVE_STRING ? NNEF_VALUE_STRING
                                                                    : NNEF_VALUE_INTEGER;
    for (size_t i = 0; i < value->n; i++) {
        if (value->items[i].kind != kind)
            return wrong_attribute(custom, to->name, value);
        if (kind == NNEF_VALUE_INTEGER)
            ints[i] = value->items[i].i;
        else if (kind == NNEF_VALUE_SCALAR)
            floats[i] = (float)value->items[i].f;
        else if (kind == NNEF_VALUE_STRING)
            strings[i] = value->items[i].s;
        else
            return wrong_attribute(custom, to->name, &value->items[i]);
    }
    to->type = kind == NNEF_VALUE_INTEGER  ? NN_ATTRIBUTE_INTS
               : kind == NNEF_VALUE_SCALAR ? NN_ATTRIBUTE_FLOATS
                                           : NN_ATTRIBUTE_STRINGS;
    to->list = kind == NNEF_VALUE_STRING ? (const void *)strings : ints;
    to->n = value->n;
    return 0;
}

static int add_attribute(Custom *custom, const char *name, const NnefValue *value)
{
    NnefAttribute *to = &custom->attributes[custom->n_attributes];
    const NnValue *tensor;

    if (custom->n_attributes == NN_LIMIT_ATTRIBUTES)
        return nn_nnef_eval_error(custom->eval, custom->call, -E2BIG, "more than %d attributes",
                                  NN_LIMIT_ATTRIBUTES);
    to->name = name;
    switch (value->kind) {
    case NNEF_VALUE_INTEGER: *to = (NnefAttribute)NNEF_INT(name, value->i); break;
    case NNEF_VALUE_SCALAR: *to = (NnefAttribute)NNEF_FLOAT(name, value->f); break;
    case NNEF_VALUE_STRING: *to = (NnefAttribute)NNEF_TEXT(name, value->s); break;
    case NNEF_VALUE_TENSOR:
        tensor = &custom->eval->build.graph->values[value->id];
        if (!tensor->constant || !tensor->tensor.data)
            return wrong_attribute(custom, name, value);
        to->type = NN_ATTRIBUTE_TENSOR;
        to->tensor = &tensor->tensor;
        break;
    case NNEF_VALUE_ARRAY: {
        int r = add_list(custom, to, value);

        if (r < 0)
            return r;
        break;
    }
    default: return wrong_attribute(custom, name, value);
    }
    custom->n_attributes++;
    return 0;
}

/* Named arguments are attributes, but those that say how to read the others. */
static int add_named(Custom *custom, const char *name, const NnefValue *value)
{
    if (strcmp(name, "onnx_opset") == 0 && value->kind == NNEF_VALUE_INTEGER)
        custom->opset = value->i;
    else if (strcmp(name, "onnx_domain") == 0 && value->kind == NNEF_VALUE_STRING)
        custom->domain = value->s;
    else if (strcmp(name, "onnx_type") == 0 && value->kind == NNEF_VALUE_STRING)
        custom->type = value->s;
    else if (strcmp(name, "onnx_inputs") == 0 && value->kind == NNEF_VALUE_ARRAY)
        custom->places = *value;
    else
        return add_attribute(custom, name, value);
    return 0;
}

static int read_arguments(Custom *custom, const NnefScope *scope)
{
    const NnefExpr *call = custom->call;
    NnefMemory *memory = custom->eval->memory;
    NnefValue value;
    int r = 0;

    custom->inputs = nn_nnef_alloc(memory, call->n, sizeof(custom->inputs[0]));
    custom->attributes = nn_nnef_alloc(memory, NN_LIMIT_ATTRIBUTES + 1,
                                       sizeof(custom->attributes[0]));
    if (!custom->inputs || !custom->attributes)
        return out_of_memory(custom);
    for (size_t i = 0; i < call->n && r >= 0; i++) {
        r = nn_nnef_eval(custom->eval, scope, call->items[i], &value);
        if (r >= 0)
            r = call->names[i] ? add_named(custom, call->names[i], &value)
                               : add_input(custom, &value);
    }
    return r;
}

/* Puts the inputs where onnx_inputs says. */
static int place_inputs(Custom *custom)
{
    NnValueId *placed;
    int64_t n = 0;

    if (custom->places.kind == NNEF_VALUE_NONE)
        return 0;
    if (custom->places.n != custom->n_inputs)
        return nn_nnef_eval_error(custom->eval, custom->call, -EBADMSG,
                                  "onnx_inputs has %zu items for %zu inputs", custom->places.n,
                                  custom->n_inputs);
    for (size_t i = 0; i < custom->places.n; i++) {
        const NnefValue *at = &custom->places.items[i];

        if (at->kind != NNEF_VALUE_INTEGER || at->i < n || at->i >= NN_LIMIT_NODE_INPUTS)
            return nn_nnef_eval_error(custom->eval, custom->call, -EBADMSG,
                                      "onnx_inputs does not hold rising integers");
        n = at->i + 1;
    }
    placed = nn_nnef_alloc(custom->eval->memory, (size_t)n, sizeof(placed[0]));
    if (!placed)
        return out_of_memory(custom);
    for (int64_t i = 0; i < n; i++)
        placed[i] = NN_NO_VALUE;
    for (size_t i = 0; i < custom->n_inputs; i++)
        placed[custom->places.items[i].i] = custom->inputs[i];
    custom->inputs = placed;
    custom->n_inputs = (size_t)n;
    return 0;
}

static int make_node(Custom *custom, NnefValue *ret)
{
    NnefBuild *build = &custom->eval->build;
    size_t n = custom->fragment->n_results;
    NnValueId *ids = nn_nnef_alloc(custom->eval->memory, n, sizeof(ids[0]));
    NnefValue *results = nn_nnef_alloc(custom->eval->memory, n, sizeof(results[0]));
    int opset = build->opset;

    if (!ids || !results)
        return out_of_memory(custom);
    if (custom->opset < 1 || custom->opset > 1000)
        return nn_nnef_eval_error(custom->eval, custom->call, -EBADMSG, "onnx_opset is %lld",
                                  (long long)custom->opset);
    build->opset = (int)custom->opset;
    build->lenient = true;
    nn_nnef_build_outputs(build, custom->domain, custom->type, custom->attributes, custom->inputs,
                          custom->n_inputs, ids, n);
    build->opset = opset;
    build->lenient = false;
    if (build->status < 0)
        return nn_nnef_eval_prefix(custom->eval, custom->call, build->status,
                                   custom->fragment->name);
    for (size_t i = 0; i < n; i++)
        results[i] = (NnefValue){ .kind = NNEF_VALUE_TENSOR, .id = ids[i] };
    *ret = results[0];
    if (n > 1)
        *ret = (NnefValue){ .kind = NNEF_VALUE_TUPLE, .items = results, .n = n };
    return 0;
}

int nn_nnef_custom(NnefEval *eval, const NnefScope *scope, const NnefFragment *fragment,
                   const NnefExpr *call, NnefValue *ret)
{
    Custom custom = { .eval = eval, .call = call, .fragment = fragment, .domain = "",
                      .opset = eval->build.opset };
    int r;

    r = read_type(&custom);
    if (r >= 0)
        r = read_arguments(&custom, scope);
    if (r >= 0)
        r = place_inputs(&custom);
    return r < 0 ? r : make_node(&custom, ret);
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                        : c >= 'a' && c <= 'f'   ? c - 'a' + 10
                                                                 : -1;
}

/* %0A is a line feed. */
static char *decode(NnefMemory *memory, const char *s)
{
    char *copy = nn_nnef_string(memory, s, strlen(s)), *to = copy;

    for (; copy && *s; s++) {
        if (*s == '%' && hex(s[1]) >= 0 && hex(s[2]) >= 0) {
            *to++ = (char)(hex(s[1]) * 16 + hex(s[2]));
            s += 2;
        } else
            *to++ = *s;
    }
    if (copy)
        *to = '\0';
    return copy;
}

static int add_metadata(NnefEval *eval, const char *key, const char *value)
{
    NnGraph *graph = eval->build.graph;
    NnMetadata *bigger = reallocarray(graph->metadata, graph->n_metadata + 1, sizeof(*bigger));
    NnMetadata *m;

    if (!bigger)
        return -ENOMEM;
    graph->metadata = bigger;
    m = &graph->metadata[graph->n_metadata++];
    m->key = strdup(key);
    m->value = strdup(value);
    return m->key && m->value ? 0 : -ENOMEM;
}

static int add_pair(NnefEval *eval, const NnefParameter *p, const NnefValue *pair)
{
    bool metadata = strcmp(p->name, "metadata") == 0;
    NnefMap *map = strcmp(p->name, "names") == 0   ? &eval->names
                   : strcmp(p->name, "types") == 0 ? &eval->types
                                                   : NULL;
    char *key, *value;
    int r;

    if (pair->kind != NNEF_VALUE_TUPLE || pair->n != 2 ||
        pair->items[0].kind != NNEF_VALUE_STRING || pair->items[1].kind != NNEF_VALUE_STRING)
        return nn_nnef_eval_error(eval, p->fallback, -EBADMSG,
                                  "'%s' does not hold pairs of strings", p->name);
    key = decode(eval->memory, pair->items[0].s);
    value = decode(eval->memory, pair->items[1].s);
    if (!key || !value)
        return nn_error_set(eval->error, -ENOMEM, "out of memory");
    if (map && nn_nnef_map_get(map, key))
        return nn_nnef_eval_error(eval, p->fallback, -EBADMSG, "'%s' stands there twice", key);
    r = metadata ? add_metadata(eval, key, value)
        : map    ? nn_nnef_map_add(map, eval->memory, key, value)
                 : 0;
    return r < 0 ? nn_error_set(eval->error, r, "out of memory") : 0;
}

int nn_nnef_custom_model(NnefEval *eval)
{
    static const NnefScope empty;
    const NnefFragment *model = eval->document->model;
    NnefValue list;
    int r = 0;

    for (size_t i = 0; model && i < model->n_parameters && r >= 0; i++) {
        const NnefParameter *p = &model->parameters[i];

        if (!p->fallback)
            continue;
        r = nn_nnef_eval(eval, &empty, p->fallback, &list);
        if (r < 0)
            return r;
        if (list.kind != NNEF_VALUE_ARRAY)
            return nn_nnef_eval_error(eval, p->fallback, -EBADMSG, "'%s' is no array", p->name);
        for (size_t j = 0; j < list.n && r >= 0; j++)
            r = add_pair(eval, p, &list.items[j]);
    }
    return r;
}
