/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution and pooling of channels-last pictures. Tiles of every kernel of the list
 * that the processor has, then the operators with all their borders, pitches and
 * threads, against the sums of the definition in double. Tolerance: 2e-6 of the sum of
 * the absolute products (a float sum of K terms, blocked, errs by less), plus 2e-6
 * relative behind the activation. Maxima are exact. Also: the same bits for any number
 * of threads, and nothing written between the channels of one pixel and the next. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kernels/geometry.h"
#include "kernels/kernels.h"
#include "ops/nhwc.h"

#define TOLERANCE 2e-6
#define UNTOUCHED 12345.0f
#define THREADS_MAX 3

static const NnF32Conv convs[] = {
#define NN_F32_CONV(isa_, mr_, nr_, lanes_, ordered_, symbol) \
    { .isa = isa_, .name = #symbol, .mr = mr_, .nr = nr_, .lanes = lanes_, \
      .ordered = ordered_, .func = symbol },
#include "kernels/conv/conv.inc"
#undef NN_F32_CONV
};

static const NnF32Pool pools[] = {
#define NN_F32_POOL(isa_, symbol) { .isa = isa_, .name = #symbol, .func = symbol },
#include "kernels/pool/pool.inc"
#undef NN_F32_POOL
};

static const NnF32Channels channels[] = {
#define NN_F32_CHANNELS(isa_, symbol) { .isa = isa_, .name = #symbol, .func = symbol },
#include "kernels/channels/channels.inc"
#undef NN_F32_CHANNELS
};

static double activate(const NnActivation *a, double x)
{
    switch (a->kind) {
    case NN_ACTIVATION_RELU:
        return fmax(x, 0);
    case NN_ACTIVATION_LEAKY_RELU:
        return x < 0 ? x * a->alpha : x;
    case NN_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case NN_ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    case NN_ACTIVATION_HARD_SWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case NN_ACTIVATION_CLIP:
        return fmin(fmax(x, a->low), a->high);
    default:
        return x;
    }
}

static NnActivation random_activation(Check *check)
{
    return (NnActivation){
        .kind = (NnActivationKind)check_between(check, 0, _NN_ACTIVATION_MAX - 1),
        .alpha = 0.1f,
        .low = -0.5f,
        .high = 0.7f,
    };
}

static void expect(Check *check, double got, double wanted, double sum_of_abs, const char *what,
                   int64_t index)
{
    check->n_compared++;
    if (!(fabs(got - wanted) <= TOLERANCE * (sum_of_abs + fabs(wanted) + 1)))
        check_fail(check, "%s, element %lld: got %.9g, expected %.9g", what, (long long)index, got,
                   wanted);
}

/* A picture between guards: pixels `pitch` floats apart, the floats between them
 * UNTOUCHED. */
static Guarded picture(Check *check, int64_t pixels, int64_t channels, int64_t pitch)
{
    int64_t n = pixels > 0 ? (pixels - 1) * pitch + channels : 0;
    Guarded g = check_alloc(n, (int)check_between(check, 0, 15));

    for (int64_t i = 0; i < n; i++)
        g.data[i] = i % pitch < channels ? check_float(check) : UNTOUCHED;
    return g;
}

static void check_gaps(Check *check, const Guarded *g, int64_t channels, int64_t pitch,
                       const char *what)
{
    for (int64_t i = 0; i < g->n; i++)
        if (i % pitch >= channels && g->data[i] != UNTOUCHED)
            check_fail(check, "%s: float %lld between pixels was written", what, (long long)i);
}

typedef struct TileCase {
    NnConvTap taps[12];
    NnConvTile tile;
    NnConvPanel panel;
    int64_t width;              /* of the panel of weights */
} TileCase;

static void compare_tile(Check *check, const TileCase *c, const float *before)
{
    static const NnActivation none = { .kind = NN_ACTIVATION_NONE };
    const NnConvPanel *p = &c->panel;
    const NnConvTile *t = &c->tile;

    for (int i = 0; i < t->pixels; i++)
        for (int j = 0; j < p->columns; j++) {
            int64_t at = i * p->ldy + j;
            double sum = p->accumulate ? (double)before[at] : p->bias ? (double)p->bias[j] : 0;
            double of_abs = fabs(sum);

            for (int64_t tap = 0; tap < t->n_taps; tap++)
                for (int64_t k = 0; k < p->channels; k++) {
                    double x = (double)t->taps[tap].x[i * t->taps[tap].stride + k];
                    double w = (double)p->weights[(t->taps[tap].k + k) * c->width + j];

                    sum += x * w;
                    of_abs += fabs(x * w);
                }
            sum += t->residual ? (double)t->residual[i * p->ldr + j] : 0;
            expect(check, (double)t->y[at], activate(p->activation ? p->activation : &none, sum),
                   of_abs, "tile", at);
        }
}

