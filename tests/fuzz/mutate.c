/* SPDX-License-Identifier: Apache-2.0 */

/* How libFuzzer changes ONNX files: field by field, through protobuf-c's own
 * descriptions, so that lengths stay right and what comes out is a model more
 * often than not. Now and then bytes change as well: the wire is input too. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "graph/infer.h"
#include "onnx.pb-c.h"

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b,
                                 uint8_t *out, size_t max, unsigned seed);

/* The replay links this file and never calls it. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t max)
{
    return n;
}

#define NN_OP(name) extern const NnOp nn_op_##name;
#include "ops/ops.inc"
#undef NN_OP
#define NN_OP(name) &nn_op_##name,
static const NnOp *const ops[] = {
#include "ops/ops.inc"
};
#undef NN_OP

static const char *const words[] = {
#include "words.inc"
};

enum { MESSAGES_MAX = 4096, STRINGS_MAX = 4096, DEPTH_MAX = 12 };
#define BYTES_MAX ((size_t)32 << 20)

typedef struct Chunk {
    struct Chunk *next;
    _Alignas(16) uint8_t bytes[];
} Chunk;

/* Everything of one mutation is freed together: fields may share what they like. */
typedef struct Mutation {
    uint32_t random;
    Chunk *chunks;
    size_t used;
    ProtobufCAllocator allocator;
    ProtobufCMessage *messages[MESSAGES_MAX]; /* of the model */
    size_t n_messages;
    ProtobufCMessage *pool[MESSAGES_MAX];     /* of this model and the one it is crossed with */
    size_t n_pool;
    char *strings[STRINGS_MAX];
    size_t n_strings;
} Mutation;

static void *take(void *data, size_t n)
{
    Mutation *m = data;
    Chunk *chunk;

    if (n > BYTES_MAX || m->used + n > BYTES_MAX)
        return NULL;
    chunk = calloc(1, sizeof(*chunk) + n);
    if (!chunk)
        abort();
    m->used += n;
    chunk->next = m->chunks;
    m->chunks = chunk;
    return chunk->bytes;
}

static void keep(void *data, void *p)
{
}

static void mutation_start(Mutation *m, unsigned seed)
{
    m->random = seed * 2654435761u + 1;
    m->allocator = (ProtobufCAllocator){ take, keep, m };
}

static void mutation_end(Mutation *m)
{
    while (m->chunks) {
        Chunk *next = m->chunks->next;

        free(m->chunks);
        m->chunks = next;
    }
    free(m);
}

static uint32_t below(Mutation *m, uint32_t n)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 17;
    m->random ^= m->random << 5;
    return n ? m->random % n : 0;
}

#define ANY(m, array) ((array)[below((m), sizeof(array) / sizeof((array)[0]))])

static int64_t any_int(Mutation *m, int64_t old)
{
    static const int64_t odd[] = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 31, 32,
        63, 64, 127, 128, 255, 256, 1000, 4096, 65535, 65536, 1 << 20, (1 << 30), INT32_MAX,
        (int64_t)INT32_MAX + 1, UINT32_MAX, (int64_t)1 << 33, (int64_t)1 << 61, (int64_t)1 << 62,
        INT64_MAX, INT64_MAX - 1, INT64_MIN, INT64_MIN + 1, INT32_MIN, -1, -2, -3, -4, -8, -9, -64,
    };

    switch (below(m, 8)) {
    case 0: return (int64_t)((uint64_t)old + 1);
    case 1: return (int64_t)((uint64_t)old - 1);
    case 2: return (int64_t)((uint64_t)old * 2);
    case 3: return (int64_t)(0 - (uint64_t)old);
    case 4: return below(m, 8);
    default: return ANY(m, odd);
    }
}

static double any_float(Mutation *m, double old)
{
    static const double odd[] = {
        0, -0.0, 1, -1, 0.5, 2, 3, 1e-45, 1e-30, 1e30, -1e30, 3.4e38, 1e308, 2147483648.0, 9.3e18,
        -9.3e18, 4294967296.0, __builtin_inf(), -__builtin_inf(), __builtin_nan(""),
    };

    return below(m, 4) ? ANY(m, odd) : old * 2;
}

