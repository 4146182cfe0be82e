/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Matrix products of float, of any strides, one or a batch of them, over the
 * pool: by OpenBLAS where it is built in, else by the tiles of kernels.h. */

#include "base/pool.h"
#include "kernels/kernels.h"

/* C = alpha·A·B + beta·D, element [i][j] of a matrix at i·row + j·column. The
 * batch has the dims `batch`, along which A and B step by their own strides (0:
 * the same matrix again) and the dense M×N matrices of C follow each other. D,
 * which may be NULL, is the same for all. */
typedef struct NnMatmul {
    int64_t m, n, k;
    const float *a, *b, *d;
    int64_t a_row, a_column, b_row, b_column, d_row, d_column;
    float alpha, beta;
    float *c;
    int batch_rank;
    int64_t batch[NN_RANK_MAX], a_batch[NN_RANK_MAX], b_batch[NN_RANK_MAX];
} NnMatmul;

/* Scratch of all workers of the pool; may be 0. */
size_t nn_matmul_scratch(const NnPool *pool);

/* The same bits for any number of threads. */
void nn_matmul_run(const NnMatmul *matmul, const NnKernels *kernels, NnPool *pool, void *scratch);
