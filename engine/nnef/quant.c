/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/quant.h"

#include <math.h>

/* A named argument of the line, a number or a logical value. */
static int number(NnefEval *eval, const NnefQuant *quant, const char *name, double *ret)
{
    static const NnefScope empty;
    NnefValue value;
    int r;

    for (size_t i = 0; i < quant->call->n; i++) {
        if (!quant->call->names[i] || strcmp(quant->call->names[i], name) != 0)
            continue;
        r = nn_nnef_eval(eval, &empty, quant->call->items[i], &value);
        if (r < 0)
            return r;
        if (value.kind == NNEF_VALUE_INTEGER)
            *ret = (double)value.i;
        else if (value.kind == NNEF_VALUE_LOGICAL)
            *ret = value.b;
        else if (value.kind == NNEF_VALUE_SCALAR)
            *ret = value.f;
        else
            break;
        return 0;
    }
    return nn_error_set(eval->error, -EBADMSG, "graph.quant: %d:%d: %s is no number, or missing",
                        quant->call->line, quant->call->column, name);
}

int nn_nnef_quant_grid(NnefEval *eval, const NnefQuant *quant, NnDtype dtype, double *ret_scale,
                       double *ret_offset)
{
    bool plain = strcmp(quant->call->s, "linear_quantize") == 0;
    double a, b, bits, is_signed = 0.0, symmetric = 0.0, steps, shift;
    int r;

    if (strcmp(quant->call->s, "zero_point_linear_quantize") == 0) {
        r = number(eval, quant, "zero_point", &a);
        if (r >= 0)
            r = number(eval, quant, "scale", &b);
        if (r < 0)
            return r;
        *ret_scale = b;
        *ret_offset = -a * b;
        return 0;
    }
    if (!plain && strcmp(quant->call->s, "min_max_linear_quantize") != 0)
        return nn_error_set(eval->error, -ENOTSUP,
                            "graph.quant: %d:%d: '%s' of stored integers is not supported",
                            quant->call->line, quant->call->column, quant->call->s);
    r = number(eval, quant, "min", &a);
    if (r >= 0)
        r = number(eval, quant, "max", &b);
    if (r >= 0)
        r = number(eval, quant, "bits", &bits);
    if (r >= 0 && !plain)
        r = number(eval, quant, "signed", &is_signed);
    if (r >= 0 && !plain)
        r = number(eval, quant, "symmetric", &symmetric);
    if (r < 0)
        return r;
    if (bits < 1.0 || bits > 8.0 * (double)nn_dtype_size(dtype))
        return nn_error_set(eval->error, -EBADMSG, "graph.quant: %d:%d: 'bits' is %g",
                            quant->call->line, quant->call->column, bits);
    steps = exp2(bits) - 1.0 - (is_signed && symmetric);
    shift = is_signed ? exp2(bits - 1.0) - symmetric : 0.0;
    *ret_scale = (b - a) / steps;
    *ret_offset = shift * *ret_scale + a;
    return 0;
}

int nn_nnef_quantize(NnefEval *eval, const NnefQuant *quant, NnefValue *value)
{
    NnefExpr call = *quant->call;
    NnefScope scope = { 0 };
    NnefExpr input = { .kind = NNEF_EXPR_IDENTIFIER, .line = call.line, .column = call.column,
                       .s = quant->tensor };
    NnefExpr **items = nn_nnef_alloc(eval->memory, call.n + 1, sizeof(items[0]));
    const char **names = nn_nnef_alloc(eval->memory, call.n + 1, sizeof(names[0]));
    NnefValue result;
    int r;

    if (!items || !names ||
        nn_nnef_map_add(&scope.values, eval->memory, quant->tensor, value) < 0)
        return nn_error_set(eval->error, -ENOMEM, "out of memory");
    items[0] = &input;
    for (size_t i = 0; i < call.n; i++) {
        items[i + 1] = call.items[i];
        names[i + 1] = call.names[i];
    }
    call.items = items;
    call.names = names;
    call.n++;
    r = nn_nnef_eval(eval, &scope, &call, &result);
    if (r < 0)
        return nn_error_prefix(eval->error, r, "graph.quant");
    *value = result;
    return 0;
}
