/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The network between import and program: values and nodes. Nodes stand in
 * topological order; a value has one producer at most. */

#include "base/util.h"

typedef struct NnOp NnOp;
typedef struct NnGraph NnGraph;
typedef struct NnRegistry NnRegistry;

/* Index into NnGraph.values; an absent optional input or output is NN_NO_VALUE. */
typedef int32_t NnValueId;
#define NN_NO_VALUE (-1)

typedef enum NnAttributeType {
    NN_ATTRIBUTE_INT,
    NN_ATTRIBUTE_FLOAT,
    NN_ATTRIBUTE_STRING,
    NN_ATTRIBUTE_TENSOR,
    NN_ATTRIBUTE_INTS,
    NN_ATTRIBUTE_FLOATS,
    NN_ATTRIBUTE_STRINGS,
    NN_ATTRIBUTE_GRAPH,
} NnAttributeType;

typedef struct NnAttribute {
    char *name;
    NnAttributeType type;
    int64_t i;
    float f;
    char *s;            /* NUL-terminated */
    size_t n;           /* elements of ints, floats, strings */
    int64_t *ints;
    float *floats;
    char **strings;
    NnTensor tensor;    /* data owned */
    NnGraph *graph;     /* a body; see NnCapture */
} NnAttribute;

typedef struct NnValue {
    char *name;
    NnTensor tensor;    /* dims: exact, or the most they can be when `dynamic`; data: of a
                           constant, or of a shape while dynamic dims are the largest */
    bool inferred;      /* tensor is filled */
    bool constant;      /* tensor.data holds the value */
    bool owned;         /* tensor.data is freed with the value */
    bool dynamic;       /* true dims are known only while running */
    bool input;
    bool output;
    char **dim_names;   /* NN_RANK_MAX, NULL where the file names none; NULL but for inputs */
} NnValue;

typedef struct NnNode {
    char *name;
    char *op_type;
    char *domain;       /* "" is ai.onnx */
    int opset;          /* of its domain */
    NnAttribute *attributes;
    size_t n_attributes;
    NnValueId *inputs;
    size_t n_inputs;
    NnValueId *outputs;
    size_t n_outputs;
    const NnOp *op;     /* NULL until resolved */
    void *params;       /* op->params_bytes, filled by op->prepare */
    const void *packed; /* of a compiled file: what create made, in the graph's storage */
    size_t packed_bytes;
    bool borrowed;      /* the attributes belong to a body that the graph keeps */
    bool removed;       /* by a pass; swept by nn_graph_compact() */
} NnNode;

/* A body reads a value of the graph around it: the node that holds the body has
 * that value as one more input, behind those of its operator. */
typedef struct NnCapture {
    NnValueId inner;    /* in the body */
    size_t input;       /* of the node */
} NnCapture;

typedef struct NnMetadata {
    char *key;
    char *value;
} NnMetadata;

struct NnGraph {
    char *name;
    char *producer;     /* the program that wrote the file, or NULL */
    int opset;          /* of the standard's operators; 0: the file has none */
    const NnRegistry *registry; /* the application's operators, or NULL; borrowed */
    NnValue *values;
    size_t n_values, values_capacity;
    NnNode *nodes;
    size_t n_nodes, nodes_capacity;
    NnValueId *inputs;
    size_t n_inputs;
    NnValueId *outputs;
    size_t n_outputs;
    NnTensor *declared_outputs; /* what the file says of them, or NULL */
    NnMetadata *metadata;
    size_t n_metadata;
    NnCapture *captures;    /* of a body */
    size_t n_captures;
    bool external;          /* some of its tensors lie in other files */
    bool compiled;          /* read from a compiled file: no passes, packed weights may be all
                               there is of a constant */
    void *storage;          /* that file, which constants and packed weights lie in */
    size_t storage_bytes;
    bool mapped;            /* storage is unmapped, not freed */
    NnNode *spent;          /* whose bodies stand in their place, and own the constants there */
    size_t n_spent, spent_capacity;
};

