/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution between channels-last pictures, as a product that is never packed: a
 * tile of the kernel reads the channels of its pixels where they lie, tap by tap, and
 * only taps that touch the border are copied, with zeros for what lies outside. A
 * second operator reads its few channels from planes, which is how pictures come in:
 * there a tap is a row of the kernel in one plane. */

#include "ops/conv.h"
#include "ops/nhwc.h"

/* Products are summed in blocks of about this many, so that the pixels and the weights
 * of a tile lie in the first-level cache. Blocks depend on the shape alone. */
#define K_BLOCK 256
/* Channels of a panel of weights that are packed at once. */
#define PACK_RUN 16
/* Pixels of a group of tiles are held in half of the first-level cache while a panel of
 * weights passes over them. */
#define GROUP_BYTES ((int64_t)16 << 10)
#define GROUP_MAX 8
/* What a block of output channels keeps in the second-level cache, and pixels that a
 * block of K is summed for; a picture of few pixels is one block. */
#define BLOCK_BYTES ((int64_t)512 << 10)
#define PIXEL_BLOCK 128
#define PIXEL_BLOCK_MAX 256
/* Output channels from which on pixels that lie apart are copied together, if a tile of
 * them spans more than this. */
#define GATHER_CHANNELS 32
#define NEAR_BYTES ((int64_t)8 << 10)
/* Tiles a loop should have for each thread, so that all end together. */
#define TILES_PER_THREAD 3

/* What the weights behind it were packed for. */
typedef struct ConvState {
    _Alignas(64) int64_t nr, lanes;
    int64_t out_channels, k, planar;
} ConvState;

typedef struct Conv {
    const NnCall *call;
    const NnConvParams *params;
    const NnF32Conv *kernel;
    NnConvGeometry g;
    bool planar;
    int64_t n_taps, run;        /* taps and floats that each has side by side */
    int64_t block_taps, block_run;      /* of them in one block of K */
    int64_t group;              /* tiles */
    int64_t tile_width, tiles_in_row, tiles;    /* of a picture */
    int64_t block_tiles, n_pixel_blocks;
    int64_t block_channels, n_channel_blocks;
    char *scratch;
    size_t worker_bytes;
} Conv;

/* The call as the standard's Conv would see it. */
typedef struct Standard {
    NnTensor tensors[4];
    const NnTensor *in[4];
    NnCall call;
} Standard;

static void as_standard(const NnCall *call, bool planar, Standard *s)
{
    s->call = *call;
    s->call.in = s->in;
    for (size_t i = 0; i < call->n_in; i++) {
        s->in[i] = call->in[i];
        if (!call->in[i] || i == 1 || i == 2 || (i == 0 && planar))
            continue;
        s->tensors[i] = nn_nhwc_as_planar(call->in[i]);
        s->in[i] = &s->tensors[i];
    }
}

static int infer(const NnCall *call, bool planar)
{
    NnTensor out = { 0 }, *outs[] = { &out };
    Standard s;
    int r;

    r = nn_check_rank(call, 0, 4, 4);
    if (r < 0)
        return r;
    as_standard(call, planar, &s);
    s.call.out = outs;
    s.call.n_out = 1;
    r = nn_op_conv.infer(&s.call);
    if (r < 0)
        return r;
    out = nn_nhwc_from_planar(&out);
    return nn_set_output(call, 0, out.dtype, out.rank, out.dims);
}

static int conv_infer(const NnCall *call)
{
    return infer(call, false);
}

static int planar_infer(const NnCall *call)
{
    return infer(call, true);
}

int nn_nhwc_conv_geometry(const NnCall *call, NnConvGeometry *ret)
{
    Standard s;

    as_standard(call, false, &s);
    return nn_conv_geometry(&s.call, ret);
}

