/* SPDX-License-Identifier: Apache-2.0 */

/* Expressions, by recursive descent; operators by precedence. */

#include "base/limits.h"
#include "nnef/parser.h"

int nn_nnef_expected(NnefParser *parser, const char *what)
{
    const NnefLexer *lexer = &parser->lexer;
    char text[64];

    return nn_error_set(parser->error, -EBADMSG, "%d:%d: expected %s but found %s",
                        lexer->token_line, lexer->token_column, what,
                        nn_nnef_lexer_describe(lexer, text, sizeof(text)));
}

int nn_nnef_out_of_memory(NnefParser *parser)
{
    return nn_error_set(parser->error, -ENOMEM, "%d: out of memory, or over %zu MiB",
                        parser->lexer.line, NN_LIMIT_NNEF_BYTES >> 20);
}

int nn_nnef_accept(NnefParser *parser, int token, bool *ret_found)
{
    *ret_found = parser->lexer.token == token;
    return *ret_found ? nn_nnef_lexer_next(&parser->lexer) : 0;
}

int nn_nnef_expect(NnefParser *parser, int token, const char *what)
{
    if (parser->lexer.token != token)
        return nn_nnef_expected(parser, what);
    return nn_nnef_lexer_next(&parser->lexer);
}

int nn_nnef_identifier(NnefParser *parser, const char **ret_name)
{
    if (parser->lexer.token != NNEF_IDENTIFIER)
        return nn_nnef_expected(parser, "a name");
    *ret_name = parser->lexer.text;
    return nn_nnef_lexer_next(&parser->lexer);
}

bool nn_nnef_primitive(const NnefParser *parser, NnefPrimitive *ret)
{
    static const struct {
        const char *name;
        NnefPrimitive primitive;
    } names[] = {
        { "integer", NNEF_PRIMITIVE_INTEGER },
        { "scalar", NNEF_PRIMITIVE_SCALAR },
        { "logical", NNEF_PRIMITIVE_LOGICAL },
        { "string", NNEF_PRIMITIVE_STRING },
        { "extent", NNEF_PRIMITIVE_INTEGER },   /* of 2017 */
    };

    if (parser->lexer.token == '?') {
        *ret = NNEF_PRIMITIVE_GENERIC;
        return true;
    }
    for (size_t i = 0; i < NN_ARRAY_SIZE(names) - !parser->provisional; i++)
        if (nn_nnef_lexer_is_word(&parser->lexer, names[i].name)) {
            *ret = names[i].primitive;
            return true;
        }
    return false;
}

static int new_expr(NnefParser *parser, NnefExprKind kind, NnefExpr **ret)
{
    NnefExpr *expr = nn_nnef_alloc(parser->memory, 1, sizeof(*expr));

    if (!expr)
        return nn_nnef_out_of_memory(parser);
    expr->kind = kind;
    expr->line = parser->lexer.token_line;
    expr->column = parser->lexer.token_column;
    *ret = expr;
    return 0;
}

/* An expression over up to three others, at the place of the first. */
static int combine(NnefParser *parser, NnefExprKind kind, int op, NnefExpr *a, NnefExpr *b,
                   NnefExpr *c, NnefExpr **ret)
{
    NnefExpr *expr = NULL;
    int r;

    r = new_expr(parser, kind, &expr);
    if (r < 0)
        return r;
    expr->items = nn_nnef_alloc(parser->memory, 3, sizeof(expr->items[0]));
    if (!expr->items)
        return nn_nnef_out_of_memory(parser);
    expr->op = op;
    expr->line = a->line;
    expr->column = a->column;
    expr->items[0] = a;
    expr->items[1] = b;
    expr->items[2] = c;
    expr->n = c ? 3 : b ? 2 : 1;
    *ret = expr;
    return 0;
}

