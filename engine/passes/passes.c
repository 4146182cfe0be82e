/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"

static const struct {
    const char *name;
    NnPassFunc run;
} passes[] = {
    { "identity", nn_pass_identity },     { "batch_norm", nn_pass_batch_norm },
    { "affine", nn_pass_affine },         { "pad", nn_pass_pad },
    { "branches", nn_pass_branches },     { "silu", nn_pass_silu },
    { "channels", nn_pass_channels },
    { "residual", nn_pass_residual },     { "activation", nn_pass_activation },
    { "layout", nn_pass_layout },
};

int nn_passes_run(NnGraph *graph, bool verify, NnError *error)
{
    int r;

    for (size_t i = 0; i < NN_ARRAY_SIZE(passes); i++) {
        r = passes[i].run(graph);
        if (r < 0)
            return nn_error_set(error, r, "pass %s: %s", passes[i].name, strerror(-r));
        nn_graph_compact(graph);
        if (!verify)
            continue;
        r = nn_graph_verify(graph, error);
        if (r < 0)
            return nn_error_prefix(error, r, "after pass %s", passes[i].name);
    }
    return 0;
}
