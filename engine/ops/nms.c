/* SPDX-License-Identifier: Apache-2.0 */

/* NonMaxSuppression: greedy, class by class. Inputs: boxes [batch, boxes, 4],
 * scores [batch, classes, boxes], most boxes a class, IoU and score thresholds.
 * Output: rows of batch, class, box. */

#include "ops/box.h"
#include "ops/support.h"

typedef struct NmsParams {
    int64_t center_point_box;
} NmsParams;

static int nms_prepare(const NnNode *node, void *params, NnError *error)
{
    NmsParams *p = params;
    return nn_node_int(node, "center_point_box", 0, &p->center_point_box, error);
}

/* One number of the right type, or absent. */
static int check_number(const NnCall *call, size_t input, unsigned types)
{
    const NnTensor *in = nn_input(call, input);
    if (in && nn_tensor_elements(in) != 1)
        return nn_error_set(call->error, -EBADMSG, "input %zu is not one number", input);
    return nn_check_dtype(call, input, types);
}

static int nms_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 2);
    for (size_t i = 0; r >= 0 && i < 2; i++) {
        r = nn_check_dtype(call, i, NN_BIT(NN_DTYPE_F32));
        if (r >= 0)
            r = nn_check_rank(call, i, 3, 3);
    }
    if (r >= 0)
        r = check_number(call, 2, NN_TYPES_INDEX);
    for (size_t i = 3; r >= 0 && i < 5; i++)
        r = check_number(call, i, NN_BIT(NN_DTYPE_F32));
    if (r < 0)
        return r;
    const NnTensor *boxes = call->in[0], *scores = call->in[1], *most = nn_input(call, 2);
    if (boxes->dims[2] != 4 || boxes->dims[0] != scores->dims[0] ||
        boxes->dims[1] != scores->dims[2])
        return nn_error_set(call->error, -EBADMSG,
                            "boxes and scores are not [n, boxes, 4] and [n, classes, boxes]");
    /* A limit that is known only while running is at most the number of boxes. */
    int64_t per_class = !most ? 0 : most->data ? nn_load_int(most, 0) : INT64_MAX, rows;
    per_class = NN_MAX(NN_MIN(per_class, boxes->dims[1]), 0);
    if (__builtin_mul_overflow(scores->dims[0] * scores->dims[1], per_class, &rows))
        return nn_error_set(call->error, -E2BIG, "too many boxes");
    return nn_set_output(call, 0, NN_DTYPE_I64, 2, (int64_t[]){ rows, 3 });
}

/* Scratch: a box and an index for each box of one image. */
static size_t nms_scratch(const NnCall *call)
{
    return (size_t)call->in[0]->dims[1] * (sizeof(NnBox) + sizeof(int64_t));
}

/* Corners have y first. */
static NnBox read_box(const float *v, bool center)
{
    return center ? nn_box_from_center(v[0], v[1], v[2], v[3])
                  : nn_box_from_corners(v[1], v[0], v[3], v[2]);
}

/* The better score stands first, of equal ones the earlier box. */
static bool better(const void *context, int64_t a, int64_t b)
{
    const float *scores = context;
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
}

typedef struct Nms {
    int64_t most;
    float iou, score;
    bool use_score;
} Nms;

/* Keeps the best boxes of one class at the end of index[0…n-1], the first one
 * last, and returns how many. Those already taken from the heap make room. */
static int64_t suppress(const Nms *nms, const NnBox *boxes, const float *scores, int64_t n,
                        int64_t *index)
{
    int64_t left = 0, kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (scores[i] == scores[i] && (!nms->use_score || scores[i] > nms->score))
            index[left++] = i;
    nn_heap_build(index, left, better, scores);
    for (; left > 0 && kept < nms->most; left--) {
        int64_t best = nn_heap_take(index, left, better, scores);
        bool free = true;
        for (int64_t j = 0; free && j < kept; j++)
            free = !(nn_box_iou(&boxes[best], &boxes[index[n - 1 - j]]) > nms->iou);
        if (free)
            index[n - 1 - kept++] = best;
    }
    return kept;
}

static int nms_run(const NnCall *call)
{
    const NmsParams *p = call->params;
    const NnTensor *in = call->in[0], *scores = call->in[1];
    const NnTensor *most = nn_input(call, 2), *iou = nn_input(call, 3), *score = nn_input(call, 4);
    int64_t n = in->dims[1], classes = scores->dims[1], rows = 0;
    int64_t *index = call->scratch, *to = call->out[0]->data;
    NnBox *boxes = (NnBox *)(index + n);
    Nms nms = {
        .most = most ? nn_load_int(most, 0) : 0,
        .iou = iou ? *(const float *)iou->data : 0,
        .score = score ? *(const float *)score->data : 0,
        .use_score = score != NULL,
    };
    if (!(nms.iou >= 0 && nms.iou <= 1))
        return nn_error_set(call->error, -EDOM, "the IoU threshold is %g", (double)nms.iou);
    for (int64_t batch = 0; batch < in->dims[0]; batch++) {
        for (int64_t i = 0; i < n; i++)
            boxes[i] = read_box((const float *)in->data + (batch * n + i) * 4,
                                p->center_point_box != 0);
        for (int64_t class = 0; class < classes; class++) {
            const float *line = (const float *)scores->data + (batch * classes + class) * n;
            int64_t kept = suppress(&nms, boxes, line, n, index);
            for (int64_t i = 0; i < kept; i++, rows++) {
                to[rows * 3] = batch;
                to[rows * 3 + 1] = class;
                to[rows * 3 + 2] = index[n - 1 - i];
            }
        }
    }
    call->out[0]->dims[0] = rows;
    return 0;
}

/* Every box beside every one that was kept before. */
static uint64_t nms_work(const NnCall *call)
{
    return (uint64_t)call->out[0]->dims[0] * (uint64_t)call->in[0]->dims[1];
}

const NnOp nn_op_non_max_suppression = {
    .type = "NonMaxSuppression",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 5,
    .max_outputs = 1,
    .flags = NN_OP_DYNAMIC,
    .params_bytes = sizeof(NmsParams),
    .prepare = nms_prepare,
    .infer = nms_infer,
    .scratch = nms_scratch,
    .run = nms_run,
    .work = nms_work,
};
