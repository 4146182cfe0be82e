/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "nnef/eval.h"

/* Operators on what is known while reading: numbers, strings, arrays. */
NN_MUST_CHECK int nn_nnef_unary(NnefEval *eval, const NnefExpr *expr, const NnefValue *a,
                                NnefValue *ret);
NN_MUST_CHECK int nn_nnef_binary(NnefEval *eval, const NnefExpr *expr, const NnefValue *a,
                                 const NnefValue *b, NnefValue *ret);

/* length_of, range_of, shape_of, and the types as conversions; -ENOENT when the
 * name is none of these. */
NN_MUST_CHECK int nn_nnef_builtin(NnefEval *eval, const NnefExpr *expr, const char *name,
                                  const NnefValue *a, NnefValue *ret);
bool nn_nnef_is_builtin(const char *name);
