/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What expressions evaluate to. */

#include "graph/graph.h"
#include "nnef/syntax.h"

typedef enum NnefValueKind {
    NNEF_VALUE_NONE,            /* an argument with neither value nor default */
    NNEF_VALUE_INTEGER,
    NNEF_VALUE_SCALAR,
    NNEF_VALUE_LOGICAL,
    NNEF_VALUE_STRING,
    NNEF_VALUE_TENSOR,
    NNEF_VALUE_ARRAY,
    NNEF_VALUE_TUPLE,
} NnefValueKind;

typedef struct NnefValue {
    NnefValueKind kind;
    union {
        int64_t i;
        double f;
        bool b;
        const char *s;
        NnValueId id;
        struct {
            const struct NnefValue *items;
            size_t n;
        };
    };
} NnefValue;

/* "integer", "tensor", "array": for messages. */
const char *nn_nnef_value_name(const NnefValue *value);

/* "(integer, integer)[]": writes a type; returns `buffer`. */
const char *nn_nnef_type_name(const NnefType *type, char *buffer, size_t n);

/* Does a value have this type? Integers become scalars where scalars are asked
 * for; what `generic` stands for takes the place of "?". */
NN_MUST_CHECK bool nn_nnef_value_fits(NnefMemory *memory, const NnGraph *graph,
                                      const NnefType *type, NnefPrimitive generic,
                                      NnefValue *value);
