/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/import.h"

#include <stdio.h>
#include <sys/mman.h>

#include "base/limits.h"
#include "onnx.pb-c.h"
#include "onnx/names.h"
#include "onnx/tensor.h"
#include "onnx/types.h"

/* One graph in hand: the file's own, or a body within it. */
typedef struct Import {
    const Onnx__Model *proto;
    const Onnx__Graph *graph_proto;
    ProtobufCAllocator *allocator;
    const char *directory;
    NnGraph *graph;
    NnNames names;
    int opset;
    int depth;          /* 0: the file's own */
    NnError *error;
} Import;

static int import_node(Import *import, const Onnx__Node *proto);

/* From here on huge pages spare most of the faults. */
#define HUGE_BYTES ((size_t)2 << 20)
/* What is copied out of a mapped file before its pages are let go. */
#define MAPPED_BYTES ((size_t)256 << 10)

/* What unpacking may allocate: honest files need a small multiple of their size. */
typedef struct Budget {
    size_t left;
    int r;              /* why nothing was given */
    void *mapped;       /* the file, or NULL */
    size_t mapped_bytes;
    size_t copied;      /* since its pages were let go */
} Budget;

/* Pages that are needed again come back from the page cache. */
static void let_go(Budget *budget)
{
    if (budget->mapped)
        (void)madvise(budget->mapped, budget->mapped_bytes, MADV_DONTNEED);
    budget->copied = 0;
}

static void *budget_alloc(void *data, size_t size)
{
    Budget *budget = data;

    /* Most are small; weights are large. */
    void *p = size > budget->left ? NULL : size >= HUGE_BYTES ? nn_huge_alloc(size) : malloc(size);

    if (!p) {
        budget->r = size > budget->left ? -E2BIG : -ENOMEM;
        return NULL;
    }
    budget->left -= size;
    budget->copied += size;
    if (budget->copied > MAPPED_BYTES)
        let_go(budget);
    return p;
}

static void budget_free(void *data, void *p)
{
    free(p);
}

