/* SPDX-License-Identifier: Apache-2.0 */

/* Winograd's convolution of every instruction set that this processor has, against the
 * sum over the taps in double. The tolerance is relative to the largest output before
 * the activation: 2e-5 for F(2,3) and for F(3,3) of stride 2, 1e-4 for F(4,3) and
 * F(6,3). */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "check.h"
#include "kernels/winograd.h"
#include "kernels/winograd/matrices.h"

#define NN_F32_WINOGRAD(isa_, suffix, rows_, columns_, chunk_, lanes_)                     \
    { .isa = isa_, .name = "nn_f32_winograd__" #suffix, .rows = rows_, .columns = columns_, \
      .chunk = chunk_, .lanes = lanes_, .input = nn_f32_winograd_input__##suffix,                            \
      .multiply = nn_f32_winograd_multiply__##suffix,                                       \
      .output = nn_f32_winograd_output__##suffix },
static const NnF32Winograd kernels_list[] = {
#include "kernels/winograd/winograd.inc"
};
#undef NN_F32_WINOGRAD

static const int tiles[] = { 2, 3, 4, 6 };

static double tolerance(int m)
{
    return m <= 3 ? 2e-5 : 1e-4;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double activate(const NnActivation *a, double x)
{
    switch (a ? a->kind : NN_ACTIVATION_NONE) {
    case NN_ACTIVATION_RELU:
        return fmax(x, 0);
    case NN_ACTIVATION_LEAKY_RELU:
        return x < 0 ? a->alpha * x : x;
    case NN_ACTIVATION_SILU:
        return x * sigmoid(x);
    case NN_ACTIVATION_SIGMOID:
        return sigmoid(x);
    case NN_ACTIVATION_HARD_SWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case NN_ACTIVATION_CLIP:
        return fmin(fmax(x, a->low), a->high);
    default:
        return x;
    }
}

/* Output channel o of the pixel (y, x), before the activation. */
static double reference(const NnWinograd *w, const float *weights, int64_t image, int64_t y,
                        int64_t x, int64_t o)
{
    const NnConvGeometry *g = &w->geometry;
    int64_t pixel = (image * g->out_h + y) * g->out_w + x;
    double sum = w->bias ? w->bias[o] : 0;

    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 3; j++) {
            int64_t row = y * g->stride_h + i - g->pad_top, column = x * g->stride_w + j - g->pad_left;
            const float *in = w->x + ((image * g->in_h + row) * g->in_w + column) * g->in_pitch;

            if (row < 0 || row >= g->in_h || column < 0 || column >= g->in_w)
                continue;
            for (int64_t c = 0; c < g->channels; c++)
                sum += (double)in[c] * weights[((o * g->channels + c) * 3 + i) * 3 + j];
        }
    return sum + (w->residual ? w->residual[pixel * g->residual_pitch + o] : 0);
}

/* All outputs of small pictures, some of large ones, and every float between the pixels.
 * Returns the worst error. */
static double compare(Check *check, const NnWinograd *w, const float *weights)
{
    const NnConvGeometry *g = &w->geometry;
    int64_t pixels = g->batch * g->out_h * g->out_w, total = pixels * g->out_channels;
    int64_t step = NN_MAX(total / 4000, 1), n = 0;
    _cleanup_free_ double *expected = calloc((size_t)total, sizeof(double));
    double largest = 0, worst = 0;

    for (int64_t at = 0; at < total; at += step, n++) {
        int64_t pixel = at / g->out_channels;

        expected[at] = reference(w, weights, pixel / g->out_w / g->out_h,
                                 pixel / g->out_w % g->out_h, pixel % g->out_w,
                                 at % g->out_channels);
        largest = fmax(largest, fabs(expected[at]));
    }
    for (int64_t at = 0; at < total; at += step) {
        int64_t pixel = at / g->out_channels, o = at % g->out_channels;
        float got = w->y[pixel * g->out_pitch + o];
        double error = fabs(got - activate(w->activation, expected[at])) / largest;

        worst = fmax(worst, error);
        check->n_compared++;
        if (!(error <= tolerance(w->m)))
            check_fail(check, "F(%d,3) %lldx%lldx%lld to %lldx%lldx%lld, pads %lld %lld, bias %d, "
                       "residual %d, activation %d: pixel %lld channel %lld: got %.9g, expected "
                       "%.9g", w->m, (long long)g->in_h, (long long)g->in_w,
                       (long long)g->channels, (long long)g->out_h, (long long)g->out_w,
                       (long long)g->out_channels, (long long)g->pad_top, (long long)g->pad_left,
                       w->bias != NULL, w->residual != NULL,
                       w->activation ? (int)w->activation->kind : 0, (long long)pixel,
                       (long long)o, got, activate(w->activation, expected[at]));
    }
    for (int64_t pixel = 0; pixel < pixels - 1; pixel++)
        for (int64_t o = g->out_channels; o < g->out_pitch; o++)
            if (w->y[pixel * g->out_pitch + o] != 77.0f)
                check_fail(check, "pixel %lld: a float behind its channels was written",
                           (long long)pixel);
    return worst;
}

static void run(Check *check, const NnWinograd *w, const NnKernels *kernels, NnPool *pool)
{
    NnWinograd ours = *w;
    size_t bytes = nn_winograd_scratch(&w->geometry, kernels, w->m, nn_pool_threads(pool));
    Guarded scratch = check_alloc((int64_t)(bytes / sizeof(float)), 0);

    for (int64_t i = 0; i < scratch.n; i++)
        scratch.data[i] = NAN;
    ours.scratch = scratch.data;
    nn_winograd_run(&ours, kernels, pool);
    check_free(check, &scratch, "scratch");
}

static NnActivation random_activation(Check *check)
{
    return (NnActivation){
        .kind = (NnActivationKind)check_between(check, 0, _NN_ACTIVATION_MAX - 1),
        .alpha = 0.1f,
        .low = -0.5f,
        .high = 0.5f,
    };
}

static int64_t picture_floats(int64_t pixels, int64_t pitch, int64_t channels)
{
    return (pixels - 1) * pitch + channels;
}

static double check_layer(Check *check, const NnKernels *kernels, NnPool *pool, int m,
                          NnConvGeometry g)
{
    int64_t in = g.batch * g.in_h * g.in_w, out = g.batch * g.out_h * g.out_w;
    NnActivation activation = random_activation(check);
    Guarded x = check_alloc(picture_floats(in, g.in_pitch, g.channels),
                            (int)check_between(check, 0, 15));
    Guarded y = check_alloc(picture_floats(out, g.out_pitch, g.out_channels),
                            (int)check_between(check, 0, 15));
    Guarded residual = check_alloc(picture_floats(out, g.residual_pitch, g.out_channels),
                                   (int)check_between(check, 0, 15));
    Guarded weights = check_alloc(g.out_channels * g.channels * 9, 1);
    Guarded bias = check_alloc(g.out_channels, (int)check_between(check, 0, 15));
    Guarded packed = check_alloc(nn_winograd_weights(kernels, m, g.out_channels, g.channels), 0);
    Guarded alone = check_alloc(y.n, 0);
    NnWinograd w = {
        .geometry = g,
        .m = m,
        .x = x.data,
        .weights = packed.data,
        .bias = check_between(check, 0, 1) ? bias.data : NULL,
        .residual = check_between(check, 0, 1) ? residual.data : NULL,
        .activation = check_between(check, 0, 3) ? &activation : NULL,
        .y = y.data,
    };
    double worst;

    check_fill(check, x.data, x.n);
    check_fill(check, residual.data, residual.n);
    check_fill(check, weights.data, weights.n);
    check_fill(check, bias.data, bias.n);
    for (int64_t i = 0; i < y.n; i++)
        y.data[i] = 77.0f;
    nn_winograd_pack(kernels, m, weights.data, g.out_channels, g.channels, packed.data);
    run(check, &w, kernels, NULL);
    worst = compare(check, &w, weights.data);
    memcpy(alone.data, y.data, (size_t)y.n * sizeof(float));
    run(check, &w, kernels, pool);
    if (memcmp(alone.data, y.data, (size_t)y.n * sizeof(float)) != 0)
        check_fail(check, "F(%d,3) %lldx%lldx%lld to %lld channels: other bits with threads", m,
                   (long long)g.in_h, (long long)g.in_w, (long long)g.channels,
                   (long long)g.out_channels);
    check_free(check, &x, "x");
    check_free(check, &y, "y");
    check_free(check, &residual, "residual");
    check_free(check, &weights, "weights");
    check_free(check, &bias, "bias");
    check_free(check, &packed, "packed weights");
    check_free(check, &alone, "copy");
    return worst;
}

/* Output sizes and channel counts up to a little over two tiles or panels. */
static NnConvGeometry random_geometry(Check *check, const NnF32Winograd *kernel, int m)
{
    int stride = nn_winograd_stride(m);
    NnConvGeometry g = {
        .batch = check_between(check, 0, 7) ? 1 : 2,
        .out_h = check_between(check, 1, 2 * m + 1),
        .out_w = check_between(check, 1, check_between(check, 0, 1) ? 2 * m + 1 : 8 * m),
        .channels = check_between(check, 1, 40),
        .out_channels = check_between(check, 1, 2 * kernel->columns + 1),
        .kernel_h = 3, .kernel_w = 3,
        .stride_h = stride, .stride_w = stride,
        .dilation_h = 1, .dilation_w = 1,
        .pad_top = check_between(check, 0, 1),
        .pad_left = check_between(check, 0, 1),
    };

    g.in_h = NN_MAX((g.out_h - 1) * stride + 3 - g.pad_top - check_between(check, 0, 1), 1);
    g.in_w = NN_MAX((g.out_w - 1) * stride + 3 - g.pad_left - check_between(check, 0, 1), 1);
    g.in_pitch = g.channels + (check_between(check, 0, 1) ? check_between(check, 1, 20) : 0);
    g.out_pitch = g.out_channels + (check_between(check, 0, 1) ? check_between(check, 1, 20) : 0);
    g.residual_pitch = g.out_channels + check_between(check, 0, 5);
    return g;
}

/* Of YOLOv7-tiny, YOLOv5 and ResNet: size of the output, channels, output channels. */
static const int64_t layers[][3] = {
    { 96, 32, 32 }, { 24, 128, 128 }, { 80, 48, 48 }, { 56, 64, 64 },
    { 14, 256, 256 }, { 7, 512, 512 }, { 12, 512, 256 },
};

static NnConvGeometry layer_geometry(const int64_t *layer, int m)
{
    int64_t size = layer[0], stride = nn_winograd_stride(m);

    return (NnConvGeometry){
        .batch = 1,
        .in_h = size * stride, .in_w = size * stride,
        .channels = layer[1], .in_pitch = layer[1],
        .out_h = size, .out_w = size,
        .out_channels = layer[2], .out_pitch = layer[2],
        .residual_pitch = layer[2],
        .kernel_h = 3, .kernel_w = 3, .stride_h = stride, .stride_w = stride,
        .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1,
    };
}

static void check_kernel(Check *check, const NnF32Winograd *kernel, NnPool *pool)
{
    const char *text = getenv("CHECK_CASES");
    int cases = text ? atoi(text) : 300;
    NnKernels kernels;

    nn_kernels_select(kernel->isa, &kernels);
    kernels.f32_winograd = *kernel;
    for (size_t t = 0; t < NN_ARRAY_SIZE(tiles); t++) {
        int m = tiles[t];
        double worst = 0;

        for (int i = 0; i < cases; i++)
            check_layer(check, &kernels, pool, m, random_geometry(check, kernel, m));
        for (size_t i = 0; i < NN_ARRAY_SIZE(layers) && kernel->isa > NN_ISA_C; i++)
            worst = fmax(worst, check_layer(check, &kernels, pool, m, layer_geometry(layers[i], m)));
        printf("%s: F(%d,3) good, of layers within %.1e\n", kernel->name, m, worst);
    }
}

int main(int argc, char **argv)
{
    NnPool *pool = NULL;
    Check check;

    check_start(&check, "winograd", argc, argv);
    if (nn_pool_new(3, &pool) < 0)
        check_fail(&check, "no pool");
    for (size_t i = 0; i < NN_ARRAY_SIZE(kernels_list); i++) {
        check.kernel = kernels_list[i].name;
        if (nn_isa_available(kernels_list[i].isa))
            check_kernel(&check, &kernels_list[i], pool);
        else
            printf("%s: not on this processor\n", check.kernel);
    }
    nn_pool_free(pool);
    return check_end(&check);
}
