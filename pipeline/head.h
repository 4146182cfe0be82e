/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From the outputs of a YOLO network to boxes in input pixels. */

#include "model.h"

/* A box with the classes that speak for it. */
typedef struct LprDetection {
    LprBox box;
    float confidence;       /* of the best class */
    int kind;               /* index of the best class */
    int n_others;           /* further classes above the floor, in no order */
    struct {
        int kind;
        float confidence;
    } others[4];
} LprDetection;

/* Boxes are kept in one array that grows to its limit once. */
typedef struct LprDetections {
    LprDetection *items;
    size_t n, n_allocated;
} LprDetections;

void lpr_detections_clear(LprDetections *detections);

/* Reads every box with a confidence of `threshold` at least, and of its other
 * classes those of `floor` at least. With one class the objectness alone is the
 * confidence. `outputs` are those of the model, in its order. At most
 * LPR_DETECTIONS_MAX boxes, the best. -ENOMEM. */
#define LPR_DETECTIONS_MAX 1024
NN_MUST_CHECK int lpr_head_decode(const LprContract *contract, const NnTensor *const *outputs,
                                  float threshold, float floor, LprDetections *detections);
