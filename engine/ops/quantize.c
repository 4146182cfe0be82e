/* SPDX-License-Identifier: Apache-2.0 */

/* QuantizeLinear and DequantizeLinear: one scale and zero point for the tensor,
 * for each slice of an axis, or for each block of an axis; DynamicQuantizeLinear,
 * which chooses them. */

#include "ops/quantised.h"

#define TYPES_QUANTISED (NN_TYPES_BYTE | NN_BIT(NN_DTYPE_I16) | NN_BIT(NN_DTYPE_U16))
#define SWITCH_QUANTISED(dtype, ...)                                        \
    NN_SWITCH(dtype, NN_CASE(NN_DTYPE_I8, int8_t, __VA_ARGS__)              \
                     NN_CASE(NN_DTYPE_U8, uint8_t, __VA_ARGS__)             \
                     NN_CASE(NN_DTYPE_I16, int16_t, __VA_ARGS__)            \
                     NN_CASE(NN_DTYPE_U16, uint16_t, __VA_ARGS__))

typedef struct QuantizeParams {
    int64_t axis, block;
    NnDtype output;         /* undefined: that of the zero point */
} QuantizeParams;

static int quantize_prepare(const NnNode *node, void *params, NnError *error)
{
    QuantizeParams *p = params;
    int64_t output;
    int r = nn_node_int(node, "axis", 1, &p->axis, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "block_size", 0, &p->block, error);
    if (r < 0)
        return r;
    if (p->block < 0)
        return nn_error_set(error, -EBADMSG, "block_size is %lld", (long long)p->block);
    r = nn_node_int(node, "output_dtype", 0, &output, error);
    if (r < 0 || output == 0)
        return r;
    return nn_op_dtype(output, &p->output, error);
}

/* How elements map to scales. */
typedef struct Layout {
    int64_t dim, inner;     /* of the axis, and elements of one slice */
    int64_t block;          /* slices that share scales; 0: one scale for all */
    int64_t blocks;
    bool blocked;           /* the dimensions around the axis have scales of their own */
} Layout;

static int64_t count_blocks(int64_t dim, int64_t block)
{
    return dim > 0 ? (dim - 1) / block + 1 : 0;
}

static int check_blocks(const NnCall *call, int axis, int64_t block)
{
    const NnTensor *in = call->in[0], *scale = call->in[1];
    char shape[128];
    bool fits = scale->rank == in->rank;
    for (int i = 0; fits && i < in->rank; i++)
        fits = scale->dims[i] == (i == axis ? count_blocks(in->dims[i], block) : in->dims[i]);
    if (fits)
        return 0;
    return nn_error_set(call->error, -EBADMSG, "scales of %s do not fit blocks of %lld",
                        nn_tensor_shape_string(scale, shape, sizeof(shape)), (long long)block);
}

static int find_layout(const NnCall *call, Layout *ret)
{
    const QuantizeParams *p = call->params;
    const NnTensor *in = call->in[0], *scale = call->in[1];
    int axis = 0;
    *ret = (Layout){ .dim = 1, .inner = 1 };
    if (nn_tensor_elements(scale) == 1 && (!p->block || in->rank == 0))
        return 0;
    int r = nn_resolve_axis(call, p->axis, in->rank, &axis);
    if (r < 0)
        return r;
    r = p->block ? check_blocks(call, axis, p->block) : nn_check_vector(call, 1, in->dims[axis]);
    if (r < 0)
        return r;
    int64_t block = NN_MAX(p->block, 1);
    *ret = (Layout){
        .dim = in->dims[axis],
        .inner = nn_product(in->dims, axis + 1, in->rank),
        .block = block,
        .blocks = count_blocks(in->dims[axis], block),
        .blocked = p->block != 0,
    };
    return 0;
}

static int check_scale(const NnCall *call)
{
    const NnTensor *zero = nn_input(call, 2);
    Layout layout;
    int r = nn_check_dtype(call, 1, NN_BIT(NN_DTYPE_F32));
    if (r < 0)
        return r;
    if (zero && nn_tensor_elements(zero) != nn_tensor_elements(call->in[1]))
        return nn_error_set(call->error, -EBADMSG, "scale and zero point have different shapes");
    return find_layout(call, &layout);
}

