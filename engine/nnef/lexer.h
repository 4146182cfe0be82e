/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tokens of NNEF text, one ahead. */

#include "nnef/memory.h"

/* Punctuation is its own character. */
typedef enum NnefToken {
    NNEF_END = 0,
    NNEF_IDENTIFIER = 256,
    NNEF_INTEGER,
    NNEF_SCALAR,
    NNEF_STRING,
    NNEF_ARROW,     /* -> */
    NNEF_LE,
    NNEF_GE,
    NNEF_EQ,
    NNEF_NE,
    NNEF_AND,
    NNEF_OR,
} NnefToken;

typedef struct NnefLexer {
    NnefMemory *memory;
    const char *at, *end;       /* behind the token in hand */
    int line;
    const char *line_start;
    int token;
    int token_line, token_column;
    const char *text;           /* of an identifier, number or string */
    int64_t integer;
    double scalar;
    NnError *error;
} NnefLexer;

/* Reads the first token. */
NN_MUST_CHECK int nn_nnef_lexer_start(NnefLexer *lexer, NnefMemory *memory, const char *text,
                                      size_t n, NnError *error);

/* Reads the next one. -EBADMSG with line and column for what is no token. */
NN_MUST_CHECK int nn_nnef_lexer_next(NnefLexer *lexer);

bool nn_nnef_lexer_is_word(const NnefLexer *lexer, const char *word);

/* "'relu'", "end of file": the token in hand, for messages. Returns `buffer`. */
const char *nn_nnef_lexer_describe(const NnefLexer *lexer, char *buffer, size_t n);
