/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Convolution 3×3 on channels-last pictures by Winograd's minimal filtering F(m×m, 3×3)
 * (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015): m = 2
 * multiplies 2.25 times less than the sum over the taps, m = 4 four times, m = 6 5.06 times.
 * m = 3 stands for stride 2, see winograd/matrices.h: 1.65 times less. Errors against an
 * exact sum, relative to the largest output, stay below 2e-5 for m = 2 and 3, below 1e-4
 * for m = 4 and 6. */

#include "base/pool.h"
#include "kernels/geometry.h"
#include "kernels/kernels.h"

/* Whether it is a convolution that m is for, of any size. */
bool nn_winograd_fits(const NnConvGeometry *geometry, int m);

/* Floats that the weights take once transformed and packed. */
int64_t nn_winograd_weights(const NnKernels *kernels, int m, int64_t out_channels,
                            int64_t channels);

/* From weights in the order of ONNX: output channel, channel, kernel y, kernel x. */
void nn_winograd_pack(const NnKernels *kernels, int m, const float *weights, int64_t out_channels,
                      int64_t channels, float *packed);

/* What a convolution costs, for choosing: multiplications of the products, floats of the
 * transformed patches and of the products, bytes of weights that are read. */
typedef struct NnWinogradWork {
    double products, transformed, weight_bytes;
} NnWinogradWork;

NnWinogradWork nn_winograd_work(const NnConvGeometry *geometry, const NnKernels *kernels, int m,
                                unsigned threads);

/* One convolution. The caller owns all memory; y overlaps neither x nor residual. */
typedef struct NnWinograd {
    NnConvGeometry geometry;
    int m;                      /* outputs of a tile along each axis: 2, 4 or 6; 3 with stride 2 */
    const float *x, *weights;   /* weights from nn_winograd_pack */
    const float *bias;          /* one for each output channel; may be NULL */
    const float *residual;      /* a picture like y, added before the activation; may be NULL */
    const NnActivation *activation;     /* may be NULL */
    float *y;
    void *scratch;              /* 64-byte aligned */
} NnWinograd;

/* Bytes of scratch for all threads of the pool together. */
size_t nn_winograd_scratch(const NnConvGeometry *geometry, const NnKernels *kernels, int m,
                           unsigned threads);

/* The same bits for any number of threads. */
void nn_winograd_run(const NnWinograd *winograd, const NnKernels *kernels, NnPool *pool);
