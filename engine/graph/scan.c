/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "graph/body.h"

/* Where the elements of a scan's inputs and outputs lie, and in which order. */
typedef struct Scan {
    NnBody body;
    size_t n_states, n_in, n_out;
    int64_t *in_axes, *in_reverse;      /* n_in */
    int64_t *out_axes, *out_reverse;    /* n_out */
    NnValueId *args;                    /* n_states, then n_in */
} Scan;

static void scan_clear(Scan *scan)
{
    nn_body_clear(&scan->body);
    free(scan->in_axes);
    free(scan->in_reverse);
    free(scan->out_axes);
    free(scan->out_reverse);
    free(scan->args);
}

/* A list with one entry for each of n values; zeros where the file has none. */
static int read_list(NnInfer *infer, const NnNode *node, const char *name, size_t n, int64_t **ret)
{
    size_t found = 0;
    int r;

    *ret = calloc(NN_MAX(n, 1), sizeof((*ret)[0]));
    if (!*ret)
        return nn_infer_full(infer, -ENOMEM);
    r = nn_node_ints(node, name, *ret, n, &found, infer->error);
    if (r < 0)
        return r;
    if (found && found != n)
        return nn_error_set(infer->error, -EBADMSG, "attribute '%s' has %zu entries for %zu values",
                            name, found, n);
    return 0;
}

/* `old`: opset 8, where axis 0 is the batch and 1 is what is scanned. */
static int scan_init(NnInfer *infer, const NnNode *node, bool old, Scan *scan)
{
    size_t own = nn_body_own_inputs(node);
    int64_t n_in;
    int r;

    r = nn_node_int(node, "num_scan_inputs", 0, &n_in, infer->error);
    if (r < 0)
        return r;
    if (own < old || n_in < 1 || (size_t)n_in > own - old ||
        own - old - (size_t)n_in > node->n_outputs)
        return nn_error_set(infer->error, -EBADMSG,
                            "it has %zu inputs, %lld of them to scan, for %zu outputs", own,
                            (long long)n_in, node->n_outputs);
    scan->n_in = (size_t)n_in;
    scan->n_states = own - old - scan->n_in;
    scan->n_out = node->n_outputs - scan->n_states;
    scan->args = calloc(own, sizeof(scan->args[0]));
    if (!scan->args)
        return nn_infer_full(infer, -ENOMEM);
    r = nn_body_init(infer, node, "body", own - old, &scan->body);
    if (r >= 0)
        r = nn_body_check_outputs(infer, node, &scan->body, 0);
    if (r >= 0)
        r = read_list(infer, node, old ? "directions" : "scan_input_directions", scan->n_in,
                      &scan->in_reverse);
    if (r >= 0)
        r = read_list(infer, node, "scan_input_axes", scan->n_in, &scan->in_axes);
    if (r >= 0)
        r = read_list(infer, node, "scan_output_directions", scan->n_out, &scan->out_reverse);
    return r < 0 ? r : read_list(infer, node, "scan_output_axes", scan->n_out, &scan->out_axes);
}

/* Dimension `axis` of a value, which may count from the end. */
static int read_length(NnInfer *infer, NnValueId id, int64_t *axis, int64_t *ret)
{
    const NnValue *value = id == NN_NO_VALUE ? NULL : &infer->graph->values[id];

    if (!value)
        return nn_error_set(infer->error, -EBADMSG, "an input to scan is missing");
    if (value->dynamic)
        return nn_error_set(infer->error, -ENOTSUP, "the shape of what it scans must be constant");
    if (*axis < 0)
        *axis += value->tensor.rank;
    if (*axis < 0 || *axis >= value->tensor.rank)
        return nn_error_set(infer->error, -EBADMSG, "axis %lld of an input with %d dimensions",
                            (long long)*axis, value->tensor.rank);
    *ret = value->tensor.dims[*axis];
    return 0;
}

static int append_take(NnInfer *infer, NnValueId from, int64_t index, int64_t axis,
                       NnValueId *ret_id)
{
    const NnBuildAttribute attribute = { .name = "axis", .i = axis };
    NnValueId in[] = { from, NN_NO_VALUE };
    int r;

    r = nn_body_number(infer, NN_DTYPE_I64, 0, index, &in[1]);
    if (r >= 0)
        r = nn_body_value(infer, "", ret_id);
    return r < 0 ? r : nn_infer_build(infer, "Gather", in, 2, &attribute, 1, *ret_id);
}

/* From `inputs`, states and then what is scanned, to the last states in scan->args
 * and the outputs of each turn. */
