/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* If, Loop and Scan are written out while shapes are inferred: a branch, or one
 * copy of the body for each turn, stands in their place, and constants fold through
 * it. What cannot be counted at load is refused. */

#include "graph/infer_node.h"

/* A body and the values of the graph that stand for its own. */
typedef struct NnBody {
    const NnGraph *graph;
    NnValueId *map;
} NnBody;

/* The body in that attribute of the node, which must have n_args inputs; its
 * constants and what it reads from around become known to the graph. */
NN_MUST_CHECK int nn_body_init(NnInfer *infer, const NnNode *node, const char *attribute,
                               size_t n_args, NnBody *ret);
void nn_body_clear(NnBody *body);

/* -EBADMSG unless the body has as many outputs as the node, and `extra` more. */
NN_MUST_CHECK int nn_body_check_outputs(NnInfer *infer, const NnNode *node, const NnBody *body,
                                        size_t extra);

/* Appends one copy of the body, whose outputs nn_body_output() gives afterwards. */
NN_MUST_CHECK int nn_body_append(NnInfer *infer, NnBody *body, const NnValueId *args);

/* NN_NO_VALUE: an absent argument, handed through. */
static inline NnValueId nn_body_output(const NnBody *body, size_t i)
{
    return body->map[body->graph->outputs[i]];
}

/* Inputs of the operator itself: without those that its bodies read from around. */
size_t nn_body_own_inputs(const NnNode *node);

/* A new value; a constant of one element, bool or int64, of rank 0 or 1. */
NN_MUST_CHECK int nn_body_value(NnInfer *infer, const char *name, NnValueId *ret_id);
NN_MUST_CHECK int nn_body_number(NnInfer *infer, NnDtype dtype, int rank, int64_t number,
                                 NnValueId *ret_id);

/* Makes `to` the same as `from`; nothing where `to` is NN_NO_VALUE. */
NN_MUST_CHECK int nn_body_identity(NnInfer *infer, NnValueId from, NnValueId to);

/* Joins n values of one shape, ids[i × step], along a new axis. */
NN_MUST_CHECK int nn_body_stack(NnInfer *infer, const NnValueId *ids, size_t n, size_t step,
                                bool reverse, int64_t axis, NnValueId to);

/* What the turns gave, turn after turn: `each` values from `first` on. */
typedef struct NnTurns {
    NnValueId *ids;
    size_t n, capacity;
    size_t first, each;
} NnTurns;

NN_MUST_CHECK int nn_turns_add(NnInfer *infer, NnTurns *turns, const NnBody *body);
void nn_turns_clear(NnTurns *turns);

/* Appends what Scan does. */
NN_MUST_CHECK int nn_scan_expand(NnInfer *infer, const NnNode *node);
