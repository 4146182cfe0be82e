/* SPDX-License-Identifier: Apache-2.0 */

/* Nearest neighbours by whole factors: every pixel several times. */

#include "ops/nhwc.h"

typedef struct UpsampleParams {
    int64_t height, width;      /* factors */
} UpsampleParams;

static int upsample_prepare(const NnNode *node, void *params, NnError *error)
{
    UpsampleParams *p = params;
    int r;

    r = nn_node_int(node, "height", 0, &p->height, error);
    if (r >= 0)
        r = nn_node_int(node, "width", 0, &p->width, error);
    if (r >= 0 && (p->height < 1 || p->width < 1))
        return nn_error_set(error, -EBADMSG, "factors %lld and %lld", (long long)p->height,
                            (long long)p->width);
    return r;
}

static int upsample_infer(const NnCall *call)
{
    const UpsampleParams *p = call->params;
    int64_t dims[4];
    int r;

    r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_picture(call, 0);
    if (r < 0)
        return r;
    memcpy(dims, call->in[0]->dims, sizeof(dims));
    if (__builtin_mul_overflow(dims[1], p->height, &dims[1]) ||
        __builtin_mul_overflow(dims[2], p->width, &dims[2]))
        return nn_error_set(call->error, -E2BIG, "the output would be too large");
    return nn_set_output(call, 0, NN_DTYPE_F32, 4, dims);
}

/* Rows of the input, those of a whole batch counted through. */
static void upsample_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const UpsampleParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t from_pitch = nn_in_pitch(call, 0), to_pitch = nn_out_pitch(call, 0);
    size_t bytes = (size_t)in->dims[3] * sizeof(float);

    (void)worker;
    for (int64_t row = begin; row < end; row++)
        for (int64_t x = 0; x < in->dims[2]; x++) {
            const float *from = (const float *)in->data + (row * in->dims[2] + x) * from_pitch;

            for (int64_t i = 0; i < p->height; i++) {
                int64_t pixel = ((row * p->height + i) * in->dims[2] + x) * p->width;
                float *to = (float *)call->out[0]->data + pixel * to_pitch;

                for (int64_t j = 0; j < p->width; j++)
                    memcpy(to + j * to_pitch, from, bytes);
            }
        }
}

static int upsample_run(const NnCall *call)
{
    const NnTensor *out = call->out[0];
    int64_t rows = call->in[0]->dims[0] * call->in[0]->dims[1];

    if (rows > 0)
        nn_range_run(call->pool, rows, nn_grain(nn_tensor_elements(out) / rows), upsample_rows,
                     (void *)call);
    return 0;
}

const NnOp nn_op_nhwc_upsample = {
    .type = "Upsample",
    .domain = NN_NHWC_DOMAIN,
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_PITCH | NN_OP_NO_FOLD,
    .params_bytes = sizeof(UpsampleParams),
    .prepare = upsample_prepare,
    .infer = upsample_infer,
    .run = upsample_run,
};
