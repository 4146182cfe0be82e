/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include "check.h"

/* What is not known is not told, and labels may hold anything. */
static void test_text(void)
{
    PlatedMetrics metrics = {
        .state = {.camera = "a\"b\\c\nd",
                  .software = "1.0",
                  .latency_ms = -1,
                  .temperature_c = NAN,
                  .throttled = -1,
                  .fps = 7.25},
        .finals = (uint64_t)1 << 40,
    };
    g_autofree char *unknown = plated_metrics_text(&metrics), *known = NULL;

    CHECK_CONTAINS(unknown,
                   "plated_build_info{version=\"1.0\",camera=\"a\\\"b\\\\c\\nd\",detector=\"\"");
    CHECK_CONTAINS(unknown, "\nplated_frames_per_second 7.25\n");
    CHECK_CONTAINS(unknown, "\nplated_passages_total{type=\"final\"} 1099511627776\n");
    CHECK_CONTAINS(unknown, "\n# TYPE plated_temperature_celsius gauge\n# HELP ");
    CHECK(!strstr(unknown, "\nplated_frame_latency_seconds "));
    CHECK(!strstr(unknown, "\nplated_throttled "));
    metrics.state.temperature_c = 61.3;
    metrics.state.throttled = 0;
    metrics.state.latency_ms = 131.5;
    known = plated_metrics_text(&metrics);
    CHECK_CONTAINS(known, "\nplated_temperature_celsius 61.3\n");
    CHECK_CONTAINS(known, "\nplated_throttled 0\n");
    CHECK_CONTAINS(known, "\nplated_frame_latency_seconds 0.1315\n");
}

int main(void)
{
    test_text();
    return 0;
}
