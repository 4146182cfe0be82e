/* SPDX-License-Identifier: Apache-2.0 */
#include "nms.h"
#include "support.h"

static void test_best_stands(void)
{
    LprDetections list = {0};
    test_detect(&list, 100, 100, 50, 20, 0, 0.6f);
    test_detect(&list, 102, 100, 50, 20, 0, 0.9f);
    test_detect(&list, 300, 100, 50, 20, 0, 0.7f);
    lpr_nms(&list, 0.45f, 0.8f);
    TEST_INT(list.n, 2);
    TEST_NEAR(list.items[0].confidence, 0.9, 1e-6);
    TEST_NEAR(list.items[1].box.x, 300, 0);
    lpr_detections_clear(&list);
}

static void test_one_inside_another(void)
{
    LprDetections list = {0};
    test_detect(&list, 100, 100, 100, 50, 0, 0.9f);
    test_detect(&list, 110, 110, 30, 20, 0, 0.8f);
    lpr_nms(&list, 0.45f, 0.8f);
    TEST_INT(list.n, 1);
    lpr_detections_clear(&list);
}

/* What else a character may be is what the boxes say that fell. */
static void test_classes_survive(void)
{
    LprDetections list = {0};
    test_detect(&list, 10, 10, 20, 40, test_kind('8'), 0.8f);
    test_detect(&list, 11, 10, 20, 40, test_kind('B'), 0.5f);
    test_detect(&list, 10, 11, 20, 40, test_kind('8'), 0.4f);
    test_detect(&list, 12, 10, 20, 40, test_kind('B'), 0.6f);
    test_detect(&list, 32, 10, 20, 40, test_kind('3'), 0.7f);
    lpr_nms(&list, 0.45f, 0.7f);
    TEST_INT(list.n, 2);
    TEST_INT(list.items[0].kind, test_kind('8'));
    TEST_INT(list.items[0].n_others, 1);
    TEST_INT(list.items[0].others[0].kind, test_kind('B'));
    TEST_NEAR(list.items[0].others[0].confidence, 0.6, 1e-6);
    TEST_INT(list.items[1].n_others, 0);
    lpr_detections_clear(&list);
}

static void test_nothing(void)
{
    LprDetections list = {0};
    lpr_nms(&list, 0.45f, 0.8f);
    TEST_INT(list.n, 0);
}

int main(void)
{
    test_best_stands();
    test_one_inside_another();
    test_classes_survive();
    test_nothing();
    return 0;
}