static int run_scan(NnInfer *infer, Scan *scan, const NnValueId *inputs, NnTurns *turns)
{
    int64_t length = 0;
    int r = 0;

    for (size_t i = 0; i < scan->n_in; i++) {
        int64_t n;

        r = read_length(infer, inputs[scan->n_states + i], &scan->in_axes[i], &n);
        if (r < 0)
            return r;
        if (i > 0 && n != length)
            return nn_error_set(infer->error, -EBADMSG, "its inputs to scan differ in length");
        length = n;
    }
    memcpy(scan->args, inputs, scan->n_states * sizeof(inputs[0]));
    for (int64_t turn = 0; r >= 0 && turn < length; turn++) {
        for (size_t i = 0; r >= 0 && i < scan->n_in; i++)
            r = append_take(infer, inputs[scan->n_states + i],
                            scan->in_reverse[i] ? length - 1 - turn : turn, scan->in_axes[i],
                            &scan->args[scan->n_states + i]);
        if (r >= 0)
            r = nn_body_append(infer, &scan->body, scan->args);
        if (r >= 0)
            r = nn_turns_add(infer, turns, &scan->body);
        for (size_t i = 0; r >= 0 && i < scan->n_states; i++)
            scan->args[i] = nn_body_output(&scan->body, i);
    }
    return r;
}

static int expand_scan(NnInfer *infer, const NnNode *node, Scan *scan)
{
    _cleanup_(nn_turns_clear) NnTurns turns = { .first = scan->n_states, .each = scan->n_out };
    int r;

    r = run_scan(infer, scan, node->inputs, &turns);
    for (size_t i = 0; r >= 0 && i < scan->n_states; i++)
        r = nn_body_identity(infer, scan->args[i], node->outputs[i]);
    for (size_t i = 0; r >= 0 && i < scan->n_out; i++)
        r = nn_body_stack(infer, turns.n ? turns.ids + i : NULL, turns.n, turns.each,
                          scan->out_reverse[i], scan->out_axes[i],
                          node->outputs[scan->n_states + i]);
    return r;
}

/* One element of the batch; its results go to `results`, one for each output. */
static int expand_element(NnInfer *infer, const NnNode *node, Scan *scan, int64_t element,
                          NnValueId *inputs, NnValueId *results)
{
    _cleanup_(nn_turns_clear) NnTurns turns = { .first = scan->n_states, .each = scan->n_out };
    int r = 0;

    for (size_t i = 0; r >= 0 && i < scan->n_states + scan->n_in; i++)
        r = append_take(infer, node->inputs[1 + i], element, 0, &inputs[i]);
    if (r >= 0)
        r = run_scan(infer, scan, inputs, &turns);
    for (size_t i = 0; r >= 0 && i < scan->n_states; i++)
        results[i] = scan->args[i];
    for (size_t i = 0; r >= 0 && i < scan->n_out; i++) {
        r = nn_body_value(infer, "", &results[scan->n_states + i]);
        if (r >= 0)
            r = nn_body_stack(infer, turns.n ? turns.ids + i : NULL, turns.n, turns.each, false, 0,
                              results[scan->n_states + i]);
    }
    return r;
}

static int expand_batch(NnInfer *infer, const NnNode *node, Scan *scan)
{
    size_t n_inputs = scan->n_states + scan->n_in;
    _cleanup_free_ NnValueId *inputs = calloc(n_inputs, sizeof(inputs[0]));
    _cleanup_free_ NnValueId *results = NULL;
    int64_t axis = 0, batch;
    int r;

    if (node->inputs[0] != NN_NO_VALUE)
        return nn_error_set(infer->error, -ENOTSUP, "lengths that differ within a batch");
    r = read_length(infer, node->inputs[1 + scan->n_states], &axis, &batch);
    if (r < 0)
        return r;
    if (batch > NN_LIMIT_NODE_INPUTS)
        return nn_error_set(infer->error, -E2BIG, "its batch is larger than %d",
                            NN_LIMIT_NODE_INPUTS);
    results = calloc((size_t)batch * node->n_outputs + 1, sizeof(results[0]));
    if (!inputs || !results)
        return nn_infer_full(infer, -ENOMEM);
    for (int64_t i = 0; r >= 0 && i < batch; i++)
        r = expand_element(infer, node, scan, i, inputs, results + (size_t)i * node->n_outputs);
    for (size_t i = 0; r >= 0 && i < node->n_outputs; i++)
        r = nn_body_stack(infer, results + i, (size_t)batch, node->n_outputs, false, 0,
                          node->outputs[i]);
    return r;
}

int nn_scan_expand(NnInfer *infer, const NnNode *node)
{
    _cleanup_(scan_clear) Scan scan = { 0 };
    bool old = node->opset < 9;
    int r;

    r = scan_init(infer, node, old, &scan);
    if (r < 0)
        return r;
    return old ? expand_batch(infer, node, &scan) : expand_scan(infer, node, &scan);
}
