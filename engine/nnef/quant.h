/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nnef/eval.h"

/* The grid of a line of graph.quant over stored integers: value = stored × scale +
 * offset. -ENOTSUP for what is no grid. */
NN_MUST_CHECK int nn_nnef_quant_grid(NnefEval *eval, const NnefQuant *quant, NnDtype dtype,
                                     double *ret_scale, double *ret_offset);

/* What graph.quant says of a tensor is done to it where it is made. */
NN_MUST_CHECK int nn_nnef_quantize(NnefEval *eval, const NnefQuant *quant, NnefValue *value);