static void random_taps(Check *check, TileCase *c, Guarded *x)
{
    for (int64_t i = 0; i < c->tile.n_taps; i++) {
        int64_t channels = c->panel.channels;
        int64_t stride = check_between(check, 0, 3) * channels + check_between(check, 0, 5);

        x[i] = check_alloc((c->tile.pixels - 1) * stride + channels,
                           (int)check_between(check, 0, 15));
        check_fill(check, x[i].data, x[i].n);
        c->taps[i] = (NnConvTap){ x[i].data, stride,
                                  check_between(check, 0, c->tile.n_taps + 1) * channels };
    }
}

static void check_tile(Check *check, const NnF32Conv *kernel)
{
    TileCase c = { 0 };
    NnConvPanel *p = &c.panel;
    NnConvTile *t = &c.tile;
    NnActivation activation = random_activation(check);
    Guarded x[NN_ARRAY_SIZE(c.taps)], w, y, bias, residual;
    float *before;

    t->pixels = (int)check_between(check, 1, kernel->mr);
    t->n_taps = check_between(check, 0, NN_ARRAY_SIZE(c.taps));
    t->taps = c.taps;
    p->columns = (int)check_between(check, 1, kernel->nr);
    p->channels = check_between(check, 1, 37);
    p->ldy = p->columns + check_between(check, 0, 9);
    p->ldr = p->columns + check_between(check, 0, 9);
    p->accumulate = check_between(check, 0, 1);
    p->activation = check_between(check, 0, 3) ? &activation : NULL;
    p->tiles = t;
    p->n_tiles = 1;
    c.width = (int64_t)nn_align_up((size_t)p->columns, (size_t)kernel->lanes);
    w = check_alloc(p->channels * (t->n_taps + 2) * c.width, 0);
    check_fill(check, w.data, w.n);
    p->weights = w.data;
    random_taps(check, &c, x);
    y = picture(check, t->pixels, p->columns, p->ldy);
    residual = picture(check, t->pixels, p->columns, p->ldr);
    bias = picture(check, 1, p->columns, p->columns);
    before = malloc((size_t)NN_MAX(y.n, 1) * sizeof(before[0]));
    memcpy(before, y.data, (size_t)y.n * sizeof(before[0]));
    t->y = y.data;
    t->residual = check_between(check, 0, 1) ? residual.data : NULL;
    p->bias = check_between(check, 0, 1) ? bias.data : NULL;
    kernel->func(p);
    compare_tile(check, &c, before);
    check_gaps(check, &y, p->columns, p->ldy, "tile");
    for (int64_t i = 0; i < t->n_taps; i++)
        check_free(check, &x[i], "pixels");
    check_free(check, &w, "weights");
    check_free(check, &y, "output");
    check_free(check, &bias, "bias");
    check_free(check, &residual, "residual");
    free(before);
}

/* One convolution as the operator has it. */
typedef struct Layer {
    NnConvGeometry g;
    NnConvParams p;
    bool planar;
    const float *x, *w, *bias, *residual;
} Layer;

static double layer_at(const Layer *l, int64_t n, int64_t oy, int64_t ox, int64_t oc,
                       double *ret_of_abs)
{
    const NnConvGeometry *g = &l->g;
    double sum = 0, of_abs = 0;

    for (int64_t ky = 0; ky < g->kernel_h; ky++)
        for (int64_t kx = 0; kx < g->kernel_w; kx++) {
            int64_t y = oy * g->stride_h - g->pad_top + ky * g->dilation_h;
            int64_t x = ox * g->stride_w - g->pad_left + kx * g->dilation_w;

            if (y < 0 || y >= g->in_h || x < 0 || x >= g->in_w)
                continue;
            for (int64_t c = 0; c < g->channels; c++) {
                int64_t at = l->planar ? ((n * g->channels + c) * g->in_h + y) * g->in_w + x
                                       : ((n * g->in_h + y) * g->in_w + x) * g->in_pitch + c;
                double product = (double)l->x[at] *
                                 (double)l->w[((oc * g->channels + c) * g->kernel_h + ky) *
                                                  g->kernel_w + kx];

                sum += product;
                of_abs += fabs(product);
            }
        }
    *ret_of_abs = of_abs;
    return sum;
}

