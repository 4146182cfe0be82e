/* SPDX-License-Identifier: Apache-2.0 */

/* Quantisation as the standard defines it: to the grid and back, in scalars. */

#include <math.h>

#include "nnef/lower.h"

static bool bits_of(NnefCall *call, int64_t *ret)
{
    *ret = nn_nnef_integer(call, "bits");
    if (*ret < 1 || *ret > 32)
        nn_nnef_build_fail(call->build, -EBADMSG, "'bits' is %lld, 1 to 32 was expected",
                           (long long)*ret);
    return call->build->status >= 0;
}

/* Of a grid of `steps` from `min` to `max`. */
static int min_max(NnefCall *call, double steps)
{
    static const char *const names[] = { "x", "min", "max" };
    NnefBuild *build = call->build;
    NnValueId v[3], range, y;

    nn_nnef_operands(call, names, 3, v);
    range = nn_nnef_with(build, "Sub", v[2], v[1]);
    y = nn_nnef_with(build, "Max", nn_nnef_with(build, "Min", v[0], v[2]), v[1]);
    y = nn_nnef_with(build, "Div", nn_nnef_with(build, "Sub", y, v[1]), range);
    y = nn_nnef_build(build, "Round", NULL, nn_nnef_with_number(build, "Mul", y, steps));
    y = nn_nnef_with(build, "Mul", nn_nnef_with_number(build, "Div", y, steps), range);
    nn_nnef_result(call, 0, nn_nnef_with(build, "Add", y, v[1]));
    return 0;
}

int nn_nnef_lower_linear_quantize(NnefCall *call)
{
    int64_t bits;

    return bits_of(call, &bits) ? min_max(call, ldexp(1.0, (int)bits) - 1.0) : 0;
}

int nn_nnef_lower_min_max_linear_quantize(NnefCall *call)
{
    bool narrow = nn_nnef_logical(call, "signed") && nn_nnef_logical(call, "symmetric");
    int64_t bits;

    return bits_of(call, &bits) ? min_max(call, ldexp(1.0, (int)bits) - 1.0 - narrow) : 0;
}

/* 8 bits are what QuantizeLinear and DequantizeLinear do. */
static NnValueId as_bytes(NnefCall *call, NnValueId x, double scale, double zero, bool is_signed)
{
    NnefBuild *build = call->build;
    NnTensor point = { .dtype = is_signed ? NN_DTYPE_I8 : NN_DTYPE_U8 };
    uint8_t *byte = nn_aligned_alloc(1);
    NnValueId step = nn_nnef_build_scalar(build, scale, NN_DTYPE_F32), id;

    if (byte)
        *byte = is_signed ? (uint8_t)(int8_t)zero : (uint8_t)zero;
    point.data = byte;
    id = nn_nnef_build_constant(build, &point);
    x = nn_nnef_build(build, "QuantizeLinear", NULL, x, step, id);
    return nn_nnef_build(build, "DequantizeLinear", NULL, x, step, id);
}

int nn_nnef_lower_zero_point_linear_quantize(NnefCall *call)
{
    static const char *const names[] = { "x", "scale" };
    bool is_signed = nn_nnef_logical(call, "signed");
    bool symmetric = nn_nnef_logical(call, "symmetric");
    NnefBuild *build = call->build;
    double high, low, scale, zero;
    NnValueId v[3], y;
    int64_t bits;

    if (!bits_of(call, &bits))
        return 0;
    high = ldexp(1.0, (int)bits - is_signed) - 1.0;
    low = !is_signed ? 0.0 : symmetric ? -high : -high - 1.0;
    nn_nnef_operands(call, names, 2, v);
    if (bits == 8 && !(is_signed && symmetric) && nn_nnef_literal(call, "scale", &scale) &&
        nn_nnef_literal(call, "zero_point", &zero) && zero >= low && zero <= high && scale > 0.0) {
        nn_nnef_result(call, 0, as_bytes(call, v[0], scale, zero, is_signed));
        return 0;
    }
    v[2] = nn_nnef_build_cast(build, nn_nnef_tensor(call, "zero_point"), NN_DTYPE_F32);
    nn_nnef_align(build, v, 3);
    y = nn_nnef_build(build, "Round", NULL, nn_nnef_with(build, "Div", v[0], v[1]));
    y = nn_nnef_with(build, "Add", y, v[2]);
    y = nn_nnef_with_number(build, "Max", nn_nnef_with_number(build, "Min", y, high), low);
    y = nn_nnef_with(build, "Sub", y, v[2]);
    nn_nnef_result(call, 0, nn_nnef_with(build, "Mul", y, v[1]));
    return 0;
}

static NnValueId log2_of(NnefBuild *build, NnValueId x)
{
    return nn_nnef_with_number(build, "Div", nn_nnef_build(build, "Log", NULL, x), M_LN2);
}

int nn_nnef_lower_logarithmic_quantize(NnefCall *call)
{
    static const char *const names[] = { "x", "max" };
    NnefBuild *build = call->build;
    NnValueId v[2], low, y;
    int64_t bits;

    if (!bits_of(call, &bits))
        return 0;
    nn_nnef_operands(call, names, 2, v);
    v[1] = nn_nnef_build(build, "Ceil", NULL, log2_of(build, v[1]));
    low = nn_nnef_with_number(build, "Sub", v[1], ldexp(1.0, (int)bits) - 1.0);
    y = log2_of(build, nn_nnef_build(build, "Abs", NULL, v[0]));
    y = nn_nnef_with(build, "Max", nn_nnef_with(build, "Min", y, v[1]), low);
    y = nn_nnef_build(build, "Round", NULL, y);
    y = nn_nnef_with(build, "Pow", nn_nnef_build_scalar(build, 2.0, NN_DTYPE_F32), y);
    nn_nnef_result(call, 0, nn_nnef_with(build, "Mul", nn_nnef_build(build, "Sign", NULL, v[0]),
                                         y));
    return 0;
}
