/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution in one to three dimensions, as an implicit matrix product: the
 * weights are packed once, each worker packs the input of a block of output
 * pixels into its scratch and multiplies the two tile by tile. In three dimensions
 * the output is done slice by slice, and what the slices under the kernel hold are
 * so many more channels. */

#include "ops/conv.h"

#include "ops/support.h"

/* K is summed in equal blocks of at most this many, so that a panel of A and one
 * of B lie in the first-level cache; the split depends on K alone, so results do
 * not depend on the number of threads. */
#define K_BLOCK 384
/* Packed input of one worker: less than its share of the second-level cache. Wide
 * tiles come with a cache for each core, narrow ones with 1 MiB for four. */
#define WIDE_TILE 32
#define B_BLOCK_BYTES(nr) ((size_t)((nr) >= WIDE_TILE ? 256 : 128) << 10)
/* Tiles a loop should have for each thread, so that all end together. */
#define TILES_PER_THREAD 3
/* Output channels per input channel up to which no GEMM tile is worth its zeros. */
#define DEPTHWISE_MULTIPLIER 2
/* Keeps all products of attributes within int64. */
#define ATTRIBUTE_MAX (1 << 24)
/* The place of the third dimension in the params. */
#define DEPTH 2
/* Between panels of B, so that they do not begin in the same cache set. */
#define PANEL_GAP 16

typedef struct ConvShape {
    int64_t batch, channels, out_channels, groups;
    int64_t group_in, group_out;
    int64_t in_pixels, out_pixels;      /* of one plane, or slice */
    int64_t in_depth, out_depth, kernel_depth, pad_front;       /* slices */
    int64_t k;                          /* group_in × kernel */
    bool depthwise, volume;
    NnIm2col view;                      /* x is NULL */
} ConvShape;

/* What the weights behind it were packed for. */
typedef struct ConvState {
    _Alignas(64) int64_t panel;         /* MR */
    int64_t groups, group_out, k;
} ConvState;

static int read_spatial(const NnNode *node, const char *name, int spatial, int64_t low,
                        int64_t *values, size_t n, NnError *error)
{
    size_t n_read;
    int r;

    r = nn_node_ints(node, name, values, n, &n_read, error);
    if (r < 0)
        return r;
    if (n_read != 0 && n_read != n)
        return nn_error_set(error, -EBADMSG, "attribute '%s' has %zu values, expected %zu for %d "
                            "spatial dimensions", name, n_read, n, spatial);
    for (size_t i = 0; i < n_read; i++)
        if (values[i] < low || values[i] > ATTRIBUTE_MAX)
            return nn_error_set(error, -EBADMSG, "attribute '%s' has the value %lld", name,
                                (long long)values[i]);
    return 0;
}

/* How many spatial dimensions the attributes speak of; 0 when there are none. */
static int count_spatial(const NnNode *node, int *ret_spatial, NnError *error)
{
    static const char *const names[] = { "kernel_shape", "strides", "dilations", "pads" };

    for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++) {
        const NnAttribute *a = nn_node_attribute(node, names[i]);
        size_t n = a ? a->n / (i == 3 ? 2 : 1) : 0;

        if (n > 3)
            return nn_error_set(error, -ENOTSUP,
                                "convolution in %zu dimensions, at most 3 are done", n);
        if (n > 0) {
            *ret_spatial = (int)n;
            return 0;
        }
    }
    *ret_spatial = 0;
    return 0;
}

static int read_auto_pad(const NnNode *node, int *ret, NnError *error)
{
    static const char *const names[] = { "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID" };
    const char *name;
    int r;

    r = nn_node_string(node, "auto_pad", "NOTSET", &name, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *ret = (int)i;
            return 0;
        }
    return nn_error_set(error, -EBADMSG, "attribute 'auto_pad' is '%s'", name);
}

/* A list of one number for each spatial dimension, outermost first, as height,
 * width and depth. */
static int read_extents(const NnNode *node, const char *name, int n, int64_t *ret, NnError *error)
{
    int64_t values[3];
    int first = n == 1 ? 1 : 0, r;

    for (int i = 0; i < n; i++)
        values[i] = n == 3 ? ret[(i + 2) % 3] : ret[first + i];
    r = read_spatial(node, name, n, 1, values, n, error);
    if (r < 0)
        return r;
    for (int i = 0; i < n; i++)
        ret[n == 3 ? (i + 2) % 3 : first + i] = values[i];
    return 0;
}

