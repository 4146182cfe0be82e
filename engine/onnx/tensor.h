/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "graph/graph.h"
#include "onnx.pb-c.h"

/* The tensor with its own malloc'd data. May take raw_data out of `proto`. */
NN_MUST_CHECK int nn_onnx_tensor(Onnx__Tensor *proto, const char *directory, NnTensor *ret_tensor,
                                 NnError *error);
