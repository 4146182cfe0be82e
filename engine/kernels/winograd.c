/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/winograd.h"

#include "base/util.h"
#include "kernels/winograd/matrices.h"

/* Transformed patches and products of one block of tiles, beside which weights stream
 * through the second-level cache: 1 MiB for the four cores of a Cortex-A72, as much for
 * each core of x86. */
#define BLOCK_BYTES ((int64_t)640 << 10)
/* Weights that stay in the first-level cache. */
#define NEAR_BYTES (16 << 10)
/* Between positions, so that they do not begin in the same cache set. */
#define POSITION_GAP 16
/* Channels of a tile at the border that are copied at a time. */
#define EDGE_CHANNELS 64
/* Loops should have so many parts for each thread, so that all end together. */
#define PARTS_PER_THREAD 3

typedef struct Plan {
    const NnF32Winograd *kernel;
    const NnConvGeometry *g;
    int m, stride, step, alpha, positions;
    int64_t tiles_h, tiles_w, n_tiles;
    int64_t channels, out_channels;     /* rounded up to whole vectors */
    int64_t depth;                      /* channels rounded up to whole lines */
    int64_t block, n_blocks;            /* tiles whose patches are transformed together */
    int64_t n_chunks;                   /* of output channels that are multiplied together */
    int64_t v_stride;                   /* floats from one position to the next */
    bool shared;                        /* all threads work on the same block */
    size_t v_bytes, products_bytes, edge_bytes;
} Plan;

bool nn_winograd_fits(const NnConvGeometry *g, int m)
{
    int stride = nn_winograd_stride(m);

    return g->kernel_h == 3 && g->kernel_w == 3 && g->stride_h == stride &&
           g->stride_w == stride && g->dilation_h == 1 && g->dilation_w == 1;
}

static int64_t round_up(int64_t n, int64_t step)
{
    return nn_div_up(n, step) * step;
}

int64_t nn_winograd_weights(const NnKernels *kernels, int m, int64_t out_channels,
                            int64_t channels)
{
    int lanes = kernels->f32_winograd.lanes, alpha = nn_winograd_alpha(m);

    return alpha * alpha * round_up(out_channels, lanes) * round_up(channels, lanes);
}

/* Output channels side by side, of which one channel's weights are transformed at once. */
#define PANEL_MAX 32

/* One row of every position of a panel, U = G w Gᵀ: position p at u[p·stride]. Weights
 * of one output channel stand `step` floats behind those of the one before. */
static void pack_row(const NnWinogradMatrices *matrices, int alpha, const float *weights,
                     int64_t step, int64_t columns, int64_t width, float *u, int64_t stride)
{
    double w[3][3][PANEL_MAX] = { 0 }, half[WINOGRAD_ALPHA_MAX][3][PANEL_MAX];

    for (int64_t o = 0; o < columns; o++)
        for (int i = 0; i < 9; i++)
            w[i / 3][i % 3][o] = weights[o * step + i];
    for (int i = 0; i < alpha; i++)
        for (int j = 0; j < 3; j++)
            for (int64_t o = 0; o < width; o++)
                half[i][j][o] = matrices->g[i][0] * w[0][j][o] + matrices->g[i][1] * w[1][j][o] +
                                matrices->g[i][2] * w[2][j][o];
    for (int i = 0; i < alpha; i++)
        for (int j = 0; j < alpha; j++, u += stride)
            for (int64_t o = 0; o < width; o++)
                u[o] = (float)(half[i][0][o] * matrices->g[j][0] +
                               half[i][1][o] * matrices->g[j][1] +
                               half[i][2][o] * matrices->g[j][2]);
}

/* Chunks of output channels; in each, position by position, panels; in each, a row of
 * output channels for each channel. The last chunk and panel may be narrower. */
void nn_winograd_pack(const NnKernels *kernels, int m, const float *weights, int64_t out_channels,
                      int64_t channels, float *packed)
{
    const NnF32Winograd *kernel = &kernels->f32_winograd;
    int64_t depth = round_up(channels, kernel->lanes), wide = round_up(out_channels, kernel->lanes);
    int alpha = nn_winograd_alpha(m);

    for (int64_t first = 0; first < wide; first += kernel->columns) {
        int64_t chunk = first / kernel->chunk * kernel->chunk;
        int64_t stride = depth * NN_MIN(kernel->chunk, wide - chunk);
        int64_t width = NN_MIN(kernel->columns, wide - first);
        float *u = packed + chunk * depth * alpha * alpha + (first - chunk) * depth;

        for (int64_t c = 0; c < depth; c++, u += width)
            pack_row(nn_winograd_matrices(m), alpha, weights + (first * channels + c) * 9,
                     channels * 9, c < channels ? NN_MIN(width, out_channels - first) : 0, width,
                     u, stride);
    }
}