/* Why a message could not be unpacked; `malformed` where memory was not the reason. */
static int not_unpacked(const ProtobufCAllocator *allocator, const char *malformed, NnError *error)
{
    const Budget *budget = allocator->allocator_data;

    if (budget->r == -ENOMEM)
        return nn_error_set(error, -ENOMEM, "out of memory");
    if (budget->r == -E2BIG)
        return nn_error_set(error, -E2BIG, "it has more parts than a file of its size may");
    return nn_error_set(error, -EBADMSG, "%s", malformed);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static int check_name(const char *name, NnError *error)
{
    if (strlen(name) > NN_LIMIT_NAME_BYTES)
        return nn_error_set(error, -E2BIG, "a name is longer than %d bytes", NN_LIMIT_NAME_BYTES);
    return 0;
}

static int out_of_memory(int r, NnError *error)
{
    if (r == -E2BIG)
        return nn_error_set(error, r, "it has more than %d values or %d nodes", NN_LIMIT_VALUES,
                            NN_LIMIT_NODES);
    return nn_error_set(error, r, "out of memory");
}

/* Whether any node is of the default domain, whose opset counts then. */
static bool uses_standard(const Onnx__Graph *proto)
{
    for (size_t i = 0; i < proto->n_node; i++)
        if (nn_onnx_is_default_domain(proto->node[i]->domain))
            return true;
    return false;
}

static int import_opset(Import *import)
{
    /* 1 is the specification's default where the model states none. */
    int opset = nn_onnx_opset(import->proto, "", 1);

    if ((opset < NN_OPSET_MIN || opset > NN_OPSET_MAX) && uses_standard(import->graph_proto))
        return nn_error_set(import->error, -ENOTSUP,
                            "it uses ONNX opset %d, opsets %d to %d are supported", opset,
                            NN_OPSET_MIN, NN_OPSET_MAX);
    import->opset = import->graph->opset = NN_MAX(NN_OPSET_MIN, NN_MIN(opset, NN_OPSET_MAX));
    return 0;
}

static int import_metadata(Import *import)
{
    size_t n = import->proto->n_metadata_props;
    const char *version = or_empty(import->proto->producer_version);
    NnGraph *graph = import->graph;

    if (import->proto->producer_name && *import->proto->producer_name &&
        asprintf(&graph->producer, "%s%s%s", import->proto->producer_name, *version ? " " : "",
                 version) < 0) {
        graph->producer = NULL;
        return out_of_memory(-ENOMEM, import->error);
    }
    graph->metadata = calloc(NN_MAX(n, 1), sizeof(graph->metadata[0]));
    if (!graph->metadata)
        return out_of_memory(-ENOMEM, import->error);
    for (size_t i = 0; i < n; i++) {
        NnMetadata *m = &graph->metadata[graph->n_metadata++];

        m->key = strdup(or_empty(import->proto->metadata_props[i]->key));
        m->value = strdup(or_empty(import->proto->metadata_props[i]->value));
        if (!m->key || !m->value)
            return out_of_memory(-ENOMEM, import->error);
    }
    return 0;
}

static int import_tensor(Import *import, Onnx__Tensor *proto, NnTensor *ret_tensor)
{
    import->graph->external |= proto->data_location != 0;
    return nn_onnx_tensor(proto, import->directory, ret_tensor, import->error);
}

static int import_initializer(Import *import, Onnx__Tensor *proto)
{
    const char *name = or_empty(proto->name);
    NnTensor tensor;
    NnValueId id;
    int r;

    r = check_name(name, import->error);
    if (r < 0)
        return r;
    r = nn_names_get(&import->names, name, &id);
    if (r < 0)
        return out_of_memory(r, import->error);
    if (import->graph->values[id].constant)
        return nn_error_set(import->error, -EBADMSG, "initialiser '%s' stands there twice", name);
    r = import_tensor(import, proto, &tensor);
    if (r < 0)
        return nn_error_prefix(import->error, r, "initialiser '%s'", name);
    nn_value_set_constant(&import->graph->values[id], &tensor, true);
    return 0;
}

static int import_inputs(Import *import)
{
    const Onnx__Graph *proto = import->graph_proto;
    NnGraph *graph = import->graph;
    NnValueId id;
    int r;

    graph->inputs = calloc(NN_MAX(proto->n_input, 1), sizeof(graph->inputs[0]));
    if (!graph->inputs)
        return out_of_memory(-ENOMEM, import->error);
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = or_empty(proto->input[i]->name);

        r = check_name(name, import->error);
        if (r < 0)
            return r;
        r = nn_names_get(&import->names, name, &id);
        if (r < 0)
            return out_of_memory(r, import->error);
        if (graph->values[id].constant) /* IR version 3 lists initialisers here too */
            continue;
        if (graph->values[id].input)
            return nn_error_set(import->error, -EBADMSG, "input '%s' stands there twice", name);
        /* What goes into a body is known from where it is used. */
        r = import->depth ? 0 : nn_onnx_input_type(proto->input[i], &graph->values[id],
                                                   import->error);
        if (r < 0)
            return r;
        graph->values[id].input = true;
        graph->inputs[graph->n_inputs++] = id;
    }
    return 0;
}

static int import_outputs(Import *import)
{
    const Onnx__Graph *proto = import->graph_proto;
    NnGraph *graph = import->graph;

    if (proto->n_output == 0)
        return nn_error_set(import->error, -EBADMSG, "the graph has no outputs");
    graph->outputs = calloc(proto->n_output, sizeof(graph->outputs[0]));
    graph->declared_outputs = calloc(proto->n_output, sizeof(graph->declared_outputs[0]));
    if (!graph->outputs || !graph->declared_outputs)
        return out_of_memory(-ENOMEM, import->error);
    for (size_t i = 0; i < proto->n_output; i++) {
        const char *name = or_empty(proto->output[i]->name);
        NnValueId id = nn_names_find(&import->names, name);

        /* A body may give back a value of the graph around it. */
        if (id == NN_NO_VALUE && import->depth) {
            int r = nn_names_get(&import->names, name, &id);

            if (r < 0)
                return out_of_memory(r, import->error);
        }
        if (id == NN_NO_VALUE)
            return nn_error_set(import->error, -EBADMSG,
                                "output '%s' of the graph is made by no node", name);
        graph->values[id].output = true;
        graph->declared_outputs[graph->n_outputs] = nn_onnx_output_type(proto->output[i]);
        graph->outputs[graph->n_outputs++] = id;
    }
    return 0;
}

static char *bytes_to_string(const ProtobufCBinaryData *bytes)
{
    char *s = malloc(bytes->len + 1);

    if (!s)
        return NULL;
    if (bytes->len)
        memcpy(s, bytes->data, bytes->len);
    s[bytes->len] = '\0';
    return s;
}