static int read_pads(const NnNode *node, int n, NnConvParams *p, NnError *error)
{
    int64_t pads[6] = { 0 };
    int first = n == 1 ? 1 : 0, outer = n == 3 ? 1 : 0, r;

    r = read_spatial(node, "pads", n, 0, pads, 2 * n, error);
    if (r < 0)
        return r;
    for (int i = outer; i < n; i++) {
        p->pads[first + i - outer] = pads[i];
        p->pads[2 + first + i - outer] = pads[n + i];
    }
    for (int i = 0; i < 2 * outer; i++)
        p->depth_pads[i] = pads[i * n];
    return 0;
}

/* One dimension is done as the width of two, with a height of one. */
static int conv_prepare(const NnNode *node, void *params, NnError *error)
{
    NnConvParams *p = params;
    int n, r;

    *p = (NnConvParams){ .strides = { 1, 1, 1 }, .dilations = { 1, 1, 1 } };
    r = count_spatial(node, &p->spatial, error);
    if (r < 0)
        return r;
    n = p->spatial ? p->spatial : 2;
    if (p->spatial == 1)
        p->kernel[0] = 1;
    r = read_extents(node, "kernel_shape", n, p->kernel, error);
    if (r < 0)
        return r;
    r = read_extents(node, "strides", n, p->strides, error);
    if (r < 0)
        return r;
    r = read_extents(node, "dilations", n, p->dilations, error);
    if (r < 0)
        return r;
    r = read_pads(node, n, p, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "group", 1, &p->group, error);
    if (r < 0)
        return r;
    if (p->group < 1)
        return nn_error_set(error, -EBADMSG, "attribute 'group' is %lld", (long long)p->group);
    return read_auto_pad(node, &p->auto_pad, error);
}

/* Output size and leading pad along one axis. */
static int resolve_axis(const NnConvParams *p, int axis, int64_t in, int64_t kernel,
                        int64_t *ret_out, int64_t *ret_pad, NnError *error)
{
    int64_t stride = p->strides[axis], extent = p->dilations[axis] * (kernel - 1) + 1;
    int64_t begin = axis == DEPTH ? p->depth_pads[0] : p->pads[axis];
    int64_t end = axis == DEPTH ? p->depth_pads[1] : p->pads[2 + axis];

    if (p->auto_pad == 3) {
        begin = end = 0;
    } else if (p->auto_pad != 0) {
        int64_t total = NN_MAX((nn_div_up(in, stride) - 1) * stride + extent - in, 0);
        int64_t small = total / 2;

        begin = p->auto_pad == 1 ? small : total - small;
        end = total - begin;
    }
    if (in + begin + end < extent)
        return nn_error_set(error, -EBADMSG, "a kernel that spans %lld does not fit into %lld "
                            "padded by %lld", (long long)extent, (long long)in,
                            (long long)(begin + end));
    *ret_out = (in + begin + end - extent) / stride + 1;
    *ret_pad = begin;
    return 0;
}

static int check_channels(const NnConvParams *p, const ConvShape *s, const NnTensor *w,
                          NnError *error)
{
    if (s->groups * s->group_in != s->channels)
        return nn_error_set(error, -EBADMSG, "the weights expect %lld channels in %lld groups, the "
                            "input has %lld", (long long)s->group_in, (long long)s->groups,
                            (long long)s->channels);
    if (s->out_channels % s->groups != 0)
        return nn_error_set(error, -EBADMSG, "%lld output channels do not divide into %lld groups",
                            (long long)s->out_channels, (long long)s->groups);
    for (int i = 0; i < w->rank; i++)
        if (w->dims[i] < 1)
            return nn_error_set(error, -EBADMSG, "the weights are empty");
    if (p->kernel[1] && (p->kernel[1] != s->view.kernel_w || p->kernel[0] != s->view.kernel_h))
        return nn_error_set(error, -EBADMSG, "attribute 'kernel_shape' says %lld×%lld, the weights "
                            "are %lld×%lld", (long long)p->kernel[0], (long long)p->kernel[1],
                            (long long)s->view.kernel_h, (long long)s->view.kernel_w);
    if (w->rank == 5 && p->kernel[DEPTH] && p->kernel[DEPTH] != s->kernel_depth)
        return nn_error_set(error, -EBADMSG, "attribute 'kernel_shape' says a depth of %lld, the "
                            "weights have %lld", (long long)p->kernel[DEPTH],
                            (long long)s->kernel_depth);
    return 0;
}

