/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kernels/geometry.h"
#include "kernels/kernels.h"

/* The sizes of a convolution of pictures in one group, from a call as Conv of the
 * standard has it; all pitches are dense. -EBADMSG for any other. */
NN_MUST_CHECK int nn_conv_geometry(const NnCall *call, NnConvGeometry *ret);