/* Tiles of a block: as many as the cache holds, or a few more where that leaves one
 * block. With several threads each takes blocks of its own where there are enough, and
 * else all share one block after the other. */
static void choose_block(Plan *p, unsigned threads)
{
    bool shared_cache = p->kernel->isa <= NN_ISA_NEONDOT;
    int64_t tile_bytes =
        p->positions * (p->depth + p->kernel->chunk) * (int64_t)sizeof(float);
    int64_t rows = p->kernel->rows, most = BLOCK_BYTES / tile_bytes;
    int64_t own = shared_cache ? most / threads : most;

    own = NN_MIN(own, p->n_tiles / (threads * PARTS_PER_THREAD));
    p->shared = threads > 1 && own < rows;
    if (threads > 1 && !p->shared)
        most = own;
    else if (p->n_tiles <= most + most / 4)
        most = p->n_tiles;
    p->n_blocks = nn_div_up(p->n_tiles, NN_MAX(most, rows));
    p->block = nn_div_up(p->n_tiles, p->n_blocks);
    p->n_blocks = nn_div_up(p->n_tiles, p->block);
}

static Plan make_plan(const NnConvGeometry *g, const NnF32Winograd *kernel, int m,
                      unsigned threads)
{
    Plan p = {
        .kernel = kernel,
        .g = g,
        .m = m,
        .stride = nn_winograd_stride(m),
        .step = nn_winograd_step(m),
        .alpha = nn_winograd_alpha(m),
        .tiles_h = nn_div_up(g->out_h, m),
        .tiles_w = nn_div_up(g->out_w, m),
        .channels = round_up(g->channels, kernel->lanes),
        .out_channels = round_up(g->out_channels, kernel->lanes),
        .depth = round_up(g->channels, NN_WINOGRAD_LINE),
    };

    p.positions = p.alpha * p.alpha;
    p.n_tiles = g->batch * p.tiles_h * p.tiles_w;
    choose_block(&p, threads);
    p.n_chunks = nn_div_up(p.out_channels, kernel->chunk);
    p.v_stride = p.block * p.depth + POSITION_GAP;
    p.v_bytes = (size_t)(p.positions * p.v_stride) * sizeof(float);
    p.products_bytes = (size_t)(p.block * p.positions * kernel->chunk) * sizeof(float);
    /* A strip; or a tile, its residual and its bias. */
    p.edge_bytes = (size_t)NN_MAX(((kernel->rows - 1) * p.step + p.alpha) * p.alpha *
                                      NN_WINOGRAD_LINE,
                                  (2 * m * m + 1) * EDGE_CHANNELS) * sizeof(float);
    return p;
}

size_t nn_winograd_scratch(const NnConvGeometry *geometry, const NnKernels *kernels, int m,
                           unsigned threads)
{
    Plan p = make_plan(geometry, &kernels->f32_winograd, m, threads);

    return (p.shared ? 1 : threads) * p.v_bytes + threads * (p.products_bytes + p.edge_bytes);
}

NnWinogradWork nn_winograd_work(const NnConvGeometry *geometry, const NnKernels *kernels, int m,
                                unsigned threads)
{
    Plan p = make_plan(geometry, &kernels->f32_winograd, m, threads);
    double patches = (double)(p.positions * p.n_tiles);

    return (NnWinogradWork){
        .products = patches * (double)(p.channels * p.out_channels),
        .transformed = patches * (double)(p.channels + p.out_channels),
        .weight_bytes = (double)(p.n_blocks * p.positions * p.channels * p.out_channels) *
                        sizeof(float),
    };
}

typedef struct Run {
    const NnWinograd *call;
    Plan plan;
    char *scratch;
    unsigned threads;
    int64_t block;                      /* at work, where all share it */
} Run;

typedef struct Block {
    int64_t first, tiles, panels;
    float *v, *products, *edge;
} Block;

static Block locate_block(const Run *run, int64_t index, unsigned worker)
{
    const Plan *p = &run->plan;
    size_t v_bytes = (p->shared ? 1 : run->threads) * p->v_bytes;
    size_t own_bytes = p->products_bytes + p->edge_bytes;
    Block b = {
        .first = index * p->block,
        .v = (float *)(run->scratch + (p->shared ? 0 : worker * p->v_bytes)),
        .products = (float *)(run->scratch + v_bytes + worker * own_bytes),
    };

    b.edge = (float *)((char *)b.products + p->products_bytes);
    b.tiles = NN_MIN(p->block, p->n_tiles - b.first);
    b.panels = nn_div_up(b.tiles, p->kernel->rows);
    return b;
}

