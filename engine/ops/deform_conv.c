/* SPDX-License-Identifier: Apache-2.0 */

/* DeformConv in two dimensions: a convolution whose taps lie where an input says,
 * between the pixels. The pixels under the taps are gathered, then multiplied with
 * the weights. Inputs: X, W, offsets [batch, offset groups × taps × (y, x), out],
 * optional bias and mask [batch, offset groups × taps, out]. */

#include <math.h>

#include "kernels/matmul.h"
#include "ops/support.h"
#include "ops/window.h"

typedef struct DeformConvParams {
    int64_t kernel[NN_SPATIAL_MAX], strides[NN_SPATIAL_MAX], dilations[NN_SPATIAL_MAX];
    int64_t pads[2 * NN_SPATIAL_MAX];
    int64_t group, offset_group;
    int spatial;
} DeformConvParams;

static int deform_conv_prepare(const NnNode *node, void *params, NnError *error)
{
    DeformConvParams *p = params;
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
        r = nn_node_int(node, "group", 1, &p->group, error);
    if (r >= 0)
        r = nn_node_int(node, "offset_group", 1, &p->offset_group, error);
    if (r < 0)
        return r;
    if (p->spatial != 0 && p->spatial != 2)
        return nn_error_set(error, -ENOTSUP, "%d spatial dimensions, 2 are done", p->spatial);
    if (p->group < 1 || p->offset_group < 1)
        return nn_error_set(error, -EBADMSG, "group is %lld and offset_group %lld",
                            (long long)p->group, (long long)p->offset_group);
    return 0;
}

typedef struct Shape {
    int64_t batch, channels, out_channels, group_in, group_out;
    int64_t offset_channels;    /* input channels that share offsets */
    int64_t in[2], kernel[2], out[2];
    int64_t taps, in_pixels, out_pixels;
} Shape;

static Shape get_shape(const NnCall *call)
{
    const DeformConvParams *p = call->params;
    const NnTensor *x = call->in[0], *w = call->in[1], *offset = call->in[2];
    Shape s = {
        .batch = x->dims[0],
        .channels = x->dims[1],
        .out_channels = w->dims[0],
        .group_in = w->dims[1],
        .group_out = w->dims[0] / p->group,
        .offset_channels = x->dims[1] / p->offset_group,
        .taps = w->dims[2] * w->dims[3],
        .in_pixels = x->dims[2] * x->dims[3],
        .out_pixels = offset->dims[2] * offset->dims[3],
    };
    for (int i = 0; i < 2; i++) {
        s.in[i] = x->dims[2 + i];
        s.kernel[i] = w->dims[2 + i];
        s.out[i] = offset->dims[2 + i];
    }
    return s;
}

static int check_channels(const NnCall *call, const Shape *s)
{
    const DeformConvParams *p = call->params;
    for (int i = 0; i < 4; i++)
        if (call->in[1]->dims[i] < 1)
            return nn_error_set(call->error, -EBADMSG, "the weights are empty");
    if (s->channels % s->group_in != 0 || s->channels / s->group_in != p->group ||
        s->out_channels % p->group != 0)
        return nn_error_set(call->error, -EBADMSG, "%lld channels do not become %lld by weights of "
                            "%lld in %lld groups", (long long)s->channels,
                            (long long)s->out_channels, (long long)s->group_in,
                            (long long)p->group);
    if (s->channels % p->offset_group != 0)
        return nn_error_set(call->error, -EBADMSG, "%lld channels do not divide into %lld offset "
                            "groups", (long long)s->channels, (long long)p->offset_group);
    return 0;
}

