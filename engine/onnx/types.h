/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "graph/graph.h"
#include "onnx.pb-c.h"

/* What the file says of an input: dtype, dims, names of dims. A dimension that is
 * open or named stays -1 until shapes are bound. -ENOTSUP, -E2BIG, -ENOMEM. */
NN_MUST_CHECK int nn_onnx_input_type(const Onnx__ValueInfo *info, NnValue *value, NnError *error);

/* The same of an output, where the file may say less than the graph: a rank of -1
 * and an undefined dtype stand for what it leaves out. */
NnTensor nn_onnx_output_type(const Onnx__ValueInfo *info);

/* The version of a domain that the model uses; `fallback` when it states none.
 * 0: a number that no int holds. */
int nn_onnx_opset(const Onnx__Model *proto, const char *domain, int fallback);

/* Whether the name stands for the standard's own operators. */
bool nn_onnx_is_default_domain(const char *domain);
