/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "model.h"
#include "head.h"

/* Working memory of detector and reader. */
typedef struct LprWork {
    LprScratch scratch;
    LprDetections detections;
} LprWork;

void lpr_work_clear(LprWork *work);

/* Runs a YOLO model on a part of a frame and maps its boxes, best first after
 * NMS, into the frame. They lie in `work` until the next call. */
NN_MUST_CHECK int lpr_detect(LprModel *model, const LprFrame *frame, const LprBox *cut,
                             float threshold, float floor, float iou, float inside, LprWork *work,
                             NnError *error);

/* Reads the plate in plate->box: fills characters, plate, confidence and
 * candidates; none when nothing legible is there. */
NN_MUST_CHECK int lpr_read(LprModel *model, const LprFrame *frame, const LprBox *cut,
                           float threshold, LprWork *work, LprPlate *plate, NnError *error);

/* The second half of it: characters in reading order to plate and candidates. */
void lpr_read_compose(const LprContract *contract, const LprDetections *characters,
                      LprPlate *plate);
