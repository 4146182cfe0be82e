/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/arithmetic.h"

#include <math.h>
#include <stdio.h>

#include "base/limits.h"

static NnefValue of_integer(int64_t i)
{
    return (NnefValue){ .kind = NNEF_VALUE_INTEGER, .i = i };
}

static NnefValue of_scalar(double f)
{
    return (NnefValue){ .kind = NNEF_VALUE_SCALAR, .f = f };
}

static NnefValue of_logical(bool b)
{
    return (NnefValue){ .kind = NNEF_VALUE_LOGICAL, .b = b };
}

static bool is_number(const NnefValue *v)
{
    return v->kind == NNEF_VALUE_INTEGER || v->kind == NNEF_VALUE_SCALAR;
}

static double as_scalar(const NnefValue *v)
{
    return v->kind == NNEF_VALUE_INTEGER ? (double)v->i : v->f;
}

static int out_of_memory(NnefEval *eval, const NnefExpr *at)
{
    return nn_nnef_eval_error(eval, at, -ENOMEM, "out of memory, or over %zu MiB",
                              NN_LIMIT_NNEF_BYTES >> 20);
}

static int integer_power(int64_t base, int64_t exponent, int64_t *ret)
{
    int64_t result = 1;

    if (exponent < 0)
        return -EDOM;
    if (base == 0 || base == 1) {
        *ret = exponent == 0 ? 1 : base;
        return 0;
    }
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(result, base, &result))
            return -ERANGE;
    *ret = result;
    return 0;
}

static int integers(int op, int64_t a, int64_t b, int64_t *ret)
{
    switch (op) {
    case '+': return __builtin_add_overflow(a, b, ret) ? -ERANGE : 0;
    case '-': return __builtin_sub_overflow(a, b, ret) ? -ERANGE : 0;
    case '*': return __builtin_mul_overflow(a, b, ret) ? -ERANGE : 0;
    case '/':
        if (b == 0 || (a == INT64_MIN && b == -1))
            return -EDOM;
        *ret = a / b;
        return 0;
    default:
        /* Powers of minus one would turn in circles for long. */
        if (a == -1 && b >= 0) {
            *ret = b % 2 ? -1 : 1;
            return 0;
        }
        return integer_power(a, b, ret);
    }
}

static double scalars(int op, double a, double b)
{
    switch (op) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return a / b;
    default: return pow(a, b);
    }
}

static bool is_comparison(int op)
{
    return op == '<' || op == '>' || op == NNEF_LE || op == NNEF_GE || op == NNEF_EQ ||
           op == NNEF_NE;
}

/* `order` is below, at or above 0. */
static bool compare(int op, int order)
{
    switch (op) {
    case '<': return order < 0;
    case '>': return order > 0;
    case NNEF_LE: return order <= 0;
    case NNEF_GE: return order >= 0;
    case NNEF_EQ: return order == 0;
    default: return order != 0;
    }
}

static bool order_of(const NnefValue *a, const NnefValue *b, int *ret)
{
    if (a->kind == NNEF_VALUE_INTEGER && b->kind == NNEF_VALUE_INTEGER)
        *ret = (a->i > b->i) - (a->i < b->i);
    else if (is_number(a) && is_number(b))
        *ret = (as_scalar(a) > as_scalar(b)) - (as_scalar(a) < as_scalar(b));
    else if (a->kind == NNEF_VALUE_STRING && b->kind == NNEF_VALUE_STRING)
        *ret = strcmp(a->s, b->s);
    else if (a->kind == NNEF_VALUE_LOGICAL && b->kind == NNEF_VALUE_LOGICAL)
        *ret = a->b - b->b;
    else
        return false;
    return true;
}

static int numbers(NnefEval *eval, const NnefExpr *expr, const NnefValue *a, const NnefValue *b,
                   NnefValue *ret)
{
    int64_t i;
    int r;

    if (a->kind == NNEF_VALUE_SCALAR || b->kind == NNEF_VALUE_SCALAR) {
        *ret = of_scalar(scalars(expr->op, as_scalar(a), as_scalar(b)));
        return 0;
    }
    r = integers(expr->op, a->i, b->i, &i);
    if (r < 0)
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "%lld %c %lld is no integer",
                                  (long long)a->i, expr->op, (long long)b->i);
    *ret = of_integer(i);
    return 0;
}

