/* SPDX-License-Identifier: Apache-2.0 */
#include "build.h"

#include <stdlib.h>
#include <string.h>

/* Everything built lies here until the program ends: nothing to free. */
static _Alignas(16) uint8_t memory[32 << 20];
static size_t used;

static void *take(size_t n)
{
    void *p = memory + used;

    used += (n + 15) & ~(size_t)15;
    if (used > sizeof(memory))
        abort();
    return p;
}

char *build_string(const char *s)
{
    return memcpy(take(strlen(s) + 1), s, strlen(s) + 1);
}

#define NEW(type, init)                        \
    ({                                         \
        type *_new = take(sizeof(*_new));      \
        init(_new);                            \
        _new;                                  \
    })

/* Adds an element to one of protobuf-c's arrays. */
#define APPEND(array, n, element)                                       \
    do {                                                                \
        void *_more = take(((n) + 1) * sizeof((array)[0]));             \
        if (n)                                                          \
            memcpy(_more, (array), (n) * sizeof((array)[0]));           \
        (array) = _more;                                                \
        (array)[(n)++] = (element);                                     \
    } while (0)

void build_start(Build *build, int64_t opset)
{
    onnx__model__init(&build->model);
    onnx__graph__init(&build->graph);
    onnx__operator_set__init(&build->opset);
    build->opset.version = opset;
    build->opset.has_version = 1;
    build->opsets[0] = &build->opset;
    build->model.opset_import = build->opsets;
    build->model.n_opset_import = 1;
    build->model.graph = &build->graph;
}

void build_domain(Build *build, const char *domain, int64_t version)
{
    onnx__operator_set__init(&build->other);
    build->other.domain = build_string(domain);
    build->other.version = version;
    build->other.has_version = 1;
    build->opsets[1] = &build->other;
    build->model.n_opset_import = 2;
}

static Onnx__ValueInfo *value_info(const char *name, int data_type, size_t rank,
                                   const int64_t *dims)
{
    Onnx__ValueInfo *info = NEW(Onnx__ValueInfo, onnx__value_info__init);

    info->name = build_string(name);
    info->type = NEW(Onnx__Type, onnx__type__init);
    info->type->tensor_type = NEW(Onnx__TensorType, onnx__tensor_type__init);
    info->type->tensor_type->has_elem_type = 1;
    info->type->tensor_type->elem_type = data_type;
    info->type->tensor_type->shape = NEW(Onnx__Shape, onnx__shape__init);
    for (size_t i = 0; i < rank; i++) {
        Onnx__Dimension *dim = NEW(Onnx__Dimension, onnx__dimension__init);

        if (dims[i] >= 0) {
            dim->has_dim_value = 1;
            dim->dim_value = dims[i];
        }
        APPEND(info->type->tensor_type->shape->dim, info->type->tensor_type->shape->n_dim, dim);
    }
    return info;
}

void build_input(Build *build, const char *name, int data_type, size_t rank, const int64_t *dims)
{
    APPEND(build->graph.input, build->graph.n_input, value_info(name, data_type, rank, dims));
}

void build_input_named(Build *build, const char *name, int data_type, const char *dims)
{
    char *copy = build_string(dims), *rest = copy, *word;
    int64_t sizes[16];
    const char *names[16];
    Onnx__ValueInfo *info;
    size_t rank = 0;

    while ((word = strsep(&rest, " "))) {
        char *end;

        sizes[rank] = strtoll(word, &end, 10);
        names[rank] = *end && strcmp(word, "?") != 0 ? word : NULL;
        sizes[rank] = *end ? -1 : sizes[rank];
        rank++;
    }
    info = value_info(name, data_type, rank, sizes);
    for (size_t i = 0; i < rank; i++)
        info->type->tensor_type->shape->dim[i]->dim_param = (char *)names[i];
    APPEND(build->graph.input, build->graph.n_input, info);
}

void build_output(Build *build, const char *name)
{
    APPEND(build->graph.output, build->graph.n_output, value_info(name, 1, 0, NULL));
}

static Onnx__Tensor *initializer(Build *build, const char *name, int data_type, size_t rank,
                                 const int64_t *dims)
{
    Onnx__Tensor *tensor = NEW(Onnx__Tensor, onnx__tensor__init);

    tensor->name = build_string(name);
    tensor->has_data_type = 1;
    tensor->data_type = data_type;
    for (size_t i = 0; i < rank; i++)
        APPEND(tensor->dims, tensor->n_dims, dims[i]);
    APPEND(build->graph.initializer, build->graph.n_initializer, tensor);
    return tensor;
}

