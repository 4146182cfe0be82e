/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "engine/base/util.h"
#include "head.h"

/* The cut-offs of one decoding. */
typedef struct Cut {
    float threshold, floor;
    float logit; /* of the threshold: what spares the sigmoid */
} Cut;

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

void lpr_detections_clear(LprDetections *detections)
{
    free(detections->items);
    *detections = (LprDetections){0};
}

static int detections_grow(LprDetections *list)
{
    size_t n = list->n_allocated ? 2 * list->n_allocated : 64;
    LprDetection *items = reallocarray(list->items, n, sizeof(*items));
    if (!items)
        return -ENOMEM;
    list->items = items;
    list->n_allocated = n;
    return 0;
}

/* Once the list is full the weakest box gives way: noise cannot push a plate out. */
static int detections_add(LprDetections *list, const LprDetection *detection)
{
    if (list->n < LPR_DETECTIONS_MAX) {
        if (list->n == list->n_allocated) {
            int r = detections_grow(list);
            if (r < 0)
                return r;
        }
        list->items[list->n++] = *detection;
        return 0;
    }
    size_t weakest = 0;
    for (size_t i = 1; i < list->n; i++)
        if (list->items[i].confidence < list->items[weakest].confidence)
            weakest = i;
    if (list->items[weakest].confidence < detection->confidence)
        list->items[weakest] = *detection;
    return 0;
}

static void others_add(LprDetection *d, int kind, float confidence)
{
    int weakest = 0;
    if (d->n_others < (int)NN_ARRAY_SIZE(d->others)) {
        weakest = d->n_others++;
    } else {
        for (int i = 1; i < d->n_others; i++)
            if (d->others[i].confidence < d->others[weakest].confidence)
                weakest = i;
        if (d->others[weakest].confidence >= confidence)
            return;
    }
    d->others[weakest].kind = kind;
    d->others[weakest].confidence = confidence;
}

/* Gives a class its place: as the best one, or among the others. */
static void classes_add(LprDetection *d, int kind, float confidence, float floor)
{
    if (confidence > d->confidence) {
        if (d->confidence >= floor)
            others_add(d, d->kind, d->confidence);
        d->kind = kind;
        d->confidence = confidence;
    } else if (confidence >= floor) {
        others_add(d, kind, confidence);
    }
}

/* x, y, w, h are the centre and size. False for what no box can be. */
static bool box_set(LprDetection *d, float x, float y, float w, float h)
{
    d->box = (LprBox){x - w / 2, y - h / 2, w, h};
    return isfinite(x) && isfinite(y) && w > 0 && h > 0 && isfinite(w) && isfinite(h);
}

/* Where the numbers of one cell and anchor lie: value k is at at[k · step]. */
static int raw_cell(const LprContract *contract, const LprLevel *level, const float *at,
                    size_t step, int anchor, int row, int column, const Cut *cut,
                    LprDetections *detections)
{
    LprDetection d = {.kind = 0};
    float objectness = sigmoid(at[4 * step]);
    if (contract->n_classes == 1)
        d.confidence = objectness;
    else
        for (int c = 0; c < contract->n_classes; c++)
            classes_add(&d, c, objectness * sigmoid(at[(size_t)(5 + c) * step]), cut->floor);
    if (!(d.confidence >= cut->threshold))
        return 0;
    float stride = (float)level->stride_px;
    float w = 2 * sigmoid(at[2 * step]), h = 2 * sigmoid(at[3 * step]);
    if (!box_set(&d, (2 * sigmoid(at[0]) - 0.5f + (float)column) * stride,
                 (2 * sigmoid(at[step]) - 0.5f + (float)row) * stride,
                 w * w * level->anchors[anchor][0], h * h * level->anchors[anchor][1]))
        return 0;
    return detections_add(detections, &d);
}

static int decode_level(const LprContract *contract, const LprLevel *level, const NnTensor *output,
                        const Cut *cut, LprDetections *detections)
{
    size_t no = 5 + (size_t)contract->n_classes;
    size_t area = (size_t)level->rows * (size_t)level->columns;
    const float *values = output->data;
    for (int a = 0; a < level->n_anchors; a++, values += no * area) {
        size_t step = level->last ? 1 : area;
        size_t next = level->last ? no : 1;
        const float *objectness = values + 4 * step;
        for (size_t i = 0; i < area; i++) {
            if (!(objectness[i * next] >= cut->logit))
                continue;
            int r = raw_cell(contract, level, values + i * next, step, a, (int)i / level->columns,
                             (int)i % level->columns, cut, detections);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int decode_raw(const LprContract *contract, const NnTensor *const *outputs, const Cut *cut,
                      LprDetections *detections)
{
    for (int i = 0; i < contract->n_levels; i++) {
        const LprLevel *level = &contract->levels[i];
        int r = decode_level(contract, level, outputs[level->output], cut, detections);
        if (r < 0)
            return r;
    }
    return 0;
}

static int decode_decoded(const LprContract *contract, const NnTensor *output, const Cut *cut,
                          LprDetections *detections)
{
    size_t no = 5 + (size_t)contract->n_classes;
    const float *row = output->data;
    for (int64_t i = 0; i < output->dims[1]; i++, row += no) {
        if (!(row[4] >= cut->threshold))
            continue;
        LprDetection d = {.kind = 0};
        if (contract->n_classes == 1)
            d.confidence = row[4];
        else
            for (int c = 0; c < contract->n_classes; c++)
                classes_add(&d, c, row[4] * row[5 + c], cut->floor);
        if (!(d.confidence >= cut->threshold) || !box_set(&d, row[0], row[1], row[2], row[3]))
            continue;
        int r = detections_add(detections, &d);
        if (r < 0)
            return r;
    }
    return 0;
}

static int decode_nms(const LprContract *contract, const NnTensor *output, const Cut *cut,
                      LprDetections *detections)
{
    const float *row = output->data;
    for (int64_t i = 0; i < output->dims[0]; i++, row += 7) {
        bool known = row[5] >= 0 && row[5] < (float)contract->n_classes;
        if (row[0] != 0 || !known || !(row[6] >= cut->threshold))
            continue;
        LprDetection d = {.kind = (int)row[5], .confidence = row[6]};
        float w = row[3] - row[1], h = row[4] - row[2];
        if (!box_set(&d, row[1] + w / 2, row[2] + h / 2, w, h))
            continue;
        int r = detections_add(detections, &d);
        if (r < 0)
            return r;
    }
    return 0;
}

int lpr_head_decode(const LprContract *contract, const NnTensor *const *outputs, float threshold,
                    float floor, LprDetections *detections)
{
    /* Rounding must not lose a box that stands exactly on the threshold. */
    Cut cut = {threshold, floor, logf(threshold / (1 - threshold)) - 1e-3f};
    detections->n = 0;
    switch (contract->head) {
    case LPR_HEAD_RAW:
        return decode_raw(contract, outputs, &cut, detections);
    case LPR_HEAD_DECODED:
        return decode_decoded(contract, outputs[0], &cut, detections);
    case LPR_HEAD_NMS:
        return decode_nms(contract, outputs[0], &cut, detections);
    }
    return -EINVAL;
}
