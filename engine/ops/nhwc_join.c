/* SPDX-License-Identifier: Apache-2.0 */

/* Concat and Slice over the channels of channels-last pictures. The plan lets most of
 * them share memory with what they read; the others copy rows of channels. */

#include "base/limits.h"
#include "ops/nhwc.h"

int nn_check_picture(const NnCall *call, size_t i)
{
    int r;

    r = nn_check_dtype(call, i, NN_BIT(NN_DTYPE_F32));
    return r < 0 ? r : nn_check_rank(call, i, 4, 4);
}

typedef struct Copy {
    const float *from;
    float *to;
    int64_t from_pitch, to_pitch, channels;
} Copy;

static void copy_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Copy *c = argument;

    (void)worker;
    for (int64_t i = begin; i < end; i++)
        memcpy(c->to + i * c->to_pitch, c->from + i * c->from_pitch,
               (size_t)c->channels * sizeof(float));
}

/* Channels of as many pixels as `tensor` has. */
static void copy_channels(const NnCall *call, Copy *copy, const NnTensor *tensor)
{
    if (copy->from != copy->to)
        nn_range_run(call->pool, nn_product(tensor->dims, 0, 3), nn_grain(copy->channels),
                     copy_range, copy);
}

static int concat_infer(const NnCall *call)
{
    int64_t dims[4];
    int r = 0;

    for (size_t i = 0; i < call->n_in; i++) {
        r = nn_check_inputs(call, i + 1);
        if (r >= 0)
            r = nn_check_picture(call, i);
        if (r < 0)
            return r;
        if (i == 0)
            memcpy(dims, call->in[0]->dims, sizeof(dims));
        else if (memcmp(dims, call->in[i]->dims, 3 * sizeof(dims[0])) != 0)
            return nn_error_set(call->error, -EBADMSG, "input %zu does not fit input 0", i);
        else if (__builtin_add_overflow(dims[3], call->in[i]->dims[3], &dims[3]))
            return nn_error_set(call->error, -E2BIG, "the output would be too large");
    }
    return nn_set_output(call, 0, NN_DTYPE_F32, 4, dims);
}

static int concat_run(const NnCall *call)
{
    float *to = call->out[0]->data;

    for (size_t i = 0; i < call->n_in; i++) {
        Copy copy = {
            .from = call->in[i]->data,
            .to = to,
            .from_pitch = nn_in_pitch(call, i),
            .to_pitch = nn_out_pitch(call, 0),
            .channels = call->in[i]->dims[3],
        };

        copy_channels(call, &copy, call->in[i]);
        to += copy.channels;
    }
    return 0;
}

const NnOp nn_op_nhwc_concat = {
    .type = "Concat",
    .domain = NN_NHWC_DOMAIN,
    .since = 1,
    .min_inputs = 1,
    .max_inputs = NN_LIMIT_NODE_INPUTS,
    .max_outputs = 1,
    .flags = NN_OP_PITCH | NN_OP_JOIN | NN_OP_NO_FOLD,
    .infer = concat_infer,
    .run = concat_run,
};

typedef struct SliceParams {
    int64_t first, channels;
} SliceParams;

static int slice_prepare(const NnNode *node, void *params, NnError *error)
{
    SliceParams *p = params;
    int r;

    r = nn_node_int(node, "first", 0, &p->first, error);
    if (r >= 0)
        r = nn_node_int(node, "channels", 0, &p->channels, error);
    if (r >= 0 && (p->first < 0 || p->channels < 1))
        return nn_error_set(error, -EBADMSG, "%lld channels from %lld on",
                            (long long)p->channels, (long long)p->first);
    return r;
}

static int slice_infer(const NnCall *call)
{
    const SliceParams *p = call->params;
    int64_t dims[4];
    int r;

    r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_picture(call, 0);
    if (r < 0)
        return r;
    memcpy(dims, call->in[0]->dims, sizeof(dims));
    if (p->first > dims[3] || p->channels > dims[3] - p->first)
        return nn_error_set(call->error, -EBADMSG, "%lld channels from %lld on of %lld",
                            (long long)p->channels, (long long)p->first, (long long)dims[3]);
    dims[3] = p->channels;
    return nn_set_output(call, 0, NN_DTYPE_F32, 4, dims);
}

static int64_t slice_first(const void *params)
{
    return ((const SliceParams *)params)->first;
}

static int slice_run(const NnCall *call)
{
    const SliceParams *p = call->params;
    Copy copy = {
        .from = (const float *)call->in[0]->data + p->first,
        .to = call->out[0]->data,
        .from_pitch = nn_in_pitch(call, 0),
        .to_pitch = nn_out_pitch(call, 0),
        .channels = p->channels,
    };

    copy_channels(call, &copy, call->out[0]);
    return 0;
}

const NnOp nn_op_nhwc_slice = {
    .type = "Slice",
    .domain = NN_NHWC_DOMAIN,
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_PITCH | NN_OP_PART | NN_OP_NO_FOLD,
    .params_bytes = sizeof(SliceParams),
    .prepare = slice_prepare,
    .infer = slice_infer,
    .first_channel = slice_first,
    .run = slice_run,
};
