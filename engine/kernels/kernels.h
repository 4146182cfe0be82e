/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The kernels of one context. Each family has a list, kernels/<family>/<family>.inc,
 * C first and best last, which dispatch, test and benchmark all include. */

#include "base/cpu.h"
#include "ops/op.h"

/* C[MR×NR] = epilogue(A[MR×K] · B[K×NR]): A packed k-major by MR rows, B packed
 * k-major by NR columns, both zero-padded to whole tiles; C row-major with
 * `ldc` floats a row; only `rows`×`columns` of it are written. `bias` has one
 * value a row, or is NULL. `residual`, or NULL, is added before the activation
 * and has the layout of C with stride `ldr`. */
typedef struct NnGemmTile {
    const float *a, *b;
    int64_t k;
    float *c;
    int64_t ldc;
    const float *bias;
    const float *residual;
    int64_t ldr;
    int rows, columns;
    const NnActivation *activation;
} NnGemmTile;

typedef void (*NnF32GemmFunc)(const NnGemmTile *tile);

typedef struct NnF32Gemm {
    NnIsa isa;
    const char *name;
    int mr, nr;
    NnF32GemmFunc func;
} NnF32Gemm;

/* y[i] = activation(x[i]); x may be y. */
typedef void (*NnF32ActivationFunc)(const NnActivation *activation, const float *x, float *y, int64_t n);

struct NnKernels {
    NnF32Gemm f32_gemm;
    NnF32ActivationFunc f32_activation;
};

/* The best kernel of each family that needs at most `isa`. */
void nn_kernels_select(NnIsa isa, NnKernels *ret_kernels);
