/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Packing for the GEMM tiles of kernels.h: panels of MR rows of A or NR columns
 * of B, k-major, the last one padded with zeros. */

#include <stddef.h>
#include <stdint.h>

/* Floats of A packed: rows·k, with the rows rounded up to whole panels. */
static inline int64_t nn_pack_floats(int64_t rows, int64_t k, int panel)
{
    return (rows + panel - 1) / panel * panel * k;
}

/* out = panels of scale·A, where A[i][k] stands at i·row_stride + k·k_stride. B is
 * packed by the same function: its columns are the rows. */
void nn_pack_rows(const float *a, int64_t row_stride, int64_t k_stride, int64_t rows, int64_t k,
                  float scale, int panel, float *out);

/* The matrix a convolution multiplies its weights with, never made as a whole:
 * row k is (channel, kernel y, kernel x), column p an output pixel. */
typedef struct NnIm2col {
    const float *x;             /* planes of in_h × in_w */
    int64_t in_h, in_w;
    int64_t kernel_h, kernel_w;
    int64_t stride_h, stride_w;
    int64_t dilation_h, dilation_w;
    int64_t pad_top, pad_left;
    int64_t out_h, out_w;
} NnIm2col;

/* Rows k_begin…k_begin+k-1 of columns p_begin…p_begin+columns-1, in panels of
 * `panel` columns that begin `panel_stride` >= k·panel floats apart. */
void nn_pack_im2col(const NnIm2col *view, int64_t k_begin, int64_t k, int64_t p_begin,
                    int64_t columns, int panel, int64_t panel_stride, float *out);
