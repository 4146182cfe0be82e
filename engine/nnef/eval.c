/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/eval.h"

#include <stdio.h>

#include "base/limits.h"
#include "nnef/arithmetic.h"
#include "nnef/custom.h"
#include "nnef/quant.h"

int nn_nnef_eval_error(NnefEval *eval, const NnefExpr *at, int code, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    at = eval->site ? eval->site : at;
    return nn_error_set(eval->error, code, "%d:%d: %s", at->line, at->column, text);
}

int nn_nnef_eval_prefix(NnefEval *eval, const NnefExpr *at, int code, const char *name)
{
    at = eval->site ? eval->site : at;
    return nn_error_prefix(eval->error, code, "%d:%d: %s", at->line, at->column, name);
}

static int out_of_memory(NnefEval *eval, const NnefExpr *at)
{
    return nn_nnef_eval_error(eval, at, -ENOMEM, "out of memory, or over %zu MiB",
                              NN_LIMIT_NNEF_BYTES >> 20);
}

static int set(NnefEval *eval, NnefScope *scope, const NnefExpr *at, const char *name,
               const NnefValue *value)
{
    NnefValue *copy;

    if (nn_nnef_map_get(&scope->values, name))
        return nn_nnef_eval_error(eval, at, -EBADMSG, "'%s' is assigned twice", name);
    copy = nn_nnef_alloc(eval->memory, 1, sizeof(*copy));
    if (!copy)
        return out_of_memory(eval, at);
    *copy = *value;
    return nn_nnef_map_add(&scope->values, eval->memory, name, copy) < 0 ? out_of_memory(eval, at)
                                                                         : 0;
}

/* The declaration of a standard operation is parsed when it is first used. */
static int find_operation(NnefEval *eval, const NnefExpr *at, const char *name,
                          const NnefFragment **ret)
{
    const NnefOperation *operation;
    NnefFragment *fragment = nn_nnef_map_get(&eval->operations, name);
    int r;

    if (!fragment) {
        operation = nn_nnef_operation_find(name);
        if (!operation)
            return nn_nnef_eval_error(eval, at, -ENOTSUP, "'%s' is no operation of NNEF 1.0", name);
        fragment = nn_nnef_alloc(eval->memory, 1, sizeof(*fragment));
        if (!fragment)
            return out_of_memory(eval, at);
        r = nn_nnef_parse_declaration(eval->memory, operation->declaration, fragment, eval->error);
        if (r < 0)
            return r;
        fragment->operation = operation;
        if (nn_nnef_map_add(&eval->operations, eval->memory, fragment->name, fragment) < 0)
            return out_of_memory(eval, at);
    }
    *ret = fragment;
    return 0;
}

/* Fragments of the document come before the standard's, but not those that only
 * declare one of the standard's again. */
static int find_fragment(NnefEval *eval, const NnefExpr *at, const char *name,
                         const NnefFragment **ret)
{
    *ret = nn_nnef_map_get(&eval->document->fragments, name);
    if (!*ret)
        *ret = nn_nnef_map_get(&eval->layers, name);
    if (*ret && ((*ret)->body || nn_nnef_is_custom(*ret) || !nn_nnef_operation_find(name)))
        return 0;
    return find_operation(eval, at, name, ret);
}

/* One argument to its parameter. */
static int place_argument(NnefEval *eval, const NnefExpr *call, const NnefFragment *fragment,
                          size_t index, const NnefValue *value, NnefValue *arguments)
{
    const char *name = call->names ? call->names[index] : NULL;
    size_t at = index;

    if (name)
        for (at = 0; at < fragment->n_parameters; at++)
            if (strcmp(fragment->parameters[at].name, name) == 0)
                break;
    if (at >= fragment->n_parameters && name)
        return nn_nnef_eval_error(eval, call, -EBADMSG, "%s has no parameter '%s'", fragment->name,
                                  name);
    if (at >= fragment->n_parameters)
        return nn_nnef_eval_error(eval, call, -EBADMSG, "%s takes %zu arguments, not %zu",
                                  fragment->name, fragment->n_parameters, call->n);
    if (arguments[at].kind != NNEF_VALUE_NONE)
        return nn_nnef_eval_error(eval, call, -EBADMSG, "%s: parameter '%s' is given twice",
                                  fragment->name, fragment->parameters[at].name);
    arguments[at] = *value;
    return 0;
}