/* A 1×1 convolution sees no neighbours: its rows may be taken for one long one. */
static void flatten_pointwise(NnIm2col *v)
{
    if (v->kernel_h != 1 || v->kernel_w != 1 || v->stride_h != 1 || v->stride_w != 1 ||
        v->pad_top != 0 || v->pad_left != 0 || v->in_h != v->out_h || v->in_w != v->out_w)
        return;
    v->in_w *= v->in_h;
    v->out_w = v->in_w;
    v->in_h = v->out_h = 1;
}

/* Everything that follows from the params and the shapes of X and W. */
static int conv_shape(const NnCall *call, ConvShape *ret)
{
    const NnConvParams *p = call->params;
    const NnTensor *x = call->in[0], *w = call->in[1];
    int rank = x->rank, r;
    ConvShape s = {
        .batch = x->dims[0],
        .channels = x->dims[1],
        .out_channels = w->dims[0],
        .groups = p->group,
        .group_in = w->dims[1],
        .group_out = w->dims[0] / p->group,
        .in_depth = rank == 5 ? x->dims[2] : 1,
        .out_depth = 1,
        .kernel_depth = rank == 5 ? w->dims[2] : 1,
        .view = {
            .in_h = rank >= 4 ? x->dims[rank - 2] : 1,
            .in_w = x->dims[rank - 1],
            .kernel_h = rank >= 4 ? w->dims[rank - 2] : 1,
            .kernel_w = w->dims[rank - 1],
            .stride_h = p->strides[0],
            .stride_w = p->strides[1],
            .dilation_h = p->dilations[0],
            .dilation_w = p->dilations[1],
        },
    };

    r = check_channels(p, &s, w, call->error);
    if (r < 0)
        return r;
    r = resolve_axis(p, 0, s.view.in_h, s.view.kernel_h, &s.view.out_h, &s.view.pad_top,
                     call->error);
    if (r < 0)
        return r;
    r = resolve_axis(p, 1, s.view.in_w, s.view.kernel_w, &s.view.out_w, &s.view.pad_left,
                     call->error);
    if (r < 0)
        return r;
    s.volume = rank == 5;
    if (s.volume)
        r = resolve_axis(p, DEPTH, s.in_depth, s.kernel_depth, &s.out_depth, &s.pad_front,
                         call->error);
    if (r < 0)
        return r;
    s.in_pixels = s.view.in_h * s.view.in_w;
    s.out_pixels = s.view.out_h * s.view.out_w;
    s.k = s.group_in * s.kernel_depth * s.view.kernel_h * s.view.kernel_w;
    s.depthwise =
        !s.volume && s.groups > 1 && s.group_in == 1 && s.group_out <= DEPTHWISE_MULTIPLIER;
    *ret = s;
    return 0;
}

static int check_ranks(const NnCall *call)
{
    const NnConvParams *p = call->params;
    int r;

    r = nn_check_inputs(call, p->residual ? 2 : NN_MIN(call->n_in, 2));
    if (r < 0)
        return r;
    for (size_t i = 0; i < call->n_in; i++) {
        r = nn_check_dtype(call, i, NN_BIT(NN_DTYPE_F32));
        if (r < 0)
            return r;
    }
    if (call->in[0]->rank < 3 || call->in[0]->rank > 5)
        return nn_error_set(call->error, -ENOTSUP, "an input of %d dimensions, 3 to 5 are done",
                            call->in[0]->rank);
    if (call->in[1]->rank != call->in[0]->rank ||
        (p->spatial && p->spatial != call->in[0]->rank - 2))
        return nn_error_set(call->error, -EBADMSG, "an input of %d dimensions, weights of %d and "
                            "attributes for %d spatial ones", call->in[0]->rank, call->in[1]->rank,
                            p->spatial);
    return 0;
}