static void compare_layer(Check *check, const Layer *l, const float *y)
{
    const NnConvGeometry *g = &l->g;
    int64_t pixels = g->batch * g->out_h * g->out_w, n = pixels * g->out_channels;
    char text[200];

    snprintf(text, sizeof(text), "x %lldx%lldx%lldx%lld pitch %lld, y %lldx%lldx%lld pitch %lld, "
             "kernel %lldx%lld stride %lld,%lld pads %lld,%lld", (long long)g->batch,
             (long long)g->in_h, (long long)g->in_w, (long long)g->channels,
             (long long)g->in_pitch, (long long)g->out_h, (long long)g->out_w,
             (long long)g->out_channels, (long long)g->out_pitch, (long long)g->kernel_h,
             (long long)g->kernel_w, (long long)g->stride_h, (long long)g->stride_w,
             (long long)g->pad_top, (long long)g->pad_left);
    for (int64_t i = 0; i < n; i += 1 + n / 3000) {
        int64_t pixel = i / g->out_channels, oc = i % g->out_channels;
        int64_t ox = pixel % g->out_w, oy = pixel / g->out_w % g->out_h;
        double of_abs, sum = layer_at(l, pixel / g->out_w / g->out_h, oy, ox, oc, &of_abs);

        sum += l->bias ? (double)l->bias[oc] : 0;
        sum += l->residual ? (double)l->residual[pixel * g->residual_pitch + oc] : 0;
        expect(check, (double)y[pixel * g->out_pitch + oc], activate(&l->p.activation, sum),
               of_abs, text, i);
    }
}

static NnTensor tensor4(int64_t a, int64_t b, int64_t c, int64_t d, float *data)
{
    return (NnTensor){ NN_DTYPE_F32, 4, { a, b, c, d }, data };
}

static Layer random_layer(Check *check)
{
    Layer l = { .planar = check_between(check, 0, 3) == 0 };
    NnConvGeometry *g = &l.g;

    g->batch = check_between(check, 1, 2);
    g->kernel_h = check_between(check, 0, 2) ? check_between(check, 1, 5) : 1;
    g->kernel_w = check_between(check, 0, 2) ? check_between(check, 1, 5) : g->kernel_h;
    g->in_h = g->kernel_h + check_between(check, 0, 12);
    g->in_w = g->kernel_w + check_between(check, 0, 40);
    g->channels = l.planar ? check_between(check, 1, 4)
                           : check_between(check, 0, 5) ? check_between(check, 1, 70)
                                                        : check_between(check, 200, 600);
    g->out_channels = check_between(check, 1, 80);
    l.p = (NnConvParams){
        .strides = { check_between(check, 1, 3), check_between(check, 1, 3), 1 },
        .dilations = { 1, 1, 1 },
        .pads = { check_between(check, 0, g->kernel_h - 1),
                  check_between(check, 0, g->kernel_w - 1), check_between(check, 0, 2),
                  check_between(check, 0, 2) },
        .group = 1,
        .activation = random_activation(check),
    };
    return l;
}

