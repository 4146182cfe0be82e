/* SPDX-License-Identifier: Apache-2.0 */

/* ConvTranspose in one to three dimensions: a matrix product gives, for each input
 * pixel, what it adds to the output pixels under the kernel; these are summed into
 * the output. A block of output channels at a time, as the scratch allows. */

#include "kernels/matmul.h"
#include "ops/support.h"
#include "ops/window.h"

/* Products of one block: about a second-level cache. One channel at least. */
#define BLOCK_BYTES ((int64_t)1 << 20)
typedef struct ConvTransposeParams {
    int64_t kernel[NN_SPATIAL_MAX], strides[NN_SPATIAL_MAX], dilations[NN_SPATIAL_MAX];
    int64_t pads[2 * NN_SPATIAL_MAX], output_padding[NN_SPATIAL_MAX], output_shape[NN_SPATIAL_MAX];
    int64_t group;
    int spatial;                /* as the lists have it; 0: there are none */
    NnAutoPad auto_pad;
} ConvTransposeParams;

static int conv_transpose_prepare(const NnNode *node, void *params, NnError *error)
{
    ConvTransposeParams *p = params;
    for (int i = 0; i < NN_SPATIAL_MAX; i++)
        p->strides[i] = p->dilations[i] = 1;
    int r = nn_spatial_list(node, "kernel_shape", 1, 1, p->kernel, &p->spatial, error);
    if (r >= 0)
        r = nn_spatial_list(node, "strides", 1, 1, p->strides, &p->spatial, error);
    if (r >= 0)
        r = nn_spatial_list(node, "dilations", 1, 1, p->dilations, &p->spatial, error);
    if (r >= 0)
        r = nn_spatial_list(node, "pads", 2, 0, p->pads, &p->spatial, error);
    if (r >= 0)
        r = nn_spatial_list(node, "output_padding", 1, 0, p->output_padding, &p->spatial, error);
    if (r >= 0)
        r = nn_spatial_list(node, "output_shape", 1, 1, p->output_shape, &p->spatial, error);
    if (r >= 0)
        r = nn_auto_pad_read(node, &p->auto_pad, error);
    if (r >= 0)
        r = nn_node_int(node, "group", 1, &p->group, error);
    if (r < 0)
        return r;
    if (p->group < 1)
        return nn_error_set(error, -EBADMSG, "group is %lld", (long long)p->group);
    return 0;
}

/* Three spatial dimensions: missing ones are 1 and stand first. */
typedef struct Shape {
    int64_t batch, channels, out_channels, groups, group_in, group_out;
    int64_t in[3], out[3], kernel[3], strides[3], dilations[3], before[3];
    int64_t in_pixels, out_pixels, taps;
    int64_t block;              /* output channels done at once */
} Shape;

/* Output size and leading pad along one axis. */
static void resolve_axis(const ConvTransposeParams *p, int i, Shape *s, int axis)
{
    int64_t extent = (s->kernel[axis] - 1) * s->dilations[axis] + 1;
    int64_t whole = s->strides[axis] * (s->in[axis] - 1) + p->output_padding[i] + extent;
    bool same = p->auto_pad == NN_AUTO_PAD_SAME_UPPER || p->auto_pad == NN_AUTO_PAD_SAME_LOWER;
    int spatial = NN_MAX(p->spatial, 1);
    if (p->output_shape[i] || same) {
        int64_t out = p->output_shape[i] ? p->output_shape[i] : s->in[axis] * s->strides[axis];
        int64_t total = NN_MAX(whole - out, 0);
        s->before[axis] = p->auto_pad == NN_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
        s->out[axis] = out;
    } else if (p->auto_pad == NN_AUTO_PAD_VALID) {
        s->out[axis] = whole;
    } else {
        s->before[axis] = p->pads[i];
        s->out[axis] = whole - p->pads[i] - p->pads[spatial + i];
    }
}

