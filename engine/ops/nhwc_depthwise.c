/* SPDX-License-Identifier: Apache-2.0 */

/* Depthwise convolution of channels-last pictures: each channel has one of its own in the
 * output, so that the channels of a pixel are done side by side. */

#include "ops/conv.h"
#include "ops/nhwc.h"

/* What the weights behind it were packed for: rows of channels, tap by tap. */
typedef struct DepthwiseState {
    _Alignas(64) int64_t taps, channels;
} DepthwiseState;

typedef struct Depthwise {
    const NnCall *call;
    const NnConvParams *params;
    NnConvGeometry g;
    const float **scratch;      /* pointers of one worker after the other */
} Depthwise;

static int depthwise_infer(const NnCall *call)
{
    return nn_op_nhwc_conv.infer(call);
}

static int depthwise_prepare(const NnNode *node, void *params, NnError *error)
{
    return nn_op_conv.prepare(node, params, error);
}

static NnFused depthwise_fused(void *params)
{
    return nn_op_conv.fused(params);
}

static size_t state_bytes(const NnConvGeometry *g)
{
    return sizeof(DepthwiseState) +
           (size_t)(g->kernel_h * g->kernel_w * g->channels) * sizeof(float);
}

static int depthwise_create(const NnCall *call, void **ret_state, size_t *ret_bytes)
{
    NnConvGeometry g;
    DepthwiseState *state;
    float *to;
    int r;

    r = nn_nhwc_depthwise_geometry(call, &g);
    if (r < 0)
        return r;
    if (!call->in[1]->data)
        return nn_error_set(call->error, -EBADMSG, "its weights are not constant");
    state = nn_aligned_alloc(state_bytes(&g));
    if (!state)
        return -ENOMEM;
    memset(state, 0, sizeof(*state));
    state->taps = g.kernel_h * g.kernel_w;
    state->channels = g.channels;
    to = (float *)(state + 1);
    for (int64_t tap = 0; tap < state->taps; tap++)
        for (int64_t c = 0; c < g.channels; c++)
            *to++ = ((const float *)call->in[1]->data)[c * state->taps + tap];
    *ret_state = state;
    *ret_bytes = state_bytes(&g);
    return 0;
}

static int depthwise_check_state(const NnCall *call, const void *state, size_t bytes)
{
    const DepthwiseState *st = state;
    NnConvGeometry g;
    int r;

    r = nn_nhwc_depthwise_geometry(call, &g);
    if (r < 0)
        return r;
    if (bytes != state_bytes(&g) || st->taps != g.kernel_h * g.kernel_w ||
        st->channels != g.channels)
        return nn_error_set(call->error, -EBADMSG, "its weights were packed for another shape");
    return 0;
}

/* Pointers to the pixels and the weights under all taps. */
static size_t worker_pointers(const NnConvGeometry *g)
{
    return (size_t)(2 * g->kernel_h * g->kernel_w);
}

static size_t depthwise_scratch(const NnCall *call)
{
    NnConvGeometry g;

    if (nn_nhwc_depthwise_geometry(call, &g) < 0)
        return 0;
    return worker_pointers(&g) * sizeof(float *) * nn_range_workers(call->pool);
}

/* Those taps of one output that see the picture. */
static int64_t find_taps(const Depthwise *d, const float *picture, int64_t oy, int64_t ox,
                         const float **x, const float **weights)
{
    const NnConvGeometry *g = &d->g;
    const float *packed = (const float *)((const DepthwiseState *)d->call->state + 1);
    int64_t n = 0;

    for (int64_t ky = 0; ky < g->kernel_h; ky++) {
        int64_t iy = oy * g->stride_h - g->pad_top + ky * g->dilation_h;

        for (int64_t kx = 0; iy >= 0 && iy < g->in_h && kx < g->kernel_w; kx++) {
            int64_t ix = ox * g->stride_w - g->pad_left + kx * g->dilation_w;

            if (ix < 0 || ix >= g->in_w)
                continue;
            x[n] = picture + (iy * g->in_w + ix) * g->in_pitch;
            weights[n++] = packed + (ky * g->kernel_w + kx) * g->channels;
        }
    }
    return n;
}

/* Rows of the output, those of a whole batch counted through. */
static void depthwise_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Depthwise *d = argument;
    const NnConvGeometry *g = &d->g;
    const NnTensor *bias = nn_input(d->call, 2);
    const float **x = d->scratch + worker * worker_pointers(g);
    const float **weights = x + g->kernel_h * g->kernel_w;
    NnChannelTaps taps = {
        .x = x,
        .weights = weights,
        .bias = bias ? bias->data : NULL,
        .activation = &d->params->activation,
    };

    for (int64_t row = begin; row < end; row++) {
        const float *picture = (const float *)d->call->in[0]->data +
                               row / g->out_h * g->in_h * g->in_w * g->in_pitch;

        for (int64_t ox = 0; ox < g->out_w; ox++) {
            int64_t pixel = row * g->out_w + ox;

            taps.n = find_taps(d, picture, row % g->out_h, ox, x, weights);
            if (d->params->residual)
                taps.residual =
                    (const float *)d->call->in[3]->data + pixel * g->residual_pitch;
            d->call->kernels->f32_channels(
                &taps, (float *)d->call->out[0]->data + pixel * g->out_pitch, g->channels);
        }
    }
}

static int depthwise_run(const NnCall *call)
{
    Depthwise d = { .call = call, .params = call->params, .scratch = call->scratch };
    int r;

    r = nn_nhwc_depthwise_geometry(call, &d.g);
    if (r < 0)
        return r;
    if (!call->state)
        return nn_error_set(call->error, -EBADMSG, "its weights are not constant");
    d.g.in_pitch = nn_in_pitch(call, 0);
    d.g.out_pitch = nn_out_pitch(call, 0);
    d.g.residual_pitch = d.params->residual ? nn_in_pitch(call, 3) : 0;
    nn_range_run(call->pool, d.g.batch * d.g.out_h,
                 nn_grain(d.g.out_w * d.g.channels * d.g.kernel_h * d.g.kernel_w),
                 depthwise_rows, &d);
    return 0;
}

static uint64_t depthwise_flops(const NnCall *call)
{
    return nn_op_nhwc_conv.flops(call);
}

static const char *depthwise_algorithm(const NnCall *call)
{
    (void)call;
    return "depthwise";
}

const NnOp nn_op_nhwc_depthwise = {
    .type = "ConvDepthwise",
    .domain = NN_NHWC_DOMAIN,
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 4,
    .max_outputs = 1,
    .flags = NN_OP_PITCH | NN_OP_NO_FOLD,
    .params_bytes = sizeof(NnConvParams),
    .prepare = depthwise_prepare,
    .infer = depthwise_infer,
    .create = depthwise_create,
    .check_state = depthwise_check_state,
    .fused = depthwise_fused,
    .scratch = depthwise_scratch,
    .run = depthwise_run,
    .flops = depthwise_flops,
    .algorithm = depthwise_algorithm,
};