/* Panels have the same number of tiles, or one more. */
static int64_t panel_begin(const Block *b, int64_t panel)
{
    return panel * b->tiles / b->panels;
}

typedef struct Place {
    int64_t image, y, x;                /* of the first output */
} Place;

static Place locate_tile(const Plan *p, int64_t tile)
{
    int64_t row = tile / p->tiles_w;

    return (Place){ row / p->tiles_h, row % p->tiles_h * p->m, tile % p->tiles_w * p->m };
}

/* Strip by strip: what of a panel lies in one row of tiles. */
static void transform_panel(const Run *run, const Block *b, int64_t panel)
{
    const Plan *p = &run->plan;
    const NnConvGeometry *g = p->g;
    int64_t begin = panel_begin(b, panel), end = panel_begin(b, panel + 1);
    NnWinogradStrip strip = {
        .m = p->m,
        .rows = (int)(end - begin),
        .row_stride = g->in_w * g->in_pitch,
        .pitch = g->in_pitch,
        .channels = g->channels,
        .half = b->edge,
        .position_stride = p->v_stride,
    };

    for (int64_t i = begin; i < end; i += strip.tiles) {
        Place at = locate_tile(p, b->first + i);
        int64_t y = at.y * p->stride - g->pad_top, x = at.x * p->stride - g->pad_left;

        strip.tiles = NN_MIN(end - i, p->tiles_w - at.x / p->m);
        strip.x = run->call->x + ((at.image * g->in_h + y) * g->in_w + x) * g->in_pitch;
        strip.top = -y;
        strip.bottom = g->in_h - y;
        strip.left = -x;
        strip.right = g->in_w - x;
        strip.v = b->v + begin * p->depth + (i - begin) * NN_WINOGRAD_LINE;
        p->kernel->input(&strip);
    }
}

/* Tiles begin to end - 1 with output channels c to c + n - 1 of a chunk. */
static void multiply_panel(const Plan *p, const float *v, int64_t begin, int64_t end,
                           const float *u, int64_t c, int64_t n, float *products)
{
    const NnF32Winograd *kernel = p->kernel;
    int64_t stride = p->positions * kernel->chunk;

    for (int64_t i = c; i < c + n; i += kernel->columns)
        kernel->multiply(v + begin * p->depth, u + i * p->channels, p->channels,
                         (int)(end - begin), (int)NN_MIN(kernel->columns, c + n - i),
                         products + begin * stride + i, stride);
}

/* All products of a block with one chunk of output channels: so many at a time that their
 * weights stay in the first-level cache for all panels of tiles. */
static void multiply_chunk(const Run *run, const Block *b, int64_t first, int64_t channels)
{
    const Plan *p = &run->plan;
    const NnF32Winograd *kernel = p->kernel;
    int64_t near = NEAR_BYTES / (p->channels * (int64_t)sizeof(float));

    near = NN_MAX(near / kernel->columns, 1) * kernel->columns;
    for (int position = 0; position < p->positions; position++) {
        const float *v = b->v + position * p->v_stride;
        const float *u = run->call->weights + (first * p->positions + position * channels) *
                                                  p->channels;
        float *products = b->products + position * kernel->chunk;

        for (int64_t c = 0, n; c < channels; c += n) {
            n = NN_MIN(near, channels - c);
            for (int64_t i = 0; i < b->panels; i++)
                multiply_panel(p, v, panel_begin(b, i), panel_begin(b, i + 1), u, c, n, products);
        }
    }
}

/* A tile that reaches past the picture, or channels that do not fill a vector, by way of
 * a copy. `product` stands at its first channel, `channel`. */
