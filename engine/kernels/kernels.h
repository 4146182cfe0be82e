/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The kernels of one context. Each family has a list, kernels/<family>/<family>.inc,
 * C first and best last, which dispatch, test and benchmark all include. */

#include "base/cpu.h"
#include "kernels/pack.h"
#include "ops/op.h"

/* C[MR×NR] = epilogue(A[MR×K] · B[K×NR]): A packed k-major by MR rows, B packed
 * k-major by NR columns, both zero-padded to whole tiles; C row-major with
 * `ldc` floats a row; only `rows`×`columns` of it are written. `bias` has one
 * value a row, or is NULL. `residual`, or NULL, is added before the activation
 * and has the layout of C with stride `ldr`. `accumulate` starts from what C
 * holds instead of 0: how a long K is done in blocks. `activation` may be NULL. */
typedef struct NnGemmTile {
    const float *a, *b;
    int64_t k;
    float *c;
    int64_t ldc;
    const float *bias;
    const float *residual;
    int64_t ldr;
    int rows, columns;
    bool accumulate;
    const NnActivation *activation;
} NnGemmTile;

typedef void (*NnF32GemmFunc)(const NnGemmTile *tile);

typedef struct NnF32Gemm {
    NnIsa isa;
    const char *name;
    int mr, nr;
    NnF32GemmFunc func;
} NnF32Gemm;

/* y[i] = activation(x[i]); x may be y. NaN stays NaN. Sigmoid and SiLU are within
 * a relative 2e-6, and of results below 1e-36 only absolutely. */
typedef void (*NnF32ActivationFunc)(const NnActivation *activation, const float *x, float *y,
                                    int64_t n);

typedef struct NnF32Activation {
    NnIsa isa;
    const char *name;
    NnF32ActivationFunc func;
} NnF32Activation;

/* One output plane of a convolution whose output channels see one input channel
 * each; `view` describes that input plane, `weight` has kernel_h × kernel_w. */
typedef void (*NnF32DepthwiseFunc)(const NnIm2col *view, const float *weight, float bias, float *y);

typedef struct NnF32Depthwise {
    NnIsa isa;
    const char *name;
    NnF32DepthwiseFunc func;
} NnF32Depthwise;

/* sums[j] += n · x · y, one product at a time, `sums` of them at once: nothing but
 * the multipliers limits it, so that its 2 · n · sums operations measure the peak
 * that others are compared with. */
typedef void (*NnF32FmaFunc)(int64_t n, float x, float y, float *sums);

#define NN_F32_FMA_SUMS_MAX 192

typedef struct NnF32Fma {
    NnIsa isa;
    const char *name;
    int sums;
    NnF32FmaFunc func;
} NnF32Fma;

#define NN_F32_GEMM(isa, mr, nr, symbol) void symbol(const NnGemmTile *tile);
#include "kernels/gemm/gemm.inc"
#undef NN_F32_GEMM

#define NN_F32_ACTIVATION(isa, symbol) \
    void symbol(const NnActivation *activation, const float *x, float *y, int64_t n);
#include "kernels/activation/activation.inc"
#undef NN_F32_ACTIVATION

#define NN_F32_DEPTHWISE(isa, symbol) \
    void symbol(const NnIm2col *view, const float *weight, float bias, float *y);
#include "kernels/depthwise/depthwise.inc"
#undef NN_F32_DEPTHWISE

#define NN_F32_FMA(isa, sums_, symbol) void symbol(int64_t n, float x, float y, float *sums);
#include "kernels/fma/fma.inc"
#undef NN_F32_FMA

struct NnKernels {
    NnF32Gemm f32_gemm;
    NnF32ActivationFunc f32_activation;
    NnF32DepthwiseFunc f32_depthwise;
    NnF32Fma f32_fma;
    bool blas;                  /* matrix products by OpenBLAS, where it is built in */
};

/* The best kernel of each family that needs at most `isa`. */
void nn_kernels_select(NnIsa isa, NnKernels *ret_kernels);
