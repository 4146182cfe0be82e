/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "list.h"

/* What was said about lines that were left out. */
typedef struct Said {
    int n;
    char last[600];
} Said;

static void note(void *userdata, const char *sentence)
{
    Said *said = userdata;

    said->n++;
    snprintf(said->last, sizeof(said->last), "%s", sentence);
}

static PlatedList *list_of(const char *text, Said *said)
{
    PlatedList *list = NULL;
    Said ignored = {0};

    CHECK_EQUAL(plated_list_new(&list), 0);
    CHECK_EQUAL(plated_list_parse(list, "l.csv", text, strlen(text), note, said ? said : &ignored,
                                  NULL),
                0);
    if (!said)
        CHECK_EQUAL(ignored.n, 0);
    return list;
}

static LprPlate plate_of(const char *text)
{
    LprPlate plate = {.confidence = 0.9f, .n_characters = strlen(text), .n_candidates = 1};

    snprintf(plate.plate, sizeof(plate.plate), "%s", text);
    snprintf(plate.candidates[0].plate, sizeof(plate.candidates[0].plate), "%s", text);
    return plate;
}

/* Wednesday, 15 July 2026, 12:00 unless said otherwise. */
static struct tm at(int mday, int wday, int hour, int minute)
{
    return (struct tm){.tm_year = 126, .tm_mon = 6, .tm_mday = mday, .tm_wday = wday,
                       .tm_hour = hour, .tm_min = minute};
}

static PlatedVerdict look(const PlatedList *list, const char *text, int tolerance, struct tm now)
{
    LprPlate plate = plate_of(text);
    PlatedVerdict verdict;

    plated_list_decide(list, &plate, tolerance, &now, &verdict);
    return verdict;
}

static void decides(const PlatedList *list, const char *text, int tolerance,
                    PlatedDecision decision, const char *reason)
{
    PlatedVerdict verdict = look(list, text, tolerance, at(15, 3, 12, 0));

    CHECK_EQUAL(verdict.decision, decision);
    CHECK_TEXT(verdict.reason, reason);
}

static void test_lookup(void)
{
    PlatedList *list = list_of("\xef\xbb\xbfPlate,name\r\n"
                               "# neighbours\n\n"
                               "7abc-123, Anna Smith \r\n"
                               "\"OOD 1234\",\"Bakery \"\"B\"\", deliveries\"\n"
                               "BAD1234,,,,,Deny",
                               NULL);
    PlatedVerdict verdict = look(list, "7ABC123", 0, at(15, 3, 12, 0));

    CHECK_EQUAL(plated_list_count(list), 3);
    CHECK_TEXT(verdict.plate, "7ABC123");
    CHECK_TEXT(verdict.name, "Anna Smith");
    verdict = look(list, "00D1234", 0, at(15, 3, 12, 0));
    CHECK_TEXT(verdict.plate, "OOD1234");
    CHECK_TEXT(verdict.name, "Bakery \"B\", deliveries");
    decides(list, "7ABC123", 0, PLATED_DECISION_GRANTED, "listed");
    decides(list, "BAD1234", 0, PLATED_DECISION_DENIED, "blocked");
    decides(list, "7ABC124", 1, PLATED_DECISION_UNKNOWN, "not listed");
    CHECK_TEXT(look(list, "7ABC124", 1, at(15, 3, 12, 0)).plate, "");
    plated_list_free(list);
    plated_list_free(NULL);
}