static int conv_infer(const NnCall *call)
{
    const NnConvParams *p = call->params;
    const NnTensor *residual = nn_input(call, 3);
    int64_t dims[5];
    int rank, r;
    ConvShape s;

    r = check_ranks(call);
    if (r < 0)
        return r;
    r = conv_shape(call, &s);
    if (r < 0)
        return r;
    r = nn_check_vector(call, 2, s.out_channels);
    if (r < 0)
        return r;
    rank = call->in[0]->rank;
    dims[0] = s.batch;
    dims[1] = s.out_channels;
    dims[2] = s.out_depth;
    dims[NN_MAX(rank - 2, 2)] = s.view.out_h;
    dims[rank - 1] = s.view.out_w;
    if (p->residual && (!residual || residual->rank != rank ||
                        memcmp(residual->dims, dims, rank * sizeof(dims[0])) != 0))
        return nn_error_set(call->error, -EBADMSG,
                            "what is added has another shape than the output");
    return nn_set_output(call, 0, NN_DTYPE_F32, rank, dims);
}

static int geometry(const NnCall *call, bool depthwise, NnConvGeometry *ret)
{
    ConvShape s;
    int r;

    r = conv_shape(call, &s);
    if (r < 0)
        return r;
    if (s.volume || s.groups != (depthwise ? s.channels : 1) ||
        (depthwise && s.out_channels != s.channels))
        return nn_error_set(call->error, -EBADMSG, "its %lld groups are not those of a %s "
                            "convolution of pictures", (long long)s.groups,
                            depthwise ? "depthwise" : "plain");
    *ret = (NnConvGeometry){
        .batch = s.batch,
        .in_h = s.view.in_h,
        .in_w = s.view.in_w,
        .channels = s.channels,
        .in_pitch = s.channels,
        .out_h = s.view.out_h,
        .out_w = s.view.out_w,
        .out_channels = s.out_channels,
        .out_pitch = s.out_channels,
        .residual_pitch = s.out_channels,
        .kernel_h = s.view.kernel_h,
        .kernel_w = s.view.kernel_w,
        .stride_h = s.view.stride_h,
        .stride_w = s.view.stride_w,
        .dilation_h = s.view.dilation_h,
        .dilation_w = s.view.dilation_w,
        .pad_top = s.view.pad_top,
        .pad_left = s.view.pad_left,
    };
    return 0;
}

int nn_conv_geometry(const NnCall *call, NnConvGeometry *ret)
{
    return geometry(call, false, ret);
}

int nn_conv_depthwise_geometry(const NnCall *call, NnConvGeometry *ret)
{
    return geometry(call, true, ret);
}

static int64_t packed_floats(const ConvShape *s, int mr)
{
    return s->groups * nn_pack_floats(s->group_out, s->k, mr);
}

static void pack_weights(const ConvShape *s, const float *w, int mr, float *packed)
{
    int64_t per_group = nn_pack_floats(s->group_out, s->k, mr);

    for (int64_t g = 0; g < s->groups; g++)
        nn_pack_rows(w + g * s->group_out * s->k, s->k, 1, s->group_out, s->k, 1.0f, mr,
                     packed + g * per_group);
}

/* The weights of a state, group by group in panels of MR rows. */
static const float *state_weights(const void *state)
{
    return (const float *)((const ConvState *)state + 1);
}

static size_t state_bytes(const ConvShape *s, int mr)
{
    return sizeof(ConvState) + (size_t)packed_floats(s, mr) * sizeof(float);
}

static int conv_create(const NnCall *call, void **ret_state, size_t *ret_bytes)
{
    int mr = call->kernels->f32_gemm.mr, r;
    ConvState *state;
    ConvShape s;

    r = conv_shape(call, &s);
    if (r < 0)
        return r;
    if (!call->in[1]->data || s.depthwise) {
        *ret_state = NULL;
        return 0;
    }
    state = nn_aligned_alloc(state_bytes(&s, mr));
    if (!state)
        return -ENOMEM;
    memset(state, 0, sizeof(*state));
    state->panel = mr;
    state->groups = s.groups;
    state->group_out = s.group_out;
    state->k = s.k;
    pack_weights(&s, call->in[1]->data, mr, (float *)(state + 1));
    *ret_state = state;
    *ret_bytes = state_bytes(&s, mr);
    return 0;
}