static void check_layer(Check *check, const NnKernels *kernels, NnPool *const *pools_of)
{
    Layer l = random_layer(check);
    NnConvGeometry *g = &l.g;
    NnTensor x = l.planar ? tensor4(g->batch, g->channels, g->in_h, g->in_w, NULL)
                          : tensor4(g->batch, g->in_h, g->in_w, g->channels, NULL);
    NnTensor w = tensor4(g->out_channels, g->channels, g->kernel_h, g->kernel_w, NULL);
    NnTensor bias = { NN_DTYPE_F32, 1, { g->out_channels }, NULL }, y = { 0 }, residual;
    const NnTensor *in[] = { &x, &w, &bias, NULL };
    const NnOp *op = l.planar ? &nn_op_nhwc_conv_planar : &nn_op_nhwc_conv;
    NnTensor *out[] = { &y };
    char empty[] = "";
    NnNode node = { .name = empty, .op_type = empty, .domain = empty, .op = op };
    NnError error = { 0 };
    NnCall call = { .node = &node, .params = &l.p, .in = in, .n_in = 3, .out = out, .n_out = 1,
                    .kernels = kernels, .error = &error };
    int64_t in_pitch[4] = { 0 }, out_pitch[1], pixels;
    Guarded gx, gw, gb, gr = { 0 }, gy;
    float *first = NULL;
    void *state;
    size_t bytes;

    l.p.residual = false;
    if (op->infer(&call) < 0)
        return;     /* the kernel does not fit */
    l.p.residual = check_between(check, 0, 2) == 0;
    g->out_h = y.dims[1];
    g->out_w = y.dims[2];
    pixels = g->batch * g->out_h * g->out_w;
    g->stride_h = l.p.strides[0];
    g->stride_w = l.p.strides[1];
    g->dilation_h = g->dilation_w = 1;
    g->pad_top = l.p.pads[0];
    g->pad_left = l.p.pads[1];
    g->in_pitch = g->channels + (l.planar ? 0 : check_between(check, 0, 1) * 7);
    g->out_pitch = g->out_channels + check_between(check, 0, 1) * 5;
    g->residual_pitch = g->out_channels + check_between(check, 0, 1) * 3;
    in_pitch[0] = g->in_pitch;
    in_pitch[3] = g->residual_pitch;
    out_pitch[0] = g->out_pitch;
    call.in_pitch = in_pitch;
    call.out_pitch = out_pitch;
    gx = l.planar ? picture(check, g->batch * g->channels * g->in_h * g->in_w, 1, 1)
                  : picture(check, g->batch * g->in_h * g->in_w, g->channels, g->in_pitch);
    gw = picture(check, nn_tensor_elements(&w), 1, 1);
    gb = picture(check, g->out_channels, 1, 1);
    gr = picture(check, pixels, g->out_channels, g->residual_pitch);
    gy = picture(check, pixels, g->out_channels, g->out_pitch);
    residual = tensor4(g->batch, g->out_h, g->out_w, g->out_channels, gr.data);
    x.data = gx.data;
    w.data = gw.data;
    bias.data = gb.data;
    y.data = gy.data;
    l.x = gx.data;
    l.w = gw.data;
    l.bias = gb.data;
    l.residual = l.p.residual ? gr.data : NULL;
    if (l.p.residual) {
        in[3] = &residual;
        call.n_in = 4;
    }
    if (op->create(&call, &state, &bytes) < 0 || op->check_state(&call, state, bytes) < 0)
        check_fail(check, "state: %s", error.message);
    call.state = state;
    for (int threads = 0; threads < THREADS_MAX; threads++) {
        call.pool = pools_of[threads];
        call.scratch = nn_aligned_alloc(op->scratch(&call));
        if (op->run(&call) < 0)
            check_fail(check, "run: %s", error.message);
        free(call.scratch);
        if (!first) {
            first = malloc((size_t)gy.n * sizeof(first[0]));
            memcpy(first, gy.data, (size_t)gy.n * sizeof(first[0]));
        } else if (memcmp(first, gy.data, (size_t)gy.n * sizeof(first[0])) != 0) {
            check_fail(check, "%d threads give other bits than one", threads + 1);
        }
    }
    compare_layer(check, &l, gy.data);
    check_gaps(check, &gy, g->out_channels, g->out_pitch, "layer");
    free(first);
    free(state);
    check_free(check, &gx, "x");
    check_free(check, &gw, "weights");
    check_free(check, &gb, "bias");
    check_free(check, &gr, "residual");
    check_free(check, &gy, "y");
}

