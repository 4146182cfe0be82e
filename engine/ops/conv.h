/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kernels/geometry.h"
#include "kernels/kernels.h"

/* The sizes of a convolution of pictures in one group, from a call as Conv of the
 * standard has it; all pitches are dense. -EBADMSG for any other. */
NN_MUST_CHECK int nn_conv_geometry(const NnCall *call, NnConvGeometry *ret);

/* The same where each channel has a group of its own, and one output. */
NN_MUST_CHECK int nn_conv_depthwise_geometry(const NnCall *call, NnConvGeometry *ret);
