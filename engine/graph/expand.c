/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "graph/body.h"

/* The truth of a constant; -ENOTSUP when it is known only while running. */
static int read_condition(NnInfer *infer, NnValueId id, bool *ret)
{
    const NnValue *value = id == NN_NO_VALUE ? NULL : &infer->graph->values[id];

    if (!value || !value->constant || value->tensor.dtype != NN_DTYPE_BOOL ||
        nn_tensor_elements(&value->tensor) != 1)
        return nn_error_set(infer->error, -ENOTSUP, "its condition must be constant");
    *ret = *(const uint8_t *)value->tensor.data != 0;
    return 0;
}

/* Both branches, and the values of the right one: they have no side effects. */
static int append_choice(NnInfer *infer, const NnNode *node, const NnBody *yes, const NnBody *no)
{
    NnValueId condition, shape;
    NnTensor scalar = { .dtype = NN_DTYPE_I64, .rank = 1, .dims = { 0 } };
    int r;

    for (size_t i = 0; i < node->n_outputs; i++) {
        NnValueId yes_id = nn_body_output(yes, i), no_id = nn_body_output(no, i);
        const NnValue *a, *b;

        if (yes_id == NN_NO_VALUE || no_id == NN_NO_VALUE)
            return nn_error_set(infer->error, -EBADMSG, "a branch gives back an absent value");
        a = &infer->graph->values[yes_id];
        b = &infer->graph->values[no_id];
        if (a->tensor.dtype != b->tensor.dtype || !nn_tensor_same_shape(&a->tensor, &b->tensor) ||
            a->dynamic || b->dynamic)
            return nn_error_set(infer->error, -ENOTSUP,
                                "its condition must be constant: the branches differ in shape");
    }
    scalar.data = nn_aligned_alloc(sizeof(int64_t));
    r = scalar.data ? nn_graph_add_constant(infer->graph, "", &scalar, &shape) : -ENOMEM;
    if (r < 0) {
        free(scalar.data);
        return nn_infer_full(infer, r);
    }
    r = nn_body_value(infer, "", &condition);
    if (r >= 0)
        r = nn_infer_build(infer, "Reshape", (NnValueId[]){ node->inputs[0], shape }, 2, NULL, 0,
                           condition);
    for (size_t i = 0; r >= 0 && i < node->n_outputs; i++) {
        const NnValueId in[] = { condition, nn_body_output(yes, i), nn_body_output(no, i) };

        if (node->outputs[i] != NN_NO_VALUE)
            r = nn_infer_build(infer, "Where", in, 3, NULL, 0, node->outputs[i]);
    }
    return r;
}

static int expand_branch(NnInfer *infer, const NnNode *node, const char *attribute, NnBody *body)
{
    int r = nn_body_init(infer, node, attribute, 0, body);

    if (r >= 0)
        r = nn_body_check_outputs(infer, node, body, 0);
    return r < 0 ? r : nn_body_append(infer, body, NULL);
}

static int expand_if(NnInfer *infer, const NnNode *node)
{
    const NnValue *condition = &infer->graph->values[node->inputs[0]];
    _cleanup_(nn_body_clear) NnBody yes = { 0 }, no = { 0 };
    bool truth = false;
    int r;

    if (condition->inferred && !condition->constant) {
        r = expand_branch(infer, node, "then_branch", &yes);
        if (r >= 0)
            r = expand_branch(infer, node, "else_branch", &no);
        return r < 0 ? r : append_choice(infer, node, &yes, &no);
    }
    r = read_condition(infer, node->inputs[0], &truth);
    if (r >= 0)
        r = expand_branch(infer, node, truth ? "then_branch" : "else_branch", &yes);
    for (size_t i = 0; r >= 0 && i < node->n_outputs; i++)
        r = nn_body_identity(infer, nn_body_output(&yes, i), node->outputs[i]);
    return r;
}

static int read_trips(NnInfer *infer, NnValueId id, int64_t *ret)
{
    const NnValue *value;

    *ret = INT64_MAX;
    if (id == NN_NO_VALUE)
        return 0;
    value = &infer->graph->values[id];
    if (!value->constant || value->tensor.dtype != NN_DTYPE_I64 ||
        nn_tensor_elements(&value->tensor) != 1)
        return nn_error_set(infer->error, -ENOTSUP, "its trip count must be constant");
    *ret = *(const int64_t *)value->tensor.data;
    return 0;
}

/* `args`: the turn, the condition, then what is carried from turn to turn. */
static int run_loop(NnInfer *infer, NnBody *body, NnValueId *args, int64_t trips, NnTurns *turns)
{
    bool go;
    int r;

    r = read_condition(infer, args[1], &go);
    for (int64_t turn = 0; r >= 0 && go && turn < trips; turn++) {
        r = nn_body_number(infer, NN_DTYPE_I64, 0, turn, &args[0]);
        if (r >= 0)
            r = nn_body_append(infer, body, args);
        if (r >= 0)
            r = nn_turns_add(infer, turns, body);
        if (r < 0)
            return r;
        for (size_t i = 1; i < body->graph->n_inputs; i++)
            args[i] = nn_body_output(body, i - 1);
        r = read_condition(infer, args[1], &go);
    }
    return r;
}

static int expand_loop(NnInfer *infer, const NnNode *node)
{
    size_t n_args = nn_body_own_inputs(node), n_carried = n_args - 2;
    _cleanup_free_ NnValueId *args = NULL;
    _cleanup_(nn_turns_clear) NnTurns turns = { .first = n_args - 1 };
    _cleanup_(nn_body_clear) NnBody body = { 0 };
    int64_t trips;
    int r;

    if (n_args < 2 || n_carried > node->n_outputs)
        return nn_error_set(infer->error, -EBADMSG, "it has %zu inputs for %zu outputs", n_args,
                            node->n_outputs);
    r = nn_body_init(infer, node, "body", n_args, &body);
    if (r >= 0)
        r = nn_body_check_outputs(infer, node, &body, 1);
    if (r >= 0)
        r = read_trips(infer, node->inputs[0], &trips);
    if (r < 0)
        return r;
    args = malloc(n_args * sizeof(args[0]));
    if (!args)
        return nn_infer_full(infer, -ENOMEM);
    memcpy(args, node->inputs, n_args * sizeof(args[0]));
    if (args[1] == NN_NO_VALUE)
        r = nn_body_number(infer, NN_DTYPE_BOOL, 0, 1, &args[1]);
    turns.each = node->n_outputs - n_carried;
    if (r >= 0)
        r = run_loop(infer, &body, args, trips, &turns);
    for (size_t i = 0; r >= 0 && i < n_carried; i++)
        r = nn_body_identity(infer, args[2 + i], node->outputs[i]);
    for (size_t i = 0; r >= 0 && i < turns.each; i++)
        r = nn_body_stack(infer, turns.n ? turns.ids + i : NULL, turns.n, turns.each, false, 0,
                         node->outputs[n_carried + i]);
    return r;
}

int nn_body_expand(NnInfer *infer, NnNode *node)
{
    if (strcmp(node->op_type, "If") == 0)
        return expand_if(infer, node);
    if (strcmp(node->op_type, "Loop") == 0)
        return expand_loop(infer, node);
    return nn_scan_expand(infer, node);
}
