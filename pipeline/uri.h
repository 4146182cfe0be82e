/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The addresses of sources, and the patience with a lost one. */

#include "lpr.h"

typedef enum LprUriKind {
    LPR_URI_V4L2,
    LPR_URI_RTSP,
    LPR_URI_FILE,
    LPR_URI_IMAGES,
    LPR_URI_TEST,
    LPR_URI_GST,
} LprUriKind;

/* `ret_rest` points into `uri`: device, path, glob, pipeline, or the whole of an
 * rtsp address. -EINVAL with a sentence. */
NN_MUST_CHECK int lpr_uri_parse(const char *uri, LprUriKind *ret_kind, const char **ret_rest,
                                NnError *error);

/* Whether the kind goes at the pace of the world and comes back when lost. */
bool lpr_uri_is_live(LprUriKind kind);

/* The address as it may stand in a log: without user and password. */
void lpr_uri_display(const char *uri, char *ret_text, size_t n_bytes);

/* Seconds to wait before try number `attempt` (from 0): 1, 2, 4, … 30. */
int lpr_backoff_s(unsigned attempt);
