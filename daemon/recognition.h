/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The engine and the three networks, made as the configuration says. */

#include "config.h"
#include "log.h"
#include "lpr.h"

typedef struct PlatedRecognition {
    NnContext *context;
    LprRecognizer *recognizer;
} PlatedRecognition;

/* Where released models stand: $PLATED_MODELS, or the installed directory, or
 * models/ of the source tree that the running program was built in. malloc'd. */
char *plated_recognition_directory(void);

/* Loads the models; seconds may pass. `directory` goes before that of the
 * configuration when not NULL. `still` is for pictures that stand for themselves. The log must
 * outlive the result. Errors are those of nn_context_new and lpr_recognizer_new. */
NN_MUST_CHECK int plated_recognition_new(const PlatedConfig *config, const char *directory,
                                         bool still, PlatedLog *log,
                                         PlatedRecognition **ret_recognition, NnError *error);
/* NULL is fine. Returns NULL. */
PlatedRecognition *plated_recognition_free(PlatedRecognition *recognition);
