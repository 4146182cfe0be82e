/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "support.h"

#define CLASSES 3
#define NO      (5 + CLASSES)
#define ROWS    2
#define COLUMNS 3
#define ANCHORS 2

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static LprContract raw_contract(bool last)
{
    LprContract contract = {.n_classes = CLASSES, .head = LPR_HEAD_RAW, .n_levels = 1};
    contract.levels[0] = (LprLevel){.stride_px = 16,
                                    .rows = ROWS,
                                    .columns = COLUMNS,
                                    .n_anchors = ANCHORS,
                                    .anchors = {{10, 20}, {40, 30}},
                                    .last = last};
    return contract;
}

/* One cell speaks; where it lies in memory depends on the layout. */
static void raw_put(float *values, bool last, int anchor, int row, int column, const float *cell)
{
    for (int k = 0; k < NO; k++) {
        int at = last ? ((anchor * ROWS + row) * COLUMNS + column) * NO + k
                      : ((anchor * NO + k) * ROWS + row) * COLUMNS + column;
        values[at] = cell[k];
    }
}

static void test_raw(bool last)
{
    static const float cell[NO] = {0.3f, -0.7f, 0.2f, -0.4f, 2.0f, -3.0f, 3.0f, 0.5f};
    static const float weak[NO] = {0, 0, 0, 0, -1.0f, 5, 5, 5};
    float values[ANCHORS * NO * ROWS * COLUMNS];
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        values[i] = -20;
    raw_put(values, last, 1, 1, 2, cell);
    raw_put(values, last, 0, 0, 0, weak);
    NnTensor output = {.dtype = NN_DTYPE_F32, .data = values};
    const NnTensor *outputs[] = {&output};
    LprContract contract = raw_contract(last);
    LprDetections list = {0};
    TEST_INT(lpr_head_decode(&contract, outputs, 0.5f, 0.1f, &list), 0);
    TEST_INT(list.n, 1);
    const LprDetection *d = &list.items[0];
    float w = powf(2 * sigmoid(0.2f), 2) * 40, h = powf(2 * sigmoid(-0.4f), 2) * 30;
    TEST_NEAR(d->box.x, (2 * sigmoid(0.3f) - 0.5 + 2) * 16 - w / 2, 1e-3);
    TEST_NEAR(d->box.y, (2 * sigmoid(-0.7f) - 0.5 + 1) * 16 - h / 2, 1e-3);
    TEST_NEAR(d->box.w, w, 1e-3);
    TEST_NEAR(d->box.h, h, 1e-3);
    TEST_INT(d->kind, 1);
    TEST_NEAR(d->confidence, sigmoid(2) * sigmoid(3), 1e-5);
    TEST_INT(d->n_others, 1);
    TEST_INT(d->others[0].kind, 2);
    TEST_NEAR(d->others[0].confidence, sigmoid(2) * sigmoid(0.5f), 1e-5);
    lpr_detections_clear(&list);
}

/* With one class its own output is not asked. */
static void test_one_class(void)
{
    float values[6] = {0, 0, 0, 0, 1.5f, -9};
    NnTensor output = {.dtype = NN_DTYPE_F32, .data = values};
    const NnTensor *outputs[] = {&output};
    LprContract contract = {.n_classes = 1, .head = LPR_HEAD_RAW, .n_levels = 1};
    contract.levels[0] =
        (LprLevel){.stride_px = 8, .rows = 1, .columns = 1, .n_anchors = 1, .anchors = {{10, 20}}};
    LprDetections list = {0};
    TEST_INT(lpr_head_decode(&contract, outputs, 0.8f, 0.8f, &list), 0);
    TEST_INT(list.n, 1);
    TEST_NEAR(list.items[0].confidence, sigmoid(1.5f), 1e-5);
    TEST_NEAR(list.items[0].box.x, 0.5 * 8 - 5, 1e-4);
    TEST_INT(lpr_head_decode(&contract, outputs, 0.83f, 0.8f, &list), 0);
    TEST_INT(list.n, 0);
    lpr_detections_clear(&list);
}

static void test_decoded(void)
{
    float values[3][NO] = {{50, 40, 20, 10, 0.9f, 0.1f, 0.2f, 0.8f},
                           {50, 40, 20, 10, 0.9f, 0.3f, 0.2f, 0.1f},
                           {50, NAN, 20, 10, 0.9f, 0.9f, 0.2f, 0.1f}};
    NnTensor output = {.dtype = NN_DTYPE_F32, .rank = 3, .dims = {1, 3, NO}, .data = values};
    const NnTensor *outputs[] = {&output};
    LprContract contract = {.n_classes = CLASSES, .head = LPR_HEAD_DECODED};
    LprDetections list = {0};
    TEST_INT(lpr_head_decode(&contract, outputs, 0.5f, 0.15f, &list), 0);
    TEST_INT(list.n, 1);
    TEST_INT(list.items[0].kind, 2);
    TEST_NEAR(list.items[0].confidence, 0.72, 1e-5);
    TEST_NEAR(list.items[0].box.x, 40, 1e-5);
    TEST_NEAR(list.items[0].box.y, 35, 1e-5);
    TEST_INT(list.items[0].n_others, 1);
    lpr_detections_clear(&list);
}

static void test_nms(void)
{
    float values[6][7] = {{0, 10, 20, 40, 30, 1, 0.7f}, {1, 10, 20, 40, 30, 1, 0.7f},
                          {0, 10, 20, 40, 30, 3, 0.7f}, {0, 10, 20, 40, 30, -1, 0.7f},
                          {0, 10, 20, 40, 30, 1, 0.4f}, {0, 40, 20, 10, 30, 1, 0.9f}};
    NnTensor output = {.dtype = NN_DTYPE_F32, .rank = 2, .dims = {6, 7}, .data = values};
    const NnTensor *outputs[] = {&output};
    LprContract contract = {.n_classes = CLASSES, .head = LPR_HEAD_NMS};
    LprDetections list = {0};
    TEST_INT(lpr_head_decode(&contract, outputs, 0.5f, 0.1f, &list), 0);
    TEST_INT(list.n, 1);
    TEST_NEAR(list.items[0].box.w, 30, 1e-5);
    TEST_NEAR(list.items[0].box.y, 20, 1e-5);
    TEST_INT(list.items[0].kind, 1);
    lpr_detections_clear(&list);
}

/* However many boxes noise gives, the best stay. */
static void test_flood(void)
{
    enum { N = LPR_DETECTIONS_MAX + 500 };
    float(*values)[NO] = calloc(N, sizeof(*values));
    for (int i = 0; i < N; i++)
        memcpy(values[i], (float[NO]){(float)i, 5, 4, 4, 0.6f, 1}, sizeof(values[i]));
    values[N - 1][4] = 0.99f;
    NnTensor output = {.dtype = NN_DTYPE_F32, .rank = 3, .dims = {1, N, NO}, .data = values};
    const NnTensor *outputs[] = {&output};
    LprContract contract = {.n_classes = CLASSES, .head = LPR_HEAD_DECODED};
    LprDetections list = {0};
    TEST_INT(lpr_head_decode(&contract, outputs, 0.5f, 0.1f, &list), 0);
    TEST_INT(list.n, LPR_DETECTIONS_MAX);
    float best = 0;
    for (size_t i = 0; i < list.n; i++)
        best = fmaxf(best, list.items[i].confidence);
    TEST_NEAR(best, 0.99, 1e-5);
    lpr_detections_clear(&list);
    free(values);
}

int main(void)
{
    test_raw(false);
    test_raw(true);
    test_one_class();
    test_decoded();
    test_nms();
    test_flood();
    return 0;
}