static int check_value(NnefEval *eval, const NnefExpr *at, const char *kind, const char *name,
                       const NnefFragment *fragment, const NnefType *type, NnefPrimitive generic,
                       NnefValue *value)
{
    char text[96];

    if (nn_nnef_value_fits(eval->memory, eval->build.graph, type, generic, value))
        return 0;
    return nn_nnef_eval_error(eval, at, -EBADMSG, "%s: %s '%s' is of type %s, %s was expected",
                              fragment->name, kind, name, nn_nnef_value_name(value),
                              nn_nnef_type_name(type, text, sizeof(text)));
}

static int complete_arguments(NnefEval *eval, const NnefExpr *at, const NnefFragment *fragment,
                              NnefPrimitive generic, NnefValue *arguments)
{
    static const NnefScope empty;
    int r;

    for (size_t i = 0; i < fragment->n_parameters; i++) {
        const NnefParameter *p = &fragment->parameters[i];

        if (arguments[i].kind == NNEF_VALUE_NONE) {
            if (!p->fallback)
                return nn_nnef_eval_error(eval, at, -EBADMSG, "%s: parameter '%s' is missing",
                                          fragment->name, p->name);
            r = nn_nnef_eval(eval, &empty, p->fallback, &arguments[i]);
            if (r < 0)
                return r;
        }
        r = check_value(eval, at, "parameter", p->name, fragment, p->type, generic, &arguments[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int assign(NnefEval *eval, NnefScope *scope, const NnefExpr *target, NnefValue *value);

static int expand_fragment(NnefEval *eval, const NnefFragment *fragment,
                           const NnefValue *arguments, NnefPrimitive generic, const NnefExpr *at,
                           NnefValue *results)
{
    NnefScope scope = { 0 };
    NnefValue value;
    int r = 0;

    for (size_t i = 0; i < fragment->n_parameters && r >= 0; i++)
        r = set(eval, &scope, at, fragment->parameters[i].name, &arguments[i]);
    for (size_t i = 0; i < fragment->n_assignments && r >= 0; i++) {
        r = nn_nnef_eval(eval, &scope, fragment->assignments[i].right, &value);
        if (r >= 0)
            r = assign(eval, &scope, fragment->assignments[i].left, &value);
    }
    for (size_t i = 0; i < fragment->n_results && r >= 0; i++) {
        const NnefParameter *p = &fragment->results[i];
        const NnefValue *found = nn_nnef_map_get(&scope.values, p->name);

        if (!found)
            return nn_nnef_eval_error(eval, at, -EBADMSG, "fragment %s does not assign '%s'",
                                      fragment->name, p->name);
        results[i] = *found;
        r = check_value(eval, at, "result", p->name, fragment, p->type, generic, &results[i]);
    }
    return r;
}

static int lower(NnefEval *eval, const NnefFragment *fragment, const NnefValue *arguments,
                 NnefPrimitive generic, const NnefExpr *at, NnefValue *results)
{
    const NnefOperation *operation = fragment->operation;
    NnefCall call = { eval, &eval->build, fragment, generic, arguments, results };
    int r;

    r = operation->lower(&call);
    if (r >= 0)
        r = eval->build.status;
    return r < 0 ? nn_nnef_eval_prefix(eval, at, r, fragment->name) : 0;
}

static int run_fragment(NnefEval *eval, const NnefFragment *fragment, const NnefExpr *at,
                        NnefPrimitive generic, NnefValue *arguments, NnefValue *ret)
{
    NnefValue *results = nn_nnef_alloc(eval->memory, fragment->n_results, sizeof(results[0]));
    const NnefExpr *site = eval->site;
    int r;

    if (!results)
        return out_of_memory(eval, at);
    if (!generic)
        generic = fragment->generic_fallback;
    r = complete_arguments(eval, at, fragment, generic, arguments);
    if (r < 0)
        return r;
    if (fragment->operation)
        r = lower(eval, fragment, arguments, generic, at, results);
    else {
        if (!site && nn_nnef_map_get(&eval->layers, fragment->name) == fragment)
            eval->site = at;
        r = expand_fragment(eval, fragment, arguments, generic, at, results);
        eval->site = site;
    }
    if (r < 0)
        return r;
    *ret = results[0];
    if (fragment->n_results > 1)
        *ret = (NnefValue){ .kind = NNEF_VALUE_TUPLE, .items = results, .n = fragment->n_results };
    return 0;
}

static int count_call(NnefEval *eval, const NnefExpr *at)
{
    if (++eval->calls > NN_LIMIT_NNEF_CALLS)
        return nn_nnef_eval_error(eval, at, -E2BIG, "more than %d operations and fragments",
                                  NN_LIMIT_NNEF_CALLS);
    return 0;
}

int nn_nnef_invoke(NnefEval *eval, const NnefExpr *at, const char *name,
                   const NnefValue *arguments, size_t n, NnefValue *ret)
{
    const NnefFragment *fragment;
    NnefValue *all;
    int r;

    r = count_call(eval, at);
    if (r >= 0)
        r = find_operation(eval, at, name, &fragment);
    if (r < 0)
        return r;
    all = nn_nnef_alloc(eval->memory, NN_MAX(n, fragment->n_parameters), sizeof(all[0]));
    if (!all)
        return out_of_memory(eval, at);
    memcpy(all, arguments, n * sizeof(all[0]));
    return run_fragment(eval, fragment, at, NNEF_PRIMITIVE_ANY, all, ret);
}

static int eval_call(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr, NnefValue *ret)
{
    const NnefFragment *fragment;
    NnefValue *arguments, value;
    int r;

    r = count_call(eval, expr);
    if (r >= 0)
        r = find_fragment(eval, expr, expr->s, &fragment);
    if (r < 0)
        return r;
    if (nn_nnef_is_custom(fragment))
        return nn_nnef_custom(eval, scope, fragment, expr, ret);
    if (!fragment->operation && !fragment->body)
        return nn_nnef_eval_error(eval, expr, -ENOTSUP,
                                  "fragment '%s' has no body and is no operation of NNEF 1.0",
                                  expr->s);
    arguments = nn_nnef_alloc(eval->memory, fragment->n_parameters, sizeof(arguments[0]));
    if (!arguments)
        return out_of_memory(eval, expr);
    for (size_t i = 0; i < expr->n; i++) {
        r = nn_nnef_eval(eval, scope, expr->items[i], &value);
        if (r >= 0)
            r = place_argument(eval, expr, fragment, i, &value, arguments);
        if (r < 0)
            return r;
    }
    return run_fragment(eval, fragment, expr, expr->primitive, arguments, ret);
}

static int eval_builtin(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                        NnefValue *ret)
{
    NnefValue value;
    int r;

    if (expr->n != 1)
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "%s takes one argument, not %zu", expr->s,
                                  expr->n);
    r = nn_nnef_eval(eval, scope, expr->items[0], &value);
    return r < 0 ? r : nn_nnef_builtin(eval, expr, expr->s, &value, ret);
}

static int eval_items(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                      NnefValue *ret)
{
    NnefValue *items = nn_nnef_alloc(eval->memory, expr->n, sizeof(items[0]));
    int r = 0;

    if (!items)
        return out_of_memory(eval, expr);
    for (size_t i = 0; i < expr->n && r >= 0; i++)
        r = nn_nnef_eval(eval, scope, expr->items[i], &items[i]);
    *ret = (NnefValue){
        .kind = expr->kind == NNEF_EXPR_TUPLE ? NNEF_VALUE_TUPLE : NNEF_VALUE_ARRAY,
        .items = items,
        .n = expr->n,
    };
    return r;
}

static int eval_index(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                      const NnefExpr *index, int64_t fallback, size_t n, int64_t *ret)
{
    NnefValue value = { .kind = NNEF_VALUE_INTEGER, .i = fallback };
    int r = 0;

    if (index)
        r = nn_nnef_eval(eval, scope, index, &value);
    if (r < 0)
        return r;
    if (value.kind != NNEF_VALUE_INTEGER || value.i < 0 || (uint64_t)value.i > n)
        return nn_nnef_eval_error(eval, expr, -EBADMSG,
                                  "a subscript is out of the %zu items that there are", n);
    *ret = value.i;
    return 0;
}

static int eval_subscript(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                          NnefValue *ret)
{
    NnefValue list;
    int64_t begin, end;
    int r;

    r = nn_nnef_eval(eval, scope, expr->items[0], &list);
    if (r < 0)
        return r;
    if (list.kind < NNEF_VALUE_ARRAY)
        return nn_nnef_eval_error(eval, expr, -EBADMSG, "a value of type %s has no items",
                                  nn_nnef_value_name(&list));
    r = eval_index(eval, scope, expr, expr->items[1], 0, list.n, &begin);
    if (r < 0)
        return r;
    if (expr->kind == NNEF_EXPR_SUBSCRIPT) {
        if ((size_t)begin == list.n)
            return nn_nnef_eval_error(eval, expr, -EBADMSG,
                                      "a subscript is out of the %zu items that there are", list.n);
        *ret = list.items[begin];
        return 0;
    }
    r = eval_index(eval, scope, expr, expr->items[2], (int64_t)list.n, list.n, &end);
    if (r < 0)
        return r;
    *ret = (NnefValue){ .kind = list.kind, .items = list.items + NN_MIN(begin, end),
                        .n = end > begin ? (size_t)(end - begin) : 0 };
    return 0;
}

static int eval_select(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                       NnefValue *ret)
{
    NnefValue condition;
    int r;

    r = nn_nnef_eval(eval, scope, expr->items[0], &condition);
    if (r < 0)
        return r;
    if (condition.kind != NNEF_VALUE_LOGICAL)
        return nn_nnef_eval_error(eval, expr, -EBADMSG,
                                  "a condition is of type %s, logical was expected",
                                  nn_nnef_value_name(&condition));
    return nn_nnef_eval(eval, scope, expr->items[condition.b ? 1 : 2], ret);
}

/* A tensor on either side makes an operation of the operator. */
static int eval_binary(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                       NnefValue *ret)
{
    static const struct {
        int op;
        const char *name;
    } names[] = {{'+', "add"},    {'-', "sub"},    {'*', "mul"},    {'/', "div"},
                 {'^', "pow"},    {'<', "lt"},     {'>', "gt"},     {NNEF_LE, "le"},
                 {NNEF_GE, "ge"}, {NNEF_EQ, "eq"}, {NNEF_NE, "ne"}, {NNEF_AND, "and"},
                 {NNEF_OR, "or"}};
    NnefValue v[2];
    int r;

    r = nn_nnef_eval(eval, scope, expr->items[0], &v[0]);
    if (r >= 0 && v[0].kind == NNEF_VALUE_LOGICAL &&
        ((expr->op == NNEF_AND && !v[0].b) || (expr->op == NNEF_OR && v[0].b))) {
        *ret = v[0];
        return 0;
    }
    if (r >= 0)
        r = nn_nnef_eval(eval, scope, expr->items[1], &v[1]);
    if (r < 0)
        return r;
    if (v[0].kind == NNEF_VALUE_TENSOR || v[1].kind == NNEF_VALUE_TENSOR)
        for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++)
            if (names[i].op == expr->op)
                return nn_nnef_invoke(eval, expr, names[i].name, v, 2, ret);
    return nn_nnef_binary(eval, expr, &v[0], &v[1], ret);
}

static int eval_unary(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr, NnefValue *ret)
{
    NnefValue value;
    int r;

    r = nn_nnef_eval(eval, scope, expr->items[0], &value);
    if (r < 0)
        return r;
    if (value.kind == NNEF_VALUE_TENSOR)
        return nn_nnef_invoke(eval, expr, expr->op == '!' ? "not" : "neg", &value, 1, ret);
    return nn_nnef_unary(eval, expr, &value, ret);
}

/* The scope of one round: that around it, and the items in hand. */
static int comprehension_scope(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                               const NnefValue *lists, size_t n_lists, size_t round,
                               NnefScope *ret)
{
    NnefScope inner = { 0 };
    int r = 0;

    for (size_t i = 0; i < n_lists && r >= 0; i++)
        r = set(eval, &inner, expr, expr->names[i], &lists[i].items[round]);
    for (size_t i = 0; i < scope->values.capacity && r >= 0; i++) {
        const NnefMapEntry *e = &scope->values.entries[i];

        if (e->name && !nn_nnef_map_get(&inner.values, e->name))
            r = set(eval, &inner, expr, e->name, e->value);
    }
    *ret = inner;
    return r;
}

static int eval_comprehension(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr,
                              NnefValue *ret)
{
    size_t n_lists = expr->n - 2, n = 0;
    NnefValue *lists = nn_nnef_alloc(eval->memory, n_lists, sizeof(lists[0])), *items;
    NnefValue condition;
    int r;

    if (!lists)
        return out_of_memory(eval, expr);
    for (size_t i = 0; i < n_lists; i++) {
        r = nn_nnef_eval(eval, scope, expr->items[i], &lists[i]);
        if (r < 0)
            return r;
        if (lists[i].kind != NNEF_VALUE_ARRAY || lists[i].n != lists[0].n)
            return nn_nnef_eval_error(eval, expr, -EBADMSG,
                                      "a loop needs arrays of one length behind 'in'");
    }
    items = nn_nnef_alloc(eval->memory, lists[0].n, sizeof(items[0]));
    if (!items)
        return out_of_memory(eval, expr);
    for (size_t i = 0; i < lists[0].n; i++) {
        NnefScope inner;

        condition = (NnefValue){ .kind = NNEF_VALUE_LOGICAL, .b = true };
        r = count_call(eval, expr);
        if (r >= 0)
            r = comprehension_scope(eval, scope, expr, lists, n_lists, i, &inner);
        if (r >= 0 && expr->items[n_lists])
            r = nn_nnef_eval(eval, &inner, expr->items[n_lists], &condition);
        if (r >= 0 && condition.kind != NNEF_VALUE_LOGICAL)
            r = nn_nnef_eval_error(eval, expr, -EBADMSG, "the condition of a loop is not logical");
        if (r >= 0 && condition.b)
            r = nn_nnef_eval(eval, &inner, expr->items[n_lists + 1], &items[n++]);
        if (r < 0)
            return r;
    }
    *ret = (NnefValue){ .kind = NNEF_VALUE_ARRAY, .items = items, .n = n };
    return 0;
}

static int eval_expr(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr, NnefValue *ret)
{
    const NnefValue *found;

    switch (expr->kind) {
    case NNEF_EXPR_INTEGER: *ret = (NnefValue){ .kind = NNEF_VALUE_INTEGER, .i = expr->i }; break;
    case NNEF_EXPR_SCALAR: *ret = (NnefValue){ .kind = NNEF_VALUE_SCALAR, .f = expr->f }; break;
    case NNEF_EXPR_LOGICAL: *ret = (NnefValue){ .kind = NNEF_VALUE_LOGICAL, .b = expr->i }; break;
    case NNEF_EXPR_STRING: *ret = (NnefValue){ .kind = NNEF_VALUE_STRING, .s = expr->s }; break;
    case NNEF_EXPR_IDENTIFIER:
        found = nn_nnef_map_get(&scope->values, expr->s);
        if (!found)
            return nn_nnef_eval_error(eval, expr, -EBADMSG, "'%s' is used before it is assigned",
                                      expr->s);
        *ret = *found;
        break;
    case NNEF_EXPR_ARRAY:
    case NNEF_EXPR_TUPLE: return eval_items(eval, scope, expr, ret);
    case NNEF_EXPR_SUBSCRIPT:
    case NNEF_EXPR_RANGE: return eval_subscript(eval, scope, expr, ret);
    case NNEF_EXPR_UNARY: return eval_unary(eval, scope, expr, ret);
    case NNEF_EXPR_BINARY: return eval_binary(eval, scope, expr, ret);
    case NNEF_EXPR_SELECT: return eval_select(eval, scope, expr, ret);
    case NNEF_EXPR_COMPREHENSION: return eval_comprehension(eval, scope, expr, ret);
    case NNEF_EXPR_CALL:
        return nn_nnef_is_builtin(expr->s) ? eval_builtin(eval, scope, expr, ret)
                                           : eval_call(eval, scope, expr, ret);
    }
    return 0;
}

int nn_nnef_eval(NnefEval *eval, const NnefScope *scope, const NnefExpr *expr, NnefValue *ret)
{
    int r;

    if (++eval->depth > NN_LIMIT_NNEF_CALL_DEPTH)
        return nn_nnef_eval_error(eval, expr, -E2BIG,
                                  "fragments and expressions are more than %d deep: does a "
                                  "fragment call itself for ever?",
                                  NN_LIMIT_NNEF_CALL_DEPTH);
    r = eval_expr(eval, scope, expr, ret);
    eval->depth--;
    return r;
}

/* Tensors of the graph are called as it calls them. */
static int name_tensor(NnefEval *eval, const NnefExpr *at, const char *name, NnValueId id)
{
    const char *true_name = nn_nnef_map_get(&eval->names, name);
    char **to = &eval->build.graph->values[id].name;
    char *copy;

    if ((*to)[0] != NNEF_UNNAMED)
        return 0;
    copy = strdup(true_name ? true_name : name);
    if (!copy)
        return out_of_memory(eval, at);
    free(*to);
    *to = copy;
    return 0;
}

static bool is_float(const NnefEval *eval, NnValueId id)
{
    const NnValue *value = &eval->build.graph->values[id];

    return !value->inferred || value->tensor.dtype == NN_DTYPE_F32;
}

static int add_input(NnefEval *eval, const NnefExpr *target, const NnefValue *value)
{
    NnefValue *copy = nn_nnef_alloc(eval->memory, 1, sizeof(*copy));

    if (!copy)
        return out_of_memory(eval, target);
    *copy = *value;
    if (nn_nnef_map_get(&eval->inputs, target->s))
        return nn_nnef_eval_error(eval, target, -EBADMSG, "'%s' is assigned twice", target->s);
    return nn_nnef_map_add(&eval->inputs, eval->memory, target->s, copy) < 0
               ? out_of_memory(eval, target)
               : name_tensor(eval, target, target->s, value->id);
}

/* A tensor of the graph: named, and quantised as graph.quant says. */
static int take_tensor(NnefEval *eval, const NnefExpr *target, NnefValue *value)
{
    const NnefQuant *quant = nn_nnef_map_get(&eval->quants, target->s);
    int r = 0;

    if (eval->external != NNEF_EXTERNAL_NONE)
        r = add_input(eval, target, value);
    if (r >= 0 && quant && !eval->dequantized && is_float(eval, value->id)) {
        r = nn_nnef_quantize(eval, quant, value);
        if (r >= 0 && eval->external != NNEF_EXTERNAL_NONE)
            return 0;
    }
    return r < 0 ? r : name_tensor(eval, target, target->s, value->id);
}

static int assign_identifier(NnefEval *eval, NnefScope *scope, const NnefExpr *target,
                             NnefValue *value)
{
    int r = 0;

    if (scope->graph && value->kind == NNEF_VALUE_TENSOR)
        r = take_tensor(eval, target, value);
    return r < 0 ? r : set(eval, scope, target, target->s, value);
}

static int assign(NnefEval *eval, NnefScope *scope, const NnefExpr *target, NnefValue *value)
{
    int r = 0;

    if (target->kind == NNEF_EXPR_IDENTIFIER)
        return assign_identifier(eval, scope, target, value);
    if (value->kind < NNEF_VALUE_ARRAY || value->n != target->n)
        return nn_nnef_eval_error(eval, target, -EBADMSG, "%zu names for a value of type %s%s",
                                  target->n, nn_nnef_value_name(value),
                                  value->kind < NNEF_VALUE_ARRAY ? "" : " of another length");
    for (size_t i = 0; i < target->n && r >= 0; i++) {
        NnefValue item = value->items[i];

        r = assign(eval, scope, target->items[i], &item);
    }
    return r;
}

static bool is_input(const NnefFragment *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_parameters; i++)
        if (strcmp(graph->parameters[i].name, name) == 0)
            return true;
    return false;
}

static const char *first_name(const NnefExpr *target)
{
    while (target->kind != NNEF_EXPR_IDENTIFIER)
        target = target->items[0];
    return target->s;
}

static int eval_assignment(NnefEval *eval, NnefScope *scope, const NnefAssignment *assignment)
{
    const NnefExpr *left = assignment->left, *right = assignment->right;
    bool external = right->kind == NNEF_EXPR_CALL && strcmp(right->s, "external") == 0;
    bool input = left->kind == NNEF_EXPR_IDENTIFIER && is_input(&eval->document->graph, left->s);
    NnefValue value;
    int r;

    if (input && external)
        eval->external = NNEF_EXTERNAL_EXPECTED;
    eval->target = left->kind == NNEF_EXPR_IDENTIFIER ? left->s : NULL;
    eval->build.prefix = first_name(left);
    eval->dequantized = false;
    r = nn_nnef_eval(eval, scope, right, &value);
    if (r >= 0 && input && !external)
        r = nn_nnef_eval_error(eval, left, -EBADMSG,
                               "input '%s' of the graph is not assigned by external()", left->s);
    if (r >= 0)
        r = assign(eval, scope, left, &value);
    eval->external = NNEF_EXTERNAL_NONE;
    return r;
}

static bool is_target(const NnefExpr *target, const char *name)
{
    bool found = target->kind == NNEF_EXPR_IDENTIFIER && strcmp(target->s, name) == 0;

    for (size_t i = 0; i < target->n && !found; i++)
        found = is_target(target->items[i], name);
    return found;
}

/* Each input and output is assigned somewhere, before anything is read. */
static int check_ends(NnefEval *eval, const char *kind, const NnefParameter *ends, size_t n)
{
    const NnefFragment *graph = &eval->document->graph;

    for (size_t i = 0; i < n; i++) {
        bool found = false;

        for (size_t j = 0; j < graph->n_assignments && !found; j++)
            found = is_target(graph->assignments[j].left, ends[i].name);
        if (!found)
            return nn_error_set(eval->error, -EBADMSG,
                                "%d:%d: %s '%s' of the graph is not assigned", graph->line,
                                graph->column, kind, ends[i].name);
    }
    return 0;
}

int nn_nnef_eval_graph(NnefEval *eval, NnefScope *scope)
{
    const NnefFragment *graph = &eval->document->graph;
    int r;

    r = check_ends(eval, "input", graph->parameters, graph->n_parameters);
    if (r >= 0)
        r = check_ends(eval, "output", graph->results, graph->n_results);
    for (size_t i = 0; i < graph->n_assignments && r >= 0; i++)
        r = eval_assignment(eval, scope, &graph->assignments[i]);
    return r;
}
