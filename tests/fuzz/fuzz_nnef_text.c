/* SPDX-License-Identifier: Apache-2.0 */

/* NNEF text, and behind the first NUL what graph.quant would hold: the importer
 * alone, without files beside it. */

#include <string.h>

#include "feed.h"
#include "nnef/nnef.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *text = (const char *)bytes;
    size_t n_text = strnlen(text, n);
    const char *quant = n_text < n ? text + n_text + 1 : NULL;
    NnGraph *graph = NULL;
    NnError error = { "" };
    int r;

    r = nn_nnef_import_text("fuzz", NULL, text, n_text, quant, quant ? n - n_text - 1 : 0, &graph,
                            &error);
    feed_check(r, graph, &error);
    nn_graph_free(graph);
    return 0;
}