static int literal(NnefParser *parser, NnefExpr **ret)
{
    const NnefLexer *lexer = &parser->lexer;
    NnefExpr *expr = NULL;
    int r;

    r = new_expr(parser, NNEF_EXPR_LOGICAL, &expr);
    if (r < 0)
        return r;
    if (lexer->token == NNEF_INTEGER) {
        expr->kind = NNEF_EXPR_INTEGER;
        expr->i = lexer->integer;
    } else if (lexer->token == NNEF_SCALAR) {
        expr->kind = NNEF_EXPR_SCALAR;
        expr->f = lexer->scalar;
    } else if (lexer->token == NNEF_STRING) {
        expr->kind = NNEF_EXPR_STRING;
        expr->s = lexer->text;
    } else
        expr->i = nn_nnef_lexer_is_word(lexer, "true");
    *ret = expr;
    return nn_nnef_lexer_next(&parser->lexer);
}

static int argument(NnefParser *parser, const char **ret_name, NnefExpr **ret)
{
    NnefLexer ahead = parser->lexer;
    int r;

    *ret_name = NULL;
    if (ahead.token == NNEF_IDENTIFIER) {
        r = nn_nnef_lexer_next(&ahead);
        if (r < 0)
            return r;
        if (ahead.token == '=') {
            *ret_name = parser->lexer.text;
            parser->lexer = ahead;
            r = nn_nnef_lexer_next(&parser->lexer);
            if (r < 0)
                return r;
        }
    }
    return nn_nnef_expression(parser, ret);
}

static int arguments(NnefParser *parser, NnefExpr *call)
{
    size_t capacity = 0, n_names = 0, names_capacity = 0;
    bool more = parser->lexer.token != ')';
    const char *name = NULL;
    NnefExpr *item;
    int r = 0;

    while (more && r >= 0) {
        r = argument(parser, &name, &item);
        if (r >= 0)
            r = NNEF_PUSH(parser, call->names, n_names, names_capacity, name);
        if (r >= 0)
            r = NNEF_PUSH(parser, call->items, call->n, capacity, item);
        if (r >= 0)
            r = nn_nnef_accept(parser, ',', &more);
    }
    return r < 0 ? r : nn_nnef_expect(parser, ')', "',' or ')' in the arguments");
}

/* "<scalar>" behind the name of an operation: "<" may be a comparison as well. */
static int type_argument(NnefParser *parser, NnefPrimitive *ret)
{
    NnefParser ahead = *parser;
    NnefPrimitive primitive;
    int r;

    if (parser->lexer.token != '<')
        return 0;
    r = nn_nnef_lexer_next(&ahead.lexer);
    if (r < 0)
        return r;
    if (!nn_nnef_primitive(&ahead, &primitive))
        return 0;
    r = nn_nnef_lexer_next(&ahead.lexer);
    if (r < 0)
        return r;
    if (ahead.lexer.token != '>')
        return 0;
    parser->lexer = ahead.lexer;
    *ret = primitive;
    return nn_nnef_lexer_next(&parser->lexer);
}

static int name_or_call(NnefParser *parser, NnefExpr **ret)
{
    NnefExpr *expr = NULL;
    bool call;
    int r;

    r = new_expr(parser, NNEF_EXPR_IDENTIFIER, &expr);
    if (r >= 0)
        r = nn_nnef_identifier(parser, &expr->s);
    if (r >= 0)
        r = type_argument(parser, &expr->primitive);
    if (r >= 0)
        r = nn_nnef_accept(parser, '(', &call);
    if (r < 0)
        return r;
    *ret = expr;
    if (!call)
        return expr->primitive ? nn_nnef_expected(parser, "'('") : 0;
    expr->kind = NNEF_EXPR_CALL;
    return arguments(parser, expr);
}

/* Items up to the closing bracket, whose opening one has been taken. */
static int list(NnefParser *parser, int close, NnefExpr *expr, size_t capacity)
{
    bool more = parser->lexer.token != close;
    NnefExpr *item;
    int r = 0;

    if (expr->n) {
        r = nn_nnef_accept(parser, ',', &more);
        if (r < 0)
            return r;
    }
    while (more && r >= 0) {
        r = nn_nnef_expression(parser, &item);
        if (r >= 0)
            r = NNEF_PUSH(parser, expr->items, expr->n, capacity, item);
        if (r >= 0)
            r = nn_nnef_accept(parser, ',', &more);
    }
    return r < 0 ? r : nn_nnef_expect(parser, close, close == ']' ? "',' or ']'" : "',' or ')'");
}

