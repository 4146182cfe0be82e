/* SPDX-License-Identifier: Apache-2.0 */

/* The importer alone: the wire format, names, initialisers, the graph's structure. */

#include "feed.h"
#include "onnx/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnGraph *graph = NULL;
    NnError error = { "" };
    int r;

    r = nn_onnx_import("fuzz", NULL, bytes, n, false, &graph, &error);
    feed_check(r, graph, &error);
    nn_graph_free(graph);
    return 0;
}
