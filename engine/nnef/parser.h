/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the parser of expressions and that of declarations share. */

#include "nnef/syntax.h"

typedef struct NnefParser {
    NnefLexer lexer;
    NnefMemory *memory;
    bool operators;             /* beyond the flat syntax */
    bool provisional;
    int depth;
    NnError *error;
} NnefParser;

/* -EBADMSG at the token in hand: "expected ';' but found 'x'". */
int nn_nnef_expected(NnefParser *parser, const char *what);
int nn_nnef_out_of_memory(NnefParser *parser);

/* Takes the token in hand when it is this one. */
NN_MUST_CHECK int nn_nnef_expect(NnefParser *parser, int token, const char *what);
NN_MUST_CHECK int nn_nnef_accept(NnefParser *parser, int token, bool *ret_found);
NN_MUST_CHECK int nn_nnef_identifier(NnefParser *parser, const char **ret_name);

/* "integer", "scalar", "logical", "string", "?"; false for anything else. */
bool nn_nnef_primitive(const NnefParser *parser, NnefPrimitive *ret);

/* An expression, and what stands on the left of an assignment. */
NN_MUST_CHECK int nn_nnef_expression(NnefParser *parser, NnefExpr **ret);
NN_MUST_CHECK int nn_nnef_target(NnefParser *parser, NnefExpr **ret);

/* An array that grows in the document's memory. */
#define NNEF_PUSH(parser, array, n, capacity, item)                                     \
    ({                                                                                  \
        int _r = 0;                                                                     \
        if ((n) == (capacity)) {                                                        \
            size_t _more = NN_MAX(2 * (capacity), 4);                                   \
            __typeof__(array) _a = nn_nnef_alloc((parser)->memory, _more, sizeof(*_a)); \
            if (_a) {                                                                   \
                if (n)                                                                  \
                    memcpy(_a, array, (n) * sizeof(*_a));                               \
                (array) = _a;                                                           \
                (capacity) = _more;                                                     \
            } else                                                                      \
                _r = nn_nnef_out_of_memory(parser);                                     \
        }                                                                               \
        if (_r == 0)                                                                    \
            (array)[(n)++] = (item);                                                    \
        _r;                                                                             \
    })