static void test_tolerance(void)
{
    PlatedList *list = list_of("7ABC123\nXYZ9876\n", NULL);
    LprPlate plate = plate_of("7AHC123");
    struct tm now = at(15, 3, 12, 0);
    PlatedVerdict verdict;

    decides(list, "7A8C123", 0, PLATED_DECISION_UNKNOWN, "not listed");
    decides(list, "7A8C123", 1, PLATED_DECISION_GRANTED, "listed");
    decides(list, "7A8CI23", 1, PLATED_DECISION_UNKNOWN, "not listed");
    decides(list, "7A8CI23", 2, PLATED_DECISION_GRANTED, "listed");
    decides(list, "7ABC12", 1, PLATED_DECISION_UNKNOWN, "not listed");
    decides(list, "7ABC12", 2, PLATED_DECISION_GRANTED, "listed");
    decides(list, "7AHC123", 1, PLATED_DECISION_UNKNOWN, "not listed");
    /* The reader itself held it possible. */
    snprintf(plate.candidates[1].plate, sizeof(plate.candidates[1].plate), "7ABC123");
    plate.n_candidates = 2;
    plated_list_decide(list, &plate, 1, &now, &verdict);
    CHECK_EQUAL(verdict.decision, PLATED_DECISION_GRANTED);
    CHECK_EQUAL(verdict.distance, 1);
    plated_list_free(list);
}

/* The nearest speaks; of those as near the blocked one, then the valid one. */
static void test_precedence(void)
{
    PlatedList *list = list_of("7A8C123,near,,,,deny\n7ABC123,exact\n"
                               "TWICE12,old,,2020-01-01\nTWICE12,new\n"
                               "BOTH123,yes\nBOTH123,no,,,,deny\n",
                               NULL);

    CHECK_TEXT(look(list, "7ABC123", 2, at(15, 3, 12, 0)).name, "exact");
    decides(list, "7A8C123", 2, PLATED_DECISION_DENIED, "blocked");
    CHECK_TEXT(look(list, "TWICE12", 0, at(15, 3, 12, 0)).name, "new");
    decides(list, "B0TH123", 0, PLATED_DECISION_DENIED, "blocked");
    plated_list_free(list);
}