static int enabled(NnefParser *parser)
{
    if (parser->operators)
        return 0;
    return nn_error_set(parser->error, -EBADMSG,
                        "%d:%d: this needs 'extension KHR_enable_operator_expressions;'",
                        parser->lexer.token_line, parser->lexer.token_column);
}

static int binary(NnefParser *parser, int above, NnefExpr **ret);

/* [for i in a, j in b if c yield e]; "for" has been taken. An "if" behind a
 * sequence is that of the comprehension. */
static int comprehension(NnefParser *parser, NnefExpr *expr)
{
    size_t capacity = 0, n_names = 0, names_capacity = 0;
    NnefExpr *item, *condition = NULL;
    const char *name = NULL;
    bool more = true;
    int r = 0;

    expr->kind = NNEF_EXPR_COMPREHENSION;
    while (more && r >= 0) {
        r = nn_nnef_identifier(parser, &name);
        if (r >= 0 && !nn_nnef_lexer_is_word(&parser->lexer, "in"))
            r = nn_nnef_expected(parser, "'in'");
        if (r >= 0)
            r = nn_nnef_lexer_next(&parser->lexer);
        if (r >= 0)
            r = binary(parser, 0, &item);
        if (r >= 0)
            r = NNEF_PUSH(parser, expr->names, n_names, names_capacity, name);
        if (r >= 0)
            r = NNEF_PUSH(parser, expr->items, expr->n, capacity, item);
        if (r >= 0)
            r = nn_nnef_accept(parser, ',', &more);
    }
    if (r >= 0 && nn_nnef_lexer_is_word(&parser->lexer, "if")) {
        r = nn_nnef_lexer_next(&parser->lexer);
        if (r >= 0)
            r = nn_nnef_expression(parser, &condition);
    }
    if (r >= 0 && !nn_nnef_lexer_is_word(&parser->lexer, "yield"))
        r = nn_nnef_expected(parser, "'yield'");
    if (r >= 0)
        r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0)
        r = nn_nnef_expression(parser, &item);
    if (r >= 0)
        r = NNEF_PUSH(parser, expr->items, expr->n, capacity, condition);
    if (r >= 0)
        r = NNEF_PUSH(parser, expr->items, expr->n, capacity, item);
    return r < 0 ? r : nn_nnef_expect(parser, ']', "']'");
}

static int bracket(NnefParser *parser, NnefExpr **ret)
{
    NnefExpr *expr = NULL;
    int r;

    r = new_expr(parser, NNEF_EXPR_ARRAY, &expr);
    if (r >= 0)
        r = nn_nnef_lexer_next(&parser->lexer);
    if (r < 0)
        return r;
    *ret = expr;
    if (!nn_nnef_lexer_is_word(&parser->lexer, "for"))
        return list(parser, ']', expr, 0);
    r = enabled(parser);
    if (r >= 0)
        r = nn_nnef_lexer_next(&parser->lexer);
    return r < 0 ? r : comprehension(parser, expr);
}

/* (a, b) is a tuple, (a) is a. */
static int parenthesis(NnefParser *parser, NnefExpr **ret)
{
    size_t capacity = 0;
    NnefExpr *expr = NULL, *first = NULL;
    int r;

    r = new_expr(parser, NNEF_EXPR_TUPLE, &expr);
    if (r >= 0)
        r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0)
        r = nn_nnef_expression(parser, &first);
    if (r < 0)
        return r;
    if (parser->lexer.token == ')') {
        *ret = first;
        return nn_nnef_lexer_next(&parser->lexer);
    }
    *ret = expr;
    r = NNEF_PUSH(parser, expr->items, expr->n, capacity, first);
    return r < 0 ? r : list(parser, ')', expr, capacity);
}

