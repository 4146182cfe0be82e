/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "nms.h"
#include "read.h"
#include "rows.h"
#include "support.h"

static void test_plate_and_candidates(LprContract *contract)
{
    LprDetections list = {0};
    LprPlate plate = {0};
    static const char text[] = "7ABC128";
    for (int i = 0; text[i]; i++)
        test_detect(&list, 100.0f - 14.0f * (float)(6 - i), 10, 12, 24, test_kind(text[i]), 0.9f);
    test_detect(&list, 101, 10, 12, 24, test_kind('B'), 0.6f);
    test_detect(&list, 31, 10, 12, 24, test_kind('4'), 0.3f);
    lpr_nms(&list, 0.45f, 0.7f);
    lpr_rows_sort(&list);
    lpr_read_compose(contract, &list, &plate);
    TEST_TEXT(plate.plate, "7ABC128");
    TEST_INT(plate.n_characters, 7);
    TEST_INT(plate.characters[6].character, '8');
    /* Its confidence is shared with what else it may be. */
    TEST_NEAR(plate.characters[6].confidence, 0.9 * 0.81 / (0.81 + 0.36), 1e-4);
    TEST_NEAR(plate.characters[0].confidence, 0.9, 1e-4);
    TEST_NEAR(plate.characters[0].box.x, 16, 1e-4);
    TEST_INT(plate.n_candidates, 4);
    TEST_TEXT(plate.candidates[0].plate, "7ABC128");
    TEST_TEXT(plate.candidates[1].plate, "7ABC12B");
    TEST_TEXT(plate.candidates[2].plate, "74BC128");
    TEST_TEXT(plate.candidates[3].plate, "74BC12B");
    TEST_NEAR(plate.candidates[0].confidence, plate.confidence, 1e-5);
    TEST_TRUE(plate.candidates[1].confidence < plate.candidates[0].confidence);
    lpr_detections_clear(&list);
}

/* Twice the logit and one more; alternatives share what the best leaves. */
static void test_calibrated(LprContract *contract)
{
    LprDetections list = {0};
    LprPlate plate = {0};
    contract->calibration[0] = 2;
    contract->calibration[1] = 1;
    test_detect(&list, 10, 10, 12, 24, test_kind('A'), 0.6f);
    test_detect(&list, 30, 10, 12, 24, test_kind('8'), 0.9f);
    test_detect(&list, 30, 10, 12, 24, test_kind('B'), 0.9f);
    lpr_nms(&list, 0.45f, 0.7f);
    lpr_rows_sort(&list);
    lpr_read_compose(contract, &list, &plate);
    double a = 2.25 * exp(1) / (1 + 2.25 * exp(1));
    TEST_NEAR(plate.characters[0].confidence, a, 1e-4);
    double odds = 0.45 / 0.55 * 0.45 / 0.55 * exp(1), b = odds / (1 + odds);
    TEST_NEAR(plate.characters[1].confidence, b, 1e-4);
    TEST_NEAR(plate.confidence, a * b, 1e-4);
    TEST_INT(plate.n_candidates, 2);
    TEST_NEAR(plate.candidates[0].confidence, a * b, 1e-4);
    TEST_NEAR(plate.candidates[1].confidence, a * (1 - b), 1e-4);
    contract->calibration[0] = 1;
    contract->calibration[1] = 0;
    lpr_detections_clear(&list);
}

static void test_nothing_legible(LprContract *contract)
{
    LprDetections list = {0};
    LprPlate plate = test_plate("OLD", 0.9f, 0, 0, 1, 1);
    lpr_read_compose(contract, &list, &plate);
    TEST_TEXT(plate.plate, "");
    TEST_INT(plate.n_characters, 0);
    TEST_INT(plate.n_candidates, 0);
    TEST_NEAR(plate.confidence, 0, 0);
}

int main(void)
{
    LprContract *contract = test_reader_contract();
    test_plate_and_candidates(contract);
    test_calibrated(contract);
    test_nothing_legible(contract);
    lpr_contract_clear(contract);
    free(contract);
    return 0;
}
