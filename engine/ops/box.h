/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Boxes, as the operators that suppress overlapping ones see them. */

#include "base/util.h"

typedef struct NnBox {
    float x0, y0, x1, y1;       /* x0 <= x1, y0 <= y1 */
} NnBox;

/* Any two opposite corners. */
static inline NnBox nn_box_from_corners(float x0, float y0, float x1, float y1)
{
    return (NnBox){ NN_MIN(x0, x1), NN_MIN(y0, y1), NN_MAX(x0, x1), NN_MAX(y0, y1) };
}

static inline NnBox nn_box_from_center(float x, float y, float width, float height)
{
    return (NnBox){ x - width / 2, y - height / 2, x + width / 2, y + height / 2 };
}

static inline float nn_box_area(const NnBox *box)
{
    return (box->x1 - box->x0) * (box->y1 - box->y0);
}

/* Intersection over union; 0 for boxes that do not meet. */
static inline float nn_box_iou(const NnBox *a, const NnBox *b)
{
    float width = NN_MIN(a->x1, b->x1) - NN_MAX(a->x0, b->x0);
    float height = NN_MIN(a->y1, b->y1) - NN_MAX(a->y0, b->y0);
    if (!(width > 0 && height > 0))
        return 0;
    float both = width * height, either = nn_box_area(a) + nn_box_area(b) - both;
    return either > 0 ? both / either : 0;
}
