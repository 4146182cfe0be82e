/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Numpy broadcasting of up to three tensors, row by row. */

#include "ops/support.h"

#define NN_BROADCAST_MAX 3

/* A row: pointers to its first elements; a step of 0 repeats one element. */
typedef struct NnBroadcastRow {
    const void *in[NN_BROADCAST_MAX];
    int64_t step[NN_BROADCAST_MAX];     /* 0 or 1 */
    void *out;
    int64_t n;
    const void *argument;
} NnBroadcastRow;

typedef void (*NnBroadcastFunc)(const NnBroadcastRow *row);

/* Dims of all present inputs from `first` to `first + n - 1` broadcast. */
NN_MUST_CHECK int nn_broadcast_dims(const NnCall *call, size_t first, size_t n, int *ret_rank,
                                    int64_t *ret_dims);

/* Calls `func` for all rows of `out`; every input broadcasts to it. */
void nn_broadcast_run(NnPool *pool, const NnTensor *const *in, size_t n, NnTensor *out,
                      NnBroadcastFunc func, const void *argument);
