/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/algorithm.h"

#include <math.h>
#include <time.h>

#include "kernels/winograd.h"
#include "ops/nhwc.h"

/* Candidates: the sum over the taps, and the tiles of Winograd's algorithm. */
static const int tiles[] = { 0, 2, 3, 4, 6 };

/* One thread's multiplications a nanosecond in the sum and in Winograd's products, floats
 * transformed to and fro a nanosecond for each tile, and bytes of weights a nanosecond
 * from memory for all threads together. Only their ratios matter. NEON: the estimator's
 * figures of bench_winograd for a Cortex-A72 at 1.5 GHz, whose peak is 6; AVX2 and
 * AVX-512: bench_winograd on a Zen 5, fitted to layers of 32 to 128 channels, and the
 * bandwidth to those of 384 and 512, whose weights no cache holds. */
static const struct {
    NnIsa isa;
    double sums, products, transforms[NN_ARRAY_SIZE(tiles)], bandwidth;
} costs[] = {
    { NN_ISA_NEON, 5.2, 5.6, { 0, 0.46, 0.46, 0.50, 0.38 }, 4.0 },
    { NN_ISA_AVX2, 50, 52, { 0, 7, 6, 6, 4 }, 14 },
    { NN_ISA_AVX512, 90, 95, { 0, 13, 8, 12, 7.5 }, 14 },
};

/* Of measuring: rounds of each candidate, and what is written between them so that
 * weights come from memory as they do in a network. */
#define ROUNDS 4
#define EVICT_BYTES ((size_t)32 << 20)

/* Nanoseconds by the table; infinite where it has no line. */
static double estimate(const NnContext *context, const NnConvGeometry *g, size_t candidate)
{
    double threads = nn_pool_threads(context->pool);
    double pixels = (double)(g->batch * g->out_h * g->out_w);
    double weights = 9.0 * (double)(g->channels * g->out_channels);

    for (size_t i = 0; i < NN_ARRAY_SIZE(costs); i++) {
        NnWinogradWork work;

        if (costs[i].isa != context->kernels.f32_winograd.isa)
            continue;
        if (tiles[candidate] == 0)
            return hypot(pixels * weights / costs[i].sums / threads,
                         weights * sizeof(float) / costs[i].bandwidth);
        if (!nn_winograd_fits(g, tiles[candidate]))
            return INFINITY;
        work = nn_winograd_work(g, &context->kernels, tiles[candidate], (unsigned)threads);
        return hypot(work.products / costs[i].products / threads,
                     work.weight_bytes / costs[i].bandwidth) +
               work.transformed / costs[i].transforms[candidate] / threads;
    }
    return tiles[candidate] == 0 ? 0 : INFINITY;
}

/* A node like `node` by another algorithm: it owns its list of attributes and the last of
 * them, its type and its params. */
static int make_variant(const NnNode *node, int tile, NnNode *ret)
{
    NnNode variant = *node;
    size_t n = node->n_attributes;
    int r;

    variant.op_type = NULL;
    variant.params = NULL;
    variant.attributes = calloc(n + 1, sizeof(variant.attributes[0]));
    if (!variant.attributes)
        return -ENOMEM;
    if (n > 0)
        memcpy(variant.attributes, node->attributes, n * sizeof(variant.attributes[0]));
    variant.attributes[n] = (NnAttribute){ strdup("tile"), NN_ATTRIBUTE_INT, .i = tile };
    variant.n_attributes = n + 1;
    *ret = variant;
    if (!variant.attributes[n].name)
        return -ENOMEM;
    r = nn_node_set_op(ret, &nn_op_nhwc_conv_winograd);
    if (r < 0)
        return r;
    r = ret->op->prepare(ret, ret->params, NULL);
    if (r < 0)
        return r;
    *ret->op->fused(ret->params).activation = *node->op->fused(node->params).activation;
    *ret->op->fused(ret->params).residual = *node->op->fused(node->params).residual;
    return 0;
}

static void drop_variant(NnNode *variant)
{
    if (variant->attributes)
        free(variant->attributes[variant->n_attributes - 1].name);
    free(variant->attributes);
    free(variant->op_type);
    free(variant->params);
    *variant = (NnNode){ 0 };
}

static int adopt(NnNode *node, int tile)
{
    NnNode variant = { 0 };
    int r;

    r = make_variant(node, tile, &variant);
    if (r < 0) {
        drop_variant(&variant);
        return r;
    }
    free(node->attributes);
    free(node->op_type);
    free(node->params);
    *node = variant;
    return 0;
}

/* What a trial runs on. */
typedef struct Trial {
    NnTensor tensors[4], y;
    const NnTensor *in[4];
    NnTensor *out[1];
    NnCall call;
    void *state;
} Trial;

static void trial_clear(Trial *t)
{
    free(t->tensors[0].data);
    free(t->tensors[3].data);
    free(t->y.data);
    free(t->call.scratch);
    free(t->state);
}

