/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "format.h"
#include "support.h"

static void resolves(const char *region, const char *text, float confidence, const char *expected)
{
    LprPlate plate = test_plate(text, confidence, 0, 0, 100, 50);
    snprintf(plate.region.code, sizeof(plate.region.code), "%s", region);
    float certainty[LPR_CHARACTERS_MAX];
    for (size_t i = 0; i < LPR_CHARACTERS_MAX; i++)
        certainty[i] = confidence;
    lpr_format_resolve(&plate, certainty);
    TEST_TEXT(plate.plate, expected);
    TEST_TEXT(plate.candidates[0].plate, expected);
    for (size_t i = 0; i < plate.n_characters; i++)
        TEST_INT(plate.characters[i].character, expected[i]);
    TEST_INT(plate.n_candidates, strcmp(text, expected) ? 2 : 1);
    if (strcmp(text, expected))
        TEST_TEXT(plate.candidates[1].plate, text);
}

static void test_resolve(void)
{
    resolves("US-CA", "7A8C123", 0.8f, "7ABC123");
    resolves("US-CA", "IABC123", 0.8f, "1ABC123");
    resolves("US-NY", "ABC1Z34", 0.8f, "ABC1234");
    resolves("US-NY", "A6C1Z34", 0.8f, "AGC1234");
    /* O and 0 are one class: they follow the format however sure the reading was. */
    resolves("US-NY", "A0C0000", 0.999f, "AOC0000");
    resolves("US-NY", "OOO1234", 0.999f, "OOO1234");
    /* Fits already; read for sure; looks like nothing else; too many; a vanity plate. */
    resolves("US-NY", "ABC1234", 0.8f, "ABC1234");
    resolves("US-NY", "ABCIZ34", 0.99f, "ABCIZ34");
    resolves("US-NY", "A7C1234", 0.8f, "A7C1234");
    resolves("US-NY", "A8C1ZS4", 0.8f, "A8C1ZS4");
    resolves("US-NY", "8OSS", 0.8f, "8OSS");
    /* Both AAA000 and 000AAA could be meant. */
    resolves("US-OK", "00B8OO", 0.8f, "00B8OO");
    resolves("", "A8C1234", 0.8f, "A8C1234");
    resolves("EU", "A8C1234", 0.8f, "A8C1234");
}

static void test_fits(void)
{
    TEST_TRUE(lpr_format_fits("US-CA", "7ABC123"));
    TEST_TRUE(!lpr_format_fits("US-CA", "7ABC12"));
    TEST_TRUE(!lpr_format_fits("US-CA", "7ABC1234"));
    TEST_TRUE(!lpr_format_fits("US-ZZ", "7ABC123"));
    TEST_TRUE(lpr_format_fits("CA-ON", "ABCD123"));
}

/* A full list of candidates loses its last, not the plate that was read. */
static void test_full_list(void)
{
    LprPlate plate = test_plate("7A8C123", 0.8f, 0, 0, 100, 50);
    snprintf(plate.region.code, sizeof(plate.region.code), "US-CA");
    for (size_t i = 1; i < LPR_CANDIDATES_MAX; i++)
        snprintf(plate.candidates[i].plate, sizeof(plate.candidates[i].plate), "OTHER%zu", i);
    plate.n_candidates = LPR_CANDIDATES_MAX;
    lpr_format_resolve(&plate, (float[LPR_CHARACTERS_MAX]){0});
    TEST_INT(plate.n_candidates, LPR_CANDIDATES_MAX);
    TEST_TEXT(plate.candidates[0].plate, "7ABC123");
    TEST_TEXT(plate.candidates[1].plate, "7A8C123");
    TEST_TEXT(plate.candidates[9].plate, "OTHER8");
}

static void test_filter(void)
{
    LprFilter *filter = NULL;
    TEST_INT(lpr_filter_new("US-CA:^[0-9][A-Z]{3}[0-9]{3}$ US-CA:^VIP  *:^.{5,8}$", &filter, NULL),
             0);
    TEST_TRUE(lpr_filter_accepts(filter, "US-CA", "7ABC123"));
    TEST_TRUE(lpr_filter_accepts(filter, "US-CA", "7AB0123"));
    TEST_TRUE(lpr_filter_accepts(filter, "US-CA", "VIP1"));
    TEST_TRUE(!lpr_filter_accepts(filter, "US-CA", "ABC1234"));
    TEST_TRUE(lpr_filter_accepts(filter, "US-NY", "ABC1234"));
    TEST_TRUE(!lpr_filter_accepts(filter, "", "TAXI"));
    LprFilter *other = lpr_filter_ref(filter);
    TEST_TRUE(lpr_filter_unref(filter) == NULL);
    TEST_TRUE(lpr_filter_accepts(other, "US-CA", "VIP1"));
    lpr_filter_unref(other);
    TEST_TRUE(lpr_filter_accepts(NULL, "US-CA", "TAXI"));
    TEST_TRUE(lpr_filter_unref(NULL) == NULL);
    TEST_INT(lpr_filter_new("  ", &filter, NULL), 0);
    TEST_TRUE(filter == NULL);
    TEST_INT(lpr_filter_new("*:^[A-Z]{1,2}(-[0-9]+)?[0-9]{3,}$", &filter, NULL), 0);
    filter = lpr_filter_unref(filter);
    TEST_INT(lpr_filter_new("US-CA:X", &filter, NULL), 0);
    TEST_TRUE(lpr_filter_accepts(filter, "US-NY", "ABC1234"));
    filter = lpr_filter_unref(filter);
}

static void test_filter_refused(void)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"ABC", "'ABC' is not REGION:EXPRESSION"},
        {":ABC", "':ABC' is not REGION:EXPRESSION"},
        {"US-CALIFORNIA:X", "is not REGION:EXPRESSION"},
        {"US-CA:[0-9", "expression '[0-9': "},
        {"*:A++", "expression 'A++': a repetition of a repetition"},
        {"*:A{2}{2}", "a repetition of a repetition"},
        {"*:(AB)*", "or of a group"},
        {"*:((A{9}){9}){9}", "or of a group"},
        {"*:A{17}", "more than 16 characters"},
        {"*:A{2,999}", "more than 16 characters"},
    };
    LprFilter *filter = NULL;
    NnError error;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        TEST_INT(lpr_filter_new(cases[i].text, &filter, &error), -EINVAL);
        TEST_WORDS(error.message, cases[i].words);
        TEST_TRUE(filter == NULL);
    }
}

int main(void)
{
    test_resolve();
    test_fits();
    test_full_list();
    test_filter();
    test_filter_refused();
    return 0;
}
