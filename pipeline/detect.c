/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/base/util.h"
#include "nms.h"
#include "read.h"

void lpr_work_clear(LprWork *work)
{
    lpr_scratch_clear(&work->scratch);
    lpr_detections_clear(&work->detections);
}

int lpr_detect(LprModel *model, const LprFrame *frame, const LprBox *cut, float threshold,
               float floor, float iou, float inside, LprWork *work, NnError *error)
{
    const LprContract *contract = &model->contract;
    const NnTensor *outputs[LPR_OUTPUTS_MAX];
    LprMap map;
    int r = lpr_letterbox(frame, cut, &contract->input, &work->scratch,
                          nn_session_input(model->session, 0)->data, &map);
    if (r < 0)
        return nn_error_set(error, r, "out of memory while scaling a picture");
    r = nn_session_run(model->session, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < nn_model_n_outputs(model->model); i++)
        outputs[i] = nn_session_output(model->session, i);
    r = lpr_head_decode(contract, outputs, threshold, floor, &work->detections);
    if (r < 0)
        return nn_error_set(error, r, "out of memory while reading the boxes of a picture");
    lpr_nms(&work->detections, iou, inside);
    for (size_t i = 0; i < work->detections.n; i++) {
        LprDetection *d = &work->detections.items[i];
        d->box = lpr_map_box(&map, &d->box);
    }
    return 0;
}