static void test_dates(void)
{
    PlatedList *list = list_of("AAA111,,2026-07-10,2026-07-15\n"
                               "BBB222,,2026-07-15T12:30,\n"
                               "CCC333,,,2026-07-15T12:00\n",
                               NULL);
    static const struct {
        const char *plate;
        int mday, hour, minute;
        const char *reason;
    } cases[] = {
        {"AAA111", 9, 23, 59, "not yet valid"},  {"AAA111", 10, 0, 0, "listed"},
        {"AAA111", 15, 23, 59, "listed"},        {"AAA111", 16, 0, 0, "expired"},
        {"BBB222", 15, 12, 29, "not yet valid"}, {"BBB222", 15, 12, 30, "listed"},
        {"CCC333", 15, 11, 59, "listed"},        {"CCC333", 15, 12, 0, "expired"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_TEXT(look(list, cases[i].plate, 0,
                          at(cases[i].mday, (cases[i].mday + 2) % 7, cases[i].hour,
                             cases[i].minute)).reason,
                     cases[i].reason);
    plated_list_free(list);
}

static void test_hours(void)
{
    PlatedList *list = list_of("DAY111,,,,Mo-Fr 07:00-18:00; Sa 08:00-12:00\n"
                               "NIGHT1,,,,\"fr,sa 22:00-06:00\"\n"
                               "EVERY1,,,,06:00-24:00\n"
                               "WEEK11,,,,Sa-Mo 00:00-24:00\n",
                               NULL);
    /* Weekday 0 is Sunday, as struct tm has it. */
    static const struct {
        const char *plate;
        int wday, hour, minute;
        bool inside;
    } cases[] = {
        {"DAY111", 1, 7, 0, true},    {"DAY111", 5, 17, 59, true},  {"DAY111", 5, 18, 0, false},
        {"DAY111", 6, 9, 0, true},    {"DAY111", 0, 9, 0, false},   {"NIGHT1", 5, 21, 59, false},
        {"NIGHT1", 5, 22, 0, true},   {"NIGHT1", 6, 5, 59, true},   {"NIGHT1", 0, 5, 59, true},
        {"NIGHT1", 1, 5, 59, false},  {"NIGHT1", 5, 5, 0, false},   {"NIGHT1", 0, 22, 0, false},
        {"EVERY1", 0, 23, 59, true},  {"EVERY1", 0, 5, 59, false},  {"WEEK11", 6, 0, 0, true},
        {"WEEK11", 1, 23, 59, true},  {"WEEK11", 2, 0, 0, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_TEXT(look(list, cases[i].plate, 0,
                          at(15, cases[i].wday, cases[i].hour, cases[i].minute)).reason,
                     cases[i].inside ? "listed" : "outside its hours");
    plated_list_free(list);
}

/* A wrong line is named and left out; the others count. */
static void test_wrong_lines(void)
{
    static const char *const lines[][2] = {
        {"A", "a plate is 2 to 16 letters and digits"},
        {"--", "a plate is 2 to 16 letters and digits"},
        {"ABCDEFGHIJKLMNOPQ", "a plate is 2 to 16 letters and digits"},
        {"AB\xc3\x84" "123", "a plate is 2 to 16 letters and digits"},
        {"ABC123,\"no end", "quotes that do not end"},
        {"ABC123,\"end\" not", "quotes that do not end"},
        {"ABC123,a,,,,allow,more", "more than six fields"},
        {"ABC123,,2026-13-01", "dates are like"},
        {"ABC123,,2026-02-29", "dates are like"},
        {"ABC123,,2026-07-02,2026-07-01", "dates are like"},
        {"ABC123,,2026-07-02 25:00", "dates are like"},
        {"ABC123,,2026-07-02x", "dates are like"},
        {"ABC123,,,,Mo", "hours are like"},
        {"ABC123,,,,Mo 7:00-8:00", "hours are like"},
        {"ABC123,,,,Mo 07:00-07:00", "hours are like"},
        {"ABC123,,,,Mo 24:00-07:00", "hours are like"},
        {"ABC123,,,,Xx 07:00-08:00", "hours are like"},
        {"ABC123,,,,Mo 07:00-08:00 Tu 07:00-08:00", "hours are like"},
        {"ABC123,,,,,maybe", "access is allow or deny"},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        Said said = {0};
        char text[256];
        PlatedList *list;

        snprintf(text, sizeof(text), "GOOD11\n%s\nGOOD22\n", lines[i][0]);
        list = list_of(text, &said);
        CHECK_EQUAL(plated_list_count(list), 2);
        CHECK_EQUAL(said.n, 1);
        CHECK(strstr(said.last, "l.csv:2: ") == said.last);
        CHECK(strstr(said.last, lines[i][1]));
        plated_list_free(list);
    }
}

static void test_limits(void)
{
    PlatedList *list = NULL;
    NnError error;
    Said said = {0};
    char line[1200], *many = malloc(8 * (PLATED_LIST_ENTRIES_MAX + 1) + 1), *p = many;

    memset(line, 'A', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    list = list_of(line, &said);
    CHECK_EQUAL(said.n, 1);
    plated_list_free(list);
    for (int i = 0; i <= PLATED_LIST_ENTRIES_MAX; i++)
        p += sprintf(p, "P%06d\n", i);
    CHECK_EQUAL(plated_list_new(&list), 0);
    CHECK_EQUAL(plated_list_parse(list, "l.csv", many, (size_t)(p - many), note, &said, &error),
                -E2BIG);
    CHECK(strstr(error.message, "l.csv:100001: more than 100000 plates are listed"));
    CHECK_EQUAL(plated_list_read(list, "/nowhere/l.csv", note, &said, &error), -ENOENT);
    CHECK(strstr(error.message, "/nowhere/l.csv: No such file"));
    CHECK_EQUAL(plated_list_read(list, "/tmp", note, &said, &error), -EBADMSG);
    plated_list_free(list);
    free(many);
}

int main(void)
{
    test_lookup();
    test_tolerance();
    test_precedence();
    test_dates();
    test_hours();
    test_wrong_lines();
    test_limits();
    return 0;
}