/* Offsets and mask are [batch, n × offset groups × taps, out]. */
static int check_planes(const NnCall *call, const Shape *s, size_t input, int64_t n)
{
    const DeformConvParams *p = call->params;
    const NnTensor *t = nn_input(call, input);
    int64_t per_group = n * s->taps;
    if (!t || (t->dims[0] == s->batch && t->dims[1] % per_group == 0 &&
               t->dims[1] / per_group == p->offset_group && t->dims[2] == s->out[0] &&
               t->dims[3] == s->out[1]))
        return 0;
    char text[128];
    return nn_error_set(call->error, -EBADMSG, "input %zu of %s does not fit the weights and the "
                        "output", input, nn_tensor_shape_string(t, text, sizeof(text)));
}

static int check_extent(const NnCall *call, const Shape *s)
{
    const DeformConvParams *p = call->params;
    for (int i = 0; i < 2; i++) {
        int64_t room =
            s->in[i] + p->pads[i] + p->pads[2 + i] - (s->kernel[i] - 1) * p->dilations[i] - 1;
        if (p->kernel[i] && p->kernel[i] != s->kernel[i])
            return nn_error_set(call->error, -EBADMSG, "kernel_shape says %lld along axis %d, the "
                                "weights are %lld", (long long)p->kernel[i], i,
                                (long long)s->kernel[i]);
        if (room < 0 || room / p->strides[i] + 1 != s->out[i])
            return nn_error_set(call->error, -EBADMSG, "offsets for %lld positions along axis %d "
                                "do not fit the window", (long long)s->out[i], i);
    }
    return 0;
}

static int deform_conv_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 3);
    for (size_t i = 0; r >= 0 && i < call->n_in; i++) {
        r = nn_check_dtype(call, i, NN_BIT(NN_DTYPE_F32));
        if (r >= 0 && i != 3)
            r = nn_check_rank(call, i, 4, 4);
    }
    if (r < 0)
        return r;
    Shape s = get_shape(call);
    r = check_channels(call, &s);
    if (r >= 0)
        r = check_planes(call, &s, 2, 2);
    if (r >= 0)
        r = nn_check_vector(call, 3, s.out_channels);
    if (r >= 0)
        r = check_planes(call, &s, 4, 1);
    if (r >= 0)
        r = check_extent(call, &s);
    return r < 0 ? r : nn_set_output(call, 0, NN_DTYPE_F32, 4,
                                     (int64_t[]){ s.batch, s.out_channels, s.out[0], s.out[1] });
}

/* Gathered pixels of one group of one image. */
static size_t columns_bytes(const Shape *s)
{
    return nn_align_up((size_t)(s->group_in * s->taps * s->out_pixels) * sizeof(float), 64);
}

static size_t deform_conv_scratch(const NnCall *call)
{
    Shape s = get_shape(call);
    return columns_bytes(&s) + nn_matmul_scratch(call->pool);
}

typedef struct DeformConv {
    const NnCall *call;
    Shape s;
    float *columns;             /* [channel of the group][tap][output pixel] */
    int64_t image, group;
} DeformConv;

/* The pixels around a point and what each counts. */
typedef struct Around {
    int n;
    int64_t offset[4];
    float weight[4];
} Around;

static Around find_around(const Shape *s, float y, float x, float factor)
{
    Around around = { 0 };
    if (!(y > -1 && y < (float)s->in[0] && x > -1 && x < (float)s->in[1]))
        return around;
    int64_t top = (int64_t)floorf(y), left = (int64_t)floorf(x);
    float down = y - (float)top, right = x - (float)left;
    for (int i = 0; i < 4; i++) {
        int64_t row = top + i / 2, column = left + i % 2;
        if (row < 0 || row >= s->in[0] || column < 0 || column >= s->in[1])
            continue;
        around.offset[around.n] = row * s->in[1] + column;
        around.weight[around.n++] =
            factor * (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right);
    }
    return around;
}