static char *any_string(Mutation *m)
{
    char fresh[] = { 'v', (char)('a' + below(m, 26)), '\0' };
    char *copy;

    if (m->n_strings && below(m, 8))
        return m->strings[below(m, (uint32_t)m->n_strings)];
    if (below(m, 8))
        return (char *)ANY(m, words);
    copy = take(m, sizeof(fresh));
    return copy ? memcpy(copy, fresh, sizeof(fresh)) : (char *)"v";
}

static size_t element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE: return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    default: return 4;
    }
}

static size_t *count_of(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (size_t *)((uint8_t *)message + field->quantifier_offset);
}

static void *member_of(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (uint8_t *)message + field->offset;
}

/* Lists a message and all below it. */
static void collect(Mutation *m, ProtobufCMessage *message, bool own, int depth)
{
    if (depth > DEPTH_MAX || m->n_pool == MESSAGES_MAX)
        return;
    message->n_unknown_fields = 0; /* nobody reads them */
    m->pool[m->n_pool++] = message;
    if (own)
        m->messages[m->n_messages++] = message;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        size_t n = repeated ? *count_of(message, field) : 1;
        void *member = member_of(message, field);
        void **elements = repeated ? *(void ***)member : (void **)member;

        for (size_t j = 0; j < n; j++) {
            if (field->type == PROTOBUF_C_TYPE_MESSAGE && elements[j])
                collect(m, elements[j], own, depth + 1);
            else if (field->type == PROTOBUF_C_TYPE_STRING && elements[j] &&
                     m->n_strings < STRINGS_MAX)
                m->strings[m->n_strings++] = elements[j];
            else
                break;
        }
    }
}

static ProtobufCMessage *copy_message(Mutation *m, const ProtobufCMessage *message)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = take(m, n + 1);

    if (!bytes)
        return NULL;
    protobuf_c_message_pack(message, bytes);
    return protobuf_c_message_unpack(message->descriptor, &m->allocator, n, bytes);
}

/* A copy of some message of this kind, or an empty one; NULL when there is no room. */
static ProtobufCMessage *any_message(Mutation *m, const ProtobufCMessageDescriptor *kind)
{
    uint32_t start = below(m, (uint32_t)m->n_pool);
    ProtobufCMessage *fresh;

    for (size_t i = 0; i < m->n_pool && below(m, 16); i++) {
        const ProtobufCMessage *message = m->pool[(start + i) % m->n_pool];

        if (message->descriptor == kind)
            return copy_message(m, message);
    }
    fresh = take(m, kind->sizeof_message);
    if (fresh)
        protobuf_c_message_init(kind, fresh);
    return fresh;
}

static void change_bytes(Mutation *m, ProtobufCBinaryData *bytes)
{
    size_t max = bytes->len + 1 + below(m, 64);
    uint8_t *more = take(m, max);

    if (!more)
        return;
    if (bytes->len)
        memcpy(more, bytes->data, bytes->len);
    bytes->len = LLVMFuzzerMutate(more, bytes->len, below(m, 4) && bytes->len ? bytes->len : max);
    bytes->data = more;
}

/* One element of any type. */
static void change_element(Mutation *m, const ProtobufCFieldDescriptor *field, void *element)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        *(int64_t *)element = any_int(m, *(int64_t *)element);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)element = any_float(m, *(double *)element);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)element = (float)any_float(m, (double)*(float *)element);
        break;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)element = any_string(m);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        change_bytes(m, element);
        break;
    case PROTOBUF_C_TYPE_MESSAGE: {
        ProtobufCMessage *other = any_message(m, field->descriptor);

        if (other)
            *(ProtobufCMessage **)element = other;
        break;
    }
    default:
        *(int32_t *)element = (int32_t)any_int(m, *(int32_t *)element);
        break;
    }
}