Onnx__Tensor *build_floats(Build *build, const char *name, size_t rank, const int64_t *dims,
                           const float *elements)
{
    Onnx__Tensor *tensor = initializer(build, name, 1, rank, dims);
    size_t n = 1;

    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    tensor->has_raw_data = 1;
    tensor->raw_data.len = n * sizeof(float);
    tensor->raw_data.data = take(n * sizeof(float));
    if (elements)
        memcpy(tensor->raw_data.data, elements, n * sizeof(float));
    return tensor;
}

Onnx__Tensor *build_ints(Build *build, const char *name, size_t n, const int64_t *elements)
{
    int64_t dim = (int64_t)n;
    Onnx__Tensor *tensor = initializer(build, name, 7, 1, &dim);

    for (size_t i = 0; i < n; i++)
        APPEND(tensor->int64_data, tensor->n_int64_data, elements[i]);
    return tensor;
}

static void split(const char *words, char ***ret, size_t *ret_n)
{
    char *copy = build_string(words), *rest = copy, *word;

    while ((word = strsep(&rest, " ")))
        APPEND(*ret, *ret_n, word);
}

Onnx__Node *build_node(Build *build, const char *type, const char *inputs, const char *outputs)
{
    Onnx__Node *node = NEW(Onnx__Node, onnx__node__init);

    node->op_type = build_string(type);
    split(inputs, &node->input, &node->n_input);
    split(outputs, &node->output, &node->n_output);
    APPEND(build->graph.node, build->graph.n_node, node);
    return node;
}

static Onnx__Attribute *attribute(Onnx__Node *node, const char *name, int type)
{
    Onnx__Attribute *a = NEW(Onnx__Attribute, onnx__attribute__init);

    a->name = build_string(name);
    a->has_type = 1;
    a->type = type;
    APPEND(node->attribute, node->n_attribute, a);
    return a;
}

void build_attribute_ints(Onnx__Node *node, const char *name, size_t n, const int64_t *ints)
{
    Onnx__Attribute *a = attribute(node, name, 7);

    for (size_t i = 0; i < n; i++)
        APPEND(a->ints, a->n_ints, ints[i]);
}

void build_attribute_floats(Onnx__Node *node, const char *name, size_t n, const float *floats)
{
    Onnx__Attribute *a = attribute(node, name, 6);

    for (size_t i = 0; i < n; i++)
        APPEND(a->floats, a->n_floats, floats[i]);
}

void build_attribute_tensor(Onnx__Node *node, const char *name, size_t n, const int64_t *elements)
{
    Onnx__Attribute *a = attribute(node, name, 4);

    a->t = NEW(Onnx__Tensor, onnx__tensor__init);
    a->t->has_data_type = 1;
    a->t->data_type = 7;
    APPEND(a->t->dims, a->t->n_dims, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        APPEND(a->t->int64_data, a->t->n_int64_data, elements[i]);
}

void build_attribute_int(Onnx__Node *node, const char *name, int64_t i)
{
    Onnx__Attribute *a = attribute(node, name, 2);

    a->has_i = 1;
    a->i = i;
}

void build_attribute_float(Onnx__Node *node, const char *name, float f)
{
    Onnx__Attribute *a = attribute(node, name, 1);

    a->has_f = 1;
    a->f = f;
}

void build_attribute_string(Onnx__Node *node, const char *name, const char *s)
{
    Onnx__Attribute *a = attribute(node, name, 3);

    a->has_s = 1;
    a->s.len = strlen(s);
    a->s.data = (uint8_t *)build_string(s);
}

void build_metadata(Build *build, const char *key, const char *value)
{
    Onnx__StringEntry *entry = NEW(Onnx__StringEntry, onnx__string_entry__init);

    entry->key = build_string(key);
    entry->value = build_string(value);
    APPEND(build->model.metadata_props, build->model.n_metadata_props, entry);
}

uint8_t *build_pack(const Build *build, size_t *ret_n)
{
    size_t n = onnx__model__get_packed_size(&build->model);
    uint8_t *bytes = malloc(n ? n : 1);

    *ret_n = onnx__model__pack(&build->model, bytes);
    return bytes;
}
