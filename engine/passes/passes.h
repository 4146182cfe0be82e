/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "graph/infer.h"

/* A pass rewrites a graph whose values are inferred into one that computes the
 * same. 0, or -ENOMEM. */
typedef int (*NnPassFunc)(NnGraph *graph);

/* Runs all passes in their order, and checks the graph after each when asked. */
NN_MUST_CHECK int nn_passes_run(NnGraph *graph, bool verify, NnError *error);

/* Drops Identity, Dropout and shape operators that change nothing. */
NN_MUST_CHECK int nn_pass_identity(NnGraph *graph);
/* Conv, then BatchNormalization: one Conv. */
NN_MUST_CHECK int nn_pass_batch_norm(NnGraph *graph);
/* Conv with a constant factor or addend for each channel before or after it
 * (ImplicitA and ImplicitM of YOLOv7, a bias that stands apart): one Conv. */
NN_MUST_CHECK int nn_pass_affine(NnGraph *graph);
/* Pad with zeros, then Conv: one Conv. */
NN_MUST_CHECK int nn_pass_pad(NnGraph *graph);
/* Sums of convolutions of the same input, and of its BatchNormalization: one Conv. */
NN_MUST_CHECK int nn_pass_branches(NnGraph *graph);
/* Channels that are constant are taken out. */
NN_MUST_CHECK int nn_pass_channels(NnGraph *graph);
/* x · Sigmoid(x): SiLU. */
NN_MUST_CHECK int nn_pass_silu(NnGraph *graph);
/* Conv, then Add of a tensor of the same shape: Conv with a residual input. */
NN_MUST_CHECK int nn_pass_residual(NnGraph *graph);
/* Conv, then an activation: Conv that applies it to its tiles. */
NN_MUST_CHECK int nn_pass_activation(NnGraph *graph);
/* Pictures channels-last, in operators of our own: ops/nhwc.h. */
NN_MUST_CHECK int nn_pass_layout(NnGraph *graph);
