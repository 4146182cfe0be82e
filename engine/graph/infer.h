/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "graph/graph.h"
#include "ops/op.h"

/* Finds each node's operator and has it read its attributes. -ENOTSUP for an
 * operator that is missing, with its name. */
NN_MUST_CHECK int nn_graph_resolve(NnGraph *graph, NnError *error);

/* The same for one node. -EBADMSG, -ENOTSUP, -ENOMEM; names the operator but not
 * the node. */
NN_MUST_CHECK int nn_node_resolve(const NnGraph *graph, NnNode *node, NnError *error);

/* Gives every value its type and shape, and evaluates what depends on constants
 * alone. Nodes with bodies are replaced by these, float16 arithmetic by float32
 * between casts. The inputs' shapes must be complete. Values made for passes afterwards
 * are inferred by a second call. */
NN_MUST_CHECK int nn_graph_infer(NnGraph *graph, const NnKernels *kernels, NnError *error);

/* Steps at worst of running a call whose outputs have been inferred. */
uint64_t nn_call_work(const NnCall *call);

/* Puts another operator into a node, with zeroed params. -ENOMEM. */
NN_MUST_CHECK int nn_node_set_op(NnNode *node, const NnOp *op);

/* "node 'x' (Conv, opset 13): " before the sentence; returns code. */
int nn_node_error(const NnNode *node, int code, NnError *error);