static int too_deep(NnefParser *parser)
{
    return nn_error_set(parser->error, -E2BIG, "%d:%d: more than %d expressions within each other",
                        parser->lexer.token_line, parser->lexer.token_column, NN_LIMIT_NNEF_DEPTH);
}

static int bracket_or_parenthesis(NnefParser *parser, NnefExpr **ret)
{
    int r;

    if (++parser->depth > NN_LIMIT_NNEF_DEPTH)
        return too_deep(parser);
    r = parser->lexer.token == '[' ? bracket(parser, ret) : parenthesis(parser, ret);
    parser->depth--;
    return r;
}

static int primary(NnefParser *parser, NnefExpr **ret)
{
    const NnefLexer *lexer = &parser->lexer;

    switch (lexer->token) {
    case NNEF_INTEGER:
    case NNEF_SCALAR:
    case NNEF_STRING: return literal(parser, ret);
    case '[':
    case '(': return bracket_or_parenthesis(parser, ret);
    case NNEF_IDENTIFIER:
        if (nn_nnef_lexer_is_word(lexer, "true") || nn_nnef_lexer_is_word(lexer, "false"))
            return literal(parser, ret);
        return name_or_call(parser, ret);
    default: return nn_nnef_expected(parser, "an expression");
    }
}

/* a[i], a[i:j], a[i:], a[:j], a[:] */
static int subscript(NnefParser *parser, NnefExpr *sequence, NnefExpr **ret)
{
    NnefExpr *begin = NULL, *end = NULL;
    bool range;
    int r;

    r = enabled(parser);
    if (r >= 0)
        r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0 && parser->lexer.token != ':')
        r = nn_nnef_expression(parser, &begin);
    if (r >= 0)
        r = nn_nnef_accept(parser, ':', &range);
    if (r >= 0 && range && parser->lexer.token != ']')
        r = nn_nnef_expression(parser, &end);
    if (r >= 0)
        r = nn_nnef_expect(parser, ']', "']'");
    if (r >= 0)
        r = combine(parser, range ? NNEF_EXPR_RANGE : NNEF_EXPR_SUBSCRIPT, 0, sequence, begin, end,
                    ret);
    return r;
}

static int postfix(NnefParser *parser, NnefExpr **ret)
{
    int r, n = 0;

    r = primary(parser, ret);
    while (r >= 0 && parser->lexer.token == '[') {
        if (++n > NN_LIMIT_NNEF_DEPTH)
            return nn_error_set(parser->error, -E2BIG, "%d:%d: more than %d subscripts",
                                parser->lexer.token_line, parser->lexer.token_column,
                                NN_LIMIT_NNEF_DEPTH);
        r = subscript(parser, *ret, ret);
    }
    return r;
}

/* A minus before a number is the number's; it binds less than ^. */
static int unary(NnefParser *parser, NnefExpr **ret)
{
    int op = parser->lexer.token, r;
    NnefExpr *operand;

    if (op != '-' && op != '+' && op != '!')
        return postfix(parser, ret);
    if (++parser->depth > NN_LIMIT_NNEF_DEPTH)
        return too_deep(parser);
    r = nn_nnef_lexer_next(&parser->lexer);
    if (r < 0)
        return r;
    if (op != '!' && parser->lexer.token != NNEF_INTEGER && parser->lexer.token != NNEF_SCALAR)
        r = enabled(parser);
    if (op == '!')
        r = enabled(parser);
    if (r >= 0)
        r = binary(parser, 5, &operand);
    parser->depth--;
    if (r < 0)
        return r;
    if (op == '-' && operand->kind == NNEF_EXPR_INTEGER)
        operand->i = -operand->i;
    else if (op == '-' && operand->kind == NNEF_EXPR_SCALAR)
        operand->f = -operand->f;
    else if (op != '+')
        return combine(parser, NNEF_EXPR_UNARY, op, operand, NULL, NULL, ret);
    *ret = operand;
    return 0;
}