/* Where tap `tap` of output pixel `pixel` lies for one group of offsets. */
static Around find_tap(const DeformConv *run, int64_t offset_group, int64_t tap, int64_t pixel)
{
    const DeformConvParams *p = run->call->params;
    const Shape *s = &run->s;
    const NnTensor *mask = nn_input(run->call, 4);
    int64_t plane = (run->image * p->offset_group + offset_group) * s->taps + tap;
    const float *offset = (const float *)run->call->in[2]->data + 2 * plane * s->out_pixels + pixel;
    int64_t y = pixel / s->out[1] * p->strides[0] + tap / s->kernel[1] * p->dilations[0];
    int64_t x = pixel % s->out[1] * p->strides[1] + tap % s->kernel[1] * p->dilations[1];
    return find_around(s, (float)(y - p->pads[0]) + offset[0],
                       (float)(x - p->pads[1]) + offset[s->out_pixels],
                       mask ? ((const float *)mask->data)[plane * s->out_pixels + pixel] : 1);
}

/* Columns begin…end-1 of all taps, one after the other, for all channels. */
static void gather(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const DeformConv *run = argument;
    const Shape *s = &run->s;
    int64_t first = run->group * s->group_in;
    const float *image =
        (const float *)run->call->in[0]->data + run->image * s->channels * s->in_pixels;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        Around around = { 0 };
        for (int64_t c = first; c < first + s->group_in; c++) {
            const float *plane = image + c * s->in_pixels;
            float sum = 0;
            if (c == first || c % s->offset_channels == 0)
                around = find_tap(run, c / s->offset_channels, i / s->out_pixels,
                                  i % s->out_pixels);
            for (int j = 0; j < around.n; j++)
                sum += around.weight[j] * plane[around.offset[j]];
            run->columns[(c - first) * s->taps * s->out_pixels + i] = sum;
        }
    }
}

static void multiply(const DeformConv *run, void *scratch)
{
    const NnCall *call = run->call;
    const NnTensor *bias = nn_input(call, 3);
    const Shape *s = &run->s;
    int64_t channel = run->group * s->group_out, k = s->group_in * s->taps;
    NnMatmul mm = {
        .m = s->group_out,
        .n = s->out_pixels,
        .k = k,
        .a = (const float *)call->in[1]->data + channel * k,
        .a_row = k,
        .a_column = 1,
        .b = run->columns,
        .b_row = s->out_pixels,
        .b_column = 1,
        .d = bias ? (const float *)bias->data + channel : NULL,
        .d_row = 1,
        .alpha = 1,
        .beta = 1,
        .c = (float *)call->out[0]->data + (run->image * s->out_channels + channel) * s->out_pixels,
    };
    nn_matmul_run(&mm, call->kernels, call->pool, scratch);
}

static int deform_conv_run(const NnCall *call)
{
    const DeformConvParams *p = call->params;
    DeformConv run = { .call = call, .s = get_shape(call), .columns = call->scratch };
    const Shape *s = &run.s;
    void *scratch = (char *)call->scratch + columns_bytes(s);
    for (run.image = 0; run.image < s->batch; run.image++) {
        for (run.group = 0; run.group < p->group; run.group++) {
            nn_range_run(call->pool, s->taps * s->out_pixels, nn_grain(8 * s->group_in), gather,
                         &run);
            multiply(&run, scratch);
        }
    }
    return 0;
}

static uint64_t deform_conv_flops(const NnCall *call)
{
    Shape s = get_shape(call);
    return (uint64_t)2 * (uint64_t)(s.batch * s.out_channels * s.out_pixels) *
           (uint64_t)(s.group_in * s.taps);
}

const NnOp nn_op_deform_conv = {
    .type = "DeformConv",
    .domain = "",
    .since = 19,
    .min_inputs = 3,
    .max_inputs = 5,
    .max_outputs = 1,
    .params_bytes = sizeof(DeformConvParams),
    .prepare = deform_conv_prepare,
    .infer = deform_conv_infer,
    .scratch = deform_conv_scratch,
    .run = deform_conv_run,
    .flops = deform_conv_flops,
};