/* What follows from shapes and kernel alone. */
static int shape(const NnCall *call, bool planar, Conv *ret)
{
    Conv c = { .call = call, .params = call->params, .planar = planar };
    Standard s;
    int r;

    as_standard(call, planar, &s);
    r = nn_conv_geometry(&s.call, &c.g);
    if (r < 0)
        return r;
    if (planar && c.g.dilation_w != 1)
        return nn_error_set(call->error, -EBADMSG, "a dilated convolution reads no planes");
    c.kernel = &call->kernels->f32_conv;
    c.n_taps = c.g.kernel_h * (planar ? c.g.channels : c.g.kernel_w);
    c.run = planar ? c.g.kernel_w : c.g.channels;
    c.block_taps = NN_MIN(NN_MAX(K_BLOCK / c.run, 1), c.n_taps);
    c.block_run = nn_align_up(nn_div_up(c.run, nn_div_up(c.run, K_BLOCK)), 8);
    c.block_run = NN_MIN(c.block_run, c.run);
    c.group = GROUP_BYTES / (c.block_taps * c.block_run * c.kernel->mr * (int64_t)sizeof(float));
    c.group = NN_MIN(NN_MAX(c.group, 1), GROUP_MAX);
    *ret = c;
    return 0;
}

static int64_t panel_width(const Conv *c, int64_t columns)
{
    return nn_align_up(columns, c->kernel->lanes);
}

static size_t state_bytes(const Conv *c)
{
    return sizeof(ConvState) +
           (size_t)(panel_width(c, c->g.out_channels) * c->n_taps * c->run) * sizeof(float);
}

/* A block of K: taps tap…tap+n_taps-1, floats first…first+run-1 of each. */
typedef struct KBlock {
    int64_t tap, n_taps, first, run;
} KBlock;

static bool is_first(const KBlock *k)
{
    return k->tap == 0 && k->first == 0;
}

static bool is_last(const Conv *c, const KBlock *k)
{
    return k->tap + k->n_taps == c->n_taps && k->first + k->run == c->run;
}

/* To the next block, or the first of all where `k` is empty; false after the last. */
static bool next_block(const Conv *c, KBlock *k)
{
    if (k->n_taps > 0 && is_last(c, k))
        return false;
    k->first += k->run;
    if (k->first == c->run) {
        k->first = 0;
        k->tap += k->n_taps;
    }
    k->n_taps = NN_MIN(c->block_taps, c->n_taps - k->tap);
    k->run = NN_MIN(c->block_run, c->run - k->first);
    return true;
}

/* Where the weights of a panel lie: blocks of K one after the other, panels in each. */
static int64_t panel_offset(const Conv *c, const KBlock *k, int64_t channel)
{
    return panel_width(c, c->g.out_channels) * (k->tap * c->run + k->first) +
           channel * k->n_taps * k->run;
}

/* Column i of a panel, or zeros, of floats first to end of each tap of a block: these few
 * lines of the panel stay in the cache until all of its columns are there. */
static void pack_column(const Conv *c, const KBlock *k, const float *from, int64_t first,
                        int64_t end, int64_t width, float *to)
{
    for (int64_t run = first; run < end; run++)
        for (int64_t i = 0; i < k->n_taps; i++) {
            int64_t tap = k->tap + i, at = k->first + run;

            to[(i * k->run + run) * width] =
                from ? from[c->planar ? tap * c->run + at : at * c->n_taps + tap] : 0.0f;
        }
}

static void pack_weights(const Conv *c, const float *w, float *to)
{
    for (KBlock k = { 0 }; next_block(c, &k);)
        for (int64_t j = 0; j < c->g.out_channels; j += c->kernel->nr) {
            int64_t columns = NN_MIN(c->g.out_channels - j, c->kernel->nr);
            int64_t width = panel_width(c, columns);
            float *panel = to + panel_offset(c, &k, j);

            for (int64_t run = 0; run < k.run; run += PACK_RUN)
                for (int64_t i = 0; i < width; i++)
                    pack_column(c, &k, i < columns ? w + (j + i) * c->n_taps * c->run : NULL,
                                run, NN_MIN(run + PACK_RUN, k.run), width, panel + i);
        }
}

static int create(const NnCall *call, bool planar, void **ret_state, size_t *ret_bytes)
{
    ConvState *state;
    Conv c;
    int r;

    r = shape(call, planar, &c);
    if (r < 0)
        return r;
    if (!call->in[1]->data)
        return nn_error_set(call->error, -EBADMSG, "its weights are not constant");
    state = nn_huge_alloc(state_bytes(&c));
    if (!state)
        return -ENOMEM;
    memset(state, 0, sizeof(*state));
    state->nr = c.kernel->nr;
    state->lanes = c.kernel->lanes;
    state->out_channels = c.g.out_channels;
    state->k = c.n_taps * c.run;
    state->planar = planar;
    pack_weights(&c, call->in[1]->data, (float *)(state + 1));
    *ret_state = state;
    *ret_bytes = state_bytes(&c);
    return 0;
}

