/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where in the frame plates count: inside any polygon to include, if there is one,
 * and inside none to exclude. */

#include "lpr.h"

#define LPR_ZONES_MAX  16
#define LPR_POINTS_MAX 32

typedef struct LprZone {
    bool exclude;
    size_t n;
    float x[LPR_POINTS_MAX], y[LPR_POINTS_MAX]; /* shares of width and height */
} LprZone;

/* Zero-initialise. */
typedef struct LprZones {
    size_t n;
    LprZone items[LPR_ZONES_MAX];
} LprZones;

/* Adds the polygons of a text, which may be NULL; see lpr_zones_check(). */
NN_MUST_CHECK int lpr_zones_add(LprZones *zones, const char *text, bool exclude, NnError *error);

/* Whether a point counts; x and y in shares of the frame. */
bool lpr_zones_contain(const LprZones *zones, float x, float y);