static int import_strings(const Onnx__Attribute *proto, NnAttribute *attribute)
{
    attribute->strings = calloc(NN_MAX(proto->n_strings, 1), sizeof(attribute->strings[0]));
    if (!attribute->strings)
        return -ENOMEM;
    for (size_t i = 0; i < proto->n_strings; i++) {
        attribute->n++;
        attribute->strings[i] = bytes_to_string(&proto->strings[i]);
        if (!attribute->strings[i])
            return -ENOMEM;
    }
    return 0;
}

/* Files of old writers state no type: then it is the field that is filled. */
static int attribute_type(const Onnx__Attribute *proto)
{
    enum { FLOAT = 1, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS };

    if (proto->type)
        return proto->type;
    if (proto->has_f)
        return FLOAT;
    if (proto->has_i)
        return INT;
    if (proto->has_s)
        return STRING;
    if (proto->t)
        return TENSOR;
    if (proto->has_g)
        return GRAPH;
    if (proto->n_floats)
        return FLOATS;
    if (proto->n_strings)
        return STRINGS;
    return INTS;
}

/* A name that no earlier node, input or initialiser of the body makes is one of
 * the graph around it. */
static int find_captures(NnGraph *graph)
{
    _cleanup_free_ uint8_t *made = calloc(NN_MAX(graph->n_values, 1), 1);

    graph->captures = calloc(NN_MAX(graph->n_values, 1), sizeof(graph->captures[0]));
    if (!made || !graph->captures)
        return -ENOMEM;
    for (size_t i = 0; i < graph->n_values; i++)
        made[i] = graph->values[i].input || graph->values[i].constant;
    for (size_t i = 0; i <= graph->n_nodes; i++) {
        const NnNode *node = i < graph->n_nodes ? &graph->nodes[i] : NULL;
        const NnValueId *reads = node ? node->inputs : graph->outputs;
        size_t n = node ? node->n_inputs : graph->n_outputs;

        for (size_t j = 0; j < n; j++) {
            if (reads[j] == NN_NO_VALUE || made[reads[j]])
                continue;
            graph->captures[graph->n_captures++] = (NnCapture){ .inner = reads[j] };
            graph->values[reads[j]].input = true;
            made[reads[j]] = 1;
        }
        for (size_t j = 0; node && j < node->n_outputs; j++)
            if (node->outputs[j] != NN_NO_VALUE)
                made[node->outputs[j]] = 1;
    }
    return 0;
}

static int import_parts(Import *import)
{
    const Onnx__Graph *proto = import->graph_proto;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < proto->n_initializer; i++)
        r = import_initializer(import, proto->initializer[i]);
    if (r >= 0)
        r = import_inputs(import);
    for (size_t i = 0; r >= 0 && i < proto->n_node; i++)
        r = import_node(import, proto->node[i]);
    return r < 0 ? r : import_outputs(import);
}

static int import_body(Import *outer, const ProtobufCBinaryData *bytes, NnGraph **ret_graph)
{
    _cleanup_(nn_graph_freep) NnGraph *graph = NULL;
    Import import = *outer;
    Onnx__Graph *proto;
    int r;

    if (outer->depth == NN_LIMIT_BODY_DEPTH)
        return nn_error_set(outer->error, -E2BIG, "graphs stand more than %d deep in each other",
                            NN_LIMIT_BODY_DEPTH);
    proto = onnx__graph__unpack(outer->allocator, bytes->len, bytes->data);
    if (!proto)
        return not_unpacked(outer->allocator, "it holds no graph, or is cut short", outer->error);
    r = nn_graph_new(&graph);
    if (r >= 0) {
        import.graph_proto = proto;
        import.depth++;
        import.graph = graph;
        import.names = (NnNames){ .graph = graph };
        r = import_parts(&import);
        nn_names_clear(&import.names);
        if (r >= 0 && find_captures(graph) < 0)
            r = out_of_memory(-ENOMEM, outer->error);
        if (r >= 0)
            r = nn_graph_verify(graph, outer->error);
    } else {
        out_of_memory(r, outer->error);
    }
    onnx__graph__free_unpacked(proto, outer->allocator);
    if (r < 0)
        return r;
    outer->graph->external |= graph->external;
    *ret_graph = NN_TAKE(graph);
    return 0;
}

