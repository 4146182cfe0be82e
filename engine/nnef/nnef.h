/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* NNEF 1.0 (Khronos Neural Network Exchange Format): a directory with the text
 * graph.nnef, one binary LABEL.dat for each variable, and perhaps graph.quant.
 * Operations become nodes of ONNX, so that nothing behind the importer knows. */

#include "graph/graph.h"

/* The opset of the nodes that an import makes. */
#define NN_NNEF_OPSET 13

/* Reads a directory that holds graph.nnef, or that file itself. Shapes of all
 * inputs are known then, nothing else is inferred. -EBADMSG, -ENOTSUP, -E2BIG,
 * -ENOMEM or the error of opening the file; the sentence has line and column. */
NN_MUST_CHECK int nn_nnef_import(const char *path, NnGraph **ret_graph, NnError *error);

/* The same from memory. `name` stands in messages; `directory` is where .dat
 * files lie, NULL refuses variables. `quant` may be NULL. */
NN_MUST_CHECK int nn_nnef_import_text(const char *name, const char *directory, const char *text,
                                      size_t n_text, const char *quant, size_t n_quant,
                                      NnGraph **ret_graph, NnError *error);

/* Writes graph.nnef and the .dat files into a directory, which is made when
 * missing. -ENOTSUP names the node that NNEF cannot say. */
NN_MUST_CHECK int nn_nnef_export(const NnGraph *graph, const char *directory, NnError *error);
