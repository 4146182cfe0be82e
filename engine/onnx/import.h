/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "graph/graph.h"

/* Opsets of the default domain that the importer takes. The last one only added
 * bfloat16 to operators. */
#define NN_OPSET_MIN 7
#define NN_OPSET_MAX 22

/* Reads a serialised ONNX model into a graph, with names, types and constants
 * but nothing inferred. `name` stands in messages; `directory` is where external
 * data may lie, NULL refuses it. `mapped`: the bytes are whole pages of a mapped file,
 * which are let go as they are read. -EBADMSG, -ENOTSUP, -E2BIG, -ENOMEM. */
NN_MUST_CHECK int nn_onnx_import(const char *name, const char *directory, const void *bytes,
                                 size_t n_bytes, bool mapped, NnGraph **ret_graph,
                                 NnError *error);
