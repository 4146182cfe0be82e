/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Nodes of ONNX, one after the other. The first failure is kept, with its
 * sentence, and makes the rest do nothing: a caller looks at `status` once. */

#include "graph/graph.h"

typedef struct NnefBuild {
    NnGraph *graph;
    int opset;          /* of the nodes to come */
    bool lenient;       /* shapes may stay unknown: of operators that a document declares */
    int status;
    unsigned serial;
    size_t constant_bytes;  /* of constants that come from no file */
    const char *prefix; /* of the names of tensors that nobody names; may be NULL */
    NnError *error;
} NnefBuild;

/* Tensors that nobody has named begin with this while they are made. */
#define NNEF_UNNAMED '%'

typedef struct NnefAttribute {
    const char *name;   /* NULL ends a list */
    NnAttributeType type;
    int64_t i;
    double f;
    const char *s;
    const void *list;   /* of int64_t, float or const char * */
    size_t n;
    const NnTensor *tensor;
} NnefAttribute;

#define NNEF_INT(NAME, VALUE) { .name = NAME, .type = NN_ATTRIBUTE_INT, .i = (VALUE) }
#define NNEF_FLOAT(NAME, VALUE) { .name = NAME, .type = NN_ATTRIBUTE_FLOAT, .f = (VALUE) }
#define NNEF_TEXT(NAME, VALUE) { .name = NAME, .type = NN_ATTRIBUTE_STRING, .s = (VALUE) }
#define NNEF_INTS(NAME, LIST, N) \
    { .name = NAME, .type = NN_ATTRIBUTE_INTS, .list = (LIST), .n = (N) }
#define NNEF_ATTRIBUTES(...) ((const NnefAttribute[]){ __VA_ARGS__, { 0 } })

/* Adds a node and infers its outputs. Inputs may end in NN_NO_VALUE. */
void nn_nnef_build_outputs(NnefBuild *build, const char *domain, const char *op,
                           const NnefAttribute *attributes, const NnValueId *inputs,
                           size_t n_inputs, NnValueId *ret_outputs, size_t n_outputs);

/* The same with one output. */
NnValueId nn_nnef_build_output(NnefBuild *build, const char *op, const NnefAttribute *attributes,
                               const NnValueId *inputs, size_t n_inputs);
#define nn_nnef_build(BUILD, OP, ATTRIBUTES, ...)                                  \
    nn_nnef_build_output(BUILD, OP, ATTRIBUTES, (const NnValueId[]){ __VA_ARGS__ }, \
                         sizeof((const NnValueId[]){ __VA_ARGS__ }) / sizeof(NnValueId))

/* Memory for a constant that comes from no file: a few words of text may ask for
 * much. NULL, and a failure, when all of these are over NN_LIMIT_FOLDED_BYTES. */
void *nn_nnef_build_alloc(NnefBuild *build, size_t bytes);

/* Constants. The tensor's data (malloc'd) is taken over in any case. */
NnValueId nn_nnef_build_constant(NnefBuild *build, NnTensor *tensor);
NnValueId nn_nnef_build_ints(NnefBuild *build, const int64_t *ints, size_t n);
NnValueId nn_nnef_build_scalar(NnefBuild *build, double value, NnDtype dtype);

/* `value` everywhere, float32. */
NnValueId nn_nnef_build_fill(NnefBuild *build, const int64_t *dims, int rank, double value);

/* A constant is reshaped at once, anything else by a node. */
NnValueId nn_nnef_build_reshape(NnefBuild *build, NnValueId id, const int64_t *dims, int rank);

NnValueId nn_nnef_build_cast(NnefBuild *build, NnValueId id, NnDtype dtype);

/* Type and shape of a value, until the next one is added; NULL, and a failure,
 * while they are not known. */
const NnTensor *nn_nnef_build_tensor(NnefBuild *build, NnValueId id);

/* Keeps a failure with its sentence. */
void nn_nnef_build_fail(NnefBuild *build, int code, const char *format, ...) NN_PRINTF(3, 4);