static int conv_check_state(const NnCall *call, const void *state, size_t bytes)
{
    const ConvState *st = state;
    int mr = call->kernels->f32_gemm.mr, r;
    ConvShape s;

    r = conv_shape(call, &s);
    if (r < 0)
        return r;
    if (s.depthwise || bytes != state_bytes(&s, mr) || st->panel != mr ||
        st->groups != s.groups || st->group_out != s.group_out || st->k != s.k)
        return nn_error_set(call->error, -EBADMSG, "its weights were packed for another shape");
    return 0;
}

static int64_t k_block(const ConvShape *s)
{
    return nn_div_up(s->k, nn_div_up(s->k, K_BLOCK));
}

/* Scratch of one worker: whole panels, one at least. */
static size_t b_block_bytes(const ConvShape *s, int nr)
{
    size_t panel = (size_t)(k_block(s) * nr + PANEL_GAP) * sizeof(float);
    size_t panels =
        NN_MIN((size_t)nn_div_up(s->out_pixels, nr), NN_MAX(B_BLOCK_BYTES(nr) / panel, 1));

    return nn_align_up(panels * panel, 64);
}

static size_t conv_scratch(const NnCall *call)
{
    size_t bytes;
    ConvShape s;

    if (conv_shape(call, &s) < 0 || s.depthwise)
        return 0;
    bytes = b_block_bytes(&s, call->kernels->f32_gemm.nr) * nn_pool_threads(call->pool);
    if (!call->state)
        bytes += (size_t)packed_floats(&s, call->kernels->f32_gemm.mr) * sizeof(float);
    return bytes;
}

typedef struct ConvRun {
    const NnCall *call;
    const NnConvParams *params;
    ConvShape s;
    NnF32Gemm gemm;
    const float *weights;       /* packed; for depthwise as they are */
    char *b_blocks;
    size_t b_bytes;
    int64_t k_block;
    int64_t pixel_block, n_pixel_blocks;
    int64_t channel_block, n_channel_blocks;
} ConvRun;

/* Blocks of pixels as large as the scratch allows, then smaller until there are
 * tiles for all threads; only then are channels split, for that packs the same
 * input several times. */
static void choose_blocks(ConvRun *run, unsigned threads)
{
    const ConvShape *s = &run->s;
    int64_t nr = run->gemm.nr, mr = run->gemm.mr;
    int64_t panels = nn_div_up(s->out_pixels, nr), channels = nn_div_up(s->group_out, mr);
    int64_t most = (int64_t)(run->b_bytes / sizeof(float)) / (run->k_block * nr + PANEL_GAP);
    int64_t wanted = threads > 1 ? (int64_t)threads * TILES_PER_THREAD : 1;
    int64_t loops = s->batch * s->out_depth * s->groups, blocks;

    blocks = NN_MAX(nn_div_up(panels, NN_MIN(NN_MAX(most, 1), panels)),
                    NN_MIN(nn_div_up(wanted, loops), nn_div_up(panels, 2)));
    run->pixel_block = nn_div_up(panels, blocks) * nr;
    run->n_pixel_blocks = nn_div_up(s->out_pixels, run->pixel_block);
    blocks = NN_MIN(nn_div_up(wanted, loops * run->n_pixel_blocks), channels);
    run->channel_block = nn_div_up(channels, blocks) * mr;
    run->n_channel_blocks = nn_div_up(s->group_out, run->channel_block);
}

typedef struct ConvTile {
    int64_t image, slice, group, pixel, channel;
    int64_t n_pixels, n_channels;
} ConvTile;

