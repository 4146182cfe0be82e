/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/winograd.h"

#include "base/util.h"
#include "kernels/winograd/matrices.h"

/* Transformed patches of one block of tiles, and products of one chunk of output
 * channels, as they fit into the second-level cache beside the weights that stream
 * through it: that of a Cortex-A72 has 1 MiB for four cores, of x86 as much for one. */
#define BLOCK_BYTES(shared) ((size_t)((shared) ? 384 : 512) << 10)
#define CHUNK_BYTES ((size_t)160 << 10)
/* Between positions, so that they do not begin in the same cache set. */
#define POSITION_GAP 16
/* Channels of a patch or tile at the border that are copied at a time. */
#define EDGE_CHANNELS 64
/* Loops should have so many parts for each thread, so that all end together. */
#define PARTS_PER_THREAD 3

typedef struct Plan {
    const NnF32Winograd *kernel;
    const NnConvGeometry *g;
    int m, alpha, positions;
    int64_t tiles_h, tiles_w, n_tiles;
    int64_t channels, out_channels;     /* rounded up to whole vectors */
    int64_t depth;                      /* channels rounded up to whole lines */
    int64_t block, n_blocks;            /* tiles whose patches are transformed together */
    int64_t chunk, n_chunks;            /* output channels multiplied together: whole panels */
    int64_t v_stride, products_stride;  /* floats from one position to the next */
    bool shared;                        /* all threads work on the same block */
    size_t v_bytes, products_bytes, edge_bytes;
} Plan;

bool nn_winograd_fits(const NnConvGeometry *g)
{
    return g->kernel_h == 3 && g->kernel_w == 3 && g->stride_h == 1 && g->stride_w == 1 &&
           g->dilation_h == 1 && g->dilation_w == 1;
}

static int64_t round_up(int64_t n, int64_t step)
{
    return nn_div_up(n, step) * step;
}

int64_t nn_winograd_weights(const NnKernels *kernels, int m, int64_t out_channels,
                            int64_t channels)
{
    int lanes = kernels->f32_winograd.lanes;

    return (m + 2) * (m + 2) * round_up(out_channels, lanes) * round_up(channels, lanes);
}

/* U = G w Gᵀ, position p at u[p·stride]. */
static void transform_weights(const NnWinogradMatrices *matrices, int alpha, const float *w,
                              float *u, int64_t stride)
{
    for (int i = 0; i < alpha; i++) {
        double row[3] = { 0 };

        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 3; k++)
                row[j] += matrices->g[i][k] * w[k * 3 + j];
        for (int j = 0; j < alpha; j++) {
            double sum = 0;

            for (int k = 0; k < 3; k++)
                sum += row[k] * matrices->g[j][k];
            u[(i * alpha + j) * stride] = (float)sum;
        }
    }
}

/* Panels of output channels; in each, position by position, a row of them for each
 * channel. The last panel may be narrower. */
void nn_winograd_pack(const NnKernels *kernels, int m, const float *weights, int64_t out_channels,
                      int64_t channels, float *packed)
{
    const NnF32Winograd *kernel = &kernels->f32_winograd;
    const NnWinogradMatrices *matrices = nn_winograd_matrices(m);
    int64_t depth = round_up(channels, kernel->lanes), wide = round_up(out_channels, kernel->lanes);

    memset(packed, 0,
           (size_t)nn_winograd_weights(kernels, m, out_channels, channels) * sizeof(float));
    for (int64_t o = 0; o < out_channels; o++) {
        int64_t first = o / kernel->columns * kernel->columns;
        int64_t columns = NN_MIN(kernel->columns, wide - first);
        float *panel = packed + first * depth * (m + 2) * (m + 2) + (o - first);

        for (int64_t c = 0; c < channels; c++)
            transform_weights(matrices, m + 2, weights + (o * channels + c) * 9,
                              panel + c * columns, depth * columns);
    }
}

/* Tiles of a block: what the cache holds, evenly spread. With several threads each
 * takes blocks of its own where there are enough, and else all share one block after
 * the other. */
static void choose_block(Plan *p, unsigned threads)
{
    bool shared_cache = p->kernel->isa <= NN_ISA_NEONDOT;
    int64_t tile_bytes = p->positions * p->depth * (int64_t)sizeof(float), rows = p->kernel->rows;
    int64_t most = (int64_t)BLOCK_BYTES(shared_cache) / tile_bytes;
    int64_t own = shared_cache ? most / threads : most;

    own = NN_MIN(own, p->n_tiles / (threads * PARTS_PER_THREAD));
    p->shared = threads > 1 && own < rows;
    most = NN_MAX(threads == 1 || p->shared ? most : own, rows);
    if (most < p->n_tiles)
        most = most / rows * rows;
    p->n_blocks = nn_div_up(p->n_tiles, most);
    p->block = nn_div_up(p->n_tiles, p->n_blocks);
    if (p->n_blocks > 1)
        p->block = round_up(p->block, rows);
    p->n_blocks = nn_div_up(p->n_tiles, p->block);
}

static void choose_chunk(Plan *p, unsigned threads)
{
    int64_t columns = p->kernel->columns;
    int64_t most = (int64_t)CHUNK_BYTES / (p->positions * p->block * (int64_t)sizeof(float));

    if (p->shared)
        most = NN_MIN(most, p->out_channels / (threads * PARTS_PER_THREAD));
    most = NN_MAX(most / columns, 1) * columns;
    p->n_chunks = nn_div_up(p->out_channels, most);
    p->chunk = round_up(nn_div_up(p->out_channels, p->n_chunks), columns);
    p->n_chunks = nn_div_up(p->out_channels, p->chunk);
}

