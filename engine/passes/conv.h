/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "passes/passes.h"

/* What the passes that rewrite a convolution share. */

/* The Conv that makes `value` when its weights are constant float32 and nobody
 * else reads `value`; NULL otherwise. */
NnNode *nn_conv_before(NnGraph *graph, const NnGraphIndex *index, NnValueId value);

/* Whether the conv has neither residual nor activation yet. */
bool nn_conv_is_plain(const NnNode *conv);

/* y = factor[c] · conv(x) + addend[c] for each output channel c, by new weights
 * and bias. -ENOMEM. */
NN_MUST_CHECK int nn_conv_scale(NnGraph *graph, NnNode *conv, const float *factor,
                                const float *addend);

/* Has the conv make what `node` made, at node's place among the nodes, and
 * removes `node`. */
void nn_conv_absorb(NnNode *conv, NnNode *node);
