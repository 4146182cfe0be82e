/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tensor files of NNEF 1.0: a header of 128 bytes, then the items, row-major and
 * little-endian, bits of logical items from the most significant one on. */

#include "graph/graph.h"

#define NN_NNEF_HEADER_BYTES 128

/* Codes of the header's item type. */
typedef enum NnNnefItem {
    NN_NNEF_FLOAT,
    NN_NNEF_UINT,
    NN_NNEF_QUINT,      /* quantised, by the variable's line in graph.quant */
    NN_NNEF_QINT,
    NN_NNEF_INT,
    NN_NNEF_BOOL,
} NnNnefItem;

/* Reads a whole file from memory. `name` stands in messages; the tensor's data is
 * malloc'd. -EBADMSG for what contradicts itself, -ENOTSUP for items that the
 * engine does not have, -E2BIG, -ENOMEM. */
NN_MUST_CHECK int nn_nnef_tensor_parse(const char *name, const void *bytes, size_t n,
                                       NnTensor *ret_tensor, NnError *error);

/* Writes a file that the above reads back equal. */
NN_MUST_CHECK int nn_nnef_tensor_write(const char *path, const NnTensor *tensor, NnError *error);