static int conv_create(const NnCall *call, void **ret_state, size_t *ret_bytes)
{
    return create(call, false, ret_state, ret_bytes);
}

static int planar_create(const NnCall *call, void **ret_state, size_t *ret_bytes)
{
    return create(call, true, ret_state, ret_bytes);
}

static int check_state(const NnCall *call, bool planar, const void *state, size_t bytes)
{
    const ConvState *st = state;
    Conv c;
    int r;

    r = shape(call, planar, &c);
    if (r < 0)
        return r;
    if (bytes != state_bytes(&c) || st->nr != c.kernel->nr || st->lanes != c.kernel->lanes ||
        st->out_channels != c.g.out_channels || st->k != c.n_taps * c.run || st->planar != planar)
        return nn_error_set(call->error, -EBADMSG, "its weights were packed for another shape");
    return 0;
}

static int conv_check_state(const NnCall *call, const void *state, size_t bytes)
{
    return check_state(call, false, state, bytes);
}

static int planar_check_state(const NnCall *call, const void *state, size_t bytes)
{
    return check_state(call, true, state, bytes);
}

/* Scratch of one worker: taps of a group of tiles, then copies of those at the border. */
static size_t taps_bytes(const Conv *c)
{
    return nn_align_up((size_t)(c->group * c->block_taps) * sizeof(NnConvTap), 64);
}

static size_t worker_bytes(const Conv *c)
{
    int64_t floats = c->group * c->block_taps * c->block_run * c->kernel->mr;

    return taps_bytes(c) + nn_align_up((size_t)floats * sizeof(float), 64);
}

static size_t scratch(const NnCall *call, bool planar)
{
    Conv c;

    if (shape(call, planar, &c) < 0)
        return 0;
    return worker_bytes(&c) * nn_pool_threads(call->pool);
}

static size_t conv_scratch(const NnCall *call)
{
    return scratch(call, false);
}

static size_t planar_scratch(const NnCall *call)
{
    return scratch(call, true);
}

/* A 1×1 convolution sees no neighbours: its rows may be taken for one long one. */
static void flatten_pointwise(NnConvGeometry *g)
{
    if (g->kernel_h != 1 || g->kernel_w != 1 || g->stride_h != 1 || g->stride_w != 1 ||
        g->pad_top != 0 || g->pad_left != 0 || g->in_h != g->out_h || g->in_w != g->out_w)
        return;
    g->in_w *= g->in_h;
    g->out_w = g->in_w;
    g->in_h = g->out_h = 1;
}

/* Blocks of pixels share the weights of a block of channels, of which as many are taken as
 * the cache holds. One block that has all pixels needs no more than one block of K at a
 * time, and its sums. With threads, blocks are made smaller until there are enough,
 * pixels first. */
static void choose_blocks(Conv *c, unsigned threads)
{
    int64_t nr = c->kernel->nr, panels = nn_div_up(c->g.out_channels, nr);
    int64_t pixels = c->g.out_h * c->g.out_w, floats = c->n_taps * c->run, blocks;
    int64_t wanted = threads > 1 ? (int64_t)threads * TILES_PER_THREAD : 1;

    c->tiles_in_row = nn_div_up(c->g.out_w, c->kernel->mr);
    c->tile_width = nn_div_up(c->g.out_w, c->tiles_in_row);
    c->tiles = c->g.out_h * c->tiles_in_row;
    c->block_tiles = pixels <= PIXEL_BLOCK_MAX ? c->tiles : nn_div_up(PIXEL_BLOCK, c->kernel->mr);
    c->block_tiles =
        NN_MIN(c->block_tiles, NN_MAX(nn_div_up(c->g.batch * c->tiles, wanted), 1));
    c->n_pixel_blocks = nn_div_up(c->tiles, c->block_tiles);
    if (c->g.batch * c->n_pixel_blocks == 1)
        floats = c->block_taps * c->block_run + pixels;
    blocks = nn_div_up(panels * nr * floats * (int64_t)sizeof(float), BLOCK_BYTES);
    blocks = NN_MAX(blocks, nn_div_up(wanted, c->g.batch * c->n_pixel_blocks));
    blocks = NN_MIN(blocks, panels);
    c->block_channels = nn_div_up(panels, blocks) * nr;
    c->n_channel_blocks = nn_div_up(c->g.out_channels, c->block_channels);
}

