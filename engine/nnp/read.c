/* SPDX-License-Identifier: Apache-2.0 */

/* From the graph section to a graph. The file may be hostile: a count is held
 * against the bytes that are left before anything is allocated for it, and what
 * runs rely on is either checked here or found anew from attributes and shapes. */

#include "base/limits.h"
#include "nnp/format.h"
#include "nnp/nnp.h"
#include "nnp/section.h"

/* What passes fused into a node, until its params are there to take it. */
typedef struct Fused {
    bool given;
    bool residual;
    NnActivation activation;
} Fused;

typedef struct Reader {
    const uint8_t *at;
    size_t left;
    bool bad;               /* read beyond the end: all further numbers are 0 */
    NnGraph *graph;
    Fused *fused;           /* of each node */
    NnpBytes constants, packed;
    NnError *error;
} Reader;

static void take(Reader *reader, void *ret, size_t n)
{
    if (reader->bad || n > reader->left) {
        reader->bad = true;
        memset(ret, 0, n);
        return;
    }
    memcpy(ret, reader->at, n);
    reader->at += n;
    reader->left -= n;
}

static uint8_t take_u8(Reader *reader)
{
    uint8_t x;

    take(reader, &x, sizeof(x));
    return x;
}

static uint32_t take_u32(Reader *reader)
{
    uint32_t x;

    take(reader, &x, sizeof(x));
    return x;
}

static uint64_t take_u64(Reader *reader)
{
    uint64_t x;

    take(reader, &x, sizeof(x));
    return x;
}

static float take_f32(Reader *reader)
{
    float x;

    take(reader, &x, sizeof(x));
    return x;
}

static int malformed(const Reader *reader)
{
    return nn_error_set(reader->error, -EBADMSG, "its graph section is cut short or malformed");
}

static int out_of_memory(const Reader *reader)
{
    return nn_error_set(reader->error, -ENOMEM, "out of memory");
}

/* A count of records that take `least` bytes each or more. */
static int take_count(Reader *reader, size_t limit, size_t least, const char *what, size_t *ret)
{
    size_t n = take_u32(reader);

    if (n > limit)
        return nn_error_set(reader->error, -E2BIG, "it has %zu %s, at most %zu are possible", n,
                            what, limit);
    if (reader->bad || n > reader->left / least)
        return malformed(reader);
    *ret = n;
    return 0;
}

/* Costs what it takes in the file, whatever its length. */
static int take_string(Reader *reader, char **ret)
{
    size_t n = 0;
    char *s;
    int r;

    r = take_count(reader, NN_LIMIT_FILE_BYTES, 1, "bytes in a string", &n);
    if (r < 0)
        return r;
    if (memchr(reader->at, '\0', n))
        return malformed(reader);
    s = malloc(n + 1);
    if (!s)
        return out_of_memory(reader);
    take(reader, s, n);
    s[n] = '\0';
    *ret = s;
    return 0;
}

/* Type and dims; all of them known. */
static int take_tensor(Reader *reader, NnTensor *ret, size_t *ret_bytes)
{
    NnTensor tensor = { .dtype = take_u8(reader), .rank = take_u8(reader) };

    if (tensor.dtype >= _NN_DTYPE_MAX || tensor.rank > NN_RANK_MAX)
        return malformed(reader);
    for (int i = 0; i < tensor.rank; i++)
        tensor.dims[i] = (int64_t)take_u64(reader);
    if (reader->bad || nn_tensor_bytes(&tensor, ret_bytes) < 0)
        return malformed(reader);
    *ret = tensor;
    return 0;
}

/* Arithmetic on truth values relies on 0 and 1. */
static int check_bools(const Reader *reader, const NnTensor *tensor, size_t bytes)
{
    if (tensor->dtype != NN_DTYPE_BOOL)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        if (((const uint8_t *)tensor->data)[i] > 1)
            return nn_error_set(reader->error, -EBADMSG, "a bool holds %d",
                                ((const uint8_t *)tensor->data)[i]);
    return 0;
}

/* `bytes` at an offset into a section. */
static int locate(const Reader *reader, const NnpBytes *section, uint64_t offset, uint64_t bytes,
                  const void **ret)
{
    if (offset % NNP_ALIGN != 0 || offset > section->n || bytes > section->n - offset)
        return nn_error_set(reader->error, -EBADMSG,
                            "its graph names %llu bytes at %llu of a section of %zu",
                            (unsigned long long)bytes, (unsigned long long)offset, section->n);
    *ret = section->at + offset;
    return 0;
}