static void insert_element(Mutation *m, const ProtobufCFieldDescriptor *field, void *member,
                           size_t *n)
{
    size_t size = element_size(field), at = below(m, (uint32_t)*n + 1);
    uint8_t *old = *(void **)member, *more = take(m, (*n + 1) * size);

    if (!more)
        return;
    if (*n) {
        memcpy(more, old, at * size);
        memcpy(more + (at + 1) * size, old + at * size, (*n - at) * size);
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            memcpy(more + at * size, old + below(m, (uint32_t)*n) * size, size);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING ||
        below(m, 2))
        change_element(m, field, more + at * size);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && !*(void **)(more + at * size))
        return;
    *(void **)member = more;
    ++*n;
}

static void change_list(Mutation *m, ProtobufCMessage *message,
                        const ProtobufCFieldDescriptor *field)
{
    size_t *n = count_of(message, field), size = element_size(field);
    void *member = member_of(message, field);
    uint8_t *elements = *(void **)member;
    size_t a = below(m, (uint32_t)*n), b = below(m, (uint32_t)*n);

    switch (*n ? below(m, 6) : 5) {
    case 0: /* remove */
        memmove(elements + a * size, elements + (a + 1) * size, (*n - a - 1) * size);
        --*n;
        break;
    case 1: /* one stands where another stood */
        memmove(elements + a * size, elements + b * size, size);
        break;
    case 2:
    case 3:
        change_element(m, field, elements + a * size);
        break;
    default:
        insert_element(m, field, member, n);
        break;
    }
}

static void change_field(Mutation *m, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field;
    void *member;

    if (message->descriptor->n_fields == 0)
        return;
    field = &message->descriptor->fields[below(m, message->descriptor->n_fields)];
    member = member_of(message, field);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        change_list(m, message, field);
        return;
    }
    if (below(m, 16) == 0) {
        if (field->quantifier_offset)
            *(protobuf_c_boolean *)((uint8_t *)message + field->quantifier_offset) = 0;
        else
            *(void **)member = NULL;
        return;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING && field->name[0] == 'o' && below(m, 2))
        *(char **)member = (char *)ANY(m, ops)->type;
    else
        change_element(m, field, member);
    if (field->quantifier_offset)
        *(protobuf_c_boolean *)((uint8_t *)message + field->quantifier_offset) = 1;
}

/* A node of any operator over names that are there, whose output the graph gives. */
static void add_node(Mutation *m, Onnx__Model *model)
{
    const NnOp *op = ANY(m, ops);
    size_t more = NN_MIN(op->max_inputs - op->min_inputs, 3);
    size_t n_in = op->min_inputs + below(m, (uint32_t)more + 1);
    Onnx__Graph *graph = model->graph;
    Onnx__ValueInfo *output = take(m, sizeof(*output));
    Onnx__Node *node = take(m, sizeof(*node)), **nodes;
    Onnx__ValueInfo **outputs;

    if (!graph || !output || !node)
        return;
    nodes = take(m, (graph->n_node + 1) * sizeof(nodes[0]));
    outputs = take(m, (graph->n_output + 1) * sizeof(outputs[0]));
    onnx__node__init(node);
    onnx__value_info__init(output);
    node->input = take(m, (n_in + 1) * sizeof(node->input[0]));
    node->output = take(m, sizeof(node->output[0]));
    output->name = take(m, 8);
    if (!nodes || !outputs || !node->input || !node->output || !output->name)
        return;
    for (size_t i = 0; i < 7; i++)
        output->name[i] = (char)('a' + below(m, 26));
    node->op_type = (char *)op->type;
    node->domain = (char *)op->domain;
    for (size_t i = 0; i < n_in; i++)
        node->input[node->n_input++] = any_string(m);
    node->output[node->n_output++] = output->name;
    for (size_t i = 0; i < graph->n_node; i++)
        nodes[i] = graph->node[i];
    for (size_t i = 0; i < graph->n_output; i++)
        outputs[i] = graph->output[i];
    nodes[graph->n_node++] = node;
    outputs[graph->n_output++] = output;
    graph->node = nodes;
    graph->output = outputs;
}