/* Some pixels of one row of the output; rows have tiles of one width but for the last. */
typedef struct Place {
    int64_t y, x, pixels;
} Place;

static Place locate_tile(const Conv *c, int64_t index)
{
    int64_t y = c->g.out_h > 1 ? index / c->tiles_in_row : 0;
    Place p = { .y = y, .x = (index - y * c->tiles_in_row) * c->tile_width };

    p.pixels = NN_MAX(NN_MIN(c->tile_width, c->g.out_w - p.x), 0);
    return p;
}

/* Where a tap lies in the kernel, and the plane that it reads. A division takes as long as
 * twenty multiply-adds, and most convolutions have one tap. */
typedef struct TapPlace {
    int64_t plane, y, x;
} TapPlace;

static TapPlace locate_tap(const Conv *c, int64_t tap)
{
    int64_t columns = c->planar ? 1 : c->g.kernel_w, row;

    if (c->n_taps == 1)
        return (TapPlace){ 0 };
    row = tap / columns;
    return (TapPlace){ row / c->g.kernel_h, row % c->g.kernel_h, tap % columns };
}

/* What one tile of the pool does. */
typedef struct Block {
    const float *picture;
    int64_t image, tile, n_tiles, channel, n_channels;
    char *scratch;
} Block;

/* Copies what pixels see under one tap, with zeros outside: `x` is the place in the
 * row of the first, `step` from one to the next. */
static void copy_border(const Conv *c, const float *row, int64_t x, int64_t step, int64_t pixels,
                        const KBlock *k, float *to)
{
    int64_t run = k->run;

    for (int64_t i = 0; i < pixels; i++, x += step, to += run) {
        if (c->planar) {
            for (int64_t j = 0; j < run; j++)
                to[j] = x + j >= 0 && x + j < c->g.in_w ? row[x + j] : 0.0f;
        } else if (x >= 0 && x < c->g.in_w) {
            memcpy(to, row + x * c->g.in_pitch, (size_t)run * sizeof(float));
        } else {
            memset(to, 0, (size_t)run * sizeof(float));
        }
    }
}

/* Reads lines in their order, which the prefetcher of a small core follows; a tile walks
 * over all its pixels at once. */
static void touch(const NnConvTap *tap, int64_t pixels, int64_t run)
{
    const int64_t line = 64 / (int64_t)sizeof(float);

    for (int64_t i = 0; i < pixels; i++)
        for (int64_t j = 0; j < run; j += line)
            (void)*(const volatile float *)(tap->x + i * tap->stride + j);
}

/* Whether runs that lie apart are worth a copy: a cache of two ways holds few that are a
 * power of two apart, and panel after panel reads them. */
static bool is_gathered(const Conv *c, const Block *b, int64_t run)
{
    int64_t step = c->g.stride_w * c->g.in_pitch;

    return c->kernel->ordered && !c->planar && step != run && b->n_channels >= GATHER_CHANNELS &&
           step * c->kernel->mr * (int64_t)sizeof(float) > NEAR_BYTES;
}

/* One tap of a tile; false when it sees padding alone. `*copies` moves on when the
 * pixels are copied. */
static bool make_tap(const Conv *c, const Block *b, const Place *t, int64_t tap, const KBlock *k,
                     float **copies, NnConvTap *ret)
{
    const NnConvGeometry *g = &c->g;
    TapPlace at = locate_tap(c, tap);
    int64_t y = t->y * g->stride_h - g->pad_top + at.y * g->dilation_h;
    int64_t x = t->x * g->stride_w - g->pad_left + at.x * g->dilation_w;
    int64_t last = x + (t->pixels - 1) * g->stride_w, reach = c->planar ? k->run - 1 : 0;
    const float *row;

    x += c->planar ? k->first : 0;
    last += c->planar ? k->first : 0;
    if (y < 0 || y >= g->in_h || last + reach < 0 || x >= g->in_w)
        return false;
    row = c->planar ? b->picture + (at.plane * g->in_h + y) * g->in_w
                    : b->picture + y * g->in_w * g->in_pitch + k->first;
    ret->k = (tap - k->tap) * k->run;
    if (x >= 0 && last + reach < g->in_w && !is_gathered(c, b, k->run)) {
        int64_t pitch = c->planar ? 1 : g->in_pitch;

        ret->x = row + x * pitch;
        ret->stride = g->stride_w * pitch;
        if (c->kernel->ordered && at.x < g->stride_w)
            touch(ret, t->pixels, k->run);
        return true;
    }
    copy_border(c, row, x, g->stride_w, t->pixels, k, *copies);
    ret->x = *copies;
    ret->stride = k->run;
    *copies += t->pixels * k->run;
    return true;
}

