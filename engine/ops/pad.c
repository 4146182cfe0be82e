/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/copy.h"

typedef enum PadMode {
    PAD_CONSTANT,
    PAD_REFLECT,
    PAD_EDGE,
    PAD_WRAP,
} PadMode;

typedef struct PadParams {
    PadMode mode;
    float value;        /* before opset 11 */
} PadParams;

static int pad_prepare(const NnNode *node, void *params, NnError *error)
{
    static const char *const names[] = {
        [PAD_CONSTANT] = "constant", [PAD_REFLECT] = "reflect",
        [PAD_EDGE] = "edge",         [PAD_WRAP] = "wrap",
    };
    PadParams *p = params;
    const char *mode;
    int r = nn_node_float(node, "value", 0, &p->value, error);
    if (r < 0)
        return r;
    r = nn_node_string(node, "mode", "constant", &mode, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++) {
        if (strcmp(mode, names[i]) == 0) {
            p->mode = (PadMode)i;
            return 0;
        }
    }
    return nn_error_set(error, -ENOTSUP, "mode %s is not supported", mode);
}

/* Elements before and after every dimension; negative ones are cut off. */
static int pad_widths(const NnCall *call, int64_t *before, int64_t *after)
{
    const NnTensor *in = call->in[0];
    int64_t pads[2 * NN_RANK_MAX], axes[NN_RANK_MAX];
    bool given, selected[NN_RANK_MAX];
    size_t n, n_axes;
    int r = nn_list(call, "pads", 10, 1, pads, 2 * NN_RANK_MAX, &n, &given);
    if (r < 0)
        return r;
    if (!given)
        return nn_error_set(call->error, -EBADMSG, "pads are missing");
    /* Only opset 18 has axes: nothing before it has a fourth input. */
    r = nn_list(call, "", 10, 3, axes, NN_RANK_MAX, &n_axes, &given);
    if (r < 0)
        return r;
    if (!given) {
        n_axes = (size_t)in->rank;
        for (int i = 0; i < in->rank; i++)
            axes[i] = i;
    }
    if (n != 2 * n_axes)
        return nn_error_set(call->error, -EBADMSG, "%zu pads for %zu dimensions", n, n_axes);
    r = nn_resolve_axes(call, axes, n_axes, in->rank, selected);
    if (r < 0)
        return r;
    memset(before, 0, NN_RANK_MAX * sizeof(*before));
    memset(after, 0, NN_RANK_MAX * sizeof(*after));
    for (size_t i = 0; i < n_axes; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + in->rank : axes[i];
        before[axis] = pads[i];
        after[axis] = pads[n_axes + i];
    }
    return 0;
}

static int pad_infer(const NnCall *call)
{
    const PadParams *p = call->params;
    int64_t before[NN_RANK_MAX], after[NN_RANK_MAX], dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r < 0)
        return r;
    r = pad_widths(call, before, after);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0], *value = nn_input(call, 2);
    if (value && (value->dtype != in->dtype || nn_tensor_elements(value) != 1))
        return nn_error_set(call->error, -EBADMSG, "input 2 is not one %s",
                            nn_dtype_name(in->dtype));
    if (call->node->opset < 11 && p->value != 0 && !nn_is_float(in->dtype))
        return nn_error_set(call->error, -ENOTSUP, "padding %s with %g is not supported",
                            nn_dtype_name(in->dtype), (double)p->value);
    for (int i = 0; i < in->rank; i++) {
        if (__builtin_add_overflow(in->dims[i], before[i], &dims[i]) ||
            __builtin_add_overflow(dims[i], after[i], &dims[i]) || dims[i] < 0)
            return nn_error_set(call->error, -EBADMSG,
                                "dimension %d of %lld is padded by %lld, %lld", i,
                                (long long)in->dims[i], (long long)before[i], (long long)after[i]);
        if (p->mode != PAD_CONSTANT && in->dims[i] == 0 && dims[i] > 0)
            return nn_error_set(call->error, -EBADMSG, "dimension %d is empty", i);
    }
    return nn_set_output(call, 0, in->dtype, in->rank, dims);
}

static size_t pad_scratch(const NnCall *call)
{
    return (size_t)nn_copy_table_entries(call->out[0]) * sizeof(int64_t);
}

static int64_t floor_mod(int64_t x, int64_t n)
{
    int64_t rest = x % n;
    return rest < 0 ? rest + n : rest;
}

/* The element that stands at `x`, which may lie outside, or -1. */
static int64_t source_index(PadMode mode, int64_t x, int64_t dim)
{
    if (x >= 0 && x < dim)
        return x;
    switch (mode) {
    case PAD_EDGE:
        return x < 0 ? 0 : dim - 1;
    case PAD_WRAP:
        return floor_mod(x, dim);
    case PAD_REFLECT:
        if (dim == 1)
            return 0;
        x = floor_mod(x, 2 * (dim - 1));
        return x < dim ? x : 2 * (dim - 1) - x;
    default:
        return -1;
    }
}

static int pad_run(const NnCall *call)
{
    const PadParams *p = call->params;
    const NnTensor *in = call->in[0], *value = nn_input(call, 2);
    NnTensor *out = call->out[0];
    int64_t before[NN_RANK_MAX], after[NN_RANK_MAX], *table = call->scratch;
    int r = pad_widths(call, before, after);
    if (r < 0)
        return r;
    union {
        float f32;
        double f64;
        uint64_t zero;
    } fill = { .zero = 0 };
    if (in->dtype == NN_DTYPE_F32)
        fill.f32 = p->value;
    else if (in->dtype == NN_DTYPE_F64)
        fill.f64 = (double)p->value;
    for (int i = 0; i < out->rank; i++)
        for (int64_t j = 0; j < out->dims[i]; j++)
            *table++ = source_index(p->mode, j - before[i], in->dims[i]);
    nn_copy_indexed(in, out, call->scratch, value ? value->data : &fill, call->pool);
    return 0;
}

const NnOp nn_op_pad = {
    .type = "Pad",
    .domain = "",
    .since = 2,
    .min_inputs = 1,
    .max_inputs = 4,
    .max_outputs = 1,
    .params_bytes = sizeof(PadParams),
    .prepare = pad_prepare,
    .infer = pad_infer,
    .scratch = pad_scratch,
    .run = pad_run,
};
