/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nnef/eval.h"

/* Does the document declare an operator of ONNX by this fragment? See onnx_form.h. */
bool nn_nnef_is_custom(const NnefFragment *fragment);

/* Calls it: the node as it stands. */
NN_MUST_CHECK int nn_nnef_custom(NnefEval *eval, const NnefScope *scope,
                                 const NnefFragment *fragment, const NnefExpr *call,
                                 NnefValue *ret);

/* Reads the names, types and metadata that fragment onnx_model holds. */
NN_MUST_CHECK int nn_nnef_custom_model(NnefEval *eval);
