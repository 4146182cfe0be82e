/* SPDX-License-Identifier: Apache-2.0 */

/* EfficientNMS_TRT, which end-to-end exports of detectors carry: boxes and scores
 * in, the best boxes of each image out. Facts from the README of TensorRT's
 * plugin. Inputs: boxes [batch, boxes, 4] or [batch, boxes, classes, 4], scores
 * [batch, boxes, classes], optionally the anchors that the boxes are relative to,
 * [batch or 1, boxes, 4]. */

#include <math.h>

#include "ops/box.h"
#include "ops/support.h"

/* Scores of an image that are looked at, the best first. */
#define CANDIDATES_MAX 4096

typedef struct EfficientNmsParams {
    int64_t background_class, max_output_boxes, center_size, class_agnostic, score_activation;
    float score_threshold, iou_threshold;
} EfficientNmsParams;

static int efficient_nms_prepare(const NnNode *node, void *params, NnError *error)
{
    EfficientNmsParams *p = params;
    int r = nn_node_int(node, "background_class", -1, &p->background_class, error);
    if (r >= 0)
        r = nn_node_int(node, "max_output_boxes", 100, &p->max_output_boxes, error);
    if (r >= 0)
        r = nn_node_int(node, "box_coding", 0, &p->center_size, error);
    if (r >= 0)
        r = nn_node_int(node, "class_agnostic", 0, &p->class_agnostic, error);
    if (r >= 0)
        r = nn_node_int(node, "score_activation", 0, &p->score_activation, error);
    if (r >= 0)
        r = nn_node_float(node, "score_threshold", 0.25f, &p->score_threshold, error);
    if (r >= 0)
        r = nn_node_float(node, "iou_threshold", 0.45f, &p->iou_threshold, error);
    if (r < 0)
        return r;
    if (p->max_output_boxes < 1 || p->max_output_boxes > INT32_MAX)
        return nn_error_set(error, -EBADMSG, "max_output_boxes is %lld",
                            (long long)p->max_output_boxes);
    if (p->center_size != 0 && p->center_size != 1)
        return nn_error_set(error, -EBADMSG, "box_coding is %lld, expected 0 or 1",
                            (long long)p->center_size);
    return 0;
}

static int check_shapes(const NnCall *call)
{
    const NnTensor *boxes = call->in[0], *scores = call->in[1], *anchors = nn_input(call, 2);
    int64_t batch = boxes->dims[0], n = boxes->dims[1];
    if (scores->dims[0] != batch || scores->dims[1] != n || boxes->dims[boxes->rank - 1] != 4 ||
        (boxes->rank == 4 && boxes->dims[2] != scores->dims[2]))
        return nn_error_set(call->error, -EBADMSG, "boxes and scores are not [n, boxes, 4] or "
                            "[n, boxes, classes, 4], and [n, boxes, classes]");
    if (anchors && (anchors->dims[2] != 4 || anchors->dims[1] != n ||
                    (anchors->dims[0] != 1 && anchors->dims[0] != batch)))
        return nn_error_set(call->error, -EBADMSG, "the anchors do not fit the boxes");
    return 0;
}

static int efficient_nms_infer(const NnCall *call)
{
    const EfficientNmsParams *p = call->params;
    int r = nn_check_inputs(call, 2);
    for (size_t i = 0; r >= 0 && i < call->n_in; i++) {
        r = nn_check_dtype(call, i, NN_BIT(NN_DTYPE_F32));
        if (r >= 0)
            r = nn_check_rank(call, i, 3, i == 0 ? 4 : 3);
    }
    if (r >= 0)
        r = check_shapes(call);
    if (r < 0)
        return r;
    int64_t dims[] = { call->in[0]->dims[0], p->max_output_boxes, 4 };
    r = nn_set_output(call, 0, NN_DTYPE_I32, 2, (int64_t[]){ dims[0], 1 });
    if (r >= 0)
        r = nn_set_output(call, 1, NN_DTYPE_F32, 3, dims);
    if (r >= 0)
        r = nn_set_output(call, 2, NN_DTYPE_F32, 2, dims);
    return r < 0 ? r : nn_set_output(call, 3, NN_DTYPE_I32, 2, dims);
}

/* A box that is kept. What is given out are its corners as they were. */
typedef struct Kept {
    NnBox box;
    int64_t class;
} Kept;

static int64_t most_kept(const EfficientNmsParams *p)
{
    return NN_MIN(p->max_output_boxes, CANDIDATES_MAX);
}

/* Scratch: an index for each score of one image, and the boxes kept. */
static size_t efficient_nms_scratch(const NnCall *call)
{
    const NnTensor *scores = call->in[1];
    return (size_t)(scores->dims[1] * scores->dims[2]) * sizeof(int64_t) +
           (size_t)most_kept(call->params) * sizeof(Kept);
}

/* The better score stands first, of equal ones the earlier. */
static bool better(const void *context, int64_t a, int64_t b)
{
    const float *scores = context;
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
}

/* A box relative to its anchor, in the coding of both. */
static void decode(const EfficientNmsParams *p, const float *anchor, float *v)
{
    for (int i = 0; i < 2 && p->center_size; i++) {
        v[i] = v[i] * anchor[2 + i] + anchor[i];
        v[2 + i] = anchor[2 + i] * expf(v[2 + i]);
    }
    if (p->center_size)
        return;
    const NnBox box = nn_box_from_corners(v[0], v[1], v[2], v[3]);
    const NnBox base = nn_box_from_corners(anchor[0], anchor[1], anchor[2], anchor[3]);
    v[0] = box.x0 + base.x0;
    v[1] = box.y0 + base.y0;
    v[2] = box.x1 + base.x1;
    v[3] = box.y1 + base.y1;
}

