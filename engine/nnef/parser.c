/* SPDX-License-Identifier: Apache-2.0 */

/* Documents, fragments and their types. */

#include "nnef/parser.h"

#include "base/limits.h"
#include "nnef/onnx_form.h"

static int new_type(NnefParser *parser, NnefTypeKind kind, NnefType **ret)
{
    NnefType *type = nn_nnef_alloc(parser->memory, 1, sizeof(*type));

    if (!type)
        return nn_nnef_out_of_memory(parser);
    type->kind = kind;
    *ret = type;
    return 0;
}

static int parse_type(NnefParser *parser, NnefType **ret);

static int tuple_type(NnefParser *parser, NnefType *type)
{
    size_t capacity = 0;
    NnefType *item;
    bool more = true;
    int r;

    type->kind = NNEF_TYPE_TUPLE;
    r = nn_nnef_lexer_next(&parser->lexer);
    while (more && r >= 0) {
        r = parse_type(parser, &item);
        if (r >= 0)
            r = NNEF_PUSH(parser, type->items, type->n, capacity, item);
        if (r >= 0)
            r = nn_nnef_accept(parser, ',', &more);
    }
    return r < 0 ? r : nn_nnef_expect(parser, ')', "')'");
}

/* tensor<scalar>, tensor<?>, tensor<>; without brackets a tensor of numbers. */
static int tensor_type(NnefParser *parser, NnefType *type)
{
    bool bracket;
    int r;

    type->kind = NNEF_TYPE_TENSOR;
    type->primitive = NNEF_PRIMITIVE_SCALAR;
    r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0)
        r = nn_nnef_accept(parser, '<', &bracket);
    if (r < 0 || !bracket)
        return r;
    type->primitive = NNEF_PRIMITIVE_ANY;
    if (nn_nnef_primitive(parser, &type->primitive))
        r = nn_nnef_lexer_next(&parser->lexer);
    return r < 0 ? r : nn_nnef_expect(parser, '>', "'>'");
}

static int parse_type(NnefParser *parser, NnefType **ret)
{
    NnefType *type = NULL, *array = NULL;
    bool more;
    int r;

    if (++parser->depth > NN_LIMIT_NNEF_DEPTH)
        return nn_error_set(parser->error, -E2BIG, "%d: more than %d types within each other",
                            parser->lexer.token_line, NN_LIMIT_NNEF_DEPTH);
    r = new_type(parser, NNEF_TYPE_PRIMITIVE, &type);
    if (r < 0)
        return r;
    if (parser->lexer.token == '(')
        r = tuple_type(parser, type);
    else if (nn_nnef_lexer_is_word(&parser->lexer, "tensor"))
        r = tensor_type(parser, type);
    else if (nn_nnef_primitive(parser, &type->primitive))
        r = nn_nnef_lexer_next(&parser->lexer);
    else
        r = nn_nnef_expected(parser, "a type");
    for (int n = 0; r >= 0; n++) {
        r = nn_nnef_accept(parser, '[', &more);
        if (r < 0 || !more)
            break;
        r = n < NN_LIMIT_NNEF_DEPTH ? nn_nnef_expect(parser, ']', "']'")
                                    : nn_nnef_expected(parser, "fewer brackets");
        if (r >= 0)
            r = new_type(parser, NNEF_TYPE_ARRAY, &array);
        if (r < 0)
            break;
        array->items = nn_nnef_alloc(parser->memory, 1, sizeof(array->items[0]));
        if (!array->items)
            return nn_nnef_out_of_memory(parser);
        array->items[0] = type;
        array->n = 1;
        type = array;
    }
    parser->depth--;
    *ret = type;
    return r;
}

static int check_new(NnefParser *parser, const NnefParameter *parameters, size_t n,
                     const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return nn_error_set(parser->error, -EBADMSG, "%d:%d: '%s' is declared twice",
                                parser->lexer.token_line, parser->lexer.token_column, name);
    return 0;
}

