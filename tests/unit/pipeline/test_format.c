/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "format.h"
#include "support.h"

/* A reading of one candidate, each character as sure as `certainty`. */
static LprPlate resolved(const char *region, float region_confidence, const char *text,
                         float certainty)
{
    float certainties[LPR_CHARACTERS_MAX];
    LprPlate plate = test_plate(text, certainty, 0, 0, 100, 50);

    snprintf(plate.region.code, sizeof(plate.region.code), "%s", region);
    plate.region.confidence = region_confidence;
    for (size_t i = 0; i < LPR_CHARACTERS_MAX; i++)
        certainties[i] = certainty;
    lpr_format_resolve(&plate, certainties, 0.5f);
    return plate;
}

static void resolves(const char *region, const char *text, float certainty, const char *expected)
{
    LprPlate plate = resolved(region, 1, text, certainty);

    TEST_TEXT(plate.plate, expected);
    TEST_TEXT(plate.candidates[0].plate, expected);
    TEST_NEAR(plate.confidence, plate.candidates[0].confidence, 0);
    for (size_t i = 0; i < plate.n_characters; i++)
        TEST_INT(plate.characters[i].character, expected[i]);
}

static void test_resolve(void)
{
    resolves("US-CA", "7A8C123", 0.8f, "7ABC123");
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
    /* A serial of Ontario: California's must be told from it by the reading. */
    resolves("US-CA", "IABC123", 0.9f, "IABC123");
    resolves("US-CA", "IABC123", 0.6f, "1ABC123");
    /* AAA000 as it stands; both AAA000 and 000AAA could be meant. */
    resolves("US-OK", "00B8OO", 0.8f, "OOB800");
    resolves("US-OK", "000000", 0.8f, "000000");
    resolves("", "A8C1234", 0.8f, "A8C1234");
    resolves("EU", "A8C1234", 0.8f, "A8C1234");
    /* Where the region is a guess, O and 0 stay. */
    TEST_TEXT(resolved("US-NY", 0.4f, "A0C0000", 0.9f).plate, "A0C0000");
    TEST_TEXT(resolved("US-NY", 0.4f, "ABC1Z34", 0.8f).plate, "ABC1234");
    TEST_TEXT(resolved("US-NY", 0.05f, "ABC1Z34", 0.9f).plate, "ABC1Z34");
}

/* Of two readings, serials and words outweigh what nobody issues; the sum stays. */
static void test_weights(void)
{
    static const struct {
        const char *region, *first, *second, *expected;
        float share;
    } cases[] = {
        {"US-NY", "CLTD108", "CLT0108", "CLT0108", 0.2f},
        {"", "A5C7399", "ASC7399", "ASC7399", 0.2f},
        {"", "A5C7399", "ASC7399", "A5C7399", 0.05f},
        {"", "NE1LD", "NEILD", "NEILD", 0.1f},
        {"US-CA", "6LKRL81", "6LKR481", "6LKR481", 0.05f},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        LprPlate plate = test_plate(cases[i].first, 0.8f, 0, 0, 100, 50);
        float certainty[LPR_CHARACTERS_MAX];
        snprintf(plate.region.code, sizeof(plate.region.code), "%s", cases[i].region);
        plate.region.confidence = 0.9f;
        plate.candidates[0].confidence = 0.8f * (1 - cases[i].share);
        plate.candidates[1].confidence = 0.8f * cases[i].share;
        snprintf(plate.candidates[1].plate, sizeof(plate.candidates[1].plate), "%s",
                 cases[i].second);
        plate.n_candidates = 2;
        for (size_t k = 0; k < LPR_CHARACTERS_MAX; k++)
            certainty[k] = 1;
        lpr_format_resolve(&plate, certainty, 0.5f);
        TEST_TEXT(plate.plate, cases[i].expected);
        TEST_INT(plate.n_candidates, 2);
        TEST_NEAR(plate.candidates[0].confidence + plate.candidates[1].confidence, 0.8, 1e-5);
        TEST_TRUE(plate.candidates[0].confidence >= plate.candidates[1].confidence);
    }
    LprPlate nothing = {0};
    lpr_format_resolve(&nothing, (float[LPR_CHARACTERS_MAX]){0}, 0.5f);
    TEST_TEXT(nothing.plate, "");
}

static void test_likelihood(void)
{
    TEST_TRUE(lpr_format_likelihood("US-CA", "7ABC123") > 1);
    TEST_NEAR(lpr_format_likelihood("US-NY", "7ABC123"), 1, 0);
    TEST_NEAR(lpr_format_likelihood("other", "7ABC123"), 1, 0);
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
    plate.region.confidence = 1;
    lpr_format_resolve(&plate, (float[LPR_CHARACTERS_MAX]){0}, 0.5f);
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
    test_weights();
    test_likelihood();
    test_fits();
    test_full_list();
    test_filter();
    test_filter_refused();
    return 0;
}