static void *filled(const NnTensor *tensor)
{
    int64_t n = nn_tensor_elements(tensor);
    float *x = nn_aligned_alloc(NN_MAX((size_t)n, 1) * sizeof(float));

    for (int64_t i = 0; x && i < n; i++)
        x[i] = (float)(i % 17) / 17.0f - 0.5f;
    return x;
}

static int make_trial(const NnGraph *graph, const NnContext *context, const NnNode *node, Trial *t)
{
    size_t bytes;
    int r;

    t->out[0] = &t->y;
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == NN_NO_VALUE)
            continue;
        t->tensors[i] = graph->values[node->inputs[i]].tensor;
        t->in[i] = &t->tensors[i];
        if (i == 0 || i == 3) {
            t->tensors[i].data = filled(&t->tensors[i]);
            if (!t->tensors[i].data)
                return -ENOMEM;
        }
    }
    t->call = (NnCall){
        .node = node, .params = node->params, .in = t->in, .n_in = node->n_inputs,
        .out = t->out, .n_out = 1, .pool = context->pool, .kernels = &context->kernels,
    };
    r = node->op->infer(&t->call);
    if (r < 0)
        return r;
    t->y.data = filled(&t->y);
    r = node->op->create(&t->call, &t->state, &bytes);
    if (r < 0)
        return r;
    t->call.state = t->state;
    t->call.scratch = nn_aligned_alloc(NN_MAX(node->op->scratch(&t->call), 1));
    return t->y.data && t->call.scratch ? 0 : -ENOMEM;
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds of the fastest round. */
static int measure(const NnGraph *graph, const NnContext *context, const NnNode *node, void *evict,
                   double *ret)
{
    _cleanup_(trial_clear) Trial t = { 0 };
    double best = INFINITY;
    int r;

    r = make_trial(graph, context, node, &t);
    for (int i = 0; r >= 0 && i < ROUNDS; i++) {
        double start;

        memset(evict, i, EVICT_BYTES);
        start = now_ns();
        r = node->op->run(&t.call);
        best = NN_MIN(best, now_ns() - start);
    }
    *ret = best;
    return r;
}

static int measure_tile(const NnGraph *graph, const NnContext *context, const NnNode *node,
                        int tile, void *evict, double *ret)
{
    _cleanup_(drop_variant) NnNode variant = { 0 };
    int r;

    if (tile == 0)
        return measure(graph, context, node, evict, ret);
    r = make_variant(node, tile, &variant);
    return r < 0 ? r : measure(graph, context, &variant, evict, ret);
}

/* `evict` is NULL for an estimate. */
static int choose(NnGraph *graph, const NnContext *context, NnNode *node, const NnConvGeometry *g,
                  void *evict)
{
    double best = INFINITY;
    int tile = 0, r;

    for (size_t i = 0; i < NN_ARRAY_SIZE(tiles); i++) {
        double ns = estimate(context, g, i);

        if (evict && isfinite(ns)) {
            r = measure_tile(graph, context, node, tiles[i], evict, &ns);
            if (r < 0)
                return r;
        }
        if (ns < best) {
            best = ns;
            tile = tiles[i];
        }
    }
    return tile ? adopt(node, tile) : 0;
}

/* Whether Winograd's algorithm can do it, and its geometry. Attributes that belong to a
 * body cannot be added to. */
static bool is_candidate(const NnGraph *graph, const NnContext *context, const NnNode *node,
                         NnConvGeometry *ret)
{
    NnTensor tensors[2];
    const NnTensor *in[2] = { &tensors[0], &tensors[1] };
    NnCall call = { .node = node, .params = node->params, .in = in, .n_in = 2,
                    .kernels = &context->kernels };

    if (node->op != &nn_op_nhwc_conv || node->borrowed)
        return false;
    for (size_t i = 0; i < 2; i++)
        tensors[i] = graph->values[node->inputs[i]].tensor;
    return tensors[1].data && nn_nhwc_conv_geometry(&call, ret) >= 0 &&
           (nn_winograd_fits(ret, 2) || nn_winograd_fits(ret, 3)) &&
           ret->batch * ret->out_h * ret->out_w > 0;
}

int nn_algorithms_choose(NnGraph *graph, const NnContext *context, bool measure, NnError *error)
{
    _cleanup_free_ void *evict = measure ? malloc(EVICT_BYTES) : NULL;
    int r;

    if (measure && !evict)
        return nn_error_set(error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        NnConvGeometry g;

        if (!is_candidate(graph, context, &graph->nodes[i], &g))
            continue;
        r = choose(graph, context, &graph->nodes[i], &g, evict);
        if (r < 0)
            return nn_error_set(error, r, "choosing algorithms: %s", strerror(-r));
    }
    return 0;
}
