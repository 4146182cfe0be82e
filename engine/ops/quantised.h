/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the operators on 8-bit integers share: their operands, products of lines
 * of widened integers, and the way back to 8 bits. */

#include "ops/support.h"

#define NN_TYPES_BYTE (NN_BIT(NN_DTYPE_I8) | NN_BIT(NN_DTYPE_U8))
#define NN_SWITCH_BYTE(dtype, ...) \
    NN_SWITCH(dtype, NN_CASE(NN_DTYPE_I8, int8_t, __VA_ARGS__) \
                     NN_CASE(NN_DTYPE_U8, uint8_t, __VA_ARGS__))

/* What the inputs of ConvInteger and MatMulInteger (left, right, their zero
 * points) and of QLinearConv and QLinearMatMul are. */
typedef enum NnOperand {
    NN_LEFT,
    NN_LEFT_SCALE,
    NN_LEFT_ZERO,
    NN_RIGHT,
    NN_RIGHT_SCALE,
    NN_RIGHT_ZERO,
    NN_RESULT_SCALE,
    NN_RESULT_ZERO,
    NN_BIAS,
    _NN_OPERAND_MAX,
} NnOperand;

/* The number of the input, one that is never there for what the operator lacks. */
size_t nn_operand_index(bool quantised, NnOperand operand);

static inline const NnTensor *nn_operand(const NnCall *call, bool quantised, NnOperand operand)
{
    return nn_input(call, nn_operand_index(quantised, operand));
}

/* Presence and types of all operands; one scale and one zero point of the result. */
NN_MUST_CHECK int nn_check_operands(const NnCall *call, bool quantised);

/* A scale or zero point is one number. An absent optional input passes. */
NN_MUST_CHECK int nn_check_one(const NnCall *call, size_t input);

/* One number, or a vector of `n`. An absent optional input passes. */
NN_MUST_CHECK int nn_check_one_or_vector(const NnCall *call, size_t input, int64_t n);

/* Number `index` of scales or zero points, of which there may be one for all. */
static inline int32_t nn_zero_point(const NnTensor *zero, int64_t index)
{
    return zero ? (int32_t)nn_load_int(zero, nn_tensor_elements(zero) == 1 ? 0 : index) : 0;
}

static inline float nn_scale(const NnTensor *scale, int64_t index)
{
    return ((const float *)scale->data)[nn_tensor_elements(scale) == 1 ? 0 : index];
}

/* Lines of 16-bit integers, numbers less their zero point: a whole number of
 * vectors each, the last one filled with zeros. */
#define NN_LINE_ALIGN 8
static inline int64_t nn_line_stride(int64_t n)
{
    return (n + NN_LINE_ALIGN - 1) / NN_LINE_ALIGN * NN_LINE_ALIGN;
}

/* Numbers of all lines of weights: filled up, they may be far larger than the file. */
#define NN_LINES_TOTAL (1 << 29)

/* Writes n bytes, `from_step` apart, less `zero`, `to_step` apart. */
void nn_widen(NnDtype dtype, const void *from, int64_t from_step, int32_t zero, int64_t n,
              int16_t *to, int64_t to_step);

/* c[i·n + j] = Σ a[i·stride + k]·b[j·stride + k] over k below `stride`, for at most
 * NN_LINES_MAX lines of a and n lines of b. Sums wrap. */
#define NN_LINES_MAX 4
void nn_multiply_lines(const int16_t *a, int lines, const int16_t *b, int64_t n, int64_t stride,
                       int32_t *c);

/* Halves to even, for |x| < 2²²: then the sum has no bits behind the point. */
static inline float nn_round(float x)
{
    const float magic = 12582912.0f;
    return (x + magic) - magic;
}

/* Rounds x, adds the zero point and saturates to low…high; NaN becomes low. */
static inline int32_t nn_quantize(float x, int32_t zero, int32_t low, int32_t high)
{
    const float least = (float)(low - zero), most = (float)(high - zero);
    x = x > least ? x : least;
    x = x < most ? x : most;
    return (int32_t)nn_round(x) + zero;
}

/* to[i] = quantize(x[i]·scale[i·step]), as `dtype`, one of the types of a byte. */
void nn_requantize(const int32_t *x, int64_t n, const float *scale, int64_t step, int32_t zero,
                   NnDtype dtype, void *to);
