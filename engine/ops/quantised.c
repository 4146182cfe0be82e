/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/quantised.h"

size_t nn_operand_index(bool quantised, NnOperand operand)
{
    static const size_t integer[_NN_OPERAND_MAX] = {
        [NN_LEFT] = 0,
        [NN_LEFT_SCALE] = SIZE_MAX,
        [NN_LEFT_ZERO] = 2,
        [NN_RIGHT] = 1,
        [NN_RIGHT_SCALE] = SIZE_MAX,
        [NN_RIGHT_ZERO] = 3,
        [NN_RESULT_SCALE] = SIZE_MAX,
        [NN_RESULT_ZERO] = SIZE_MAX,
        [NN_BIAS] = SIZE_MAX,
    };
    return quantised ? (size_t)operand : integer[operand];
}

int nn_check_one(const NnCall *call, size_t input)
{
    const NnTensor *tensor = nn_input(call, input);
    char shape[128];
    if (!tensor || nn_tensor_elements(tensor) == 1)
        return 0;
    return nn_error_set(call->error, -EBADMSG, "input %zu is %s, expected one number", input,
                        nn_tensor_shape_string(tensor, shape, sizeof(shape)));
}

int nn_check_one_or_vector(const NnCall *call, size_t input, int64_t n)
{
    const NnTensor *tensor = nn_input(call, input);
    return !tensor || nn_tensor_elements(tensor) == 1 ? 0 : nn_check_vector(call, input, n);
}

/* A tensor of bytes and the zero points beside it. */
static int check_bytes(const NnCall *call, bool quantised, NnOperand tensor, NnOperand zero)
{
    size_t input = nn_operand_index(quantised, tensor), at = nn_operand_index(quantised, zero);
    const NnTensor *x = nn_input(call, input), *z = nn_input(call, at);
    int r = nn_check_dtype(call, input, NN_TYPES_BYTE);
    if (r < 0 || !z || z->dtype == x->dtype)
        return r;
    return nn_error_set(call->error, -EBADMSG, "input %zu is %s, expected %s like input %zu", at,
                        nn_dtype_name(z->dtype), nn_dtype_name(x->dtype), input);
}

int nn_check_operands(const NnCall *call, bool quantised)
{
    static const NnOperand scales[] = { NN_LEFT_SCALE, NN_RIGHT_SCALE, NN_RESULT_SCALE };
    int r = nn_check_inputs(call, quantised ? 8 : 2);
    if (r >= 0)
        r = check_bytes(call, quantised, NN_LEFT, NN_LEFT_ZERO);
    if (r >= 0)
        r = check_bytes(call, quantised, NN_RIGHT, NN_RIGHT_ZERO);
    for (size_t i = 0; r >= 0 && i < NN_ARRAY_SIZE(scales); i++)
        r = nn_check_dtype(call, nn_operand_index(quantised, scales[i]), NN_BIT(NN_DTYPE_F32));
    if (r >= 0)
        r = nn_check_one(call, nn_operand_index(quantised, NN_RESULT_SCALE));
    if (r >= 0)
        r = nn_check_one(call, nn_operand_index(quantised, NN_RESULT_ZERO));
    if (r >= 0)
        r = nn_check_dtype(call, nn_operand_index(quantised, NN_RESULT_ZERO), NN_TYPES_BYTE);
    return r < 0 ? r : nn_check_dtype(call, nn_operand_index(quantised, NN_BIAS),
                                      NN_BIT(NN_DTYPE_I32));
}

void nn_widen(NnDtype dtype, const void *from, int64_t from_step, int32_t zero, int64_t n,
              int16_t *to, int64_t to_step)
{
    NN_SWITCH_BYTE(dtype, {
        const T *p = from;
        if (from_step == 1 && to_step == 1)
            for (int64_t i = 0; i < n; i++)
                to[i] = (int16_t)(p[i] - zero);
        else
            for (int64_t i = 0; i < n; i++)
                to[i * to_step] = (int16_t)(p[i * from_step] - zero);
    })
}

/* A tile of the product; with `lines` and `columns` constant its sums stay in
 * registers. */
static inline __attribute__((always_inline)) void multiply(const int16_t *a, int lines,
                                                           const int16_t *b, int columns,
                                                           int64_t stride, int32_t *c,
                                                           int64_t c_row)
{
    uint32_t sum[NN_LINES_MAX][2] = { 0 };
    for (int64_t k = 0; k < stride; k++)
        for (int i = 0; i < lines; i++)
            for (int j = 0; j < columns; j++)
                sum[i][j] += (uint32_t)((int32_t)a[i * stride + k] * b[j * stride + k]);
    for (int i = 0; i < lines; i++)
        for (int j = 0; j < columns; j++)
            c[i * c_row + j] = (int32_t)sum[i][j];
}

void nn_multiply_lines(const int16_t *a, int lines, const int16_t *b, int64_t n, int64_t stride,
                       int32_t *c)
{
    int64_t j = 0;
    if (lines == NN_LINES_MAX) {
        for (; j + 2 <= n; j += 2)
            multiply(a, NN_LINES_MAX, b + j * stride, 2, stride, c + j, n);
        for (; j < n; j++)
            multiply(a, NN_LINES_MAX, b + j * stride, 1, stride, c + j, n);
        return;
    }
    for (int i = 0; i < lines; i++)
        for (j = 0; j < n; j++)
            multiply(a + i * stride, 1, b + j * stride, 1, stride, c + i * n + j, n);
}

void nn_requantize(const int32_t *x, int64_t n, const float *scale, int64_t step, int32_t zero,
                   NnDtype dtype, void *to)
{
    NN_SWITCH_BYTE(dtype, {
        const int32_t low = (T)-1 < (T)1 ? INT8_MIN : 0, high = (T)-1 < (T)1 ? INT8_MAX : UINT8_MAX;
        T *q = to;
        if (step == 0) {
            const float factor = *scale;
            for (int64_t i = 0; i < n; i++)
                q[i] = (T)nn_quantize((float)x[i] * factor, zero, low, high);
        } else {
            for (int64_t i = 0; i < n; i++)
                q[i] = (T)nn_quantize((float)x[i] * scale[i], zero, low, high);
        }
    })
}
