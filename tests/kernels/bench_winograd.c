/* SPDX-License-Identifier: Apache-2.0 */

/* bench_winograd [ISA [M [LAYER]]]: time and GFLOP/s of the sum that Winograd's
 * convolution stands for, on one thread, over the 3×3 layers of YOLOv7-tiny, YOLOv5m,
 * YOLOv7 and ResNet, with M = 3 of stride 2 and the same output; the ceiling is what
 * bench_gemm says, times what F(M,3) saves. With
 * BENCH_SECONDS=0 every layer runs twice, and on aarch64 the second run stands between the
 * markers of a counting simulator. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "kernels/winograd.h"
#include "kernels/winograd/matrices.h"

#if defined(__aarch64__)
#define MARK_START() __asm__ volatile("hint #0x70" ::: "memory")
#define MARK_STOP() __asm__ volatile("hint #0x71" ::: "memory")
#else
#define MARK_START() ((void)0)
#define MARK_STOP() ((void)0)
#endif

typedef struct Layer {
    const char *name;
    int64_t channels, size, out_channels;
    NnActivationKind activation;
} Layer;

static const Layer layers[] = {
    { "tiny32", 32, 96, 32, NN_ACTIVATION_LEAKY_RELU },
    { "tiny64", 64, 48, 64, NN_ACTIVATION_LEAKY_RELU },
    { "tiny128", 128, 24, 128, NN_ACTIVATION_LEAKY_RELU },
    { "tiny256", 256, 12, 256, NN_ACTIVATION_LEAKY_RELU },
    { "v5m48", 48, 160, 48, NN_ACTIVATION_SILU },
    { "v5m96", 96, 80, 96, NN_ACTIVATION_SILU },
    { "v5m192", 192, 40, 192, NN_ACTIVATION_SILU },
    { "v5m384", 384, 20, 384, NN_ACTIVATION_SILU },
    { "v7_64", 64, 96, 64, NN_ACTIVATION_SILU },
    { "v7_128", 128, 48, 128, NN_ACTIVATION_SILU },
    { "v7_256", 256, 24, 256, NN_ACTIVATION_SILU },
    { "v7_256s", 256, 12, 256, NN_ACTIVATION_SILU },
    { "v7_512", 512, 12, 512, NN_ACTIVATION_SILU },
    { "r64", 64, 56, 64, NN_ACTIVATION_RELU },
    { "r128", 128, 28, 128, NN_ACTIVATION_RELU },
    { "r256", 256, 14, 256, NN_ACTIVATION_RELU },
    { "r512", 512, 7, 512, NN_ACTIVATION_RELU },
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *filled(int64_t n)
{
    float *x = nn_aligned_alloc((size_t)n * sizeof(float));

    if (!x) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(i % 17) / 17.0f - 0.5f;
    return x;
}

/* Seconds of the fastest round. */
static double time_layer(const NnWinograd *w, const NnKernels *kernels, double seconds)
{
    double best = 1e9;

    for (int round = 0; round < (seconds > 0 ? 5 : 2); round++) {
        double start = now(), spent;
        int64_t n = 0;

        if (round > 0)
            MARK_START();
        do {
            nn_winograd_run(w, kernels, NULL);
            n++;
            spent = now() - start;
        } while (spent < seconds / 5);
        if (round > 0)
            MARK_STOP();
        best = NN_MIN(best, spent / (double)n);
    }
    return best;
}

static void bench_layer(const Layer *l, const NnKernels *kernels, int m, double seconds)
{
    NnActivation activation = { .kind = l->activation, .alpha = 0.1f };
    int64_t stride = nn_winograd_stride(m), in_size = l->size * stride;
    int64_t pixels = l->size * l->size, tiles = nn_div_up(l->size, m) * nn_div_up(l->size, m);
    NnWinograd w = {
        .geometry = {
            .batch = 1,
            .in_h = in_size, .in_w = in_size, .channels = l->channels, .in_pitch = l->channels,
            .out_h = l->size, .out_w = l->size, .out_channels = l->out_channels,
            .out_pitch = l->out_channels,
            .kernel_h = 3, .kernel_w = 3, .stride_h = stride, .stride_w = stride,
            .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1,
        },
        .m = m,
        .activation = &activation,
    };
    float *packed = filled(nn_winograd_weights(kernels, m, l->out_channels, l->channels));
    double flops = 2.0 * (double)(l->channels * l->out_channels), spent;

    w.x = filled(in_size * in_size * l->channels);
    w.weights = packed;
    w.bias = filled(l->out_channels);
    w.y = filled(pixels * l->out_channels);
    w.scratch = nn_aligned_alloc(nn_winograd_scratch(&w.geometry, kernels, m, 1));
    spent = time_layer(&w, kernels, seconds);
    printf("%-8s F(%d,3) %9.3f ms %8.1f GFLOP/s, executed %7.1f\n", l->name, m, 1e3 * spent,
           1e-9 * 9 * flops * (double)pixels / spent,
           1e-9 * flops * (double)(tiles * nn_winograd_alpha(m) * nn_winograd_alpha(m)) / spent);
    free((float *)w.x);
    free(packed);
    free((float *)w.bias);
    free(w.y);
    free(w.scratch);
}

int main(int argc, char **argv)
{
    const char *text = getenv("BENCH_SECONDS");
    int only = argc > 2 ? atoi(argv[2]) : 0;
    NnIsa isa = nn_isa_best();
    NnKernels kernels;

    if (argc > 1 && (nn_isa_from_name(argv[1], &isa) < 0 || !nn_isa_available(isa))) {
        fprintf(stderr, "no instruction set '%s' here\n", argv[1]);
        return 1;
    }
    nn_kernels_select(isa, &kernels);
    printf("%s\n", kernels.f32_winograd.name);
    for (size_t i = 0; i < NN_ARRAY_SIZE(layers); i++)
        for (int m = 2; m <= 6; m += m == 4 ? 2 : 1)
            if ((only == 0 || only == m) && (argc < 4 || strcmp(argv[3], layers[i].name) == 0))
                bench_layer(&layers[i], &kernels, m, text ? atof(text) : 0.3);
    return 0;
}