static ConvTile locate_tile(const ConvRun *run, int64_t index)
{
    ConvTile t;

    t.pixel = index % run->n_pixel_blocks * run->pixel_block;
    index /= run->n_pixel_blocks;
    t.channel = index % run->n_channel_blocks * run->channel_block;
    index /= run->n_channel_blocks;
    t.group = index % run->s.groups;
    index /= run->s.groups;
    t.slice = index % run->s.out_depth;
    t.image = index / run->s.out_depth;
    t.n_pixels = NN_MIN(run->pixel_block, run->s.out_pixels - t.pixel);
    t.n_channels = NN_MIN(run->channel_block, run->s.group_out - t.channel);
    return t;
}

/* All tiles of one block with k_count of the K products each. */
static void multiply_block(const ConvRun *run, const ConvTile *t, int64_t k_begin, int64_t k_count,
                           const float *b)
{
    const ConvShape *s = &run->s;
    const NnTensor *bias = nn_input(run->call, 2), *residual = nn_input(run->call, 3);
    int mr = run->gemm.mr, nr = run->gemm.nr;
    bool last = k_begin + k_count == s->k;
    const float *panels = run->weights + t->group * nn_pack_floats(s->group_out, s->k, mr);
    NnGemmTile tile = {
        .k = k_count,
        .ldc = s->out_depth * s->out_pixels,
        .ldr = s->out_depth * s->out_pixels,
        .accumulate = k_begin > 0,
        .activation = last ? &run->params->activation : NULL,
    };

    for (int64_t i = 0; i < t->n_channels; i += mr) {
        int64_t channel = t->group * s->group_out + t->channel + i;
        int64_t plane = t->image * s->out_channels + channel;
        int64_t offset = (plane * s->out_depth + t->slice) * s->out_pixels + t->pixel;

        tile.a = panels + (t->channel + i) * s->k + k_begin * mr;
        tile.rows = (int)NN_MIN(t->n_channels - i, mr);
        tile.bias = last && bias ? (const float *)bias->data + channel : NULL;
        for (int64_t j = 0; j < t->n_pixels; j += nr) {
            tile.b = b + j / nr * (k_count * nr + PANEL_GAP);
            tile.columns = (int)NN_MIN(t->n_pixels - j, nr);
            tile.c = (float *)run->call->out[0]->data + offset + j;
            tile.residual = last && run->params->residual
                                ? (const float *)residual->data + offset + j : NULL;
            run->gemm.func(&tile);
        }
    }
}

/* As many rows of zeros in each panel of B. */
static void clear_rows(const ConvRun *run, int64_t rows, int64_t columns, int64_t panel_stride,
                       float *b)
{
    for (int64_t j = 0; j < columns; j += run->gemm.nr, b += panel_stride)
        memset(b, 0, (size_t)(rows * run->gemm.nr) * sizeof(float));
}

/* Rows of B for one slice of the output: slice by slice of the kernel. `view` has
 * the group's first channel. */
static void pack_volume(const ConvRun *run, const ConvTile *t, NnIm2col view, int64_t k,
                        int64_t k_count, int64_t panel_stride, float *b)
{
    const ConvShape *s = &run->s;
    int64_t rows = view.kernel_h * view.kernel_w, first = t->slice * run->params->strides[DEPTH];
    const float *x = view.x;

    for (int64_t done = 0, n; done < k_count; done += n) {
        int64_t at = (k + done) / rows, skip = (k + done) % rows;
        int64_t channel = at / s->kernel_depth, tap = at % s->kernel_depth;
        int64_t slice = first + tap * run->params->dilations[DEPTH] - s->pad_front;
        float *to = b + done * run->gemm.nr;

        n = NN_MIN(rows - skip, k_count - done);
        if (slice < 0 || slice >= s->in_depth) {
            clear_rows(run, n, t->n_pixels, panel_stride, to);
            continue;
        }
        view.x = x + (channel * s->in_depth + slice) * s->in_pixels;
        nn_pack_im2col(&view, skip, n, t->pixel, t->n_pixels, run->gemm.nr, panel_stride, to);
    }
}