/* Gives raw elements the size that their dims ask for. */
static void fit_tensor(Mutation *m, Onnx__Tensor *tensor)
{
    NnTensor shape = { .dtype = nn_dtype_from_onnx(tensor->data_type) };
    uint8_t *data;
    size_t bytes;

    if (!tensor->has_raw_data || tensor->n_dims > NN_RANK_MAX)
        return;
    for (size_t i = 0; i < tensor->n_dims; i++)
        shape.dims[shape.rank++] = tensor->dims[i];
    if (nn_tensor_bytes(&shape, &bytes) < 0 || bytes > 65536 || bytes == tensor->raw_data.len)
        return;
    data = take(m, bytes + 1);
    if (!data)
        return;
    for (size_t i = 0; i < bytes && tensor->raw_data.len; i++)
        data[i] = tensor->raw_data.data[i % tensor->raw_data.len];
    tensor->raw_data = (ProtobufCBinaryData){ .len = bytes, .data = data };
}

static size_t change_model(Mutation *m, Onnx__Model *model, uint8_t *out, size_t max)
{
    size_t n;

    for (uint32_t i = below(m, 4) + 1; i > 0; i--) {
        if (below(m, 16) == 0)
            add_node(m, model);
        else
            change_field(m, m->messages[below(m, (uint32_t)m->n_messages)]);
    }
    for (size_t i = 0; i < m->n_messages && below(m, 8); i++)
        if (m->messages[i]->descriptor == &onnx__tensor__descriptor)
            fit_tensor(m, (Onnx__Tensor *)m->messages[i]);
    n = onnx__model__get_packed_size(model);
    if (n > max)
        return 0;
    return onnx__model__pack(model, out);
}

static size_t mutate(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b, uint8_t *out,
                     size_t max, unsigned seed)
{
    Mutation *m = calloc(1, sizeof(*m));
    Onnx__Model *model, *other;
    size_t n = 0;

    if (!m)
        abort();
    mutation_start(m, seed);
    model = onnx__model__unpack(&m->allocator, n_a, a);
    if (model) {
        collect(m, &model->base, true, 0);
        other = b ? onnx__model__unpack(&m->allocator, n_b, b) : NULL;
        if (other)
            collect(m, &other->base, false, 0);
        n = change_model(m, model, out, max);
    }
    mutation_end(m);
    return n;
}

/* Bytes before the file that say something else. */
#ifndef FUZZ_PREFIX
#define FUZZ_PREFIX 0
#endif

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed)
{
    size_t got = 0;

    if (n <= FUZZ_PREFIX || max <= FUZZ_PREFIX || seed % 32 == 0)
        return LLVMFuzzerMutate(bytes, n, max);
    if (FUZZ_PREFIX && seed % 4 == 0)
        LLVMFuzzerMutate(bytes, FUZZ_PREFIX, FUZZ_PREFIX);
    else
        got = mutate(bytes + FUZZ_PREFIX, n - FUZZ_PREFIX, NULL, 0, bytes + FUZZ_PREFIX,
                     max - FUZZ_PREFIX, seed);
    return got ? FUZZ_PREFIX + got : n;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b,
                                 uint8_t *out, size_t max, unsigned seed)
{
    size_t got;

    if (n_a <= FUZZ_PREFIX || n_b <= FUZZ_PREFIX || max <= FUZZ_PREFIX)
        return 0;
    memcpy(out, a, FUZZ_PREFIX);
    got = mutate(a + FUZZ_PREFIX, n_a - FUZZ_PREFIX, b + FUZZ_PREFIX, n_b - FUZZ_PREFIX,
                 out + FUZZ_PREFIX, max - FUZZ_PREFIX, seed);
    return got ? FUZZ_PREFIX + got : 0;
}
