/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Operators on channels-last pictures, [N,H,W,C], which the layout pass puts in the
 * place of the standard's. No model file names them but a compiled one. */

#include "kernels/geometry.h"
#include "ops/support.h"

#define NN_NHWC_DOMAIN "plated.nhwc"

#define NN_OP(name) extern const NnOp nn_op_##name;
#include "ops/nhwc.inc"
#undef NN_OP

/* NULL when there is none. */
const NnOp *nn_nhwc_op_find(const char *type);

/* The same picture as the standard describes it, [N,C,H,W]; no more than dims. */
static inline NnTensor nn_nhwc_as_planar(const NnTensor *t)
{
    NnTensor planar = *t;

    if (t->rank == 4) {
        planar.dims[1] = t->dims[3];
        planar.dims[2] = t->dims[1];
        planar.dims[3] = t->dims[2];
    }
    return planar;
}

/* And the other way round. */
static inline NnTensor nn_nhwc_from_planar(const NnTensor *t)
{
    NnTensor picture = *t;

    if (t->rank == 4) {
        picture.dims[1] = t->dims[2];
        picture.dims[2] = t->dims[3];
        picture.dims[3] = t->dims[1];
    }
    return picture;
}

/* Floats from pixel to pixel. */
static inline int64_t nn_in_pitch(const NnCall *call, size_t i)
{
    return call->in_pitch && call->in_pitch[i] ? call->in_pitch[i] : call->in[i]->dims[3];
}

static inline int64_t nn_out_pitch(const NnCall *call, size_t i)
{
    return call->out_pitch && call->out_pitch[i] ? call->out_pitch[i] : call->out[i]->dims[3];
}

/* Of a call of Conv; all pitches are dense. -EBADMSG when it is none of one group. */
NN_MUST_CHECK int nn_nhwc_conv_geometry(const NnCall *call, NnConvGeometry *ret);

/* Of a depthwise convolution, one output for each channel; all pitches are dense. -EBADMSG
 * for any other. */
NN_MUST_CHECK int nn_nhwc_depthwise_geometry(const NnCall *call, NnConvGeometry *ret);

/* Input `i` is a picture of floats. */
NN_MUST_CHECK int nn_check_picture(const NnCall *call, size_t i);
