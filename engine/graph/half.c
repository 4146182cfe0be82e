/* SPDX-License-Identifier: Apache-2.0 */

/* float16 is a way to store numbers here: what an operator does not do in float16
 * it does in float32 between casts. A value that goes from one such operator to
 * the next stays float32; its rounding to float16 falls away when nobody reads it. */

#include <stdio.h>

#include "graph/infer_node.h"

enum { ONNX_FLOAT = 1, ONNX_FLOAT16 = 10 };

bool nn_half_reads(const NnInfer *infer, const NnNode *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != NN_NO_VALUE &&
            infer->graph->values[node->inputs[i]].tensor.dtype == NN_DTYPE_F16)
            return true;
    return false;
}

/* Makes `wide` answer for the float16 value `half`. */
static int remember(NnInfer *infer, NnValueId half, NnValueId wide)
{
    size_t n = NN_MAX((size_t)half + 1, infer->graph->n_values);
    NnValueId *more;

    if ((size_t)half >= infer->n_wide) {
        more = reallocarray(infer->wide, n, sizeof(more[0]));
        if (!more)
            return nn_infer_full(infer, -ENOMEM);
        for (size_t i = infer->n_wide; i < n; i++)
            more[i] = NN_NO_VALUE;
        infer->wide = more;
        infer->n_wide = n;
    }
    infer->wide[half] = wide;
    return 0;
}

static int append_cast(NnInfer *infer, NnValueId from, NnValueId to, int64_t dtype)
{
    const NnBuildAttribute attribute = { .name = "to", .i = dtype };

    return nn_infer_build(infer, "Cast", &from, 1, &attribute, 1, to);
}

static int add_named(NnInfer *infer, NnValueId of, NnValueId *ret_id)
{
    char name[128];
    int r;

    snprintf(name, sizeof(name), "%.100s.float32", infer->graph->values[of].name);
    r = nn_graph_add_value(infer->graph, name, ret_id);
    return r < 0 ? nn_infer_full(infer, r) : 0;
}

static int widen_value(NnInfer *infer, NnValueId half, NnValueId *ret_wide)
{
    int r;

    if ((size_t)half < infer->n_wide && infer->wide[half] != NN_NO_VALUE) {
        *ret_wide = infer->wide[half];
        return 0;
    }
    r = add_named(infer, half, ret_wide);
    if (r >= 0)
        r = append_cast(infer, half, *ret_wide, ONNX_FLOAT);
    return r < 0 ? r : remember(infer, half, *ret_wide);
}

int nn_half_widen(NnInfer *infer, NnNode *node, bool *ret_narrow)
{
    NnDtype first = NN_DTYPE_UNDEFINED;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < node->n_inputs; i++) {
        NnDtype dtype;

        if (node->inputs[i] == NN_NO_VALUE)
            continue;
        dtype = infer->graph->values[node->inputs[i]].tensor.dtype;
        if (first == NN_DTYPE_UNDEFINED &&
            (dtype == NN_DTYPE_F16 || dtype == NN_DTYPE_F32 || dtype == NN_DTYPE_F64))
            first = dtype;
        if (dtype == NN_DTYPE_F16)
            r = widen_value(infer, node->inputs[i], &node->inputs[i]);
    }
    *ret_narrow = first == NN_DTYPE_F16;
    return r;
}

int nn_half_split(NnInfer *infer, NnNode *node, NnHalfPair **ret_pairs, size_t *ret_n)
{
    _cleanup_free_ NnHalfPair *pairs = calloc(NN_MAX(node->n_outputs, 1), sizeof(pairs[0]));
    size_t n = 0;
    int r;

    if (!pairs)
        return nn_infer_full(infer, -ENOMEM);
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == NN_NO_VALUE || infer->results[i].dtype != NN_DTYPE_F32)
            continue;
        pairs[n].narrow = node->outputs[i];
        r = add_named(infer, node->outputs[i], &pairs[n].wide);
        if (r < 0)
            return r;
        node->outputs[i] = pairs[n++].wide;
    }
    *ret_pairs = NN_TAKE(pairs);
    *ret_n = n;
    return 0;
}

int nn_half_narrow(NnInfer *infer, const NnHalfPair *pairs, size_t n)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < n; i++) {
        r = append_cast(infer, pairs[i].wide, pairs[i].narrow, ONNX_FLOAT16);
        if (r >= 0)
            r = remember(infer, pairs[i].narrow, pairs[i].wide);
    }
    return r;
}
