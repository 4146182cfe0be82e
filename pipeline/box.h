/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Arithmetic on boxes that the public header has no need of. */

#include "lpr.h"

float lpr_box_area(const LprBox *box);

/* Area of what both cover. */
float lpr_box_overlap(const LprBox *a, const LprBox *b);

/* Overlap divided by the smaller area: 1 when one lies inside the other. */
float lpr_box_covered(const LprBox *a, const LprBox *b);

/* `box` with a margin of that share of its size on each side, on whole pixels
 * and inside a width × height picture. May come out empty. */
LprBox lpr_box_cut(const LprBox *box, float margin, int width_px, int height_px);