static Plan make_plan(const NnConvGeometry *g, const NnF32Winograd *kernel, int m,
                      unsigned threads)
{
    Plan p = {
        .kernel = kernel,
        .g = g,
        .m = m,
        .alpha = m + 2,
        .positions = (m + 2) * (m + 2),
        .tiles_h = nn_div_up(g->out_h, m),
        .tiles_w = nn_div_up(g->out_w, m),
        .channels = round_up(g->channels, kernel->lanes),
        .out_channels = round_up(g->out_channels, kernel->lanes),
        .depth = round_up(g->channels, NN_WINOGRAD_LINE),
    };

    p.n_tiles = g->batch * p.tiles_h * p.tiles_w;
    choose_block(&p, threads);
    choose_chunk(&p, threads);
    p.v_stride = p.block * p.depth + POSITION_GAP;
    p.products_stride = p.block * NN_MIN(p.chunk, p.out_channels) + POSITION_GAP;
    p.v_bytes = (size_t)(p.positions * p.v_stride) * sizeof(float);
    p.products_bytes = nn_align_up((size_t)(p.positions * p.products_stride) * sizeof(float), 64);
    /* A patch; or a tile, its residual and its bias. */
    p.edge_bytes = (size_t)(NN_MAX(p.positions, 2 * m * m + 1) * EDGE_CHANNELS) * sizeof(float);
    return p;
}

size_t nn_winograd_scratch(const NnConvGeometry *geometry, const NnKernels *kernels, int m,
                           unsigned threads)
{
    Plan p = make_plan(geometry, &kernels->f32_winograd, m, threads);

    return (p.shared ? 1 : threads) * p.v_bytes + threads * (p.products_bytes + p.edge_bytes);
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

/* What of the patch lies outside the picture is zero, and so are channels up to a whole
 * vector. */
static void transform_edge(const Run *run, const Place *at, int64_t channel, NnWinogradPatch patch,
                           float *edge)
{
    const Plan *p = &run->plan;
    const NnConvGeometry *g = p->g;
    int64_t y = at->y - g->pad_top, x = at->x - g->pad_left;
    const float *image = run->call->x + at->image * g->in_h * g->in_w * g->in_pitch;
    float *v = patch.v;

    patch.x = edge;
    patch.pitch = EDGE_CHANNELS;
    patch.row_stride = p->alpha * EDGE_CHANNELS;
    for (int64_t c = channel, n; c < g->channels; c += n) {
        n = NN_MIN(g->channels - c, EDGE_CHANNELS);
        patch.channels = round_up(n, p->kernel->lanes);
        patch.v = v + c / NN_WINOGRAD_LINE * NN_WINOGRAD_LINE * patch.rows + c % NN_WINOGRAD_LINE;
        for (int i = 0; i < p->positions; i++) {
            int64_t row = y + i / p->alpha, column = x + i % p->alpha;
            bool inside = row >= 0 && row < g->in_h && column >= 0 && column < g->in_w;
            float *to = edge + i * EDGE_CHANNELS;

            if (inside)
                memcpy(to, image + (row * g->in_w + column) * g->in_pitch + c,
                       (size_t)n * sizeof(float));
            memset(to + (inside ? n : 0), 0,
                   (size_t)(patch.channels - (inside ? n : 0)) * sizeof(float));
        }
        p->kernel->input(&patch);
    }
}

static void transform_panel(const Run *run, const Block *b, int64_t panel)
{
    const Plan *p = &run->plan;
    const NnConvGeometry *g = p->g;
    int64_t begin = panel_begin(b, panel), end = panel_begin(b, panel + 1);
    NnWinogradPatch patch = {
        .m = p->m,
        .rows = (int)(end - begin),
        .row_stride = g->in_w * g->in_pitch,
        .pitch = g->in_pitch,
        .position_stride = p->v_stride,
    };

    for (int64_t i = begin; i < end; i++) {
        Place at = locate_tile(p, b->first + i);
        int64_t y = at.y - g->pad_top, x = at.x - g->pad_left;
        int64_t whole = g->channels / p->kernel->lanes * p->kernel->lanes;

        if (y < 0 || x < 0 || y + p->alpha > g->in_h || x + p->alpha > g->in_w)
            whole = 0;
        patch.v = b->v + begin * p->depth + (i - begin) * NN_WINOGRAD_LINE;
        patch.channels = whole;
        if (whole > 0) {
            patch.x = run->call->x + ((at.image * g->in_h + y) * g->in_w + x) * g->in_pitch;
            p->kernel->input(&patch);
        }
        if (whole < g->channels)
            transform_edge(run, &at, whole, patch, b->edge);
    }
}

/* All products of a block with one chunk of output channels. */
static void multiply_chunk(const Run *run, const Block *b, int64_t first, int64_t channels)
{
    const Plan *p = &run->plan;
    const NnF32Winograd *kernel = p->kernel;

    for (int position = 0; position < p->positions; position++) {
        const float *v = b->v + position * p->v_stride;
        float *products = b->products + position * p->products_stride;

        for (int64_t i = 0; i < b->panels; i++) {
            int64_t begin = panel_begin(b, i), rows = panel_begin(b, i + 1) - begin;

            for (int64_t c = 0; c < channels; c += kernel->columns) {
                int columns = (int)NN_MIN(kernel->columns, channels - c);
                const float *u = run->call->weights + (first + c) * p->channels * p->positions;

                kernel->multiply(v + begin * p->depth, u + position * p->channels * columns,
                                 p->channels, (int)rows, columns,
                                 products + begin * channels + c, channels);
            }
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
        .products = b->products + tile * channels,
        .position_stride = p->products_stride,
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
    int64_t first = chunk * p->chunk, channels = NN_MIN(p->chunk, p->out_channels - first);

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
