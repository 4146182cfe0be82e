/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include "vote.h"

static void add(LprVote *vote, const char *text, float confidence)
{
    LprPlate plate = test_plate(text, confidence, 0, 0, 100, 50);
    lpr_vote_add(vote, &plate);
}

static LprPlate decide(const LprVote *vote)
{
    LprPlate plate = {0};
    lpr_vote_decide(vote, 0.5f, &plate);
    TEST_INT(strlen(plate.plate), plate.n_characters);
    return plate;
}

static void test_one_reading(void)
{
    LprVote vote = {0};
    add(&vote, "ABC123", 0.7f);
    LprPlate plate = decide(&vote);
    TEST_TEXT(plate.plate, "ABC123");
    TEST_NEAR(plate.confidence, 0.7, 1e-4);
}

/* Agreement makes sure, but no number of doubtful readings makes certain at once. */
static void test_agreement(void)
{
    LprVote vote = {0};
    float last = 0;
    for (int i = 0; i < 6; i++) {
        add(&vote, "ABC123", 0.3f);
        LprPlate plate = decide(&vote);
        TEST_TRUE(plate.confidence > last);
        last = plate.confidence;
    }
    TEST_TRUE(last > 0.8 && last < 0.95);
}

/* Readings of one picture make none surer than one of them. */
static void test_same_picture(void)
{
    LprVote vote = {.same_picture = true};
    for (int i = 0; i < 3; i++)
        add(&vote, "ABC123", 0.7f);
    TEST_NEAR(decide(&vote).confidence, 0.7, 1e-4);
}

static void test_characters_vote_apart(void)
{
    LprVote vote = {0};
    add(&vote, "XBC123", 0.8f);
    add(&vote, "AYC123", 0.8f);
    add(&vote, "ABZ123", 0.8f);
    TEST_TEXT(decide(&vote).plate, "ABC123");
}

/* One clear look outweighs two poor ones. */
static void test_confidence_weighs(void)
{
    LprVote vote = {0};
    add(&vote, "ABC128", 0.001f);
    add(&vote, "ABC128", 0.002f);
    add(&vote, "ABC123", 0.95f);
    LprPlate plate = decide(&vote);
    TEST_TEXT(plate.plate, "ABC123");
    TEST_TRUE(plate.characters[5].confidence < plate.characters[4].confidence);
    TEST_TEXT(plate.candidates[1].plate, "ABC128");
}

/* A character that was lost or invented in some frames. */
static void test_lengths(void)
{
    LprVote vote = {0};
    add(&vote, "7ABC123", 0.8f);
    add(&vote, "ABC123", 0.8f);
    add(&vote, "7ABC123", 0.8f);
    add(&vote, "71ABC123", 0.8f);
    LprPlate plate = decide(&vote);
    TEST_TEXT(plate.plate, "7ABC123");
    /* The others speak for the characters they have. */
    TEST_TRUE(plate.characters[6].confidence > plate.characters[0].confidence - 1e-6);
    TEST_TRUE(plate.characters[6].confidence > 0.9);
}

/* Characters are lost more easily than invented: a longer reading that comes again
 * and says the same besides is the plate, though fewer frames have it. */
static void test_lost_characters(void)
{
    LprVote vote = {0};
    for (int i = 0; i < 4; i++)
        add(&vote, "UP6U0006", 0.8f);
    add(&vote, "UP16CU0006", 0.8f);
    TEST_TEXT(decide(&vote).plate, "UP6U0006");
    add(&vote, "UP16CU0006", 0.8f);
    TEST_TEXT(decide(&vote).plate, "UP16CU0006");
    add(&vote, "XUP16CU0006", 0.5f);
    TEST_TEXT(decide(&vote).plate, "UP16CU0006");
}

