/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "box.h"

float lpr_box_area(const LprBox *box)
{
    return box->w > 0 && box->h > 0 ? box->w * box->h : 0;
}

float lpr_box_overlap(const LprBox *a, const LprBox *b)
{
    float w = fminf(a->x + a->w, b->x + b->w) - fmaxf(a->x, b->x);
    float h = fminf(a->y + a->h, b->y + b->h) - fmaxf(a->y, b->y);
    return w > 0 && h > 0 ? w * h : 0;
}

float lpr_box_iou(const LprBox *a, const LprBox *b)
{
    float overlap = lpr_box_overlap(a, b);
    return overlap > 0 ? overlap / (lpr_box_area(a) + lpr_box_area(b) - overlap) : 0;
}

float lpr_box_covered(const LprBox *a, const LprBox *b)
{
    float overlap = lpr_box_overlap(a, b);
    return overlap > 0 ? overlap / fminf(lpr_box_area(a), lpr_box_area(b)) : 0;
}

/* So that rounding of the margin does not cost a whole pixel. */
#define HAIR 1e-3f

LprBox lpr_box_cut(const LprBox *box, float margin, int width_px, int height_px)
{
    float left = fmaxf(0, floorf(box->x - margin * box->w + HAIR));
    float top = fmaxf(0, floorf(box->y - margin * box->h + HAIR));
    float right = fminf((float)width_px, ceilf(box->x + (1 + margin) * box->w - HAIR));
    float bottom = fminf((float)height_px, ceilf(box->y + (1 + margin) * box->h - HAIR));
    return (LprBox){left, top, fmaxf(0, right - left), fmaxf(0, bottom - top)};
}
