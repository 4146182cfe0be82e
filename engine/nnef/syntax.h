/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The syntax tree of a document (NNEF 1.0 specification, "Syntax"). */

#include "nnef/lexer.h"

typedef enum NnefPrimitive {
    NNEF_PRIMITIVE_ANY,         /* tensor<>; and where nothing is stated */
    NNEF_PRIMITIVE_INTEGER,
    NNEF_PRIMITIVE_SCALAR,
    NNEF_PRIMITIVE_LOGICAL,
    NNEF_PRIMITIVE_STRING,
    NNEF_PRIMITIVE_GENERIC,     /* ? */
} NnefPrimitive;

typedef enum NnefTypeKind {
    NNEF_TYPE_PRIMITIVE,
    NNEF_TYPE_TENSOR,           /* of `primitive` */
    NNEF_TYPE_ARRAY,            /* of items[0] */
    NNEF_TYPE_TUPLE,
} NnefTypeKind;

typedef struct NnefType {
    NnefTypeKind kind;
    NnefPrimitive primitive;
    struct NnefType **items;
    size_t n;
} NnefType;

typedef enum NnefExprKind {
    NNEF_EXPR_INTEGER,          /* i */
    NNEF_EXPR_SCALAR,           /* f */
    NNEF_EXPR_LOGICAL,          /* i */
    NNEF_EXPR_STRING,           /* s */
    NNEF_EXPR_IDENTIFIER,       /* s */
    NNEF_EXPR_ARRAY,            /* items */
    NNEF_EXPR_TUPLE,            /* items */
    NNEF_EXPR_SUBSCRIPT,        /* items: sequence, index */
    NNEF_EXPR_RANGE,            /* items: sequence, begin or NULL, end or NULL */
    NNEF_EXPR_UNARY,            /* op, items[0] */
    NNEF_EXPR_BINARY,           /* op, items[0], items[1] */
    NNEF_EXPR_SELECT,           /* items: condition, then, else */
    NNEF_EXPR_COMPREHENSION,    /* names; items: sequences, condition or NULL, result */
    NNEF_EXPR_CALL,             /* s, primitive; names[i] of items[i], NULL when positional */
} NnefExprKind;

typedef struct NnefExpr {
    NnefExprKind kind;
    int op;                     /* a token; NNEF_IDENTIFIER for "in" */
    int line, column;
    NnefPrimitive primitive;
    int64_t i;
    double f;
    const char *s;
    const char **names;
    struct NnefExpr **items;
    size_t n;
} NnefExpr;

typedef struct NnefParameter {
    const char *name;
    const NnefType *type;
    const NnefExpr *fallback;   /* NULL when it must be given */
} NnefParameter;

typedef struct NnefAssignment {
    const NnefExpr *left, *right;
} NnefAssignment;

typedef struct NnefFragment {
    const char *name;
    int line, column;
    bool generic;
    NnefPrimitive generic_fallback;
    NnefParameter *parameters;
    size_t n_parameters;
    NnefParameter *results;
    size_t n_results;
    bool body;
    NnefAssignment *assignments;
    size_t n_assignments;
    const void *operation;      /* of the standard; NULL for those of the document */
    bool active;                /* being parsed or evaluated: for messages about recursion */
} NnefFragment;

typedef struct NnefDocument {
    bool provisional;           /* in the syntax of 2017 */
    bool fragments_enabled, operators_enabled;
    NnefMap fragments;
    const NnefFragment *model;  /* fragment onnx_model, see onnx_form.h */
    bool onnx_form;             /* it declares operators of ONNX */
    NnefFragment graph;
} NnefDocument;

/* Parses a document. The tree lives as long as `memory`. */
NN_MUST_CHECK int nn_nnef_parse(NnefMemory *memory, const char *text, size_t n,
                                NnefDocument *ret_document, NnError *error);

/* Parses a declaration without body, such as "abs(x: tensor) -> (y: tensor)". */
NN_MUST_CHECK int nn_nnef_parse_declaration(NnefMemory *memory, const char *text,
                                            NnefFragment *ret_fragment, NnError *error);

/* Parses fragments with bodies into a map. */
NN_MUST_CHECK int nn_nnef_parse_fragments(NnefMemory *memory, const char *text, NnefMap *fragments,
                                          NnError *error);

/* One line of graph.quant: what a tensor is quantised by. */
typedef struct NnefQuant {
    const char *tensor;
    const NnefExpr *call;
} NnefQuant;

/* Parses graph.quant into a map of NnefQuant. */
NN_MUST_CHECK int nn_nnef_parse_quant(NnefMemory *memory, const char *text, size_t n,
                                      NnefMap *quants, NnError *error);
