/* SPDX-License-Identifier: Apache-2.0 */
#include <regex.h>
#include <stdatomic.h>

#include "engine/base/util.h"
#include "lpr.h"

#define EXPRESSIONS_MAX 64
#define EXPRESSION_BYTES 256

typedef struct Expression {
    char region[8];
    regex_t regex;
} Expression;

struct LprFilter {
    atomic_uint references;
    size_t n;
    Expression items[EXPRESSIONS_MAX];
};

NN_DEFINE_CLEANUP(LprFilter, lpr_filter_unref)

LprFilter *lpr_filter_ref(LprFilter *filter)
{
    if (filter)
        atomic_fetch_add(&filter->references, 1);
    return filter;
}

LprFilter *lpr_filter_unref(LprFilter *filter)
{
    if (!filter || atomic_fetch_sub(&filter->references, 1) > 1)
        return NULL;
    for (size_t i = 0; i < filter->n; i++)
        regfree(&filter->items[i].regex);
    free(filter);
    return NULL;
}

/* Repetitions of repetitions make regcomp() take minutes and gigabytes: none follows
 * another, none of a group but "?", and none counts beyond the length of a plate. */
static bool is_modest(const char *expression)
{
    for (const char *p = expression; *p; p++) {
        if (*p == '{' && strtoul(p + 1, NULL, 10) > LPR_CHARACTERS_MAX)
            return false;
        if (*p == ',' && strtoul(p + 1, NULL, 10) > LPR_CHARACTERS_MAX)
            return false;
        if (strchr("*+?}", *p) && p[1] && strchr("*+?{", p[1]))
            return false;
        if (*p == ')' && p[1] && strchr("*+{", p[1]))
            return false;
    }
    return true;
}

/* "REGION:REGEX" of n bytes. */
static int add(LprFilter *filter, const char *text, size_t n, NnError *error)
{
    const char *colon = memchr(text, ':', n);
    char expression[EXPRESSION_BYTES], reason[128];
    Expression *item = &filter->items[filter->n];
    int r;

    if (!colon || colon == text || (size_t)(colon - text) >= sizeof(item->region))
        return nn_error_set(error, -EINVAL, "'%.*s' is not REGION:EXPRESSION", (int)NN_MIN(n, 64),
                            text);
    n -= (size_t)(colon + 1 - text);
    if (filter->n == EXPRESSIONS_MAX || n >= sizeof(expression))
        return nn_error_set(error, -EINVAL, "more than %d expressions, or one over %d bytes",
                            EXPRESSIONS_MAX, EXPRESSION_BYTES - 1);
    memcpy(item->region, text, (size_t)(colon - text));
    memcpy(expression, colon + 1, n);
    expression[n] = '\0';
    if (!is_modest(expression))
        return nn_error_set(error, -EINVAL,
                            "expression '%s': a repetition of a repetition or of a group, or of "
                            "more than %d characters",
                            expression, LPR_CHARACTERS_MAX);
    r = regcomp(&item->regex, expression, REG_EXTENDED | REG_NOSUB);
    if (r != 0) {
        regerror(r, &item->regex, reason, sizeof(reason));
        return nn_error_set(error, -EINVAL, "expression '%s': %s", expression, reason);
    }
    filter->n++;
    return 0;
}

int lpr_filter_new(const char *text, LprFilter **ret_filter, NnError *error)
{
    _cleanup_(lpr_filter_unrefp) LprFilter *filter = calloc(1, sizeof(*filter));
    int r;

    if (!filter)
        return nn_error_set(error, -ENOMEM, "out of memory");
    atomic_init(&filter->references, 1);
    while (text && *text) {
        size_t n = strcspn(text, " \t");

        r = n ? add(filter, text, n, error) : 0;
        if (r < 0)
            return r;
        text += n + (text[n] != '\0');
    }
    *ret_filter = filter->n ? NN_TAKE(filter) : NULL;
    return 0;
}

/* As it is, and with all O as 0 and all 0 as O: readers do not tell them apart. */
static bool matches(const regex_t *regex, const char *plate)
{
    char zeros[LPR_CHARACTERS_MAX + 1], letters[LPR_CHARACTERS_MAX + 1];
    size_t n = NN_MIN(strlen(plate), (size_t)LPR_CHARACTERS_MAX);

    for (size_t i = 0; i < n; i++) {
        zeros[i] = plate[i] == 'O' ? '0' : plate[i];
        letters[i] = plate[i] == '0' ? 'O' : plate[i];
    }
    zeros[n] = letters[n] = '\0';
    return regexec(regex, plate, 0, NULL, 0) == 0 || regexec(regex, zeros, 0, NULL, 0) == 0 ||
           regexec(regex, letters, 0, NULL, 0) == 0;
}

/* Of the expressions for one name: whether there are any, and whether one fits. */
static bool judge(const LprFilter *filter, const char *region, const char *plate, bool *ret_any)
{
    *ret_any = false;
    for (size_t i = 0; i < filter->n; i++) {
        if (strcmp(filter->items[i].region, region) != 0)
            continue;
        *ret_any = true;
        if (matches(&filter->items[i].regex, plate))
            return true;
    }
    return false;
}

bool lpr_filter_accepts(const LprFilter *filter, const char *region, const char *plate)
{
    bool any, accepted;

    if (!filter)
        return true;
    accepted = judge(filter, region, plate, &any);
    if (!any)
        accepted = judge(filter, "*", plate, &any) || !any;
    return accepted;
}