static void finish_edge(const Run *run, const Place *at, int64_t channel, int64_t end,
                        NnWinogradProduct product, float *edge)
{
    const Plan *p = &run->plan;
    const NnConvGeometry *g = p->g;
    int64_t rows = NN_MIN(p->m, g->out_h - at->y), columns = NN_MIN(p->m, g->out_w - at->x);
    float *residual = edge + p->m * p->m * EDGE_CHANNELS;
    float *bias = residual + p->m * p->m * EDGE_CHANNELS;
    NnWinogradProduct copy = product;

    copy.y_pitch = copy.residual_pitch = EDGE_CHANNELS;
    copy.y_row = copy.residual_row = p->m * EDGE_CHANNELS;
    copy.y = edge;
    copy.bias = product.bias ? bias : NULL;
    copy.residual = product.residual ? residual : NULL;
    for (int64_t c = channel, n; c < end; c += n) {
        int64_t done = c - channel;

        n = NN_MIN(end - c, EDGE_CHANNELS);
        copy.channels = round_up(n, p->kernel->lanes);
        copy.products = product.products + done;
        if (product.bias)
            memcpy(bias, product.bias + done, (size_t)n * sizeof(float));
        for (int64_t i = 0; product.residual && i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                memcpy(residual + (i * p->m + j) * EDGE_CHANNELS,
                       product.residual + i * product.residual_row + j * product.residual_pitch +
                           done,
                       (size_t)n * sizeof(float));
        p->kernel->output(&copy);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                memcpy(product.y + i * product.y_row + j * product.y_pitch + done,
                       edge + (i * p->m + j) * EDGE_CHANNELS, (size_t)n * sizeof(float));
    }
}

static void finish_tile(const Run *run, const Block *b, int64_t tile, int64_t first,
                        int64_t channels)
{
    const Plan *p = &run->plan;
    const NnConvGeometry *g = p->g;
    const NnWinograd *call = run->call;
    Place at = locate_tile(p, b->first + tile);
    int64_t pixel = (at.image * g->out_h + at.y) * g->out_w + at.x;
    int64_t end = NN_MIN(first + channels, g->out_channels);
    int64_t whole = (end - first) / p->kernel->lanes * p->kernel->lanes;
    NnWinogradProduct product = {
        .m = p->m,
        .products = b->products + tile * p->positions * p->kernel->chunk,
        .bias = call->bias ? call->bias + first : NULL,
        .residual = call->residual ? call->residual + pixel * g->residual_pitch + first : NULL,
        .residual_row = g->out_w * g->residual_pitch,
        .residual_pitch = g->residual_pitch,
        .activation = call->activation,
        .y = call->y + pixel * g->out_pitch + first,
        .y_row = g->out_w * g->out_pitch,
        .y_pitch = g->out_pitch,
    };

    if (at.y + p->m > g->out_h || at.x + p->m > g->out_w)
        whole = 0;
    product.channels = whole;
    if (whole > 0)
        p->kernel->output(&product);
    if (first + whole == end)
        return;
    product.products += whole;
    product.y += whole;
    if (product.bias)
        product.bias += whole;
    if (product.residual)
        product.residual += whole;
    finish_edge(run, &at, first + whole, end, product, b->edge);
}

static void do_chunk(const Run *run, const Block *b, int64_t chunk)
{
    const Plan *p = &run->plan;
    int64_t first = chunk * p->kernel->chunk;
    int64_t channels = NN_MIN(p->kernel->chunk, p->out_channels - first);

    multiply_chunk(run, b, first, channels);
    for (int64_t i = 0; i < b->tiles; i++)
        finish_tile(run, b, i, first, channels);
}

static void block_part(void *argument, size_t index, unsigned worker)
{
    const Run *run = argument;
    Block b = locate_block(run, (int64_t)index, worker);

    for (int64_t i = 0; i < b.panels; i++)
        transform_panel(run, &b, i);
    for (int64_t i = 0; i < run->plan.n_chunks; i++)
        do_chunk(run, &b, i);
}

static void panel_part(void *argument, size_t index, unsigned worker)
{
    const Run *run = argument;
    Block b = locate_block(run, run->block, worker);

    transform_panel(run, &b, (int64_t)index);
}

static void chunk_part(void *argument, size_t index, unsigned worker)
{
    const Run *run = argument;
    Block b = locate_block(run, run->block, worker);

    do_chunk(run, &b, (int64_t)index);
}

void nn_winograd_run(const NnWinograd *winograd, const NnKernels *kernels, NnPool *pool)
{
    Run run = { .call = winograd, .scratch = winograd->scratch, .threads = nn_pool_threads(pool) };
    Plan *p = &run.plan;

    *p = make_plan(&winograd->geometry, &kernels->f32_winograd, winograd->m, run.threads);
    if (!p->shared) {
        nn_pool_run(pool, (size_t)p->n_blocks, block_part, &run);
        return;
    }
    for (run.block = 0; run.block < p->n_blocks; run.block++) {
        Block b = locate_block(&run, run.block, 0);

        nn_pool_run(pool, (size_t)b.panels, panel_part, &run);
        nn_pool_run(pool, (size_t)p->n_chunks, chunk_part, &run);
    }
}