/* "(name: type = default, …)", or names alone for a graph. */
static int parse_parameters(NnefParser *parser, bool typed, NnefParameter **ret, size_t *ret_n)
{
    NnefParameter *parameters = NULL;
    size_t n = 0, capacity = 0;
    bool more, fallback;
    int r;

    r = nn_nnef_expect(parser, '(', "'('");
    more = parser->lexer.token != ')';
    while (more && r >= 0) {
        NnefParameter p = { 0 };
        NnefType *type;
        NnefExpr *expr;

        if (n == NN_LIMIT_NODE_INPUTS)
            return nn_nnef_expected(parser, "fewer parameters");
        if (parser->lexer.token == NNEF_IDENTIFIER)
            r = check_new(parser, parameters, n, parser->lexer.text);
        if (r >= 0)
            r = nn_nnef_identifier(parser, &p.name);
        if (r >= 0 && typed) {
            r = nn_nnef_expect(parser, ':', "':'");
            if (r >= 0)
                r = parse_type(parser, &type);
            if (r >= 0)
                r = nn_nnef_accept(parser, '=', &fallback);
            if (r >= 0 && fallback) {
                r = nn_nnef_expression(parser, &expr);
                p.fallback = expr;
            }
            p.type = type;
        }
        if (r >= 0)
            r = NNEF_PUSH(parser, parameters, n, capacity, p);
        if (r >= 0)
            r = nn_nnef_accept(parser, ',', &more);
    }
    *ret = parameters;
    *ret_n = n;
    return r < 0 ? r : nn_nnef_expect(parser, ')', "',' or ')'");
}

/* <?> or <? = scalar> */
static int parse_generic(NnefParser *parser, NnefFragment *fragment)
{
    bool fallback;
    int r;

    r = nn_nnef_accept(parser, '<', &fragment->generic);
    if (r < 0 || !fragment->generic)
        return r;
    r = nn_nnef_expect(parser, '?', "'?'");
    if (r >= 0)
        r = nn_nnef_accept(parser, '=', &fallback);
    if (r >= 0 && fallback) {
        if (!nn_nnef_primitive(parser, &fragment->generic_fallback))
            return nn_nnef_expected(parser, "a type");
        r = nn_nnef_lexer_next(&parser->lexer);
    }
    return r < 0 ? r : nn_nnef_expect(parser, '>', "'>'");
}

static int parse_declaration(NnefParser *parser, bool typed, NnefFragment *fragment)
{
    int r;

    fragment->line = parser->lexer.token_line;
    fragment->column = parser->lexer.token_column;
    r = nn_nnef_identifier(parser, &fragment->name);
    if (r >= 0 && typed)
        r = parse_generic(parser, fragment);
    if (r >= 0)
        r = parse_parameters(parser, typed, &fragment->parameters, &fragment->n_parameters);
    if (r >= 0)
        r = nn_nnef_expect(parser, NNEF_ARROW, "'->'");
    if (r >= 0)
        r = parse_parameters(parser, typed, &fragment->results, &fragment->n_results);
    if (r >= 0 && fragment->n_results == 0)
        r = nn_error_set(parser->error, -EBADMSG, "%d:%d: '%s' has no results", fragment->line,
                         fragment->column, fragment->name);
    return r;
}

/* "a, b = …" is "(a, b) = …". */
static int parse_targets(NnefParser *parser, NnefExpr **ret)
{
    size_t capacity = 0;
    NnefExpr *first, *tuple;
    bool more;
    int r;

    r = nn_nnef_target(parser, &first);
    if (r < 0)
        return r;
    *ret = first;
    if (parser->lexer.token != ',')
        return 0;
    tuple = nn_nnef_alloc(parser->memory, 1, sizeof(*tuple));
    if (!tuple)
        return nn_nnef_out_of_memory(parser);
    *tuple = (NnefExpr){ .kind = NNEF_EXPR_TUPLE, .line = first->line, .column = first->column };
    *ret = tuple;
    do {
        r = NNEF_PUSH(parser, tuple->items, tuple->n, capacity, first);
        if (r >= 0)
            r = nn_nnef_accept(parser, ',', &more);
        if (r >= 0 && more)
            r = nn_nnef_target(parser, &first);
    } while (r >= 0 && more);
    return r;
}

static int parse_body(NnefParser *parser, NnefFragment *fragment)
{
    size_t capacity = 0;
    bool found;
    int r;

    fragment->body = true;
    r = nn_nnef_expect(parser, '{', "'{'");
    while (r >= 0 && parser->lexer.token != '}') {
        NnefExpr *left, *right;

        r = parse_targets(parser, &left);
        if (r >= 0)
            r = nn_nnef_expect(parser, '=', "'='");
        if (r >= 0)
            r = nn_nnef_expression(parser, &right);
        if (r >= 0)
            r = NNEF_PUSH(parser, fragment->assignments, fragment->n_assignments, capacity,
                          ((NnefAssignment){ left, right }));
        if (r >= 0)
            r = nn_nnef_accept(parser, ';', &found);
        if (r >= 0 && !found && !parser->provisional)
            r = nn_nnef_expected(parser, "';'");
    }
    return r < 0 ? r : nn_nnef_expect(parser, '}', "'}'");
}

