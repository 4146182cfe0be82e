/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "passes/passes.h"

/* What the passes that rewrite a convolution share. */

/* Whether the node is a Conv whose weights and bias are constant float32. */
bool nn_conv_is_constant(const NnGraph *graph, const NnNode *conv);

/* Whether no pixel of the output sees beyond the input's border. */
bool nn_conv_is_unpadded(const NnNode *conv);

/* The bias, or NULL. */
const float *nn_conv_bias(const NnGraph *graph, const NnNode *conv);

/* Takes the data of both over, whatever becomes of it. -ENOMEM. */
NN_MUST_CHECK int nn_conv_set_weights(NnGraph *graph, NnNode *conv, NnTensor *weights,
                                      NnTensor *bias);

/* The Conv that makes `value` when its weights are constant float32 and nobody
 * else reads `value`; NULL otherwise. */
NnNode *nn_conv_before(NnGraph *graph, const NnGraphIndex *index, NnValueId value);

/* Whether the conv has neither residual nor activation yet. */
bool nn_conv_is_plain(const NnNode *conv);

/* y = factor[c] · conv(x) + addend[c] for each output channel c, by new weights
 * and bias. -ENOMEM. */
NN_MUST_CHECK int nn_conv_scale(NnGraph *graph, NnNode *conv, const float *factor,
                                const float *addend);

/* BatchNormalization of `n` channels as factor[c] · x + addend[c]; false where its
 * statistics are not constant float32. */
bool nn_batch_norm_affine(const NnGraph *graph, const NnNode *norm, int64_t n, float *factor,
                          float *addend);

/* The activation that a node applies; kind NONE when it is something else. */
NnActivation nn_activation_of(const NnGraph *graph, const NnNode *node);

/* Has the conv make what `node` made, at node's place among the nodes, and
 * removes `node`. */
void nn_conv_absorb(NnNode *conv, NnNode *node);