/* Tiles from `first` on, for one block of K; returns how many there are. */
static int make_group(const Conv *c, const Block *b, const KBlock *k, int64_t first,
                      NnConvTile *tiles)
{
    NnConvTap *taps = (NnConvTap *)b->scratch;
    float *copies = (float *)(b->scratch + taps_bytes(c));
    const NnTensor *residual = c->params->residual ? c->call->in[3] : NULL;
    int64_t last = NN_MIN(first + c->group, b->tile + b->n_tiles);
    int n = 0;

    for (int64_t i = first; i < last; i++) {
        Place p = locate_tile(c, i);
        int64_t pixel = (b->image * c->g.out_h + p.y) * c->g.out_w + p.x, n_taps = 0;

        if (p.pixels == 0)
            continue;
        for (int64_t tap = k->tap; tap < k->tap + k->n_taps; tap++)
            n_taps += make_tap(c, b, &p, tap, k, &copies, &taps[n_taps]);
        tiles[n++] = (NnConvTile){
            .taps = taps,
            .n_taps = n_taps,
            .pixels = (int)p.pixels,
            .y = (float *)c->call->out[0]->data + pixel * c->g.out_pitch + b->channel,
            .residual = residual ? (const float *)residual->data + pixel * c->g.residual_pitch +
                                       b->channel
                                 : NULL,
        };
        taps += n_taps;
    }
    return n;
}

/* Reads a float of each pixel, all of them by one instruction, whose stride the prefetcher
 * of a small core learns. */
static void touch_pixels(const NnConvTile *tiles, int n_tiles, const NnConvPanel *panel)
{
    for (int i = 0; i < n_tiles && panel->accumulate; i++)
        for (int j = 0; j < tiles[i].pixels; j++)
            (void)*(const volatile float *)(tiles[i].y + j * panel->ldy);
    for (int i = 0; i < n_tiles && tiles[i].residual; i++)
        for (int j = 0; j < tiles[i].pixels; j++)
            (void)*(const volatile float *)(tiles[i].residual + j * panel->ldr);
}

/* Every panel of the block's channels over the pixels of a group. */
static void multiply_group(const Conv *c, const Block *b, const KBlock *k, NnConvTile *tiles,
                           int n_tiles)
{
    const NnTensor *bias = nn_input(c->call, 2);
    const float *weights = (const float *)((const ConvState *)c->call->state + 1);
    int64_t end = b->channel + b->n_channels, nr = c->kernel->nr;
    NnConvPanel panel = {
        .channels = k->run,
        .accumulate = !is_first(k),
        .activation = is_last(c, k) ? &c->params->activation : NULL,
        .ldy = c->g.out_pitch,
        .ldr = c->g.residual_pitch,
        .tiles = tiles,
        .n_tiles = n_tiles,
    };

    for (int i = 0; i < n_tiles && !is_last(c, k); i++)
        tiles[i].residual = NULL;
    for (int64_t j = b->channel; j < end; j += nr) {
        panel.columns = (int)NN_MIN(c->g.out_channels - j, nr);
        panel.weights = weights + panel_offset(c, k, j);
        panel.bias = bias ? (const float *)bias->data + j : NULL;
        if (c->kernel->ordered)
            touch_pixels(tiles, n_tiles, &panel);
        c->kernel->func(&panel);
        for (int i = 0; i < n_tiles; i++) {
            tiles[i].y += nr;
            if (tiles[i].residual)
                tiles[i].residual += nr;
        }
    }
}