static int parse_fragment(NnefParser *parser, NnefFragment *fragment)
{
    bool semicolon;
    int r;

    r = nn_nnef_lexer_next(&parser->lexer); /* "fragment" */
    if (r >= 0)
        r = parse_declaration(parser, true, fragment);
    if (r >= 0)
        r = nn_nnef_accept(parser, ';', &semicolon);
    if (r < 0 || semicolon)
        return r;
    return parse_body(parser, fragment);
}

static int parse_fragment_into(NnefParser *parser, NnefMap *map, const NnefFragment **ret)
{
    NnefFragment *fragment = nn_nnef_alloc(parser->memory, 1, sizeof(*fragment));
    int r;

    if (!fragment)
        return nn_nnef_out_of_memory(parser);
    r = parse_fragment(parser, fragment);
    if (r < 0)
        return r;
    if (nn_nnef_map_get(map, fragment->name))
        return nn_error_set(parser->error, -EBADMSG, "%d:%d: fragment '%s' is defined twice",
                            fragment->line, fragment->column, fragment->name);
    *ret = fragment;
    r = nn_nnef_map_add(map, parser->memory, fragment->name, fragment);
    return r < 0 ? nn_nnef_out_of_memory(parser) : 0;
}

/* "version 1.0;": without the semicolon it is the syntax of the provisional
 * specification of 2017, which has none. */
static int parse_version(NnefParser *parser, NnefDocument *document)
{
    bool semicolon;
    int r;

    if (!nn_nnef_lexer_is_word(&parser->lexer, "version"))
        return nn_nnef_expected(parser, "'version'");
    r = nn_nnef_lexer_next(&parser->lexer);
    if (r < 0)
        return r;
    if (parser->lexer.token != NNEF_SCALAR)
        return nn_nnef_expected(parser, "a version such as 1.0");
    if (parser->lexer.scalar < 1.0 || parser->lexer.scalar >= 1.1)
        return nn_error_set(parser->error, -ENOTSUP, "%d:%d: NNEF %s is not supported, 1.0 is",
                            parser->lexer.token_line, parser->lexer.token_column,
                            parser->lexer.text);
    r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0)
        r = nn_nnef_accept(parser, ';', &semicolon);
    if (r < 0)
        return r;
    document->provisional = parser->provisional = !semicolon;
    document->fragments_enabled = document->operators_enabled = !semicolon;
    return 0;
}

/* Names of Khronos change what the text means; those of vendors announce
 * operations, which are refused where they are used. */
static int parse_extension_name(NnefParser *parser, NnefDocument *document)
{
    const NnefLexer *lexer = &parser->lexer;

    if (lexer->token != NNEF_IDENTIFIER)
        return nn_nnef_expected(parser, "the name of an extension");
    if (nn_nnef_lexer_is_word(lexer, "KHR_enable_fragment_definitions"))
        document->fragments_enabled = true;
    else if (nn_nnef_lexer_is_word(lexer, "KHR_enable_operator_expressions"))
        document->operators_enabled = true;
    else if (strncmp(lexer->text, "KHR_", 4) == 0)
        return nn_error_set(parser->error, -ENOTSUP, "%d:%d: extension '%s' is not supported",
                            lexer->token_line, lexer->token_column, lexer->text);
    return nn_nnef_lexer_next(&parser->lexer);
}

/* "extension a, b;" and "extension a words of a vendor;" */
static int parse_extensions(NnefParser *parser, NnefDocument *document)
{
    int r = 0;

    while (r >= 0 && nn_nnef_lexer_is_word(&parser->lexer, "extension")) {
        do {
            r = nn_nnef_lexer_next(&parser->lexer);
            if (r >= 0)
                r = parse_extension_name(parser, document);
            while (r >= 0 && parser->lexer.token != ',' && parser->lexer.token != ';' &&
                   parser->lexer.token != NNEF_END)
                r = parser->lexer.token == NNEF_IDENTIFIER
                        ? parse_extension_name(parser, document)
                        : nn_nnef_lexer_next(&parser->lexer);
        } while (r >= 0 && parser->lexer.token == ',');
        if (r >= 0)
            r = nn_nnef_expect(parser, ';', "';'");
    }
    parser->operators = document->operators_enabled;
    return r;
}

static int parse_fragments(NnefParser *parser, NnefDocument *document)
{
    const NnefFragment *fragment;
    int r = 0;

    while (r >= 0 && nn_nnef_lexer_is_word(&parser->lexer, "fragment")) {
        if (!document->fragments_enabled)
            return nn_error_set(parser->error, -EBADMSG,
                                "%d:%d: a fragment needs 'extension "
                                "KHR_enable_fragment_definitions;'",
                                parser->lexer.token_line, parser->lexer.token_column);
        r = parse_fragment_into(parser, &document->fragments, &fragment);
        if (r < 0)
            return r;
        if (strcmp(fragment->name, NN_ONNX_FORM_MODEL) == 0)
            document->model = fragment;
        if (strncmp(fragment->name, NN_ONNX_FORM_PREFIX, strlen(NN_ONNX_FORM_PREFIX)) == 0)
            document->onnx_form = true;
    }
    return r;
}