/* Everything that follows from the params and the shapes of X and W. */
static Shape get_shape(const NnCall *call)
{
    const ConvTransposeParams *p = call->params;
    const NnTensor *x = call->in[0], *w = call->in[1];
    Shape s = {
        .batch = x->dims[0],
        .channels = x->dims[1],
        .out_channels = w->dims[1] * p->group,
        .groups = p->group,
        .group_in = x->dims[1] / p->group,
        .group_out = w->dims[1],
        .in_pixels = 1,
        .out_pixels = 1,
        .taps = 1,
    };
    for (int axis = 0; axis < 3; axis++) {
        int i = axis - (5 - x->rank);
        s.in[axis] = i < 0 ? 1 : x->dims[2 + i];
        s.kernel[axis] = i < 0 ? 1 : w->dims[2 + i];
        s.strides[axis] = i < 0 ? 1 : p->strides[i];
        s.dilations[axis] = i < 0 ? 1 : p->dilations[i];
        s.out[axis] = 1;
        if (i >= 0)
            resolve_axis(p, i, &s, axis);
        s.in_pixels *= s.in[axis];
        s.taps *= s.kernel[axis];
    }
    int64_t channel_bytes = s.taps * s.in_pixels * (int64_t)sizeof(float);
    s.block = NN_MAX(NN_MIN(BLOCK_BYTES / NN_MAX(channel_bytes, 1), s.group_out), 1);
    return s;
}

static int check_inputs(const NnCall *call)
{
    const ConvTransposeParams *p = call->params;
    int r = nn_check_inputs(call, 2);
    for (size_t i = 0; r >= 0 && i < call->n_in; i++)
        r = nn_check_dtype(call, i, NN_BIT(NN_DTYPE_F32));
    if (r >= 0)
        r = nn_check_rank(call, 0, 3, 2 + NN_SPATIAL_MAX);
    if (r < 0)
        return r;
    const NnTensor *x = call->in[0], *w = call->in[1];
    if (w->rank != x->rank || (p->spatial && p->spatial != x->rank - 2))
        return nn_error_set(call->error, -EBADMSG, "an input of %d dimensions, weights of %d and "
                            "attributes for %d spatial ones", x->rank, w->rank, p->spatial);
    for (int i = 0; i < w->rank; i++)
        if (w->dims[i] < 1)
            return nn_error_set(call->error, -EBADMSG, "the weights are empty");
    if (w->dims[0] != x->dims[1] || x->dims[1] % p->group != 0)
        return nn_error_set(call->error, -EBADMSG, "the weights expect %lld channels in %lld "
                            "groups, the input has %lld", (long long)w->dims[0],
                            (long long)p->group, (long long)x->dims[1]);
    for (int i = 0; i < p->spatial; i++)
        if (p->kernel[i] && p->kernel[i] != w->dims[2 + i])
            return nn_error_set(call->error, -EBADMSG, "kernel_shape says %lld along axis %d, the "
                                "weights are %lld", (long long)p->kernel[i], i,
                                (long long)w->dims[2 + i]);
    return 0;
}

static int conv_transpose_infer(const NnCall *call)
{
    int r = check_inputs(call);
    if (r < 0)
        return r;
    int rank = call->in[0]->rank;
    Shape s = get_shape(call);
    int64_t dims[NN_RANK_MAX] = { s.batch, s.out_channels };
    for (int i = 2; i < rank; i++) {
        dims[i] = s.out[3 - rank + i];
        if (call->in[0]->dims[i] < 1 || dims[i] < 1)
            return nn_error_set(call->error, -EBADMSG, "spatial dimension %d of %lld would be "
                                "%lld in the output", i - 2, (long long)call->in[0]->dims[i],
                                (long long)dims[i]);
    }
    r = nn_check_vector(call, 2, s.out_channels);
    return r < 0 ? r : nn_set_output(call, 0, NN_DTYPE_F32, rank, dims);
}

static size_t products_bytes(const Shape *s)
{
    return nn_align_up((size_t)(s->block * s->taps * s->in_pixels) * sizeof(float), 64);
}

static size_t conv_transpose_scratch(const NnCall *call)
{
    Shape s = get_shape(call);
    return products_bytes(&s) + nn_matmul_scratch(call->pool);
}

typedef struct ConvTranspose {
    const NnCall *call;
    Shape s;
    float *products;            /* [channels of the block][taps][in_pixels] */
    float *out;                 /* planes of the block */
    const float *bias;          /* of the block, or NULL */
} ConvTranspose;

/* Input positions along an axis whose tap falls inside the output: begin…end-1. */
static void inside(const Shape *s, int axis, int64_t tap, int64_t *ret_begin, int64_t *ret_end)
{
    int64_t offset = tap * s->dilations[axis] - s->before[axis], stride = s->strides[axis];
    int64_t end = s->out[axis] > offset ? nn_div_up(s->out[axis] - offset, stride) : 0;
    *ret_begin = offset < 0 ? nn_div_up(-offset, stride) : 0;
    *ret_end = NN_MIN(end, s->in[axis]);
}

