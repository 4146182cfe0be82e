/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/support.h"

/* Elements of one step through the common type, on the stack. */
#define CHUNK 512

typedef struct CastParams {
    NnDtype to;
} CastParams;

int nn_op_dtype(int64_t number, NnDtype *ret_dtype, NnError *error)
{
    NnDtype dtype = nn_dtype_from_onnx(number);

    if (dtype == NN_DTYPE_UNDEFINED)
        return nn_error_set(error, -ENOTSUP, "data type %lld (%s) is not supported",
                            (long long)number, nn_onnx_type_name(number));
    *ret_dtype = dtype;
    return 0;
}

static int cast_prepare(const NnNode *node, void *params, NnError *error)
{
    CastParams *p = params;
    int64_t to;
    int r = nn_node_int(node, "to", 0, &to, error);
    return r < 0 ? r : nn_op_dtype(to, &p->to, error);
}

static int cast_infer(const NnCall *call)
{
    const CastParams *p = call->params;
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    return r < 0 ? r : nn_set_output(call, 0, p->to, call->in[0]->rank, call->in[0]->dims);
}

/* Numbers outside the target's range become its nearest one, NaN becomes 0: the
 * specification leaves both open and C leaves them undefined. */
#define SATURATE(x, low, high) \
    ((x) != (x) ? 0 : (x) >= (double)(high) ? (T)(high) : (x) <= (double)(low) ? (T)(low) : (T)(x))

#define LOAD(R, from)                                                 \
    case from: {                                                      \
        const R *p = (const R *)in->data + begin;                     \
        for (int64_t i = 0; i < n; i++)                               \
            buffer[i] = (__typeof__(buffer[0]))p[i];                  \
        break;                                                        \
    }

static void load_floats(const NnTensor *in, int64_t begin, int64_t n, double *buffer)
{
    switch (in->dtype) {
        LOAD(float, NN_DTYPE_F32)
        LOAD(double, NN_DTYPE_F64)
        LOAD(NnF16, NN_DTYPE_F16)
        LOAD(uint64_t, NN_DTYPE_U64)
    default: {
        for (int64_t i = 0; i < n; i++)
            buffer[i] = (double)nn_load_int(in, begin + i);
    }
    }
}

static void load_ints(const NnTensor *in, int64_t begin, int64_t n, int64_t *buffer)
{
    for (int64_t i = 0; i < n; i++)
        buffer[i] = nn_load_int(in, begin + i);
}

#define STORE(R, to, ...)                                 \
    case to: {                                            \
        typedef R T;                                      \
        T *q = (T *)out->data + begin;                    \
        for (int64_t i = 0; i < n; i++)                   \
            q[i] = (T)(__VA_ARGS__);                      \
        break;                                            \
    }

static void store_floats(NnTensor *out, int64_t begin, int64_t n, const double *x)
{
    switch (out->dtype) {
        STORE(float, NN_DTYPE_F32, x[i])
        STORE(double, NN_DTYPE_F64, x[i])
        STORE(NnF16, NN_DTYPE_F16, x[i])
        STORE(int8_t, NN_DTYPE_I8, SATURATE(x[i], INT8_MIN, INT8_MAX))
        STORE(int16_t, NN_DTYPE_I16, SATURATE(x[i], INT16_MIN, INT16_MAX))
        STORE(int32_t, NN_DTYPE_I32, SATURATE(x[i], INT32_MIN, INT32_MAX))
        STORE(int64_t, NN_DTYPE_I64, SATURATE(x[i], INT64_MIN, INT64_MAX))
        STORE(uint8_t, NN_DTYPE_U8, SATURATE(x[i], 0, UINT8_MAX))
        STORE(uint16_t, NN_DTYPE_U16, SATURATE(x[i], 0, UINT16_MAX))
        STORE(uint32_t, NN_DTYPE_U32, SATURATE(x[i], 0, UINT32_MAX))
        STORE(uint64_t, NN_DTYPE_U64, SATURATE(x[i], 0, UINT64_MAX))
        STORE(uint8_t, NN_DTYPE_BOOL, x[i] != 0)
    default:
        break;
    }
}

static void store_ints(NnTensor *out, int64_t begin, int64_t n, const int64_t *x)
{
    switch (out->dtype) {
        STORE(int8_t, NN_DTYPE_I8, x[i])
        STORE(int16_t, NN_DTYPE_I16, x[i])
        STORE(int32_t, NN_DTYPE_I32, x[i])
        STORE(int64_t, NN_DTYPE_I64, x[i])
        STORE(uint8_t, NN_DTYPE_U8, x[i])
        STORE(uint16_t, NN_DTYPE_U16, x[i])
        STORE(uint32_t, NN_DTYPE_U32, x[i])
        STORE(uint64_t, NN_DTYPE_U64, x[i])
        STORE(uint8_t, NN_DTYPE_BOOL, x[i] != 0)
    default:
        break;
    }
}

/* float16 to float32 by its bits: stored weights are many, and a processor without the
 * conversion calls a function for each. */
static void widen(const uint16_t *from, float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t sign = (uint32_t)(from[i] & 0x8000) << 16, rest = from[i] & 0x7fff;
        float subnormal = (float)(int32_t)rest * 0x1p-24f;
        uint32_t bits, normal = (rest << 13) + ((127 - 15) << 23);

        memcpy(&bits, &subnormal, sizeof(bits));
        bits = rest < 0x0400 ? bits : rest < 0x7c00 ? normal : normal + ((128 - 16) << 23);
        bits |= sign;
        memcpy(&to[i], &bits, sizeof(bits));
    }
}

static bool is_float(NnDtype dtype)
{
    return nn_is_float(dtype) || dtype == NN_DTYPE_F16;
}

static void cast_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    (void)worker;
    if (in->dtype == NN_DTYPE_F16 && out->dtype == NN_DTYPE_F32) {
        widen((const uint16_t *)in->data + begin, (float *)out->data + begin, end - begin);
        return;
    }
    for (int64_t at = begin; at < end; at += CHUNK) {
        int64_t n = NN_MIN(CHUNK, end - at);
        if (is_float(in->dtype) || is_float(out->dtype)) {
            double buffer[CHUNK];
            load_floats(in, at, n, buffer);
            store_floats(out, at, n, buffer);
        } else {
            int64_t buffer[CHUNK];
            load_ints(in, at, n, buffer);
            store_ints(out, at, n, buffer);
        }
    }
}

static int cast_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    if (in->dtype == out->dtype)
        memcpy(out->data, in->data, (size_t)nn_tensor_elements(in) * nn_dtype_size(in->dtype));
    else
        nn_range_run(call->pool, nn_tensor_elements(in), nn_grain(4), cast_range, (void *)call);
    return 0;
}

static int cast_like_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 2);
    for (size_t i = 0; r >= 0 && i < 2; i++)
        r = nn_check_dtype(call, i, NN_TYPES_ANY);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, call->in[1]->dtype, call->in[0]->rank, call->in[0]->dims);
}

const NnOp nn_op_cast_like = {
    .type = "CastLike",
    .domain = "",
    .since = 15,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .infer = cast_like_infer,
    .run = cast_run,
};

const NnOp nn_op_cast = {
    .type = "Cast",
    .domain = "",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(CastParams),
    .prepare = cast_prepare,
    .infer = cast_infer,
    .run = cast_run,
};
