/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/util.h"

/* NumPy's .npy files, versions 1 to 3, little-endian, C order
 * (numpy.lib.format documentation). */

/* The data is malloc'd. -EBADMSG with a sentence for anything else than that. */
NN_MUST_CHECK int npy_read(const char *path, NnTensor *ret_tensor, NnError *error);
NN_MUST_CHECK int npy_write(const char *path, const NnTensor *tensor, NnError *error);