/* Adds one row of products to a row of the output, every `stride` elements. */
static void add_row(const float *from, int64_t n, int64_t stride, float *to)
{
    if (stride == 1)
        NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
            to[i] += from[i];
    else if (stride == 2)
        NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
            to[2 * i] += from[i];
    else
        NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
            to[stride * i] += from[i];
}

/* Adds the products of one tap to an output plane. */
static void add_tap(const Shape *s, int64_t tap, const float *products, float *plane)
{
    int64_t k[3] = { tap / s->kernel[2] / s->kernel[1], tap / s->kernel[2] % s->kernel[1],
                     tap % s->kernel[2] };
    int64_t begin[3], end[3], offset[3];
    for (int axis = 0; axis < 3; axis++) {
        inside(s, axis, k[axis], &begin[axis], &end[axis]);
        offset[axis] = k[axis] * s->dilations[axis] - s->before[axis];
    }
    if (begin[2] >= end[2])
        return;
    for (int64_t z = begin[0]; z < end[0]; z++) {
        for (int64_t y = begin[1]; y < end[1]; y++) {
            int64_t row =
                (z * s->strides[0] + offset[0]) * s->out[1] + y * s->strides[1] + offset[1];
            add_row(products + (z * s->in[1] + y) * s->in[2] + begin[2], end[2] - begin[2],
                    s->strides[2],
                    plane + row * s->out[2] + begin[2] * s->strides[2] + offset[2]);
        }
    }
}

static void sum_channels(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const ConvTranspose *run = argument;
    const Shape *s = &run->s;
    (void)worker;
    for (int64_t c = begin; c < end; c++) {
        float *plane = run->out + c * s->out_pixels;
        for (int64_t i = 0; i < s->out_pixels; i++)
            plane[i] = run->bias ? run->bias[c] : 0;
        for (int64_t tap = 0; tap < s->taps; tap++)
            add_tap(s, tap, run->products + (c * s->taps + tap) * s->in_pixels, plane);
    }
}

/* Output channels c…c+n-1 of one group of one image. */
static void do_block(ConvTranspose *run, int64_t image, int64_t group, int64_t c, int64_t n,
                     void *scratch)
{
    const NnCall *call = run->call;
    const NnTensor *bias = nn_input(call, 2);
    const Shape *s = &run->s;
    int64_t channel = group * s->group_out + c, width = s->group_out * s->taps;
    NnMatmul mm = {
        .m = n * s->taps,
        .n = s->in_pixels,
        .k = s->group_in,
        .a = (const float *)call->in[1]->data + group * s->group_in * width + c * s->taps,
        .a_row = 1,
        .a_column = width,
        .b = (const float *)call->in[0]->data +
             (image * s->channels + group * s->group_in) * s->in_pixels,
        .b_row = s->in_pixels,
        .b_column = 1,
        .alpha = 1,
        .c = run->products,
    };
    nn_matmul_run(&mm, call->kernels, call->pool, scratch);
    run->out = (float *)call->out[0]->data + (image * s->out_channels + channel) * s->out_pixels;
    run->bias = bias ? (const float *)bias->data + channel : NULL;
    nn_range_run(call->pool, n, nn_grain(s->taps * s->in_pixels), sum_channels, run);
}

static int conv_transpose_run(const NnCall *call)
{
    ConvTranspose run = { .call = call, .s = get_shape(call), .products = call->scratch };
    Shape *s = &run.s;
    s->out_pixels = s->out[0] * s->out[1] * s->out[2];
    void *scratch = (char *)call->scratch + products_bytes(s);
    for (int64_t image = 0; image < s->batch; image++)
        for (int64_t group = 0; group < s->groups; group++)
            for (int64_t c = 0; c < s->group_out; c += s->block)
                do_block(&run, image, group, c, NN_MIN(s->block, s->group_out - c), scratch);
    return 0;
}

static uint64_t conv_transpose_flops(const NnCall *call)
{
    Shape s = get_shape(call);
    return (uint64_t)2 * (uint64_t)(s.batch * s.channels * s.in_pixels) *
           (uint64_t)(s.group_out * s.taps);
}

const NnOp nn_op_conv_transpose = {
    .type = "ConvTranspose",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(ConvTransposeParams),
    .prepare = conv_transpose_prepare,
    .infer = conv_transpose_infer,
    .scratch = conv_transpose_scratch,
    .run = conv_transpose_run,
    .flops = conv_transpose_flops,
};