static int import_attribute(Import *import, const Onnx__Attribute *proto, NnAttribute *attribute)
{
    const char *name = or_empty(proto->name);
    int r = 0;

    attribute->name = strdup(name);
    if (!attribute->name)
        return out_of_memory(-ENOMEM, import->error);
    switch (attribute_type(proto)) {
    case 1:
        attribute->type = NN_ATTRIBUTE_FLOAT;
        attribute->f = proto->f;
        break;
    case 2:
        attribute->type = NN_ATTRIBUTE_INT;
        attribute->i = proto->i;
        break;
    case 3:
        attribute->type = NN_ATTRIBUTE_STRING;
        attribute->s = bytes_to_string(&proto->s);
        r = attribute->s ? 0 : -ENOMEM;
        break;
    case 4:
        attribute->type = NN_ATTRIBUTE_TENSOR;
        if (!proto->t)
            return nn_error_set(import->error, -EBADMSG, "attribute '%s' holds no tensor", name);
        r = import_tensor(import, proto->t, &attribute->tensor);
        return r < 0 ? nn_error_prefix(import->error, r, "attribute '%s'", name) : 0;
    case 5:
        attribute->type = NN_ATTRIBUTE_GRAPH;
        r = import_body(import, &proto->g, &attribute->graph);
        return r < 0 ? nn_error_prefix(import->error, r, "attribute '%s'", name) : 0;
    case 6:
        attribute->type = NN_ATTRIBUTE_FLOATS;
        attribute->n = proto->n_floats;
        attribute->floats = reallocarray(NULL, NN_MAX(proto->n_floats, 1), sizeof(float));
        if (attribute->floats && proto->n_floats)
            memcpy(attribute->floats, proto->floats, proto->n_floats * sizeof(float));
        r = attribute->floats ? 0 : -ENOMEM;
        break;
    case 7:
        attribute->type = NN_ATTRIBUTE_INTS;
        attribute->n = proto->n_ints;
        attribute->ints = reallocarray(NULL, NN_MAX(proto->n_ints, 1), sizeof(int64_t));
        if (attribute->ints && proto->n_ints)
            memcpy(attribute->ints, proto->ints, proto->n_ints * sizeof(int64_t));
        r = attribute->ints ? 0 : -ENOMEM;
        break;
    case 8:
        attribute->type = NN_ATTRIBUTE_STRINGS;
        r = import_strings(proto, attribute);
        break;
    default:
        return nn_error_set(import->error, -ENOTSUP,
                            "attribute '%s' has type %d (a list of tensors or graphs), "
                            "which is not supported",
                            name, proto->type);
    }
    return r < 0 ? out_of_memory(r, import->error) : 0;
}