/* 0 for what is no binary operator. */
static int precedence(const NnefParser *parser)
{
    switch (parser->lexer.token) {
    case NNEF_OR: return 1;
    case NNEF_AND: return 2;
    case NNEF_IDENTIFIER: return nn_nnef_lexer_is_word(&parser->lexer, "in") ? 3 : 0;
    case '<':
    case '>':
    case NNEF_LE:
    case NNEF_GE:
    case NNEF_EQ:
    case NNEF_NE: return 3;
    case '+':
    case '-': return 4;
    case '*':
    case '/': return 5;
    case '^': return 6;
    default: return 0;
    }
}

/* Operators that bind more than `above`; all associate to the left. */
static int binary(NnefParser *parser, int above, NnefExpr **ret)
{
    NnefExpr *left, *right;
    int r, n = 0;

    r = unary(parser, &left);
    while (r >= 0 && precedence(parser) > above) {
        int op = parser->lexer.token, level = precedence(parser);

        r = enabled(parser);
        if (r >= 0 && ++n > 10 * NN_LIMIT_NNEF_DEPTH)
            r = nn_error_set(parser->error, -E2BIG, "%d:%d: too long an expression",
                             parser->lexer.token_line, parser->lexer.token_column);
        if (r >= 0)
            r = nn_nnef_lexer_next(&parser->lexer);
        if (r >= 0)
            r = binary(parser, level, &right);
        if (r >= 0)
            r = combine(parser, NNEF_EXPR_BINARY, op, left, right, NULL, &left);
    }
    if (r >= 0)
        *ret = left;
    return r;
}

/* a if c else b */
static int select_expression(NnefParser *parser, NnefExpr **ret)
{
    NnefExpr *yes, *condition, *no;
    int r;

    r = binary(parser, 0, &yes);
    if (r < 0)
        return r;
    *ret = yes;
    if (!nn_nnef_lexer_is_word(&parser->lexer, "if"))
        return 0;
    r = enabled(parser);
    if (r >= 0)
        r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0)
        r = binary(parser, 0, &condition);
    if (r >= 0 && !nn_nnef_lexer_is_word(&parser->lexer, "else"))
        r = nn_nnef_expected(parser, "'else'");
    if (r >= 0)
        r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0)
        r = nn_nnef_expression(parser, &no);
    if (r >= 0)
        r = combine(parser, NNEF_EXPR_SELECT, 0, condition, yes, no, ret);
    return r;
}

int nn_nnef_expression(NnefParser *parser, NnefExpr **ret)
{
    int r;

    if (++parser->depth > NN_LIMIT_NNEF_DEPTH)
        return too_deep(parser);
    r = select_expression(parser, ret);
    parser->depth--;
    return r;
}

static int target_list(NnefParser *parser, int close, NnefExpr *expr)
{
    size_t capacity = 0;
    bool more = true;
    NnefExpr *item;
    int r = 0;

    while (more && r >= 0) {
        r = nn_nnef_target(parser, &item);
        if (r >= 0)
            r = NNEF_PUSH(parser, expr->items, expr->n, capacity, item);
        if (r >= 0)
            r = nn_nnef_accept(parser, ',', &more);
    }
    return r < 0 || !close ? r : nn_nnef_expect(parser, close, close == ']' ? "']'" : "')'");
}

int nn_nnef_target(NnefParser *parser, NnefExpr **ret)
{
    int token = parser->lexer.token, r;
    NnefExpr *expr = NULL;

    if (++parser->depth > NN_LIMIT_NNEF_DEPTH)
        return too_deep(parser);
    r = new_expr(parser, token == '(' ? NNEF_EXPR_TUPLE : NNEF_EXPR_ARRAY, &expr);
    if (r < 0)
        return r;
    *ret = expr;
    if (token == '(' || token == '[') {
        r = nn_nnef_lexer_next(&parser->lexer);
        if (r >= 0)
            r = target_list(parser, token == '(' ? ')' : ']', expr);
    } else {
        expr->kind = NNEF_EXPR_IDENTIFIER;
        r = nn_nnef_identifier(parser, &expr->s);
    }
    parser->depth--;
    return r;
}