static int join(NnefEval *eval, const NnefExpr *expr, const NnefValue *a, const NnefValue *b,
                NnefValue *ret)
{
    NnefValue *items;
    char *s;

    if (a->kind == NNEF_VALUE_STRING) {
        size_t n = strlen(a->s), m = strlen(b->s);

        if (n + m > NN_LIMIT_NAME_BYTES)
            return nn_nnef_eval_error(eval, expr, -E2BIG, "a string is longer than %d bytes",
                                      NN_LIMIT_NAME_BYTES);
        s = nn_nnef_alloc(eval->memory, n + m + 1, 1);
        if (!s)
            return out_of_memory(eval, expr);
        memcpy(s, a->s, n);
        memcpy(s + n, b->s, m);
        *ret = (NnefValue){ .kind = NNEF_VALUE_STRING, .s = s };
        return 0;
    }
    items = nn_nnef_alloc(eval->memory, a->n + b->n, sizeof(items[0]));
    if (!items)
        return out_of_memory(eval, expr);
    if (a->n)
        memcpy(items, a->items, a->n * sizeof(items[0]));
    if (b->n)
        memcpy(items + a->n, b->items, b->n * sizeof(items[0]));
    *ret = (NnefValue){ .kind = NNEF_VALUE_ARRAY, .items = items, .n = a->n + b->n };
    return 0;
}

static int repeat(NnefEval *eval, const NnefExpr *expr, const NnefValue *a, int64_t times,
                  NnefValue *ret)
{
    NnefValue *items;
    size_t n;

    if (times < 0)
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "an array cannot be repeated %lld times",
                                  (long long)times);
    items = nn_mul_size(a->n, (size_t)times, &n) < 0
                ? NULL
                : nn_nnef_alloc(eval->memory, n, sizeof(items[0]));
    if (!items)
        return out_of_memory(eval, expr);
    for (size_t i = 0; i < n; i++)
        items[i] = a->items[i % a->n];
    *ret = (NnefValue){ .kind = NNEF_VALUE_ARRAY, .items = items, .n = n };
    return 0;
}

static const char *op_text(int op, char buffer[2])
{
    static const char *const pairs[] = { "<=", ">=", "==", "!=", "&&", "||" };

    if (op == NNEF_IDENTIFIER)
        return "in";
    if (op >= NNEF_LE)
        return pairs[op - NNEF_LE];
    buffer[0] = (char)op;
    buffer[1] = '\0';
    return buffer;
}

int nn_nnef_unary(NnefEval *eval, const NnefExpr *expr, const NnefValue *a, NnefValue *ret)
{
    if (expr->op == '!' && a->kind == NNEF_VALUE_LOGICAL) {
        *ret = of_logical(!a->b);
        return 0;
    }
    if (expr->op == '-' && a->kind == NNEF_VALUE_SCALAR) {
        *ret = of_scalar(-a->f);
        return 0;
    }
    if (expr->op == '-' && a->kind == NNEF_VALUE_INTEGER && a->i != INT64_MIN) {
        *ret = of_integer(-a->i);
        return 0;
    }
    return nn_nnef_eval_error(eval, expr, -EBADMSG, "%c does not take a value of type %s", expr->op,
                              nn_nnef_value_name(a));
}

int nn_nnef_binary(NnefEval *eval, const NnefExpr *expr, const NnefValue *a, const NnefValue *b,
                   NnefValue *ret)
{
    int op = expr->op, order;
    char text[2];

    if (op == NNEF_IDENTIFIER && b->kind == NNEF_VALUE_ARRAY) {
        *ret = of_logical(false);
        for (size_t i = 0; i < b->n; i++)
            ret->b = ret->b || (order_of(a, &b->items[i], &order) && order == 0);
        return 0;
    }
    if (is_comparison(op) && order_of(a, b, &order)) {
        *ret = of_logical(compare(op, order));
        return 0;
    }
    if ((op == NNEF_AND || op == NNEF_OR) && a->kind == NNEF_VALUE_LOGICAL &&
        b->kind == NNEF_VALUE_LOGICAL) {
        *ret = of_logical(op == NNEF_AND ? a->b && b->b : a->b || b->b);
        return 0;
    }
    if (op < 256 && !is_comparison(op) && is_number(a) && is_number(b))
        return numbers(eval, expr, a, b, ret);
    if (op == '+' && a->kind == b->kind &&
        (a->kind == NNEF_VALUE_ARRAY || a->kind == NNEF_VALUE_STRING))
        return join(eval, expr, a, b, ret);
    if (op == '*' && a->kind == NNEF_VALUE_ARRAY && b->kind == NNEF_VALUE_INTEGER)
        return repeat(eval, expr, a, b->i, ret);
    return nn_nnef_eval_error(eval, expr, -EBADMSG, "%s does not take values of type %s and %s",
                              op_text(op, text), nn_nnef_value_name(a), nn_nnef_value_name(b));
}

static int length_or_range(NnefEval *eval, const NnefExpr *expr, bool range, const NnefValue *a,
                           NnefValue *ret)
{
    size_t n = a->kind == NNEF_VALUE_STRING ? strlen(a->s) : a->n;
    NnefValue *items;

    if (a->kind != NNEF_VALUE_STRING && a->kind != NNEF_VALUE_ARRAY)
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "%s takes an array, not a value of type %s",
                                  range ? "range_of" : "length_of", nn_nnef_value_name(a));
    *ret = of_integer((int64_t)n);
    if (!range)
        return 0;
    items = nn_nnef_alloc(eval->memory, n, sizeof(items[0]));
    if (!items)
        return out_of_memory(eval, expr);
    for (size_t i = 0; i < n; i++)
        items[i] = of_integer((int64_t)i);
    *ret = (NnefValue){ .kind = NNEF_VALUE_ARRAY, .items = items, .n = n };
    return 0;
}