static int read_metadata(Reader *reader)
{
    NnGraph *graph = reader->graph;
    size_t n = 0;
    int r;

    r = take_count(reader, NN_LIMIT_VALUES, 8, "metadata entries", &n);
    if (r < 0)
        return r;
    graph->metadata = calloc(NN_MAX(n, 1), sizeof(graph->metadata[0]));
    if (!graph->metadata)
        return out_of_memory(reader);
    for (size_t i = 0; i < n; i++) {
        NnMetadata *m = &graph->metadata[graph->n_metadata++];

        r = take_string(reader, &m->key);
        if (r >= 0)
            r = take_string(reader, &m->value);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_constant(Reader *reader, NnpValueKind kind, NnValue *value)
{
    const void *data = NULL;
    NnTensor tensor;
    size_t bytes = 0;
    int r;

    r = take_tensor(reader, &tensor, &bytes);
    if (r < 0)
        return r;
    if (kind == NNP_VALUE_CONSTANT) {
        r = locate(reader, &reader->constants, take_u64(reader), bytes, &data);
        if (r < 0)
            return r;
    }
    tensor.data = (void *)data; /* nobody writes to a constant */
    nn_value_set_constant(value, &tensor, false);
    return data ? check_bools(reader, &tensor, bytes) : 0;
}

static int read_values(Reader *reader)
{
    size_t n = 0;
    int r;

    r = take_count(reader, NN_LIMIT_VALUES, 5, "values", &n);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        _cleanup_free_ char *name = NULL;
        NnpValueKind kind;
        NnValueId id = 0;

        r = take_string(reader, &name);
        if (r < 0)
            return r;
        kind = take_u8(reader);
        if (reader->bad || kind >= _NNP_VALUE_MAX)
            return malformed(reader);
        if (nn_graph_add_value(reader->graph, name, &id) < 0)
            return out_of_memory(reader);
        if (kind != NNP_VALUE_PLAIN)
            r = read_constant(reader, kind, &reader->graph->values[id]);
    }
    return r;
}

static int take_id(Reader *reader, NnValueId *ret)
{
    uint32_t id = take_u32(reader);

    if (reader->bad || id >= reader->graph->n_values)
        return malformed(reader);
    *ret = (NnValueId)id;
    return 0;
}

static int read_inputs(Reader *reader)
{
    NnGraph *graph = reader->graph;
    size_t n = 0, bytes;
    int r;

    r = take_count(reader, NN_LIMIT_VALUES, 6, "inputs", &n);
    if (r < 0)
        return r;
    graph->inputs = calloc(NN_MAX(n, 1), sizeof(graph->inputs[0]));
    if (!graph->inputs)
        return out_of_memory(reader);
    for (size_t i = 0; i < n; i++) {
        NnValueId id = 0;
        NnValue *value;

        r = take_id(reader, &id);
        if (r < 0)
            return r;
        value = &graph->values[id];
        if (value->input || value->constant)
            return malformed(reader);
        r = take_tensor(reader, &value->tensor, &bytes);
        if (r < 0)
            return r;
        value->input = true;
        graph->inputs[graph->n_inputs++] = id;
    }
    return 0;
}

static int read_outputs(Reader *reader)
{
    NnGraph *graph = reader->graph;
    size_t n = 0;
    int r;

    r = take_count(reader, NN_LIMIT_VALUES, 4, "outputs", &n);
    if (r < 0)
        return r;
    graph->outputs = calloc(NN_MAX(n, 1), sizeof(graph->outputs[0]));
    if (!graph->outputs)
        return out_of_memory(reader);
    for (size_t i = 0; i < n; i++) {
        NnValueId id = 0;

        r = take_id(reader, &id);
        if (r < 0)
            return r;
        if (graph->values[id].constant && !graph->values[id].tensor.data)
            return malformed(reader);
        graph->values[id].output = true;
        graph->outputs[graph->n_outputs++] = id;
    }
    return n > 0 ? 0 : malformed(reader);
}

static int read_attribute_tensor(Reader *reader, NnAttribute *a)
{
    size_t bytes = 0;
    NnTensor tensor;
    int r;

    r = take_tensor(reader, &tensor, &bytes);
    if (r < 0)
        return r;
    if (bytes > reader->left)
        return malformed(reader);
    tensor.data = nn_aligned_alloc(bytes);
    if (!tensor.data)
        return out_of_memory(reader);
    take(reader, tensor.data, bytes);
    a->tensor = tensor;
    return check_bools(reader, &tensor, bytes);
}

static int read_numbers(Reader *reader, NnAttribute *a, size_t element, void **ret)
{
    size_t n = 0;
    int r;

    r = take_count(reader, NN_LIMIT_FILE_BYTES, element, "elements in an attribute", &n);
    if (r < 0)
        return r;
    *ret = malloc(NN_MAX(n * element, 1));
    if (!*ret)
        return out_of_memory(reader);
    take(reader, *ret, n * element);
    a->n = n;
    return 0;
}

static int read_strings(Reader *reader, NnAttribute *a)
{
    size_t n = 0;
    int r;

    r = take_count(reader, NN_LIMIT_FILE_BYTES, 4, "elements in an attribute", &n);
    if (r < 0)
        return r;
    a->strings = calloc(NN_MAX(n, 1), sizeof(a->strings[0]));
    if (!a->strings)
        return out_of_memory(reader);
    for (size_t i = 0; i < n && r >= 0; i++) {
        a->n++;
        r = take_string(reader, &a->strings[i]);
    }
    return r;
}

static int read_attribute(Reader *reader, NnAttribute *a)
{
    int r;

    r = take_string(reader, &a->name);
    if (r < 0)
        return r;
    a->type = take_u8(reader);
    switch (a->type) {
    case NN_ATTRIBUTE_INT:
        a->i = (int64_t)take_u64(reader);
        break;
    case NN_ATTRIBUTE_FLOAT:
        a->f = take_f32(reader);
        break;
    case NN_ATTRIBUTE_STRING:
        r = take_string(reader, &a->s);
        break;
    case NN_ATTRIBUTE_TENSOR:
        r = read_attribute_tensor(reader, a);
        break;
    case NN_ATTRIBUTE_INTS:
        r = read_numbers(reader, a, sizeof(a->ints[0]), (void **)&a->ints);
        break;
    case NN_ATTRIBUTE_FLOATS:
        r = read_numbers(reader, a, sizeof(a->floats[0]), (void **)&a->floats);
        break;
    case NN_ATTRIBUTE_STRINGS:
        r = read_strings(reader, a);
        break;
    default:
        return malformed(reader);
    }
    return reader->bad ? malformed(reader) : r;
}

static int read_attributes(Reader *reader, NnNode *node)
{
    size_t n = 0;
    int r;

    r = take_count(reader, NN_LIMIT_ATTRIBUTES, 5, "attributes at a node", &n);
    if (r < 0)
        return r;
    node->attributes = calloc(NN_MAX(n, 1), sizeof(node->attributes[0]));
    if (!node->attributes)
        return out_of_memory(reader);
    for (size_t i = 0; i < n && r >= 0; i++)
        r = read_attribute(reader, &node->attributes[node->n_attributes++]);
    return r;
}

/* Ids are checked with the whole graph, by nn_graph_verify(). */
static int read_ids(Reader *reader, NnValueId **ret_ids, size_t *ret_n)
{
    NnValueId *ids;
    size_t n = 0;
    int r;

    r = take_count(reader, NN_LIMIT_NODE_INPUTS, sizeof(ids[0]), "values at a node", &n);
    if (r < 0)
        return r;
    ids = calloc(NN_MAX(n, 1), sizeof(ids[0]));
    if (!ids)
        return out_of_memory(reader);
    take(reader, ids, n * sizeof(ids[0]));
    *ret_ids = ids;
    *ret_n = n;
    return 0;
}

static int read_fused(Reader *reader, Fused *fused)
{
    uint8_t given = take_u8(reader), residual, kind;

    *fused = (Fused){ 0 };
    if (given) {
        kind = take_u8(reader);
        residual = take_u8(reader);
        fused->activation.kind = kind;
        fused->activation.alpha = take_f32(reader);
        fused->activation.low = take_f32(reader);
        fused->activation.high = take_f32(reader);
        if (kind >= _NN_ACTIVATION_MAX || residual > 1)
            return malformed(reader);
        fused->residual = residual;
    }
    fused->given = given;
    return given > 1 || reader->bad ? malformed(reader) : 0;
}

static int read_packed(Reader *reader, NnNode *node)
{
    uint64_t offset = take_u64(reader), bytes = take_u64(reader);

    if (reader->bad)
        return malformed(reader);
    if (bytes == 0)
        return 0;
    node->packed_bytes = bytes;
    return locate(reader, &reader->packed, offset, bytes, &node->packed);
}

static int read_node(Reader *reader, NnNode *node, Fused *fused)
{
    int r;

    r = take_string(reader, &node->name);
    if (r >= 0)
        r = take_string(reader, &node->domain);
    if (r >= 0)
        r = take_string(reader, &node->op_type);
    if (r < 0)
        return r;
    node->opset = (int)take_u32(reader);
    r = read_attributes(reader, node);
    if (r >= 0)
        r = read_ids(reader, &node->inputs, &node->n_inputs);
    if (r >= 0)
        r = read_ids(reader, &node->outputs, &node->n_outputs);
    if (r >= 0)
        r = read_fused(reader, fused);
    return r < 0 ? r : read_packed(reader, node);
}

static int read_nodes(Reader *reader)
{
    size_t n = 0;
    int r;

    r = take_count(reader, NN_LIMIT_NODES, 45, "nodes", &n);
    if (r < 0)
        return r;
    reader->fused = calloc(NN_MAX(n, 1), sizeof(reader->fused[0]));
    if (!reader->fused)
        return out_of_memory(reader);
    for (size_t i = 0; i < n && r >= 0; i++) {
        NnNode *node;

        if (nn_graph_add_node(reader->graph, &node) < 0)
            return out_of_memory(reader);
        r = read_node(reader, node, &reader->fused[i]);
    }
    return r;
}

static int apply_fused(const NnNode *node, const Fused *fused, NnError *error)
{
    NnFused to;

    if (!fused->given)
        return 0;
    if (!node->op->fused)
        return nn_error_set(error, -EBADMSG, "it comes with an activation, which it does not do");
    to = node->op->fused(node->params);
    *to.activation = fused->activation;
    *to.residual = fused->residual;
    return 0;
}

static int finish(Reader *reader)
{
    NnGraph *graph = reader->graph;
    int r;

    if (reader->bad || reader->left > 0)
        return malformed(reader);
    graph->compiled = true;
    r = nn_graph_verify(graph, reader->error);
    if (r >= 0)
        r = nn_graph_resolve(graph, reader->error);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++) {
        r = apply_fused(&graph->nodes[i], &reader->fused[i], reader->error);
        if (r < 0)
            return nn_node_error(&graph->nodes[i], r, reader->error);
    }
    return r;
}

