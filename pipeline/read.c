/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "candidates.h"
#include "engine/base/util.h"
#include "read.h"
#include "rows.h"

/* Neighbouring characters hardly overlap; two readings of one character do. */
#define CHARACTER_IOU    0.3f
#define CHARACTER_INSIDE 0.45f
/* An alternative below this is noise of the classifier. */
#define ALTERNATIVE_FLOOR 0.05f

/* Makes probabilities of them; the others share at most what the best leaves. */
static void slot_calibrate(const LprContract *contract, LprSlot *slot)
{
    float others = 0;
    for (int i = 0; i < slot->n; i++) {
        slot->confidence[i] = lpr_contract_calibrate(contract, slot->confidence[i]);
        others += i ? slot->confidence[i] : 0;
    }
    float scale = others > 0 ? fminf(1, (1 - slot->confidence[0]) / others) : 1;
    for (int i = 1; i < slot->n; i++)
        slot->confidence[i] *= scale;
}

/* The confidence that something is there, dealt out to what it may be. Squares,
 * because the classes' sigmoids are not exclusive and their tails add up. */
static void slot_fill(const LprContract *contract, const LprDetection *d, LprSlot *slot)
{
    float sum = d->confidence * d->confidence;
    for (int i = 0; i < d->n_others; i++)
        sum += d->others[i].confidence * d->others[i].confidence;
    float scale = d->confidence / sum;
    lpr_slot_add(slot, contract->classes[d->kind][0], d->confidence * d->confidence * scale);
    for (int i = 0; i < d->n_others; i++)
        lpr_slot_add(slot, contract->classes[d->others[i].kind][0],
                     d->others[i].confidence * d->others[i].confidence * scale);
}

void lpr_read_compose(const LprContract *contract, const LprDetections *characters, LprPlate *plate)
{
    LprSlot slots[LPR_CHARACTERS_MAX] = {0};
    float confidences[LPR_CHARACTERS_MAX];
    size_t n = NN_MIN(characters->n, (size_t)LPR_CHARACTERS_MAX);
    memset(plate->plate, 0, sizeof(plate->plate));
    for (size_t i = 0; i < n; i++) {
        slot_fill(contract, &characters->items[i], &slots[i]);
        slot_calibrate(contract, &slots[i]);
        confidences[i] = slots[i].confidence[0];
        plate->characters[i] =
            (LprCharacter){slots[i].character[0], confidences[i], characters->items[i].box};
        plate->plate[i] = slots[i].character[0];
    }
    plate->n_characters = n;
    plate->confidence = lpr_plate_confidence(confidences, n);
    plate->n_candidates = lpr_candidates_combine(slots, n, plate->candidates);
}

int lpr_read(LprModel *model, const LprFrame *frame, const LprBox *cut, float threshold,
             LprWork *work, LprPlate *plate, NnError *error)
{
    int r = lpr_detect(model, frame, cut, threshold, ALTERNATIVE_FLOOR, CHARACTER_IOU,
                       CHARACTER_INSIDE, work, error);
    if (r < 0)
        return r;
    lpr_rows_sort(&work->detections);
    lpr_read_compose(&model->contract, &work->detections, plate);
    return 0;
}