/* Elements from `i` on whose scales follow each other `step` apart, 0 or 1. */
static int64_t find_run(const Layout *l, int64_t i, int64_t end, int64_t *ret_scale,
                        int64_t *ret_step)
{
    *ret_scale = *ret_step = 0;
    if (l->block == 0)
        return end - i;
    int64_t at = i % l->inner, slice = i / l->inner % l->dim, outer = i / l->inner / l->dim;
    int64_t block = (l->blocked ? outer * l->blocks : 0) + slice / l->block;
    *ret_scale = l->blocked ? block * l->inner + at : block;
    *ret_step = l->inner == 1 ? l->block == 1 : l->blocked;
    int64_t n = l->inner > 1    ? l->inner - at
                : l->block == 1 ? l->dim - slice
                                : NN_MIN(l->block - slice % l->block, l->dim - slice);
    return NN_MIN(n, end - i);
}

static int quantize_infer(const NnCall *call)
{
    const QuantizeParams *p = call->params;
    const NnTensor *zero = nn_input(call, 2);
    NnDtype output = p->output ? p->output : zero ? zero->dtype : NN_DTYPE_U8;
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_BIT(NN_DTYPE_F32) | NN_BIT(NN_DTYPE_I32));
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 2, TYPES_QUANTISED);
    if (r < 0)
        return r;
    if (!(NN_BIT(output) & TYPES_QUANTISED) || (zero && zero->dtype != output))
        return nn_error_set(call->error, -EBADMSG, "output_dtype is %s, the zero point %s",
                            nn_dtype_name(output), zero ? nn_dtype_name(zero->dtype) : "absent");
    r = check_scale(call);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, output, call->in[0]->rank, call->in[0]->dims);
}

/* A run of equal scales, or of one for each element. */
#define QUANTIZE(x)                                                                             \
    do {                                                                                        \
        const float scale = scales[at];                                                         \
        const int32_t z = zeros ? (int32_t)zeros[at] : 0;                                       \
        for (int64_t j = 0; step == 0 && j < n; j++)                                            \
            to[i + j] = (T)nn_quantize((x) / scale, z, low, high);                              \
        for (int64_t j = 0; step != 0 && j < n; j++)                                            \
            to[i + j] = (T)nn_quantize((x) / scales[at + j], zeros ? (int32_t)zeros[at + j] : 0, \
                                       low, high);                                              \
    } while (0)

/* Numbers of 8 and 16 bits: rounding is exact for all that do not saturate. */
static void quantize_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnTensor *in = call->in[0], *zero = nn_input(call, 2);
    const float *scales = call->in[1]->data;
    Layout layout;
    int64_t at, step, n;
    (void)worker;
    if (find_layout(call, &layout) < 0)
        return;
    SWITCH_QUANTISED(call->out[0]->dtype, {
        const int32_t low = (T)-1 < (T)1 ? -(1 << (8 * sizeof(T) - 1)) : 0;
        const int32_t high = low + (1 << 8 * sizeof(T)) - 1;
        const T *zeros = zero ? zero->data : NULL;
        T *to = call->out[0]->data;
        for (int64_t i = begin; i < end; i += n) {
            n = find_run(&layout, i, end, &at, &step);
            if (in->dtype == NN_DTYPE_F32)
                QUANTIZE(((const float *)in->data)[i + j]);
            else
                QUANTIZE((float)((const int32_t *)in->data)[i + j]);
        }
    })
}

static int quantize_run(const NnCall *call)
{
    nn_range_run(call->pool, nn_tensor_elements(call->in[0]), nn_grain(4), quantize_range,
                 (void *)call);
    return 0;
}

static int dequantize_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, TYPES_QUANTISED | NN_BIT(NN_DTYPE_I32));
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
    const float *scales = call->in[1]->data;
    float *y = call->out[0]->data;
    Layout layout;
    int64_t at, step, n;
    (void)worker;
    if (find_layout(call, &layout) < 0)
        return;
    NN_SWITCH_INT(call->in[0]->dtype, {
        typedef __typeof__(_Generic((T)0, int32_t: (int64_t)0, default: (int32_t)0)) Wide;
        const T *x = call->in[0]->data, *zeros = zero ? zero->data : NULL;
        for (int64_t i = begin; i < end; i += n) {
            n = find_run(&layout, i, end, &at, &step);
            const float scale = scales[at];
            const Wide z = zeros ? (Wide)zeros[at] : 0;
            for (int64_t j = 0; step == 0 && j < n; j++)
                y[i + j] = (float)((Wide)x[i + j] - z) * scale;
            for (int64_t j = 0; step != 0 && j < n; j++)
                y[i + j] = (float)((Wide)x[i + j] - (zeros ? (Wide)zeros[at + j] : 0)) *
                           scales[at + j];
        }
    })
}

