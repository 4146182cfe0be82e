/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "rows.h"
#include "support.h"

/* Lays `text` out from the left, tilted by `slope`, and appends it. */
static void lay(LprDetections *list, const char *text, float x, float y, float w, float h,
                float slope)
{
    for (size_t i = 0; text[i]; i++, x += 1.3f * w)
        if (text[i] != ' ')
            test_detect(list, x, y + slope * x, w, h, test_kind(text[i]), 0.9f);
}

static void shuffle(LprDetections *list)
{
    unsigned seed = 7;
    for (size_t i = list->n; i > 1; i--) {
        seed = seed * 1103515245u + 12345u;
        size_t k = (seed >> 16) % i;
        LprDetection swap = list->items[i - 1];
        list->items[i - 1] = list->items[k];
        list->items[k] = swap;
    }
}

static void expect(LprDetections *list, const char *text)
{
    static const char classes[] = "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZ";
    char got[LPR_DETECTIONS_MAX + 1] = "";
    shuffle(list);
    lpr_rows_sort(list);
    for (size_t i = 0; i < list->n; i++)
        got[i] = classes[list->items[i].kind];
    TEST_TEXT(got, text);
    lpr_detections_clear(list);
}

int main(void)
{
    LprDetections list = {0};
    lay(&list, "7ABC123", 10, 50, 20, 40, 0);
    expect(&list, "7ABC123");

    for (float slope = -0.35f; slope < 0.4f; slope += 0.05f) {
        lay(&list, "7ABC123", 10, 100, 20, 40, slope);
        expect(&list, "7ABC123");
        lay(&list, "ABC   1234", 10, 100, 20, 40, slope);
        expect(&list, "ABC1234");
    }
    for (float slope = -0.2f; slope < 0.25f; slope += 0.05f) {
        lay(&list, "AB12", 30, 100, 20, 40, slope);
        lay(&list, "34567", 10, 150, 20, 40, slope);
        expect(&list, "AB1234567");
    }
    /* A column of two small letters before the number, as trucks have them. */
    test_detect(&list, 5, 100, 12, 19, test_kind('A'), 0.9f);
    test_detect(&list, 6, 121, 12, 19, test_kind('P'), 0.9f);
    lay(&list, "12345", 25, 100, 20, 40, 0);
    expect(&list, "AP12345");

    /* The slogan below is far smaller. */
    lay(&list, "ABC123", 10, 50, 20, 40, 0);
    lay(&list, "SMALL", 30, 95, 6, 12, 0);
    expect(&list, "ABC123");

    test_detect(&list, 0, 0, 5, 9, test_kind('1'), 0.9f);
    expect(&list, "1");
    expect(&list, "");

    /* Of too many the weakest go. */
    for (int i = 0; i < LPR_CHARACTERS_MAX + 4; i++)
        test_detect(&list, (float)i * 12, 0, 10, 20, i % 10, i < 4 ? 0.1f : 0.9f);
    lpr_rows_sort(&list);
    TEST_INT(list.n, LPR_CHARACTERS_MAX);
    TEST_INT(list.items[0].kind, 4);
    lpr_detections_clear(&list);
    return 0;
}
