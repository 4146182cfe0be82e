/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which algorithm each convolution is done by. The choice is the operator of the node,
 * so a compiled file keeps it. */

#include "exec/exec.h"

/* Behind the passes: puts ConvWinograd in the place of Conv where it is faster, by a
 * model of costs or, with `measure`, by running each candidate on this processor. */
NN_MUST_CHECK int nn_algorithms_choose(NnGraph *graph, const NnContext *context, bool measure,
                                       NnError *error);