static int dequantize_run(const NnCall *call)
{
    nn_range_run(call->pool, nn_tensor_elements(call->in[0]), nn_grain(4), dequantize_range,
                 (void *)call);
    return 0;
}

/* The runtime that writes most quantised files gave both operators 16 bits before
 * ONNX did, in a domain of its own. */
#define QUANTIZE_OP(symbol, name, domain_name, first, verb) \
    const NnOp nn_op_##symbol = {                           \
        .type = name,                                       \
        .domain = domain_name,                              \
        .since = first,                                     \
        .min_inputs = 2,                                    \
        .max_inputs = 3,                                    \
        .max_outputs = 1,                                   \
        .params_bytes = sizeof(QuantizeParams),             \
        .prepare = quantize_prepare,                        \
        .infer = verb##_infer,                              \
        .run = verb##_run,                                  \
    };

QUANTIZE_OP(quantize_linear, "QuantizeLinear", "", 10, quantize)
QUANTIZE_OP(dequantize_linear, "DequantizeLinear", "", 10, dequantize)
QUANTIZE_OP(ms_quantize_linear, "QuantizeLinear", "com.microsoft", 1, quantize)
QUANTIZE_OP(ms_dequantize_linear, "DequantizeLinear", "com.microsoft", 1, dequantize)

static int dynamic_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_BIT(NN_DTYPE_F32));
    if (r < 0)
        return r;
    r = nn_set_output(call, 0, NN_DTYPE_U8, call->in[0]->rank, call->in[0]->dims);
    if (r < 0)
        return r;
    r = nn_set_output(call, 1, NN_DTYPE_F32, 0, NULL);
    return r < 0 ? r : nn_set_output(call, 2, NN_DTYPE_U8, 0, NULL);
}

typedef struct Span {
    _Alignas(64) float low, high;
} Span;

static size_t dynamic_scratch(const NnCall *call)
{
    return nn_range_workers(call->pool) * sizeof(Span);
}

/* Zero is always within, NaN never. */
static void find_span(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const float *x = call->in[0]->data;
    Span *span = (Span *)call->scratch + worker;
    float low = span->low, high = span->high;
    for (int64_t i = begin; i < end; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    span->low = low;
    span->high = high;
}

typedef struct Dynamic {
    const NnCall *call;
    float scale;
    int32_t zero;
} Dynamic;

static void dynamic_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Dynamic *d = argument;
    const float *x = d->call->in[0]->data;
    uint8_t *y = d->call->out[0]->data;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        y[i] = (uint8_t)nn_quantize(x[i] / d->scale, d->zero, 0, UINT8_MAX);
}

static int dynamic_run(const NnCall *call)
{
    unsigned workers = nn_range_workers(call->pool);
    int64_t n = nn_tensor_elements(call->in[0]);
    Span *spans = call->scratch;
    memset(spans, 0, workers * sizeof(*spans));
    nn_range_run(call->pool, n, nn_grain(1), find_span, (void *)call);
    for (unsigned i = 1; i < workers; i++) {
        spans[0].low = NN_MIN(spans[0].low, spans[i].low);
        spans[0].high = NN_MAX(spans[0].high, spans[i].high);
    }
    Dynamic d = { .call = call, .scale = (spans[0].high - spans[0].low) / 255 };
    /* Zeros alone: any scale will do. */
    d.scale = d.scale > 0 ? d.scale : 1;
    d.zero = nn_quantize(-spans[0].low / d.scale, 0, 0, UINT8_MAX);
    if (call->out[0])
        nn_range_run(call->pool, n, nn_grain(4), dynamic_range, &d);
    if (nn_output(call, 1))
        *(float *)call->out[1]->data = d.scale;
    if (nn_output(call, 2))
        *(uint8_t *)call->out[2]->data = (uint8_t)d.zero;
    return 0;
}

const NnOp nn_op_dynamic_quantize_linear = {
    .type = "DynamicQuantizeLinear",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 3,
    .infer = dynamic_infer,
    .scratch = dynamic_scratch,
    .run = dynamic_run,
};