static void run_k_block(const Conv *c, const Block *b, const KBlock *k)
{
    NnConvTile tiles[GROUP_MAX];

    for (int64_t i = 0; i < b->n_tiles; i += c->group) {
        int n = make_group(c, b, k, b->tile + i, tiles);

        multiply_group(c, b, k, tiles, n);
    }
}

static void conv_tile(void *argument, size_t index, unsigned worker)
{
    const Conv *c = argument;
    int64_t at = (int64_t)index, picture = c->g.in_h * c->g.in_w *
                                           (c->planar ? c->g.channels : c->g.in_pitch);
    Block b = { .scratch = c->scratch + worker * c->worker_bytes };

    b.tile = at % c->n_pixel_blocks * c->block_tiles;
    at /= c->n_pixel_blocks;
    b.image = at % c->g.batch;
    b.channel = at / c->g.batch * c->block_channels;
    b.n_tiles = NN_MIN(c->block_tiles, c->tiles - b.tile);
    b.n_channels = NN_MIN(c->block_channels, c->g.out_channels - b.channel);
    b.picture = (const float *)c->call->in[0]->data + b.image * picture;
    for (KBlock k = { 0 }; next_block(c, &k);)
        run_k_block(c, &b, &k);
}

static int run(const NnCall *call, bool planar)
{
    Conv c;
    int r;

    r = shape(call, planar, &c);
    if (r < 0)
        return r;
    if (!call->state)
        return nn_error_set(call->error, -EBADMSG, "its weights are not constant");
    if (c.g.batch == 0)
        return 0;
    c.g.in_pitch = planar ? 0 : nn_in_pitch(call, 0);
    c.g.out_pitch = nn_out_pitch(call, 0);
    c.g.residual_pitch = c.params->residual ? nn_in_pitch(call, 3) : 0;
    if (!planar)
        flatten_pointwise(&c.g);
    choose_blocks(&c, nn_pool_threads(call->pool));
    c.scratch = call->scratch;
    c.worker_bytes = worker_bytes(&c);
    nn_pool_run(call->pool, (size_t)(c.g.batch * c.n_pixel_blocks * c.n_channel_blocks), conv_tile,
                &c);
    return 0;
}

static int conv_run(const NnCall *call)
{
    return run(call, false);
}

static int planar_run(const NnCall *call)
{
    return run(call, true);
}

static int conv_prepare(const NnNode *node, void *params, NnError *error)
{
    return nn_op_conv.prepare(node, params, error);
}

static NnFused conv_fused(void *params)
{
    return nn_op_conv.fused(params);
}

static uint64_t flops(const NnCall *call, bool planar)
{
    Standard s;

    as_standard(call, planar, &s);
    return nn_op_conv.flops(&s.call);
}

static uint64_t conv_flops(const NnCall *call)
{
    return flops(call, false);
}

static uint64_t planar_flops(const NnCall *call)
{
    return flops(call, true);
}

static const char *conv_algorithm(const NnCall *call)
{
    return "direct";
}

static const char *planar_algorithm(const NnCall *call)
{
    return "planar";
}

#define CONV_OP(symbol, name, verb)             \
    const NnOp nn_op_##symbol = {               \
        .type = name,                           \
        .domain = NN_NHWC_DOMAIN,               \
        .since = 1,                             \
        .min_inputs = 2,                        \
        .max_inputs = 4,                        \
        .max_outputs = 1,                       \
        .flags = NN_OP_PITCH | NN_OP_NO_FOLD,   \
        .params_bytes = sizeof(NnConvParams),   \
        .prepare = conv_prepare,                \
        .infer = verb##_infer,                  \
        .create = verb##_create,                \
        .check_state = verb##_check_state,      \
        .fused = conv_fused,                    \
        .scratch = verb##_scratch,              \
        .run = verb##_run,                      \
        .flops = verb##_flops,                  \
        .algorithm = verb##_algorithm,          \
    };

CONV_OP(nhwc_conv, "Conv", conv)
CONV_OP(nhwc_conv_planar, "ConvPlanar", planar)

int nn_nhwc_depthwise_geometry(const NnCall *call, NnConvGeometry *ret)
{
    Standard s;

    as_standard(call, false, &s);
    return nn_conv_depthwise_geometry(&s.call, ret);
}
