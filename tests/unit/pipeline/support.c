/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <math.h>

#include "frame.h"

LprFrame *test_frame(int width, int height, int64_t time_us, uint8_t (*value)(int x, int y))
{
    LprFrame *frame;
    LprPlanes planes;
    TEST_INT(lpr_frame_alloc(width, height, true, time_us, 1700000000000000 + time_us, 0, &frame,
                             &planes),
             0);
    for (int y = 0; y < height; y++) {
        uint8_t *row = planes.plane[0] + (ptrdiff_t)y * planes.stride[0];

        memset(row, 0, (size_t)width);
        for (int x = 0; value && x < width; x++)
            row[x] = value(x, y);
    }
    return frame;
}

LprPlate test_plate(const char *text, float confidence, float x, float y, float w, float h)
{
    LprPlate plate = {.box = {x, y, w, h}, .detection = 0.9f, .confidence = confidence};
    plate.n_characters = strlen(text);
    snprintf(plate.plate, sizeof(plate.plate), "%s", text);
    float each = powf(confidence, 1 / fmaxf(1, (float)plate.n_characters));
    for (size_t i = 0; i < plate.n_characters; i++)
        plate.characters[i] = (LprCharacter){.character = text[i], .confidence = each};
    plate.n_candidates = plate.n_characters > 0;
    plate.candidates[0].confidence = confidence;
    snprintf(plate.candidates[0].plate, sizeof(plate.candidates[0].plate), "%s", text);
    return plate;
}

void test_detect(LprDetections *list, float x, float y, float w, float h, int kind,
                 float confidence)
{
    if (list->n == list->n_allocated) {
        list->n_allocated = 2 * list->n_allocated + 16;
        list->items = realloc(list->items, list->n_allocated * sizeof(*list->items));
    }
    list->items[list->n++] =
        (LprDetection){.box = {x, y, w, h}, .confidence = confidence, .kind = kind};
}

int test_kind(char character)
{
    static const char classes[] = "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZ";
    const char *at = strchr(classes, character);
    TEST_TRUE(at);
    return (int)(at - classes);
}

LprContract *test_reader_contract(void)
{
    static const char classes[] = "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZ";
    LprContract *contract = calloc(1, sizeof(*contract));
    contract->calibration[0] = 1;
    contract->n_classes = 35;
    contract->classes = calloc(35, sizeof(*contract->classes));
    for (int i = 0; i < 35; i++)
        contract->classes[i][0] = classes[i];
    return contract;
}
