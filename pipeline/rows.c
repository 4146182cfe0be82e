/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "engine/base/util.h"
#include "rows.h"

/* In heights of the median character: what is dropped, how far apart rows are. */
#define SPECK   0.4f
#define ROW_GAP 0.6f
/* Shares of the narrower one that two letters on one another have in common. */
#define STACKED 0.6f

static int compare_floats(const void *a, const void *b)
{
    float l = *(const float *)a, r = *(const float *)b;
    return (l > r) - (l < r);
}

static float median(float *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare_floats);
    return values[n / 2];
}

static float median_height(const LprDetections *list)
{
    float heights[LPR_CHARACTERS_MAX];
    for (size_t i = 0; i < list->n; i++)
        heights[i] = list->items[i].box.h;
    return median(heights, list->n);
}

static void drop_weakest(LprDetections *list)
{
    while (list->n > LPR_CHARACTERS_MAX) {
        size_t weakest = 0;
        for (size_t i = 1; i < list->n; i++)
            if (list->items[i].confidence < list->items[weakest].confidence)
                weakest = i;
        list->items[weakest] = list->items[--list->n];
    }
}

static void drop_specks(LprDetections *list, float height)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].box.h >= SPECK * height)
            list->items[n++] = list->items[i];
    list->n = n;
}

static float centre_x(const LprDetection *d)
{
    return d->box.x + d->box.w / 2;
}

static float centre_y(const LprDetection *d)
{
    return d->box.y + d->box.h / 2;
}

/* The slope of the rows: the median over each character and its nearest
 * neighbour to the right, as far as the two look like neighbours. */
static float row_slope(const LprDetections *list, float height)
{
    float slopes[LPR_CHARACTERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        float best = INFINITY, slope = 0;
        for (size_t k = 0; k < list->n; k++) {
            float dx = centre_x(&list->items[k]) - centre_x(&list->items[i]);
            float dy = centre_y(&list->items[k]) - centre_y(&list->items[i]);
            if (dx < 0.3f * height || dx > 2 * height || fabsf(dy) > 0.5f * dx ||
                hypotf(dx, 2 * dy) >= best)
                continue;
            best = hypotf(dx, 2 * dy);
            slope = dy / dx;
        }
        if (best < INFINITY)
            slopes[n++] = slope;
    }
    return n ? median(slopes, n) : 0;
}

static int compare_keys(const void *a, const void *b)
{
    return compare_floats(a, b);
}

typedef struct Keyed {
    float key;
    LprDetection detection;
} Keyed;

static void sort_by(LprDetection *items, size_t n, float kx, float ky)
{
    Keyed keyed[LPR_CHARACTERS_MAX];
    for (size_t i = 0; i < n; i++)
        keyed[i] = (Keyed){kx * centre_x(&items[i]) + ky * centre_y(&items[i]), items[i]};
    qsort(keyed, n, sizeof(*keyed), compare_keys);
    for (size_t i = 0; i < n; i++)
        items[i] = keyed[i].detection;
}

static bool stacked(const LprDetection *a, const LprDetection *b, float height)
{
    float common = fminf(a->box.x + a->box.w, b->box.x + b->box.w) - fmaxf(a->box.x, b->box.x);
    return common > STACKED * fminf(a->box.w, b->box.w) && a->box.h < 0.75f * height &&
           b->box.h < 0.75f * height;
}

static void sort_row(LprDetection *items, size_t n, float height)
{
    sort_by(items, n, 1, 0);
    for (size_t i = 0; i + 1 < n; i++)
        if (stacked(&items[i], &items[i + 1], height) &&
            centre_y(&items[i]) > centre_y(&items[i + 1])) {
            LprDetection swap = items[i];
            items[i] = items[i + 1];
            items[i + 1] = swap;
        }
}

void lpr_rows_sort(LprDetections *characters)
{
    drop_weakest(characters);
    if (characters->n < 2)
        return;
    float height = median_height(characters);
    drop_specks(characters, height);
    float slope = row_slope(characters, height);
    LprDetection *items = characters->items;
    sort_by(items, characters->n, -slope, 1);
    for (size_t start = 0, i = 1; i <= characters->n; i++) {
        if (i < characters->n) {
            float above = centre_y(&items[i - 1]) - slope * centre_x(&items[i - 1]);
            float below = centre_y(&items[i]) - slope * centre_x(&items[i]);
            if (below - above < ROW_GAP * height)
                continue;
        }
        sort_row(items + start, i - start, height);
        start = i;
    }
}