/* Another reading that is no part of it does not become longer by it. */
static void test_other_length(void)
{
    LprVote vote = {0};
    for (int i = 0; i < 4; i++)
        add(&vote, "ABC123", 0.8f);
    for (int i = 0; i < 3; i++)
        add(&vote, "AXC1234", 0.8f);
    TEST_TEXT(decide(&vote).plate, "ABC123");
}

/* What a reading was unsure of is not lost. */
static void test_candidates_speak(void)
{
    LprVote vote = {0};
    LprPlate plate = test_plate("ABC128", 0.7f, 0, 0, 100, 50);
    plate.n_candidates = 2;
    plate.candidates[1] = (LprCandidate){"ABC12B", 0.68f};
    for (int i = 0; i < 3; i++)
        lpr_vote_add(&vote, &plate);
    plate = decide(&vote);
    TEST_TEXT(plate.plate, "ABC128");
    TEST_TEXT(plate.candidates[1].plate, "ABC12B");
    TEST_TRUE(plate.characters[5].confidence < plate.characters[0].confidence);
}

static void test_many_readings(void)
{
    LprVote vote = {0};
    for (int i = 0; i < LPR_READS_MAX; i++)
        add(&vote, "AAA111", 0.4f);
    for (int i = 0; i < LPR_READS_MAX; i++)
        add(&vote, "BBB222", 0.9f);
    TEST_INT(vote.n, LPR_READS_MAX);
    TEST_INT(vote.total, 2 * LPR_READS_MAX);
    TEST_TEXT(decide(&vote).plate, "BBB222");
    LprVote other = {0};
    add(&other, "CCC333", 0.95f);
    lpr_vote_merge(&other, &vote);
    TEST_INT(other.total, 2 * LPR_READS_MAX + 1);
    TEST_TEXT(decide(&other).plate, "BBB222");
}

static void test_regions(void)
{
    LprVote vote = {0};
    LprPlate plate = test_plate("ABC123", 0.9f, 0, 0, 100, 50);
    const LprRegion regions[] = {{"US-NV", "Nevada", 0.5f},
                                 {"US-CA", "California", 0.9f},
                                 {"US-NV", "Nevada", 0.3f},
                                 {"", "", 0}};
    for (int i = 0; i < 4; i++) {
        plate.region = regions[i];
        lpr_vote_add(&vote, &plate);
    }
    plate = decide(&vote);
    TEST_TEXT(plate.region.code, "US-CA");
    TEST_NEAR(plate.region.confidence, 0.9 * 0.9 / 1.7, 1e-4);
}

static void test_distance(void)
{
    TEST_INT(lpr_plate_distance("ABC123", "ABC123"), 0);
    TEST_INT(lpr_plate_distance("ABC123", "ABC12"), 2);
    TEST_INT(lpr_plate_distance("ABC123", "XABC123"), 2);
    TEST_INT(lpr_plate_distance("ABC128", "ABC12B"), 1);
    TEST_INT(lpr_plate_distance("ABC123", "ABC124"), 2);
    TEST_INT(lpr_plate_distance("", "AB"), 4);
    TEST_INT(lpr_plate_distance("AB", ""), 4);
    TEST_NEAR(lpr_plate_similarity("", ""), 0, 0);
    TEST_NEAR(lpr_plate_similarity("ABCD", "ABCX"), 0.75, 1e-6);
    TEST_NEAR(lpr_plate_similarity("AAAA", "3333"), 0, 1e-6);
}

static void test_none(void)
{
    LprVote vote = {0};
    LprPlate plate = decide(&vote);
    TEST_TEXT(plate.plate, "");
    TEST_NEAR(plate.confidence, 0, 0);
}

int main(void)
{
    test_one_reading();
    test_agreement();
    test_same_picture();
    test_characters_vote_apart();
    test_confidence_weighs();
    test_lengths();
    test_lost_characters();
    test_other_length();
    test_candidates_speak();
    test_many_readings();
    test_regions();
    test_distance();
    test_none();
    return 0;
}