static void check_rows(Check *check, const NnF32Pool *kernel)
{
    int64_t n = check_between(check, 1, 20), count = check_between(check, 1, 200);
    Guarded x[20], y = check_alloc(count, (int)check_between(check, 0, 15));
    const float *rows[20];
    NnPoolRows pool = { .rows = rows, .n = n, .average = check_between(check, 0, 1),
                        .scale = 0.3f };

    for (int64_t i = 0; i < n; i++) {
        x[i] = check_alloc(count, (int)check_between(check, 0, 15));
        check_fill(check, x[i].data, count);
        rows[i] = x[i].data;
    }
    kernel->func(&pool, y.data, count);
    for (int64_t i = 0; i < count; i++) {
        double most = (double)rows[0][i], sum = most;

        for (int64_t j = 1; j < n; j++) {
            most = fmax(most, (double)rows[j][i]);
            sum += (double)rows[j][i];
        }
        if (pool.average)
            expect(check, (double)y.data[i], sum * (double)pool.scale, (double)n, "average", i);
        else if ((double)y.data[i] != most)
            check_fail(check, "maximum %lld: got %.9g, expected %.9g", (long long)i,
                       (double)y.data[i], most);
    }
    check->n_compared += count;
    for (int64_t i = 0; i < n; i++)
        check_free(check, &x[i], "row");
    check_free(check, &y, "output");
}

static void check_channels(Check *check, const NnF32Channels *kernel)
{
    int64_t n = check_between(check, 0, 9), count = check_between(check, 1, 200);
    NnActivation activation = random_activation(check);
    Guarded x[9], w[9], y = check_alloc(count, (int)check_between(check, 0, 15));
    Guarded bias = picture(check, 1, count, count), residual = picture(check, 1, count, count);
    const float *rows[9], *weights[9];
    NnChannelTaps taps = { .x = rows, .weights = weights, .n = n,
                           .bias = check_between(check, 0, 1) ? bias.data : NULL,
                           .residual = check_between(check, 0, 1) ? residual.data : NULL,
                           .activation = &activation };

    for (int64_t i = 0; i < n; i++) {
        x[i] = picture(check, 1, count, count);
        w[i] = picture(check, 1, count, count);
        rows[i] = x[i].data;
        weights[i] = w[i].data;
    }
    kernel->func(&taps, y.data, count);
    for (int64_t i = 0; i < count; i++) {
        double sum = taps.bias ? (double)taps.bias[i] : 0, of_abs = fabs(sum);

        for (int64_t j = 0; j < n; j++) {
            sum += (double)rows[j][i] * (double)weights[j][i];
            of_abs += fabs((double)rows[j][i] * (double)weights[j][i]);
        }
        sum += taps.residual ? (double)taps.residual[i] : 0;
        expect(check, (double)y.data[i], activate(&activation, sum), of_abs, "channel", i);
    }
    for (int64_t i = 0; i < n; i++) {
        check_free(check, &x[i], "row");
        check_free(check, &w[i], "weights");
    }
    check_free(check, &bias, "bias");
    check_free(check, &residual, "residual");
    check_free(check, &y, "output");
}

int main(int argc, char **argv)
{
    const char *cases = getenv("CHECK_CASES");
    int n = cases ? atoi(cases) : 400;
    NnPool *pools_of[THREADS_MAX] = { NULL };
    Check check;

    check_start(&check, "nhwc", argc, argv);
    for (unsigned i = 1; i < THREADS_MAX; i++)
        if (nn_pool_new(i + 1, &pools_of[i]) < 0)
            check_fail(&check, "no threads");
    for (size_t i = 0; i < NN_ARRAY_SIZE(convs); i++) {
        NnKernels kernels;

        if (!nn_isa_available(convs[i].isa))
            continue;
        nn_kernels_select(convs[i].isa, &kernels);
        kernels.f32_conv = convs[i];
        check.kernel = convs[i].name;
        for (int j = 0; j < n * 4; j++)
            check_tile(&check, &convs[i]);
        for (int j = 0; j < n; j++)
            check_layer(&check, &kernels, pools_of);
    }
    for (size_t i = 0; i < NN_ARRAY_SIZE(pools); i++) {
        check.kernel = pools[i].name;
        for (int j = 0; nn_isa_available(pools[i].isa) && j < n; j++)
            check_rows(&check, &pools[i]);
    }
    for (size_t i = 0; i < NN_ARRAY_SIZE(channels); i++) {
        check.kernel = channels[i].name;
        for (int j = 0; nn_isa_available(channels[i].isa) && j < n; j++)
            check_channels(&check, &channels[i]);
    }
    for (unsigned i = 0; i < THREADS_MAX; i++)
        nn_pool_free(pools_of[i]);
    return check_end(&check);
}
