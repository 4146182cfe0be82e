/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Index arithmetic that the gathering and the scattering operators share. Input
 * 0 is the data, input 1 the indices. */

#include "ops/copy.h"

typedef struct NnGatherParams {
    int64_t axis;
    int64_t batch_dims;
} NnGatherParams;

/* -dim…dim-1 to 0…dim-1; -EDOM outside. */
NN_MUST_CHECK int nn_check_index(const NnCall *call, int64_t index, int64_t dim, int64_t *ret);

/* GatherElements, ScatterElements: the indices are no larger than the data but
 * along `axis`. */
NN_MUST_CHECK int nn_check_elements_fit(const NnCall *call, int64_t axis, int *ret_axis);

/* Offset in the data that index number `i` stands for. */
NN_MUST_CHECK int nn_element_offset(const NnCall *call, int axis, const int64_t *strides, int64_t i,
                                    int64_t *ret);

/* GatherND, ScatterND: numbers in one index tuple. */
NN_MUST_CHECK int nn_nd_depth(const NnCall *call, int64_t batch, int *ret_depth);

/* Offset within its batch of the slice that a tuple stands for. */
NN_MUST_CHECK int nn_nd_offset(const NnCall *call, int batch, int depth, const int64_t *strides,
                               int64_t tuple, int64_t *ret);
