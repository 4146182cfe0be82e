/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/lexer.h"

#include <stdio.h>

#include "base/limits.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int fail(const NnefLexer *lexer, int code, const char *what)
{
    return nn_error_set(lexer->error, code, "%d:%d: %s", lexer->token_line, lexer->token_column,
                        what);
}

static void skip_blanks(NnefLexer *lexer)
{
    for (; lexer->at < lexer->end; lexer->at++) {
        if (*lexer->at == '#') {
            while (lexer->at < lexer->end && *lexer->at != '\n')
                lexer->at++;
            if (lexer->at == lexer->end)
                return;
        }
        if (*lexer->at == '\n') {
            lexer->line++;
            lexer->line_start = lexer->at + 1;
        } else if (*lexer->at != ' ' && *lexer->at != '\t' && *lexer->at != '\r')
            return;
    }
}

static int read_text(NnefLexer *lexer, int token, const char *start, size_t n)
{
    if (n > NN_LIMIT_NAME_BYTES)
        return fail(lexer, -E2BIG, "a name, number or string is too long");
    lexer->text = nn_nnef_string(lexer->memory, start, n);
    if (!lexer->text)
        return fail(lexer, -ENOMEM, "out of memory");
    lexer->token = token;
    return 0;
}

static void skip_digits(NnefLexer *lexer)
{
    while (lexer->at < lexer->end && is_digit(*lexer->at))
        lexer->at++;
}

/* An exponent is one only with digits behind it. */
static bool skip_exponent(NnefLexer *lexer)
{
    const char *p = lexer->at;

    if (p == lexer->end || (*p != 'e' && *p != 'E'))
        return false;
    p++;
    if (p < lexer->end && (*p == '+' || *p == '-'))
        p++;
    if (p == lexer->end || !is_digit(*p))
        return false;
    lexer->at = p;
    skip_digits(lexer);
    return true;
}

static int read_number(NnefLexer *lexer)
{
    const char *start = lexer->at;
    bool scalar = false;
    int r;

    skip_digits(lexer);
    if (lexer->at < lexer->end && *lexer->at == '.') {
        scalar = true;
        lexer->at++;
        skip_digits(lexer);
    }
    scalar = skip_exponent(lexer) || scalar;
    r = read_text(lexer, scalar ? NNEF_SCALAR : NNEF_INTEGER, start, (size_t)(lexer->at - start));
    if (r < 0)
        return r;
    if (lexer->at < lexer->end && is_letter(*lexer->at))
        return fail(lexer, -EBADMSG, "a number runs into a name");
    errno = 0;
    if (scalar)
        lexer->scalar = strtod(lexer->text, NULL);
    else
        lexer->integer = strtoll(lexer->text, NULL, 10);
    return errno && !scalar ? fail(lexer, -EBADMSG, "a number is too large") : 0;
}

/* A backslash takes the character behind it as it is. */
static int read_string(NnefLexer *lexer)
{
    char quote = *lexer->at++;
    const char *start = lexer->at;
    char *text, *to;
    int r;

    while (lexer->at < lexer->end && *lexer->at != quote && *lexer->at != '\n' && *lexer->at) {
        if (*lexer->at == '\\' && lexer->end - lexer->at > 1 && lexer->at[1] != '\n')
            lexer->at++;
        lexer->at++;
    }
    if (lexer->at >= lexer->end || *lexer->at != quote)
        return fail(lexer, -EBADMSG, "a string does not end on its line");
    r = read_text(lexer, NNEF_STRING, start, (size_t)(lexer->at++ - start));
    if (r < 0)
        return r;
    text = to = (char *)lexer->text;
    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        *to++ = *text;
    }
    *to = '\0';
    return 0;
}

static int read_punctuation(NnefLexer *lexer)
{
    static const struct {
        char text[3];
        int token;
    } pairs[] = {
        { "->", NNEF_ARROW }, { "<=", NNEF_LE },  { ">=", NNEF_GE }, { "==", NNEF_EQ },
        { "!=", NNEF_NE },    { "&&", NNEF_AND }, { "||", NNEF_OR },
    };

    for (size_t i = 0; i < NN_ARRAY_SIZE(pairs); i++)
        if (lexer->end - lexer->at > 1 && memcmp(lexer->at, pairs[i].text, 2) == 0) {
            lexer->at += 2;
            lexer->token = pairs[i].token;
            return 0;
        }
    if (!*lexer->at || !strchr("(){}[]<>=,;:?+-*/^!", *lexer->at))
        return fail(lexer, -EBADMSG, "a character that is none of NNEF's");
    lexer->token = *lexer->at++;
    return 0;
}

int nn_nnef_lexer_next(NnefLexer *lexer)
{
    const char *start;

    skip_blanks(lexer);
    lexer->token_line = lexer->line;
    lexer->token_column = (int)(lexer->at - lexer->line_start) + 1;
    start = lexer->at;
    if (lexer->at == lexer->end) {
        lexer->token = NNEF_END;
        return 0;
    }
    if (is_letter(*start)) {
        while (lexer->at < lexer->end && (is_letter(*lexer->at) || is_digit(*lexer->at)))
            lexer->at++;
        return read_text(lexer, NNEF_IDENTIFIER, start, (size_t)(lexer->at - start));
    }
    if (is_digit(*start))
        return read_number(lexer);
    if (*start == '\'' || *start == '"')
        return read_string(lexer);
    return read_punctuation(lexer);
}

int nn_nnef_lexer_start(NnefLexer *lexer, NnefMemory *memory, const char *text, size_t n,
                        NnError *error)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";

    if (n >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3;
        n -= 3;
    }
    *lexer = (NnefLexer){
        .memory = memory,
        .at = text,
        .end = text + n,
        .line = 1,
        .line_start = text,
        .error = error,
    };
    return nn_nnef_lexer_next(lexer);
}

bool nn_nnef_lexer_is_word(const NnefLexer *lexer, const char *word)
{
    return lexer->token == NNEF_IDENTIFIER && strcmp(lexer->text, word) == 0;
}

const char *nn_nnef_lexer_describe(const NnefLexer *lexer, char *buffer, size_t n)
{
    static const char *const pairs[] = { "->", "<=", ">=", "==", "!=", "&&", "||" };

    if (lexer->token == NNEF_END)
        snprintf(buffer, n, "end of file");
    else if (lexer->token >= NNEF_ARROW)
        snprintf(buffer, n, "'%s'", pairs[lexer->token - NNEF_ARROW]);
    else if (lexer->token >= NNEF_IDENTIFIER)
        snprintf(buffer, n, "'%.40s'", lexer->text);
    else
        snprintf(buffer, n, "'%c'", lexer->token);
    return buffer;
}