static int read_origin(Reader *reader)
{
    NnGraph *graph = reader->graph;
    int r;

    r = take_string(reader, &graph->name);
    if (r >= 0)
        r = take_string(reader, &graph->producer);
    if (r >= 0 && !*graph->producer) {
        free(graph->producer);
        graph->producer = NULL;
    }
    graph->opset = (int)take_u32(reader);
    return r;
}

static int read_graph(Reader *reader)
{
    int r;

    r = read_origin(reader);
    if (r >= 0)
        r = read_metadata(reader);
    if (r >= 0)
        r = read_values(reader);
    if (r >= 0)
        r = read_inputs(reader);
    if (r >= 0)
        r = read_outputs(reader);
    if (r >= 0)
        r = read_nodes(reader);
    return r < 0 ? r : finish(reader);
}

int nn_nnp_import(const char *name, const NnContext *context, const void *bytes, size_t n_bytes,
                  bool check_all, NnGraph **ret_graph, NnError *error)
{
    _cleanup_(nn_graph_freep) NnGraph *graph = NULL;
    NnpBytes sections[_NNP_SECTION_MAX];
    Reader reader;
    int r;

    r = nn_nnp_open(context, bytes, n_bytes, check_all, sections, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", name);
    r = nn_graph_new(&graph);
    if (r < 0)
        return nn_error_set(error, r, "%s: out of memory", name);
    graph->registry = &context->registry;
    reader = (Reader){
        .at = sections[NNP_GRAPH].at,
        .left = sections[NNP_GRAPH].n,
        .graph = graph,
        .constants = sections[NNP_CONSTANTS],
        .packed = sections[NNP_PACKED],
        .error = error,
    };
    r = read_graph(&reader);
    free(reader.fused);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", name);
    *ret_graph = NN_TAKE(graph);
    return 0;
}