static int import_attributes(Import *import, const Onnx__Node *proto, NnNode *node)
{
    int r;

    if (proto->n_attribute > NN_LIMIT_ATTRIBUTES)
        return nn_error_set(import->error, -E2BIG, "more than %d attributes", NN_LIMIT_ATTRIBUTES);
    node->attributes = calloc(NN_MAX(proto->n_attribute, 1), sizeof(node->attributes[0]));
    if (!node->attributes)
        return out_of_memory(-ENOMEM, import->error);
    for (size_t i = 0; i < proto->n_attribute; i++) {
        r = import_attribute(import, proto->attribute[i], &node->attributes[node->n_attributes++]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Names to ids; an empty name is an absent one. */
static int import_values(Import *import, char *const *names, size_t n, NnValueId **ret)
{
    _cleanup_free_ NnValueId *ids = NULL;
    int r;

    if (n > NN_LIMIT_NODE_INPUTS)
        return nn_error_set(import->error, -E2BIG, "more than %d inputs or outputs",
                            NN_LIMIT_NODE_INPUTS);
    ids = calloc(NN_MAX(n, 1), sizeof(ids[0]));
    if (!ids)
        return out_of_memory(-ENOMEM, import->error);
    for (size_t i = 0; i < n; i++) {
        ids[i] = NN_NO_VALUE;
        if (!*names[i])
            continue;
        r = check_name(names[i], import->error);
        if (r < 0)
            return r;
        r = nn_names_get(&import->names, names[i], &ids[i]);
        if (r < 0)
            return out_of_memory(r, import->error);
    }
    *ret = NN_TAKE(ids);
    return 0;
}

/* What the bodies of a node read of this graph become inputs of the node. */
static int import_captures(Import *import, NnNode *node)
{
    for (size_t i = 0; i < node->n_attributes; i++) {
        NnGraph *body = node->attributes[i].graph;
        NnValueId *more;

        if (!body || body->n_captures == 0)
            continue;
        if (node->n_inputs + body->n_captures > NN_LIMIT_NODE_INPUTS)
            return nn_error_set(import->error, -E2BIG, "more than %d inputs or outputs",
                                NN_LIMIT_NODE_INPUTS);
        more = reallocarray(node->inputs, node->n_inputs + body->n_captures, sizeof(more[0]));
        if (!more)
            return out_of_memory(-ENOMEM, import->error);
        node->inputs = more;
        for (size_t j = 0; j < body->n_captures; j++) {
            const char *name = body->values[body->captures[j].inner].name;
            int r = nn_names_get(&import->names, name, &more[node->n_inputs]);

            if (r < 0)
                return out_of_memory(r, import->error);
            body->captures[j].input = node->n_inputs++;
        }
    }
    return 0;
}

static int import_node(Import *import, const Onnx__Node *proto)
{
    const char *name = or_empty(proto->name);
    NnNode *node;
    int r;

    if (!*name && proto->n_output)
        name = proto->output[0];
    r = nn_graph_add_node(import->graph, &node);
    if (r < 0)
        return out_of_memory(r, import->error);
    node->opset = nn_onnx_is_default_domain(proto->domain)
                      ? import->opset
                      : nn_onnx_opset(import->proto, proto->domain, 1);
    node->name = strdup(name);
    node->op_type = strdup(or_empty(proto->op_type));
    node->domain = strdup(nn_onnx_is_default_domain(proto->domain) ? "" : proto->domain);
    if (!node->name || !node->op_type || !node->domain)
        return out_of_memory(-ENOMEM, import->error);
    r = import_attributes(import, proto, node);
    if (r >= 0)
        r = import_values(import, proto->input, proto->n_input, &node->inputs);
    if (r >= 0) {
        node->n_inputs = proto->n_input;
        r = import_values(import, proto->output, proto->n_output, &node->outputs);
    }
    if (r >= 0)
        r = import_captures(import, node);
    if (r < 0)
        return nn_error_prefix(import->error, r, "node '%s' (%s)", node->name, node->op_type);
    node->n_outputs = proto->n_output;
    return 0;
}

static int import_graph(Import *import)
{
    int r;

    if (!import->graph_proto)
        return nn_error_set(import->error, -EBADMSG, "it holds no graph");
    r = import_opset(import);
    if (r >= 0)
        r = import_metadata(import);
    return r < 0 ? r : import_parts(import);
}

int nn_onnx_import(const char *name, const char *directory, const void *bytes, size_t n_bytes,
                   bool mapped, NnGraph **ret_graph, NnError *error)
{
    Budget budget = {
        .left = n_bytes * 8 + ((size_t)16 << 20),
        .mapped = mapped ? (void *)bytes : NULL,
        .mapped_bytes = n_bytes,
    };
    ProtobufCAllocator allocator = { budget_alloc, budget_free, &budget };
    _cleanup_(nn_graph_freep) NnGraph *graph = NULL;
    Import import = { .allocator = &allocator, .directory = directory, .error = error };
    Onnx__Model *proto;
    int r;

    if (n_bytes > NN_LIMIT_FILE_BYTES)
        return nn_error_set(error, -E2BIG, "%s: larger than %zu MiB", name,
                            NN_LIMIT_FILE_BYTES >> 20);
    proto = onnx__model__unpack(&allocator, n_bytes, bytes);
    let_go(&budget);
    if (!proto) {
        r = not_unpacked(&allocator, "not an ONNX model, or cut short", error);
        return nn_error_prefix(error, r, "%s", name);
    }
    r = nn_graph_new(&graph);
    if (r < 0)
        out_of_memory(r, error);
    else {
        import.proto = proto;
        import.graph_proto = proto->graph;
        import.graph = import.names.graph = graph;
        r = import_graph(&import);
    }
    nn_names_clear(&import.names);
    onnx__model__free_unpacked(proto, &allocator);
    if (r >= 0)
        r = nn_graph_verify(graph, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", name);
    *ret_graph = NN_TAKE(graph);
    return 0;
}