static int parse_graph(NnefParser *parser, NnefFragment *graph)
{
    int r;

    if (!nn_nnef_lexer_is_word(&parser->lexer, "graph"))
        return nn_nnef_expected(parser, "'graph'");
    r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0)
        r = parse_declaration(parser, false, graph);
    if (r >= 0)
        r = parse_body(parser, graph);
    if (r >= 0 && nn_nnef_lexer_is_word(&parser->lexer, "graph"))
        return nn_error_set(parser->error, -EBADMSG, "%d:%d: a second graph, a document has one",
                            parser->lexer.token_line, parser->lexer.token_column);
    if (r >= 0 && parser->lexer.token != NNEF_END)
        r = nn_nnef_expected(parser, "the end of the file");
    return r;
}

static int start(NnefParser *parser, NnefMemory *memory, const char *text, size_t n,
                 NnError *error)
{
    *parser = (NnefParser){ .memory = memory, .error = error };
    return nn_nnef_lexer_start(&parser->lexer, memory, text, n, error);
}

int nn_nnef_parse(NnefMemory *memory, const char *text, size_t n, NnefDocument *ret_document,
                  NnError *error)
{
    NnefParser parser;
    int r;

    *ret_document = (NnefDocument){ 0 };
    r = start(&parser, memory, text, n, error);
    if (r >= 0)
        r = parse_version(&parser, ret_document);
    if (r >= 0)
        r = parse_extensions(&parser, ret_document);
    if (r >= 0)
        r = parse_fragments(&parser, ret_document);
    return r < 0 ? r : parse_graph(&parser, &ret_document->graph);
}

int nn_nnef_parse_declaration(NnefMemory *memory, const char *text, NnefFragment *ret_fragment,
                              NnError *error)
{
    NnefParser parser;
    int r;

    r = start(&parser, memory, text, strlen(text), error);
    return r < 0 ? r : parse_declaration(&parser, true, ret_fragment);
}

int nn_nnef_parse_fragments(NnefMemory *memory, const char *text, NnefMap *fragments,
                            NnError *error)
{
    const NnefFragment *fragment;
    NnefParser parser;
    int r;

    r = start(&parser, memory, text, strlen(text), error);
    parser.operators = true;
    while (r >= 0 && parser.lexer.token != NNEF_END)
        r = parse_fragment_into(&parser, fragments, &fragment);
    return r;
}

/* "tensor": call(…); the name with or without quotes. */
static int parse_quant_line(NnefParser *parser, NnefMap *quants)
{
    NnefQuant *quant = nn_nnef_alloc(parser->memory, 1, sizeof(*quant));
    NnefExpr *call;
    int r;

    if (!quant)
        return nn_nnef_out_of_memory(parser);
    if (parser->lexer.token != NNEF_STRING && parser->lexer.token != NNEF_IDENTIFIER)
        return nn_nnef_expected(parser, "the name of a tensor");
    quant->tensor = parser->lexer.text;
    r = nn_nnef_lexer_next(&parser->lexer);
    if (r >= 0)
        r = nn_nnef_expect(parser, ':', "':'");
    if (r >= 0)
        r = nn_nnef_expression(parser, &call);
    if (r >= 0)
        r = nn_nnef_expect(parser, ';', "';'");
    if (r < 0)
        return r;
    if (call->kind != NNEF_EXPR_CALL)
        return nn_error_set(parser->error, -EBADMSG, "%d:%d: an operation was expected",
                            call->line, call->column);
    if (nn_nnef_map_get(quants, quant->tensor))
        return nn_error_set(parser->error, -EBADMSG, "%d:%d: tensor '%s' stands there twice",
                            call->line, call->column, quant->tensor);
    quant->call = call;
    r = nn_nnef_map_add(quants, parser->memory, quant->tensor, quant);
    return r < 0 ? nn_nnef_out_of_memory(parser) : 0;
}

int nn_nnef_parse_quant(NnefMemory *memory, const char *text, size_t n, NnefMap *quants,
                        NnError *error)
{
    NnefParser parser;
    int r;

    r = start(&parser, memory, text, n, error);
    while (r >= 0 && parser.lexer.token != NNEF_END)
        r = parse_quant_line(&parser, quants);
    return r;
}
