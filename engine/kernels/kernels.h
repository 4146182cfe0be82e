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
 * a relative 2e-6, and of results below 2e-36 only absolutely. */
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

/* Winograd's convolution of winograd.h, in three steps over tiles of m×m outputs, each
 * with its patch of alpha×alpha inputs and so many products, one for each position of the
 * transformed patch. */

/* Transformed patches stand in lines of this many channels, line by line for all tiles
 * of a panel: what one patch writes then fills cache lines. */
#define NN_WINOGRAD_LINE 16

/* The patches of neighbouring tiles in one row to their places in a panel: channel c of
 * position p of a tile goes to
 * v[p·position_stride + c/LINE·LINE·rows + tile·LINE + c%LINE]. */
typedef struct NnWinogradStrip {
    int m;
    int rows;                   /* tiles of the panel */
    int64_t tiles;              /* of the strip */
    const float *x;             /* first pixel of the first patch, if it is one */
    int64_t row_stride, pitch;  /* floats from row to row, from pixel to pixel */
    int64_t top, bottom, left, right;   /* rows and columns of the strip, end excluded, that
                                           are pixels; all others are zero */
    int64_t channels;
    float *half;                /* scratch: a line of alpha rows for each column of
                                   pixels that the strip sees */
    float *v;
    int64_t position_stride;
} NnWinogradStrip;

/* The products of one tile to its outputs: channel c of position p stands at
 * products[p·chunk + c]. */
typedef struct NnWinogradProduct {
    int m;
    const float *products;
    int64_t channels;           /* whole vectors */
    const float *bias;          /* or NULL */
    const float *residual;      /* or NULL; added before the activation */
    int64_t residual_row, residual_pitch;
    const NnActivation *activation;     /* or NULL */
    float *y;
    int64_t y_row, y_pitch;
} NnWinogradProduct;

typedef struct NnF32Winograd {
    NnIsa isa;
    const char *name;
    int rows, columns;          /* tiles and output channels of a panel at most */
    int chunk;                  /* output channels that the products of a tile hold: panels */
    int lanes;                  /* floats of a vector */
    void (*input)(const NnWinogradStrip *strip);
    /* products[i·stride + j] = sum over k of v[i][k]·u[k·columns + j], v as above, of
     * `channels` in whole vectors; `columns` is a multiple of the lanes. */
    void (*multiply)(const float *v, const float *u, int64_t channels, int rows, int columns,
                     float *products, int64_t stride);
    void (*output)(const NnWinogradProduct *product);
} NnF32Winograd;

/* The pixels of a tile under one tap of the kernel: each has its channels side by
 * side, and lies `stride` floats behind the one before. Their weights are those from
 * row `k` of the panel on. */
typedef struct NnConvTap {
    const float *x;
    int64_t stride, k;
} NnConvTap;

/* Pixels of the output side by side: y, `ldy` of the panel floats apart, and what is
 * added to them before the activation, or NULL, `ldr` apart. */
typedef struct NnConvTile {
    const NnConvTap *taps;
    int64_t n_taps;
    float *y;
    const float *residual;
    int pixels;                 /* at most mr, at least 1 */
} NnConvTile;

/* Output channels of a convolution between channels-last pictures, for some tiles:
 * y = epilogue(sum over taps and channels of x · weights). `weights` has a row for each
 * channel of each tap, as wide as the fewest vectors that hold `columns` output channels.
 * Sums start from `bias`, which has a value for each column, or from 0 where it is NULL;
 * with `accumulate` from what y holds instead: how many products are summed in blocks.
 * `activation` may be NULL. */
typedef struct NnConvPanel {
    const float *weights;
    int64_t channels;
    const float *bias;
    int columns;                /* at most nr, at least 1 */
    bool accumulate;
    const NnActivation *activation;
    int64_t ldy, ldr;
    const NnConvTile *tiles;
    int n_tiles;
} NnConvPanel;

typedef void (*NnF32ConvFunc)(const NnConvPanel *panel);

typedef struct NnF32Conv {
    NnIsa isa;
    const char *name;
    int mr, nr, lanes;
    bool ordered;               /* pixels are worth reading once in their order before */
    NnF32ConvFunc func;
} NnF32Conv;

/* What becomes of `n` >= 1 rows: their maximum, where a NaN may or may not be seen, or
 * their sum times `scale`. */
typedef struct NnPoolRows {
    const float *const *rows;
    int64_t n;
    bool average;
    float scale;
} NnPoolRows;

/* y may be a row. */
typedef void (*NnF32PoolFunc)(const NnPoolRows *pool, float *y, int64_t count);

typedef struct NnF32Pool {
    NnIsa isa;
    const char *name;
    NnF32PoolFunc func;
} NnF32Pool;

/* `n` taps over the channels of one pixel: y = activation(bias + sum over taps of x ·
 * weights + residual), channel by channel. `bias`, `residual`, `activation` may be NULL. */
typedef struct NnChannelTaps {
    const float *const *x;
    const float *const *weights;
    int64_t n;
    const float *bias, *residual;
    const NnActivation *activation;
} NnChannelTaps;

typedef void (*NnF32ChannelsFunc)(const NnChannelTaps *taps, float *y, int64_t count);

typedef struct NnF32Channels {
    NnIsa isa;
    const char *name;
    NnF32ChannelsFunc func;
} NnF32Channels;

#define NN_F32_CHANNELS(isa, symbol) \
    void symbol(const NnChannelTaps *taps, float *y, int64_t count);
#include "kernels/channels/channels.inc"
#undef NN_F32_CHANNELS

#define NN_F32_CONV(isa, mr, nr, lanes, ordered, symbol) void symbol(const NnConvPanel *panel);
#include "kernels/conv/conv.inc"
#undef NN_F32_CONV

#define NN_F32_POOL(isa, symbol) void symbol(const NnPoolRows *pool, float *y, int64_t count);
#include "kernels/pool/pool.inc"
#undef NN_F32_POOL

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

#define NN_F32_WINOGRAD(isa, suffix, tiles, width, wide, vector)                              \
    void nn_f32_winograd_input__##suffix(const NnWinogradStrip *strip);                       \
    void nn_f32_winograd_multiply__##suffix(const float *v, const float *u, int64_t channels, \
                                            int rows, int columns, float *products,           \
                                            int64_t stride);                                  \
    void nn_f32_winograd_output__##suffix(const NnWinogradProduct *product);
#include "kernels/winograd/winograd.inc"
#undef NN_F32_WINOGRAD

struct NnKernels {
    NnF32Gemm f32_gemm;
    NnF32ActivationFunc f32_activation;
    NnF32DepthwiseFunc f32_depthwise;
    NnF32Fma f32_fma;
    NnF32Winograd f32_winograd;
    NnF32Conv f32_conv;
    NnF32PoolFunc f32_pool;
    NnF32ChannelsFunc f32_channels;
    bool blas;                  /* matrix products by OpenBLAS, where it is built in */
};

/* The best kernel of each family that needs at most `isa`. */
void nn_kernels_select(NnIsa isa, NnKernels *ret_kernels);