/* The corners of the box of score `index` of an image. */
static void read_corners(const NnCall *call, int64_t image, int64_t index, float *v)
{
    const EfficientNmsParams *p = call->params;
    const NnTensor *boxes = call->in[0], *scores = call->in[1], *anchors = nn_input(call, 2);
    int64_t n = boxes->dims[1], classes = scores->dims[2], place = index / classes;
    int64_t row = boxes->rank == 4 ? image * n * classes + index : image * n + place;
    memcpy(v, (const float *)boxes->data + row * 4, 4 * sizeof(float));
    if (anchors)
        decode(p, (const float *)anchors->data +
                      ((anchors->dims[0] == 1 ? 0 : image) * n + place) * 4, v);
    for (int i = 0; i < 2 && p->center_size; i++) {
        float center = v[i], half = v[2 + i] / 2;
        v[i] = center - half;
        v[2 + i] = center + half;
    }
}

static bool is_free(const EfficientNmsParams *p, const Kept *kept, int64_t n, const Kept *new)
{
    for (int64_t i = 0; i < n; i++)
        if ((p->class_agnostic || kept[i].class == new->class) &&
            nn_box_iou(&kept[i].box, &new->box) >= p->iou_threshold)
            return false;
    return true;
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* Scores of one image over the threshold, as a heap. */
static int64_t choose(const EfficientNmsParams *p, const float *scores, int64_t n, int64_t classes,
                      int64_t *index)
{
    float threshold = p->score_threshold;
    int64_t chosen = 0;
    if (p->score_activation)
        threshold = threshold <= 0 ? -INFINITY : logf(threshold / (1 - threshold));
    for (int64_t i = 0; i < n; i++)
        if (scores[i] >= threshold && i % classes != p->background_class)
            index[chosen++] = i;
    nn_heap_build(index, chosen, better, scores);
    return chosen;
}

static void put(const NnCall *call, int64_t image, int64_t row, const float *corners, float score,
                int64_t class)
{
    const EfficientNmsParams *p = call->params;
    NnTensor *boxes = nn_output(call, 1), *scores = nn_output(call, 2);
    NnTensor *classes = nn_output(call, 3);
    int64_t at = image * p->max_output_boxes + row;
    if (boxes)
        memcpy((float *)boxes->data + at * 4, corners, 4 * sizeof(float));
    if (scores)
        ((float *)scores->data)[at] = p->score_activation ? sigmoid(score) : score;
    if (classes)
        ((int32_t *)classes->data)[at] = (int32_t)class;
}

/* How many boxes of one image are kept. */
static int64_t suppress(const NnCall *call, int64_t image)
{
    const EfficientNmsParams *p = call->params;
    int64_t classes = call->in[1]->dims[2], n = call->in[1]->dims[1] * classes, kept = 0;
    const float *scores = (const float *)call->in[1]->data + image * n;
    Kept *list = call->scratch;
    int64_t *index = (int64_t *)(list + most_kept(p));
    int64_t left = choose(p, scores, n, classes, index);
    int64_t last = NN_MAX(left - CANDIDATES_MAX, 0);
    for (; left > last && kept < most_kept(p); left--) {
        int64_t best = nn_heap_take(index, left, better, scores);
        float v[4];
        read_corners(call, image, best, v);
        list[kept] = (Kept){ nn_box_from_corners(v[0], v[1], v[2], v[3]), best % classes };
        if (is_free(p, list, kept, &list[kept])) {
            put(call, image, kept, v, scores[best], best % classes);
            kept++;
        }
    }
    return kept;
}

static int efficient_nms_run(const NnCall *call)
{
    NnTensor *counts = nn_output(call, 0);
    /* Rows that stay free are zeros. */
    for (size_t i = 0; i < call->n_out; i++)
        if (call->out[i])
            memset(call->out[i]->data, 0, (size_t)nn_tensor_elements(call->out[i]) * 4);
    for (int64_t image = 0; image < call->in[0]->dims[0]; image++) {
        int64_t kept = suppress(call, image);
        if (counts)
            ((int32_t *)counts->data)[image] = (int32_t)kept;
    }
    return 0;
}

static uint64_t efficient_nms_work(const NnCall *call)
{
    return (uint64_t)call->in[1]->dims[0] * CANDIDATES_MAX * (uint64_t)most_kept(call->params);
}

/* Exporters write it into a domain of its own or into that of the standard. */
#define EFFICIENT_NMS_OP(symbol, name_of_domain)        \
    const NnOp nn_op_##symbol = {                       \
        .type = "EfficientNMS_TRT",                     \
        .domain = name_of_domain,                       \
        .since = 1,                                     \
        .min_inputs = 2,                                \
        .max_inputs = 3,                                \
        .max_outputs = 4,                               \
        .params_bytes = sizeof(EfficientNmsParams),     \
        .prepare = efficient_nms_prepare,               \
        .infer = efficient_nms_infer,                   \
        .scratch = efficient_nms_scratch,               \
        .run = efficient_nms_run,                       \
        .work = efficient_nms_work,                     \
    };

EFFICIENT_NMS_OP(efficient_nms, "TRT")
EFFICIENT_NMS_OP(efficient_nms_standard, "")