static int shape_of(NnefEval *eval, const NnefExpr *expr, const NnefValue *a, NnefValue *ret)
{
    const NnTensor *tensor = NULL;
    NnefValue *items;
    int rank = 0;

    if (a->kind == NNEF_VALUE_TENSOR) {
        tensor = nn_nnef_build_tensor(&eval->build, a->id);
        if (!tensor)
            return nn_nnef_eval_prefix(eval, expr, eval->build.status, "shape_of");
        rank = tensor->rank;
    } else if (a->kind > NNEF_VALUE_TENSOR)
        return nn_nnef_eval_error(eval, expr, -EBADMSG,
                                  "shape_of takes a tensor, not a value of type %s",
                                  nn_nnef_value_name(a));
    items = nn_nnef_alloc(eval->memory, (size_t)rank, sizeof(items[0]));
    if (!items)
        return out_of_memory(eval, expr);
    for (int i = 0; i < rank; i++)
        items[i] = of_integer(tensor->dims[i]);
    *ret = (NnefValue){ .kind = NNEF_VALUE_ARRAY, .items = items, .n = (size_t)rank };
    return 0;
}

static int to_number(NnefEval *eval, const NnefExpr *expr, bool integer, const NnefValue *a,
                     NnefValue *ret)
{
    double f = 0.0;
    char *end;

    switch (a->kind) {
    case NNEF_VALUE_INTEGER: *ret = integer ? *a : of_scalar((double)a->i); return 0;
    case NNEF_VALUE_LOGICAL: *ret = integer ? of_integer(a->b) : of_scalar(a->b); return 0;
    case NNEF_VALUE_SCALAR: f = a->f; break;
    case NNEF_VALUE_STRING:
        f = strtod(a->s, &end);
        if (end != a->s && *end == '\0')
            break;
        /* fall through */
    default:
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "%s does not take a value of type %s",
                                  integer ? "integer" : "scalar", nn_nnef_value_name(a));
    }
    if (!integer) {
        *ret = of_scalar(f);
        return 0;
    }
    if (!(f > -9.2e18 && f < 9.2e18))
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "%g is too large for an integer", f);
    *ret = of_integer((int64_t)f);
    return 0;
}

static int to_string(NnefEval *eval, const NnefExpr *expr, const NnefValue *a, NnefValue *ret)
{
    char text[32];

    switch (a->kind) {
    case NNEF_VALUE_STRING: *ret = *a; return 0;
    case NNEF_VALUE_INTEGER: snprintf(text, sizeof(text), "%lld", (long long)a->i); break;
    case NNEF_VALUE_SCALAR: snprintf(text, sizeof(text), "%g", a->f); break;
    case NNEF_VALUE_LOGICAL: snprintf(text, sizeof(text), "%s", a->b ? "true" : "false"); break;
    default:
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "string does not take a value of type %s",
                                  nn_nnef_value_name(a));
    }
    *ret = (NnefValue){ .kind = NNEF_VALUE_STRING,
                        .s = nn_nnef_string(eval->memory, text, strlen(text)) };
    return ret->s ? 0 : out_of_memory(eval, expr);
}

static int to_logical(NnefEval *eval, const NnefExpr *expr, const NnefValue *a, NnefValue *ret)
{
    switch (a->kind) {
    case NNEF_VALUE_LOGICAL: *ret = *a; return 0;
    case NNEF_VALUE_INTEGER: *ret = of_logical(a->i != 0); return 0;
    case NNEF_VALUE_SCALAR: *ret = of_logical(a->f != 0.0); return 0;
    case NNEF_VALUE_STRING: *ret = of_logical(*a->s != '\0'); return 0;
    default:
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "logical does not take a value of type %s",
                                  nn_nnef_value_name(a));
    }
}

static const char *const builtins[] = { "length_of", "range_of", "shape_of", "integer",
                                        "scalar",    "logical",  "string" };

bool nn_nnef_is_builtin(const char *name)
{
    for (size_t i = 0; i < NN_ARRAY_SIZE(builtins); i++)
        if (strcmp(name, builtins[i]) == 0)
            return true;
    return false;
}

int nn_nnef_builtin(NnefEval *eval, const NnefExpr *expr, const char *name, const NnefValue *a,
                    NnefValue *ret)
{
    if (strcmp(name, "length_of") == 0 || strcmp(name, "range_of") == 0)
        return length_or_range(eval, expr, *name == 'r', a, ret);
    if (strcmp(name, "shape_of") == 0)
        return shape_of(eval, expr, a, ret);
    if (strcmp(name, "string") == 0)
        return to_string(eval, expr, a, ret);
    if (strcmp(name, "logical") == 0)
        return to_logical(eval, expr, a, ret);
    return to_number(eval, expr, *name == 'i', a, ret);
}
