/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What Prometheus is told, in its text format 0.0.4. */

#include <glib.h>

#include "payload.h"

/* What the state does not know. */
typedef struct PlatedMetrics {
    PlatedState state;
    bool camera_up, broker_connected;
    uint64_t camera_losses, broker_connections;
    uint64_t provisionals, finals;
    uint64_t granted, denied, unknown;
} PlatedMetrics;

/* Newline-ended lines; g_free it. */
char *plated_metrics_text(const PlatedMetrics *metrics);

/* The answer to the head of an HTTP request: the metrics for GET /metrics, else what
 * is wrong with it. */
GBytes *plated_metrics_answer(const char *request, const PlatedMetrics *metrics);
