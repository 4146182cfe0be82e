/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "support.h"
#include "zones.h"

static LprZones zones_of(const char *include, const char *exclude)
{
    LprZones zones = {0};
    TEST_INT(lpr_zones_add(&zones, include, false, NULL), 0);
    TEST_INT(lpr_zones_add(&zones, exclude, true, NULL), 0);
    return zones;
}

static void test_none(void)
{
    LprZones zones = zones_of("", NULL);
    TEST_TRUE(lpr_zones_contain(&zones, 0, 0));
    TEST_TRUE(lpr_zones_contain(&zones, 1, 1));
}

/* A square, and a U whose inside is outside. */
static void test_include(void)
{
    LprZones zones = zones_of("0.1,0.1 0.3,0.1 0.3,0.3 0.1,.3 ; "
                              "0.5,0.5 0.6,0.5 0.6,0.9 0.8,0.9 0.8,0.5 0.9,0.5 0.9,1 0.5,1", "");
    static const struct {
        float x, y;
        bool inside;
    } cases[] = {
        {0.2f, 0.2f, true},   {0.4f, 0.2f, false},  {0.2f, 0.05f, false}, {0.2f, 0.35f, false},
        {0.55f, 0.6f, true},  {0.7f, 0.6f, false},  {0.7f, 0.95f, true},  {0.85f, 0.6f, true},
        {0.95f, 0.6f, false}, {0.29f, 0.29f, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        TEST_INT(lpr_zones_contain(&zones, cases[i].x, cases[i].y), cases[i].inside);
}

static void test_exclude(void)
{
    LprZones only = zones_of("", "0,0 1,0 1,0.2 0,0.2");
    LprZones both = zones_of("0,0 0.5,0 0.5,1 0,1", "0,0 1,0 1,0.2 0,0.2");
    TEST_TRUE(!lpr_zones_contain(&only, 0.7f, 0.1f));
    TEST_TRUE(lpr_zones_contain(&only, 0.7f, 0.5f));
    TEST_TRUE(!lpr_zones_contain(&both, 0.2f, 0.1f));
    TEST_TRUE(lpr_zones_contain(&both, 0.2f, 0.5f));
    TEST_TRUE(!lpr_zones_contain(&both, 0.7f, 0.5f));
}

static void test_refused(void)
{
    static const struct {
        const char *text, *words;
        int code;
    } cases[] = {
        {"0.1,0.1 0.2,0.2", "has 2 corners", -EINVAL},
        {"0.1,0.1 0.2 0.3,0.3", "'0.2 0.3,0.3' is not a corner", -EINVAL},
        {"0.1,0.1 1.5,0.2 0.3,0.3", "'1.5,0.2 0.3,0.3' is not a corner", -EINVAL},
        {"a,b", "'a,b' is not a corner", -EINVAL},
        {"-0.1,0 0,0 1,1", "is not a corner", -EINVAL},
        {";", "has 0 corners", -EINVAL},
        {"0,0 1,0 1,1;;", "has 0 corners", -EINVAL},
        {"0.1,0.2,0.3 0,0 1,1", "',0.3 0,0 1,1' is not a corner", -EINVAL},
    };
    char many[4096] = "";
    NnError error;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        TEST_INT(lpr_zones_check(cases[i].text, &error), cases[i].code);
        TEST_WORDS(error.message, cases[i].words);
    }
    for (int i = 0; i <= LPR_POINTS_MAX; i++)
        strcat(many, "0.5,0.5 ");
    TEST_INT(lpr_zones_check(many, &error), -E2BIG);
    many[0] = '\0';
    for (int i = 0; i <= LPR_ZONES_MAX; i++)
        strcat(many, "0,0 1,0 1,1;");
    TEST_INT(lpr_zones_check(many, &error), -E2BIG);
    TEST_WORDS(error.message, "more than 16 zones");
}

int main(void)
{
    test_none();
    test_include();
    test_exclude();
    test_refused();
    return 0;
}
