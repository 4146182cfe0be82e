/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Moves elements between two strided arrays: transpose, slice, concat, expand,
 * tile, depth-to-space are all this one loop. */

#include "ops/support.h"

#define NN_COPY_RANK_MAX (2 * NN_RANK_MAX)

typedef struct NnCopy {
    size_t size;                        /* bytes of one element */
    int rank;
    int64_t dims[NN_COPY_RANK_MAX];
    int64_t from[NN_COPY_RANK_MAX];     /* strides in elements; may be 0 or negative */
    int64_t to[NN_COPY_RANK_MAX];
    const void *source;                 /* the first element */
    void *target;
} NnCopy;

/* The arrays must not overlap. */
void nn_copy_run(const NnCopy *copy, NnPool *pool);

/* Appends a dimension. */
void nn_copy_dim(NnCopy *copy, int64_t dim, int64_t from, int64_t to);

/* All bytes of a tensor to another one of the same size, unless they share
 * memory: the run of every view. */
void nn_copy_whole(const NnTensor *from, NnTensor *to, NnPool *pool);

/* Sets `n` elements of `size` bytes to the one at `value`. */
void nn_copy_fill(void *target, int64_t n, size_t size, const void *value);

/* Takes out[i,j,…] = in[table[0][i], table[1][j], …]; a negative entry stands for
 * the element at `fill`. `tables` holds the indices of all dimensions of `out`
 * one after the other. The ranks are the same. */
void nn_copy_indexed(const NnTensor *in, NnTensor *out, const int64_t *tables, const void *fill,
                     NnPool *pool);

/* Entries of `tables` for an output. */
int64_t nn_copy_table_entries(const NnTensor *out);
