/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution between channels-last pictures by Winograd's algorithm, which takes the
 * place of Conv where exec/algorithm.c finds it faster. The attribute `tile` holds the
 * outputs of a tile along each axis. */

#include "kernels/winograd.h"
#include "ops/nhwc.h"

typedef struct WinogradParams {
    NnConvParams conv;
    int64_t tile;
} WinogradParams;

/* What the weights behind it were packed for. */
typedef struct WinogradState {
    _Alignas(64) int64_t tile, columns, chunk, lanes;
    int64_t out_channels, channels;
} WinogradState;

static int prepare(const NnNode *node, void *params, NnError *error)
{
    WinogradParams *p = params;
    int r;

    r = nn_op_conv.prepare(node, &p->conv, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "tile", 0, &p->tile, error);
    if (r < 0)
        return r;
    if (p->tile < 2 || p->tile > 6 || p->tile == 5)
        return nn_error_set(error, -EBADMSG, "attribute 'tile' is %lld", (long long)p->tile);
    return 0;
}

static int geometry(const NnCall *call, NnConvGeometry *ret)
{
    const WinogradParams *p = call->params;
    int r;

    r = nn_nhwc_conv_geometry(call, ret);
    if (r < 0)
        return r;
    if (!nn_winograd_fits(ret, (int)p->tile))
        return nn_error_set(call->error, -EBADMSG,
                            "Winograd's algorithm with tile %lld does no such convolution",
                            (long long)p->tile);
    return 0;
}

static int infer(const NnCall *call)
{
    NnConvGeometry g;
    int r;

    r = nn_op_nhwc_conv.infer(call);
    return r < 0 ? r : geometry(call, &g);
}

static WinogradState make_header(const NnCall *call, const NnConvGeometry *g)
{
    const NnF32Winograd *kernel = &call->kernels->f32_winograd;
    const WinogradParams *p = call->params;

    return (WinogradState){
        .tile = p->tile,
        .columns = kernel->columns,
        .chunk = kernel->chunk,
        .lanes = kernel->lanes,
        .out_channels = g->out_channels,
        .channels = g->channels,
    };
}

static size_t state_bytes(const NnCall *call, const NnConvGeometry *g)
{
    const WinogradParams *p = call->params;

    return sizeof(WinogradState) +
           (size_t)nn_winograd_weights(call->kernels, (int)p->tile, g->out_channels, g->channels) *
               sizeof(float);
}

static int create(const NnCall *call, void **ret_state, size_t *ret_bytes)
{
    const WinogradParams *p = call->params;
    WinogradState *state;
    NnConvGeometry g;
    int r;

    r = geometry(call, &g);
    if (r < 0)
        return r;
    if (!call->in[1]->data)
        return nn_error_set(call->error, -EBADMSG, "its weights are not constant");
    state = nn_aligned_alloc(state_bytes(call, &g));
    if (!state)
        return -ENOMEM;
    memset(state, 0, sizeof(*state));
    *state = make_header(call, &g);
    nn_winograd_pack(call->kernels, (int)p->tile, call->in[1]->data, g.out_channels, g.channels,
                     (float *)(state + 1));
    *ret_state = state;
    *ret_bytes = state_bytes(call, &g);
    return 0;
}

static int check_state(const NnCall *call, const void *state, size_t bytes)
{
    const WinogradState *st = state;
    WinogradState expected;
    NnConvGeometry g;
    int r;

    r = geometry(call, &g);
    if (r < 0)
        return r;
    expected = make_header(call, &g);
    if (bytes != state_bytes(call, &g) || st->tile != expected.tile ||
        st->columns != expected.columns || st->chunk != expected.chunk ||
        st->lanes != expected.lanes || st->out_channels != expected.out_channels ||
        st->channels != expected.channels)
        return nn_error_set(call->error, -EBADMSG, "its weights were packed for another shape");
    return 0;
}

static size_t scratch(const NnCall *call)
{
    const WinogradParams *p = call->params;
    NnConvGeometry g;

    if (geometry(call, &g) < 0)
        return 0;
    return nn_winograd_scratch(&g, call->kernels, (int)p->tile, nn_pool_threads(call->pool));
}

static int run(const NnCall *call)
{
    const WinogradParams *p = call->params;
    const NnTensor *bias = nn_input(call, 2);
    NnWinograd w = {
        .m = (int)p->tile,
        .x = call->in[0]->data,
        .bias = bias ? bias->data : NULL,
        .residual = p->conv.residual ? nn_input(call, 3)->data : NULL,
        .activation = &p->conv.activation,
        .y = call->out[0]->data,
        .scratch = call->scratch,
    };
    int r;

    r = geometry(call, &w.geometry);
    if (r < 0)
        return r;
    if (!call->state)
        return nn_error_set(call->error, -EBADMSG, "its weights are not constant");
    if (w.geometry.batch == 0)
        return 0;
    w.weights = (const float *)((const WinogradState *)call->state + 1);
    w.geometry.in_pitch = nn_in_pitch(call, 0);
    w.geometry.out_pitch = nn_out_pitch(call, 0);
    w.geometry.residual_pitch = p->conv.residual ? nn_in_pitch(call, 3) : 0;
    nn_winograd_run(&w, call->kernels, call->pool);
    return 0;
}

static NnFused fused(void *params)
{
    WinogradParams *p = params;

    return nn_op_conv.fused(&p->conv);
}

static uint64_t flops(const NnCall *call)
{
    return nn_op_nhwc_conv.flops(call);
}

static const char *algorithm(const NnCall *call)
{
    const WinogradParams *p = call->params;

    switch (p->tile) {
    case 2:
        return "winograd 2";
    case 3:
        return "winograd 3 of stride 2";
    case 4:
        return "winograd 4";
    default:
        return "winograd 6";
    }
}

const NnOp nn_op_nhwc_conv_winograd = {
    .type = "ConvWinograd",
    .domain = NN_NHWC_DOMAIN,
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 4,
    .max_outputs = 1,
    .flags = NN_OP_PITCH | NN_OP_NO_FOLD,
    .params_bytes = sizeof(WinogradParams),
    .prepare = prepare,
    .infer = infer,
    .create = create,
    .check_state = check_state,
    .fused = fused,
    .scratch = scratch,
    .run = run,
    .flops = flops,
    .algorithm = algorithm,
};
