/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The geometry that the convolution kernels on channels-last pictures share. */

#include <stdint.h>

/* A convolution between channels-last pictures, whose pixels begin `pitch` floats
 * apart: the number of channels, or more where a picture is a slice of a wider one.
 * Rows and pictures of a batch follow each other without gaps. */
typedef struct NnConvGeometry {
    int64_t batch, in_h, in_w, channels, in_pitch;
    int64_t out_h, out_w, out_channels, out_pitch, residual_pitch;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
} NnConvGeometry;
