/* SPDX-License-Identifier: Apache-2.0 */

/* graph.quant beside a network that is right. */

#include <string.h>

#include "feed.h"
#include "nnef/nnef.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char text[] =
        "version 1.0;\n"
        "graph g(x) -> (y)\n"
        "{\n"
        "    x = external<scalar>(shape = [1, 2, 4, 4]);\n"
        "    w = constant<scalar>(shape = [2, 2, 1, 1], value = [0.5, 1.0, -1.0, 0.25]);\n"
        "    c = conv(x, w);\n"
        "    y = relu(c);\n"
        "}\n";
    NnGraph *graph = NULL;
    NnError error = { "" };
    int r;

    r = nn_nnef_import_text("fuzz", NULL, text, sizeof(text) - 1, (const char *)bytes, n, &graph,
                            &error);
    feed_check(r, graph, &error);
    nn_graph_free(graph);
    return 0;
}
