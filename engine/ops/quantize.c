/* SPDX-License-Identifier: Apache-2.0 */

/* QuantizeLinear and DequantizeLinear, per tensor or per slice of an axis. */

#include <math.h>

#include "ops/support.h"

typedef struct QuantizeParams {
    int64_t axis;
} QuantizeParams;

static int quantize_prepare(const NnNode *node, void *params, NnError *error)
{
    QuantizeParams *p = params;
    int64_t block;
    int r = nn_node_int(node, "block_size", 0, &block, error);
    if (r < 0)
        return r;
    if (block)
        return nn_error_set(error, -ENOTSUP, "blocked quantisation is not supported");
    return nn_node_int(node, "axis", 1, &p->axis, error);
}

#define TYPES_QUANTIZED (NN_BIT(NN_DTYPE_I8) | NN_BIT(NN_DTYPE_U8) | NN_BIT(NN_DTYPE_I16) | \
                         NN_BIT(NN_DTYPE_U16))

/* The scale is one number, or one for each slice of the axis; so is the zero point. */
static int check_scale(const NnCall *call)
{
    const QuantizeParams *p = call->params;
    const NnTensor *in = call->in[0], *scale = call->in[1], *zero = nn_input(call, 2);
    int axis = 0, r = nn_check_dtype(call, 1, NN_BIT(NN_DTYPE_F32));
    if (r < 0)
        return r;
    if (zero && nn_tensor_elements(zero) != nn_tensor_elements(scale))
        return nn_error_set(call->error, -EBADMSG, "scale and zero point have different shapes");
    if (nn_tensor_elements(scale) == 1)
        return 0;
    r = nn_resolve_axis(call, p->axis, in->rank, &axis);
    return r < 0 ? r : nn_check_vector(call, 1, in->dims[axis]);
}

/* How elements map to scales: scale (i / inner) % count. */
static void scale_layout(const NnCall *call, int64_t *ret_inner, int64_t *ret_count)
{
    const QuantizeParams *p = call->params;
    const NnTensor *in = call->in[0];
    *ret_count = nn_tensor_elements(call->in[1]);
    *ret_inner = 1;
    if (*ret_count == 1)
        return;
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    *ret_inner = nn_product(in->dims, axis + 1, in->rank);
}

static int quantize_infer(const NnCall *call)
{
    const NnTensor *zero = nn_input(call, 2);
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_BIT(NN_DTYPE_F32));
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 2, TYPES_QUANTIZED);
    if (r < 0)
        return r;
    r = check_scale(call);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, zero ? zero->dtype : NN_DTYPE_U8, call->in[0]->rank,
                         call->in[0]->dims);
}

static void quantize_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnTensor *zero = nn_input(call, 2);
    const float *x = call->in[0]->data, *scale = call->in[1]->data;
    int64_t inner, count;
    (void)worker;
    scale_layout(call, &inner, &count);
    NN_SWITCH_INT(call->out[0]->dtype, {
        const double span = ldexp(1, 8 * (int)sizeof(T));
        const double low = (T)-1 < (T)1 ? -span / 2 : 0, high = low + span - 1;
        for (int64_t i = begin; i < end; i++) {
            int64_t s = i / inner % count;
            double y = rint((double)(x[i] / scale[s])) + (zero ? nn_load_float(zero, s) : 0);
            ((T *)call->out[0]->data)[i] = (T)(y >= low ? (y <= high ? y : high) : low);
        }
    })
}

static int quantize_run(const NnCall *call)
{
    nn_range_run(call->pool, nn_tensor_elements(call->in[0]), nn_grain(4), quantize_range,
                 (void *)call);
    return 0;
}

const NnOp nn_op_quantize_linear = {
    .type = "QuantizeLinear",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(QuantizeParams),
    .prepare = quantize_prepare,
    .infer = quantize_infer,
    .run = quantize_run,
};

static int dequantize_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, TYPES_QUANTIZED | NN_BIT(NN_DTYPE_I32));
    if (r < 0)
        return r;
    r = nn_check_same_dtype(call, 2);
    if (r < 0)
        return r;
    r = check_scale(call);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, NN_DTYPE_F32, call->in[0]->rank, call->in[0]->dims);
}

static void dequantize_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnTensor *zero = nn_input(call, 2);
    const float *scale = call->in[1]->data;
    float *y = call->out[0]->data;
    int64_t inner, count;
    (void)worker;
    scale_layout(call, &inner, &count);
    NN_SWITCH_INT(call->in[0]->dtype, {
        const T *x = call->in[0]->data, *z = zero ? zero->data : NULL;
        for (int64_t i = begin; i < end; i++) {
            int64_t s = i / inner % count;
            y[i] = (float)((int64_t)x[i] - (z ? (int64_t)z[s] : 0)) * scale[s];
        }
    })
}

static int dequantize_run(const NnCall *call)
{
    nn_range_run(call->pool, nn_tensor_elements(call->in[0]), nn_grain(4), dequantize_range,
                 (void *)call);
    return 0;
}

const NnOp nn_op_dequantize_linear = {
    .type = "DequantizeLinear",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(QuantizeParams),
    .prepare = quantize_prepare,
    .infer = dequantize_infer,
    .run = dequantize_run,
};
