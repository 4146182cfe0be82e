/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The shapes of numpy.matmul: the last two dimensions are matrices, those before
 * broadcast; a vector is a row on the left and a column on the right. */

#include "ops/support.h"

typedef struct NnMatmulShape {
    int64_t m, n, k, matrices;
    int batch_rank;
    int64_t batch[NN_RANK_MAX], a_batch[NN_RANK_MAX], b_batch[NN_RANK_MAX];
    int rank;                   /* of the output */
    int64_t dims[NN_RANK_MAX];
} NnMatmulShape;

/* The product of inputs `left` and `right`; -EBADMSG when they do not fit. */
NN_MUST_CHECK int nn_matmul_shape(const NnCall *call, size_t left, size_t right,
                                  NnMatmulShape *ret_shape);