NN_MUST_CHECK int nn_graph_new(NnGraph **ret_graph);
NnGraph *nn_graph_free(NnGraph *graph);
NN_DEFINE_CLEANUP(NnGraph, nn_graph_free)

/* A copy before inference that borrows the constants' data and the attributes of
 * `graph`, which must outlive it. -ENOMEM. */
NN_MUST_CHECK int nn_graph_clone(const NnGraph *graph, NnGraph **ret_graph);

/* Appends. `name` is copied; pointers into values and nodes become stale. */
NN_MUST_CHECK int nn_graph_add_value(NnGraph *graph, const char *name, NnValueId *ret_id);
NN_MUST_CHECK int nn_graph_add_node(NnGraph *graph, NnNode **ret_node);

/* Appends a node and takes over what it owns, whatever becomes of it: on failure
 * it is cleared. */
NN_MUST_CHECK int nn_graph_take_node(NnGraph *graph, NnNode *node);

/* Keeps a node that its body has replaced. Takes over as above. */
NN_MUST_CHECK int nn_graph_take_spent(NnGraph *graph, NnNode *node);

/* Makes a value constant. Takes `data` (malloc'd) over on success. */
void nn_value_set_constant(NnValue *value, const NnTensor *tensor, bool owned);

/* Frees the data of a constant that nobody will read, if the value owns it. */
void nn_value_drop(NnValue *value);

/* Adds a constant of its own. Takes `tensor->data` (malloc'd) over on success. */
NN_MUST_CHECK int nn_graph_add_constant(NnGraph *graph, const char *name, const NnTensor *tensor,
                                        NnValueId *ret_id);

/* Sweeps removed nodes, nodes whose outputs nobody needs, and the data of constants
 * that nobody reads. */
void nn_graph_compact(NnGraph *graph);

/* Structure: ids in range, one producer, producers before consumers, outputs
 * produced. The sentence names the node. */
NN_MUST_CHECK int nn_graph_verify(const NnGraph *graph, NnError *error);

/* Who makes and how often is read each value, as of when it was taken. */
typedef struct NnGraphIndex {
    int32_t *producer;  /* node of a value, or -1 */
    uint32_t *uses;     /* reads by nodes, and one more for each graph output */
} NnGraphIndex;

NN_MUST_CHECK int nn_graph_index(const NnGraph *graph, NnGraphIndex *ret_index);
void nn_graph_index_clear(NnGraphIndex *index);

/* All readers of a value v, graph outputs too, read map[v]. */
void nn_graph_apply_map(NnGraph *graph, const NnValueId *map);

/* Remembers what the file calls a dimension of an input. -ENOMEM. */
NN_MUST_CHECK int nn_value_name_dim(NnValue *value, int dim, const char *name);

/* Frees what an attribute or a node owns. */
void nn_attribute_clear(NnAttribute *attribute);
void nn_node_clear(NnNode *node);

/* NULL when the node has none of that name. */
const NnAttribute *nn_node_attribute(const NnNode *node, const char *name);

/* Sets a list of integers in the place of what the node has of that name. Not for a
 * node that borrows its attributes. -ENOMEM. */
NN_MUST_CHECK int nn_node_set_ints(NnNode *node, const char *name, const int64_t *ints, size_t n);

/* A body; -EBADMSG when there is none of that name. */
NN_MUST_CHECK int nn_node_graph(const NnNode *node, const char *name, const NnGraph **ret,
                                NnError *error);

/* The type of a TensorProto.DataType number; NN_DTYPE_UNDEFINED for one that the
 * engine does not have (strings, complex, bfloat16, 4 bits). */
NnDtype nn_dtype_from_onnx(int64_t number);

/* "float8e4m3fn", "string": what such a number stands for; "unknown" for any other. */
const char *nn_onnx_type_name(int64_t number);

bool nn_tensor_same_shape(const NnTensor *a, const NnTensor *b);