static void conv_tile(void *argument, size_t index, unsigned worker)
{
    const ConvRun *run = argument;
    const ConvShape *s = &run->s;
    ConvTile t = locate_tile(run, (int64_t)index);
    float *b = (float *)(run->b_blocks + worker * run->b_bytes);
    NnIm2col view = s->view;

    view.x = (const float *)run->call->in[0]->data +
             (t.image * s->channels + t.group * s->group_in) * s->in_depth * s->in_pixels;
    for (int64_t k = 0; k < s->k; k += run->k_block) {
        int64_t k_count = NN_MIN(run->k_block, s->k - k);
        int64_t panel_stride = k_count * run->gemm.nr + PANEL_GAP;

        if (s->volume)
            pack_volume(run, &t, view, k, k_count, panel_stride, b);
        else
            nn_pack_im2col(&view, k, k_count, t.pixel, t.n_pixels, run->gemm.nr, panel_stride, b);
        multiply_block(run, &t, k, k_count, b);
    }
}

static void depthwise_tile(void *argument, size_t index, unsigned worker)
{
    const ConvRun *run = argument;
    const ConvShape *s = &run->s;
    const NnTensor *bias = nn_input(run->call, 2), *residual = nn_input(run->call, 3);
    int64_t image = (int64_t)index / s->out_channels, channel = (int64_t)index % s->out_channels;
    float *y = (float *)run->call->out[0]->data + (int64_t)index * s->out_pixels;
    NnIm2col view = s->view;

    view.x = (const float *)run->call->in[0]->data +
             (image * s->channels + channel / s->group_out) * s->in_pixels;
    run->call->kernels->f32_depthwise(&view, run->weights + channel * s->k,
                                      bias ? ((const float *)bias->data)[channel] : 0.0f, y);
    if (run->params->residual)
        for (int64_t i = 0; i < s->out_pixels; i++)
            y[i] += ((const float *)residual->data)[(int64_t)index * s->out_pixels + i];
    if (run->params->activation.kind != NN_ACTIVATION_NONE)
        run->call->kernels->f32_activation(&run->params->activation, y, y, s->out_pixels);
}

static int conv_run(const NnCall *call)
{
    ConvRun run = { .call = call, .params = call->params, .gemm = call->kernels->f32_gemm };
    unsigned threads = nn_pool_threads(call->pool);
    int r;

    r = conv_shape(call, &run.s);
    if (r < 0)
        return r;
    if (run.s.batch == 0 || run.s.out_depth == 0 || run.s.out_pixels == 0)
        return 0;
    if (run.s.depthwise) {
        run.weights = call->in[1]->data;
        nn_pool_run(call->pool, (size_t)(run.s.batch * run.s.out_channels), depthwise_tile, &run);
        return 0;
    }

    flatten_pointwise(&run.s.view);
    run.b_blocks = call->scratch;
    run.b_bytes = b_block_bytes(&run.s, run.gemm.nr);
    run.k_block = k_block(&run.s);
    if (call->state) {
        run.weights = state_weights(call->state);
    } else {
        float *packed = (float *)(run.b_blocks + run.b_bytes * threads);

        pack_weights(&run.s, call->in[1]->data, run.gemm.mr, packed);
        run.weights = packed;
    }
    choose_blocks(&run, threads);
    nn_pool_run(call->pool,
                (size_t)(run.s.batch * run.s.out_depth * run.s.groups * run.n_pixel_blocks *
                         run.n_channel_blocks),
                conv_tile, &run);
    return 0;
}

static NnFused conv_fused(void *params)
{
    NnConvParams *p = params;

    return (NnFused){ &p->activation, &p->residual };
}

static uint64_t conv_flops(const NnCall *call)
{
    ConvShape s;

    if (conv_shape(call, &s) < 0)
        return 0;
    return (uint64_t)2 * s.batch * s.out_channels * s.out_depth * s.out_pixels * s.k;
}

static const char *conv_algorithm(const NnCall *call)
{
    ConvShape s;

    if (conv_shape(call, &s) < 0)
        return "";
    return s.depthwise ? "depthwise" : "im2col";
}

const NnOp nn_op_conv = {
    .type = "Conv",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 4,
    .max_outputs = 1,
    .params_bytes = sizeof(NnConvParams),
    .prepare = conv_prepare,
    .infer = conv_infer,
    .create = conv_create,
    .check_state = conv_check_state,
    .fused = conv_fused,
    .scratch = conv_scratch,
    .run = conv_run,
    .flops = conv_flops,
    .algorithm = conv_algorithm,
};
