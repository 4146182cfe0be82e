/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "graph/graph.h"
#include "onnx.pb-c.h"

/* Element type of an ONNX data_type number; NN_DTYPE_UNDEFINED for one that the
 * engine does not have (strings, complex, bfloat16, 4-bit). */
NnDtype nn_onnx_dtype(int32_t data_type);

/* The tensor with its own malloc'd data. May take raw_data out of `proto`. */
NN_MUST_CHECK int nn_onnx_tensor(Onnx__Tensor *proto, const char *directory, NnTensor *ret_tensor,
                                 NnError *error);
