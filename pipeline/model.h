/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A network with what docs/model-contract.md demands of it, parsed and checked. */

#include "letterbox.h"
#include "lpr.h"

#define LPR_LEVELS_MAX 5
#define LPR_ANCHORS_MAX 8
#define LPR_CLASSES_MAX 256
#define LPR_CLASS_BYTES 16
/* A raw head has one output a level; exports carry a few more at most. */
#define LPR_OUTPUTS_MAX 16

typedef enum LprHead {
    LPR_HEAD_RAW,       /* logits, one output a level */
    LPR_HEAD_DECODED,   /* [1, N, 5 + classes] */
    LPR_HEAD_NMS,       /* [N, 7] */
} LprHead;

/* One output of a raw head. */
typedef struct LprLevel {
    size_t output;              /* index among the model's outputs */
    int stride_px, rows, columns;
    int n_anchors;
    float anchors[LPR_ANCHORS_MAX][2];
    bool last;                  /* [1, a, h, w, no]; else [1, a·no, h, w] */
} LprLevel;

/* What the metadata and the shapes say. */
typedef struct LprContract {
    char version[32];
    int n_classes;
    char (*classes)[LPR_CLASS_BYTES];
    LprInput input;
    float calibration[2];       /* scale and shift of a logit: 1 and 0 leave it as it is */
    LprHead head;               /* YOLO only */
    int n_levels;
    LprLevel levels[LPR_LEVELS_MAX];
} LprContract;

typedef struct LprModel {
    NnModel *model;
    NnSession *session;
    LprContract contract;
} LprModel;

/* The shapes of a model, apart from it so that a contract can be read without
 * a network. */
typedef struct LprShapes {
    const NnTensor *input;
    const NnTensor *const *outputs;
    size_t n_outputs;
} LprShapes;

typedef const char *(*LprMetadataFunc)(const void *userdata, const char *key);

/* Reads a contract for `task`: "detect", "read" or "region". -EBADMSG with a
 * sentence that names the key and what is wrong with it. */
NN_MUST_CHECK int lpr_contract_read(const char *task, LprMetadataFunc metadata,
                                    const void *userdata, const LprShapes *shapes,
                                    LprContract *ret_contract, NnError *error);
void lpr_contract_clear(LprContract *contract);

/* The probability that a confidence stands for: its logit scaled and shifted. */
float lpr_contract_calibrate(const LprContract *contract, float confidence);

/* Loads and checks; every sentence begins with the path. `cache` may be NULL. */
NN_MUST_CHECK int lpr_model_load(NnContext *context, const char *path, const char *cache,
                                 const char *task, LprModel **ret_model, NnError *error);
LprModel *lpr_model_free(LprModel *model);
