/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Runs the text of a document: fragments are expanded, operations of the standard
 * become nodes. */

#include "nnef/build.h"
#include "nnef/value.h"

typedef struct NnefScope {
    NnefMap values;         /* NnefValue by name */
    bool graph;             /* of the graph: tensors get the names that it gives them */
} NnefScope;

typedef struct NnefEval {
    NnefMemory *memory;
    const NnefDocument *document;
    NnefBuild build;
    const char *directory;  /* of variables, or NULL */
    NnefMap operations;     /* NnefFragment of the standard, once used */
    NnefMap layers;         /* fragments of the specification of 2017 */
    NnefMap quants;         /* NnefQuant by tensor */
    NnefMap labels;         /* NnefValue of variables read */
    NnefMap names, types;   /* strings of fragment onnx_model, by identifier */
    size_t variable_bytes;
    NnefMap inputs;         /* NnefValue of inputs, before quantisation */
    const char *target;     /* the name in the graph that is being assigned, or NULL */
    enum {
        NNEF_EXTERNAL_NONE,
        NNEF_EXTERNAL_EXPECTED, /* it is an input, by external() */
        NNEF_EXTERNAL_MADE,
    } external;
    bool dequantized;       /* a variable that graph.quant has been applied to */
    const NnefExpr *site;   /* the call of a fragment whose text is not the document's, or NULL:
                               where errors in it stand */
    int depth;
    size_t calls;
    NnError *error;
} NnefEval;

/* An operation of the standard, with its arguments by position of the parameter. */
typedef struct NnefCall {
    NnefEval *eval;
    NnefBuild *build;
    const NnefFragment *fragment;
    NnefPrimitive generic;
    const NnefValue *arguments;
    NnefValue *results;
} NnefCall;

typedef struct NnefOperation {
    const char *declaration;    /* "abs(x: tensor) -> (y: tensor)" */
    int (*lower)(NnefCall *call);
} NnefOperation;

/* Finds an operation of the standard; NULL when there is none. */
const NnefOperation *nn_nnef_operation_find(const char *name);

/* Evaluates the assignments of the graph. */
NN_MUST_CHECK int nn_nnef_eval_graph(NnefEval *eval, NnefScope *scope);

/* An expression in a scope. */
NN_MUST_CHECK int nn_nnef_eval(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                               NnefValue *ret);

/* Calls an operation by name with positional arguments. */
NN_MUST_CHECK int nn_nnef_invoke(NnefEval *eval, const NnefExpr *at, const char *name,
                                 const NnefValue *arguments, size_t n, NnefValue *ret);

/* "line:column: sentence"; returns code. */
int nn_nnef_eval_error(NnefEval *eval, const NnefExpr *at, int code, const char *format, ...)
    NN_PRINTF(4, 5);

/* Puts "line:column: name: " before the sentence that is there; returns code. */
int nn_nnef_eval_prefix(NnefEval *eval, const NnefExpr *at, int code, const char *name);
