/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "head.h"

/* Sorts best first and lets of boxes that cover each other only the best stand,
 * whatever their classes. Two boxes cover each other when their IoU is above
 * `iou` or one lies inside the other by more than `inside`. The classes of a
 * box that falls become others of the one that stands. */
void lpr_nms(LprDetections *detections, float iou, float inside);
