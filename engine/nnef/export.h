/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of the NNEF writer share. Text is collected in memory streams;
 * the first failure stays in NnExport.r, and what follows it writes nothing that
 * is kept, so that callers need not look after each line. */

#include <stdio.h>

#include "graph/graph.h"

/* A text that grows. */
typedef struct NnExportText {
    FILE *file;
    char *bytes;
    size_t n;
} NnExportText;

/* A value under another rank: leading dimensions of 1 added. */
typedef struct NnExportForm {
    const char *name;
    int rank;
    int32_t next;           /* of the same value, or -1 */
} NnExportForm;

/* A fragment that was declared: an operator of ONNX with one signature. */
typedef struct NnExportFragment {
    char *type;             /* of the operator, with its domain */
    char *signature;
    char *name;
} NnExportFragment;

typedef struct NnExport {
    const NnGraph *graph;
    const char *directory;      /* the files go here */
    NnExportText fragments;     /* declarations before the graph */
    NnExportText constants;     /* externals, variables, constants */
    NnExportText body;
    char **taken;               /* identifiers, hashed by open addressing */
    size_t n_taken, taken_capacity;
    unsigned suffix;
    const char **names;         /* the identifier of each value, NULL before it has one */
    const char **outputs;       /* of each output */
    bool *declared;             /* constants that stand in the text */
    int32_t *first_form;        /* of each value, or -1 */
    NnExportForm *forms;
    size_t n_forms;
    NnExportFragment *list;
    size_t n_list;
    int r;
    NnError *error;
} NnExport;

/* Keeps the first failure. */
void nn_export_fail(NnExport *export, int r, const char *format, ...) NN_PRINTF(3, 4);

/* An identifier that nothing else has, as near to `wish` as the grammar allows. */
const char *nn_export_identifier(NnExport *export, const char *wish);
bool nn_export_is_identifier(const char *name);

/* The identifier of a value; of a constant after it was declared. */
const char *nn_export_operand(NnExport *export, NnValueId id);

/* The same with leading dimensions of 1 up to `rank`. */
const char *nn_export_operand_rank(NnExport *export, NnValueId id, int rank);

/* The identifier of a value that the text is about to assign. */
const char *nn_export_result(NnExport *export, NnValueId id);

/* Declares a constant under `name`, a variable with its file where it must be. */
void nn_export_constant(NnExport *export, const char *name, const NnTensor *tensor);

/* Literals. */
void nn_export_ints(FILE *file, const int64_t *values, size_t n);
void nn_export_float(FILE *file, float value);
void nn_export_string(FILE *file, const char *string);

/* A list that is an attribute up to `last_attribute` opset and constant input
 * `input` after it. False when it is there but not known, or not what it should
 * be; `ret_n` is 0 and `ret_given` false when it is absent. */
bool nn_export_list(const NnExport *export, const NnNode *node, const char *attribute,
                    int last_attribute, size_t input, int64_t *ret, size_t max, size_t *ret_n,
                    bool *ret_given);

/* Attributes with their default; those of a wrong type were refused before. */
int64_t nn_export_int(const NnNode *node, const char *name, int64_t fallback);
float nn_export_scalar(const NnNode *node, const char *name, float fallback);
const char *nn_export_text(const NnNode *node, const char *name, const char *fallback);

/* NULL for an input or output that is absent. */
const NnTensor *nn_export_input(const NnExport *export, const NnNode *node, size_t index);
const NnTensor *nn_export_output(const NnExport *export, const NnNode *node, size_t index);

/* Writes a node as one of the standard's operations. False when none says the
 * same; nothing was written then. */
typedef bool (*NnExportFunc)(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_standard(NnExport *export, const NnNode *node);
bool nn_export_conv(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_deconv(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_pool(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_global_pool(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_resize(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_reduce(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_arg_reduce(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_softmax(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_lrn(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_reshape(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_squeeze(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_transpose(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_concat(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_split(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_slice(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_tile(NnExport *export, const NnNode *node, const char *operation);
bool nn_export_pad(NnExport *export, const NnNode *node, const char *operation);

/* Writes a node as a fragment of its own, see onnx_form.h. */
void nn_export_onnx_form(NnExport *export, const NnNode *node);
