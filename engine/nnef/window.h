/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Sliding windows: how parameters padding, stride, dilation and output_shape make
 * sizes (NNEF 1.0 specification, "Sliding-Window Operations"). */

#include "nnef/lower.h"

typedef struct NnefWindow {
    int rank;
    int64_t size[NN_RANK_MAX], stride[NN_RANK_MAX], dilation[NN_RANK_MAX];
    int64_t before[NN_RANK_MAX], after[NN_RANK_MAX];
    int64_t in[NN_RANK_MAX], out[NN_RANK_MAX];  /* of the large and the small side */
    bool padded;
} NnefWindow;

/* Windows of `size` over `rank` dimensions of extents `in`. */
bool nn_nnef_window(const NnefCall *call, const int64_t *in, const int64_t *size, int rank,
                    NnefWindow *ret);

/* The opposite: `out` are the extents that there are, `in` those that result, from
 * output_shape (its last `rank` items) or the other parameters. */
bool nn_nnef_window_transposed(const NnefCall *call, const int64_t *out, const int64_t *size,
                               int rank, NnefWindow *ret);

/* Pads the last `rank` dimensions of a tensor, and takes the padding out of the
 * window. */
NnValueId nn_nnef_window_pad(NnefBuild *build, NnValueId id, const char *border,
                             NnefWindow *window);

/* ONNX's list: all before, then all after. */
void nn_nnef_window_pads(const NnefWindow *window, int64_t pads[2 * NN_RANK_MAX]);
