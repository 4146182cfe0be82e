/* SPDX-License-Identifier: Apache-2.0 */

/* Operators that hold graphs: see engine/graph/body.c for what becomes of them. */

#include "ops/support.h"

static int if_prepare(const NnNode *node, void *params, NnError *error)
{
    const NnGraph *body;
    int r;

    r = nn_node_graph(node, "then_branch", &body, error);
    return r < 0 ? r : nn_node_graph(node, "else_branch", &body, error);
}

static int body_prepare(const NnNode *node, void *params, NnError *error)
{
    const NnGraph *body;

    return nn_node_graph(node, "body", &body, error);
}

const NnOp nn_op_if = {
    .type = "If",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = SIZE_MAX,
    .max_outputs = SIZE_MAX,
    .flags = NN_OP_BODY,
    .prepare = if_prepare,
};

const NnOp nn_op_loop = {
    .type = "Loop",
    .domain = "",
    .since = 1,
    .min_inputs = 0,
    .max_inputs = SIZE_MAX,
    .max_outputs = SIZE_MAX,
    .flags = NN_OP_BODY,
    .prepare = body_prepare,
};

const NnOp nn_op_scan = {
    .type = "Scan",
    .domain = "",
    .since = 8,
    .min_inputs = 0,
    .max_inputs = SIZE_MAX,
    .max_outputs = SIZE_MAX,
    .flags = NN_OP_BODY,
    .prepare = body_prepare,
};
