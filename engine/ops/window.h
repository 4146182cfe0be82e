/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A window that slides over one to three spatial dimensions. */

#include "ops/support.h"

#define NN_SPATIAL_MAX 3

typedef enum NnAutoPad {
    NN_AUTO_PAD_NOTSET,
    NN_AUTO_PAD_SAME_UPPER,
    NN_AUTO_PAD_SAME_LOWER,
    NN_AUTO_PAD_VALID,
} NnAutoPad;

/* Largest number of such a list: sums and products with dims stay within int64. */
#define NN_SPATIAL_LIST_MAX (1 << 24)

/* A list of `per_axis` numbers from `low` on for each spatial dimension. `spatial` is
 * their count, 0 before the first list; an absent list leaves `ret` as it is. */
NN_MUST_CHECK int nn_spatial_list(const NnNode *node, const char *name, int per_axis, int64_t low,
                                  int64_t *ret, int *spatial, NnError *error);

NN_MUST_CHECK int nn_auto_pad_read(const NnNode *node, NnAutoPad *ret, NnError *error);

typedef struct NnWindow {
    int spatial;
    NnAutoPad auto_pad;
    int64_t kernel[NN_SPATIAL_MAX], strides[NN_SPATIAL_MAX], dilations[NN_SPATIAL_MAX];
    int64_t before[NN_SPATIAL_MAX], after[NN_SPATIAL_MAX];
} NnWindow;

/* Reads kernel_shape, strides, dilations, pads and auto_pad. */
NN_MUST_CHECK int nn_window_read(const NnNode *node, NnWindow *window, NnError *error);

/* The same where the dims of `weights` from the third on are the size of the window;
 * kernel_shape may repeat them. */
NN_MUST_CHECK int nn_window_read_weights(const NnNode *node, const NnTensor *weights,
                                         NnWindow *window, NnError *error);

/* Pads for the dims of input 0, and the dims of the output: those of the input
 * but for the spatial ones. */
NN_MUST_CHECK int nn_window_resolve(const NnCall *call, const NnWindow *window, bool ceil_mode,
                                    NnWindow *ret_window, int64_t *ret_dims);
