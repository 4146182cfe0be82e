/* SPDX-License-Identifier: Apache-2.0 */
#include "nms.h"
#include "box.h"
#include "engine/base/util.h"

static int better(const void *a, const void *b)
{
    const LprDetection *l = a, *r = b;
    if (l->confidence != r->confidence)
        return l->confidence < r->confidence ? 1 : -1;
    /* The order must not depend on the sort. */
    if (l->box.x != r->box.x)
        return l->box.x < r->box.x ? -1 : 1;
    return l->kind - r->kind;
}

static void other_merge(LprDetection *d, int kind, float confidence)
{
    if (kind == d->kind)
        return;
    int weakest = -1;
    for (int i = 0; i < d->n_others; i++) {
        if (d->others[i].kind == kind) {
            d->others[i].confidence = NN_MAX(d->others[i].confidence, confidence);
            return;
        }
        if (weakest < 0 || d->others[i].confidence < d->others[weakest].confidence)
            weakest = i;
    }
    if (d->n_others < (int)NN_ARRAY_SIZE(d->others))
        weakest = d->n_others++;
    else if (d->others[weakest].confidence >= confidence)
        return;
    d->others[weakest].kind = kind;
    d->others[weakest].confidence = confidence;
}

static void absorb(LprDetection *standing, const LprDetection *fallen)
{
    other_merge(standing, fallen->kind, fallen->confidence);
    for (int i = 0; i < fallen->n_others; i++)
        other_merge(standing, fallen->others[i].kind, fallen->others[i].confidence);
}

void lpr_nms(LprDetections *detections, float iou, float inside)
{
    LprDetection *items = detections->items;
    size_t n = 0;
    if (detections->n)
        qsort(items, detections->n, sizeof(*items), better);
    for (size_t i = 0; i < detections->n; i++) {
        size_t k = 0;
        while (k < n && lpr_box_iou(&items[k].box, &items[i].box) <= iou &&
               lpr_box_covered(&items[k].box, &items[i].box) <= inside)
            k++;
        if (k < n)
            absorb(&items[k], &items[i]);
        else
            items[n++] = items[i];
    }
    detections->n = n;
}
