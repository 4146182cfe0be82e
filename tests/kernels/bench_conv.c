/* SPDX-License-Identifier: Apache-2.0 */

/* bench_conv [ISA [LAYER]]: GFLOP/s of Conv on one thread, over layers of
 * YOLOv7-tiny at 384×384 and ResNet18; the ceiling is what bench_gemm says. On
 * aarch64 the timed part stands between the markers of a counting simulator. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "kernels/kernels.h"

#if defined(__aarch64__)
#define MARK_START() __asm__ volatile("hint #0x70" ::: "memory")
#define MARK_STOP() __asm__ volatile("hint #0x71" ::: "memory")
#else
#define MARK_START() ((void)0)
#define MARK_STOP() ((void)0)
#endif

typedef struct Layer {
    const char *name;
    int64_t channels, size, out_channels, kernel, stride;
} Layer;

static const Layer layers[] = {
    { "1 gray 3x3/2", 1, 384, 32, 3, 2 },      { "2 3x3/2", 32, 192, 64, 3, 2 },
    { "3 1x1", 64, 96, 32, 1, 1 },             { "4 3x3", 32, 96, 32, 3, 1 },
    { "5 1x1", 128, 96, 64, 1, 1 },            { "6 3x3", 64, 48, 64, 3, 1 },
    { "7 1x1", 256, 48, 128, 1, 1 },           { "8 3x3", 128, 24, 128, 3, 1 },
    { "9 1x1", 512, 24, 256, 1, 1 },           { "10 3x3", 256, 12, 256, 3, 1 },
    { "11 1x1", 1024, 12, 512, 1, 1 },         { "12 1x1 head", 128, 48, 18, 1, 1 },
    { "r1 gray 7x7/2", 1, 224, 64, 7, 2 },     { "r2 3x3", 64, 56, 64, 3, 1 },
    { "r3 3x3", 128, 28, 128, 3, 1 },          { "r4 3x3", 256, 14, 256, 3, 1 },
    { "r5 3x3", 512, 7, 512, 3, 1 },           { "r6 1x1/2", 256, 14, 512, 1, 2 },
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

static double bench_layer(const Layer *l, const NnKernels *kernels, double seconds)
{
    NnConvParams p = {
        .kernel = { l->kernel, l->kernel },
        .strides = { l->stride, l->stride },
        .dilations = { 1, 1 },
        .pads = { l->kernel / 2, l->kernel / 2, l->kernel / 2, l->kernel / 2 },
        .group = 1,
        .activation = { .kind = NN_ACTIVATION_LEAKY_RELU, .alpha = 0.1f },
    };
    NnTensor x = { NN_DTYPE_F32, 4, { 1, l->channels, l->size, l->size }, NULL };
    NnTensor w = { NN_DTYPE_F32, 4, { l->out_channels, l->channels, l->kernel, l->kernel }, NULL };
    NnTensor b = { NN_DTYPE_F32, 1, { l->out_channels }, NULL }, y = { 0 };
    const NnTensor *in[] = { &x, &w, &b };
    NnTensor *out[] = { &y };
    NnCall call = { .params = &p, .in = in, .n_in = 3, .out = out, .n_out = 1, .kernels = kernels };
    double best = 0;
    void *state;
    size_t state_bytes;

    x.data = filled(nn_tensor_elements(&x));
    w.data = filled(nn_tensor_elements(&w));
    b.data = filled(nn_tensor_elements(&b));
    if (nn_op_conv.infer(&call) < 0 || nn_op_conv.create(&call, &state, &state_bytes) < 0)
        return 0;
    y.data = filled(nn_tensor_elements(&y));
    call.state = state;
    call.scratch = nn_aligned_alloc(nn_op_conv.scratch(&call));
    for (int round = 0; round < (seconds > 0 ? 4 : 2); round++) {
        double start = now(), spent;
        int64_t n = 0;

        if (round > 0)
            MARK_START();
        do {
            if (nn_op_conv.run(&call) < 0)
                return 0;
            n++;
            spent = now() - start;
        } while (spent < seconds / 4);
        if (round > 0)
            MARK_STOP();
        best = NN_MAX(best, 1e-9 * (double)(nn_op_conv.flops(&call) * n) / spent);
    }
    free(state);
    free(x.data);
    free(w.data);
    free(b.data);
    free(y.data);
    free(call.scratch);
    return best;
}

int main(int argc, char **argv)
{
    const char *text = getenv("BENCH_SECONDS");
    NnIsa isa = nn_isa_best();
    NnKernels kernels;

    if (argc > 1 && (nn_isa_from_name(argv[1], &isa) < 0 || !nn_isa_available(isa))) {
        fprintf(stderr, "no instruction set '%s' here\n", argv[1]);
        return 1;
    }
    nn_kernels_select(isa, &kernels);
    printf("%s\n", kernels.f32_gemm.name);
    for (size_t i = 0; i < NN_ARRAY_SIZE(layers); i++)
        if (argc < 3 || strcmp(argv[2], layers[i].name) == 0)
            printf("%-16s %8.1f GFLOP/s\n", layers[i].name,
                   bench_layer(&layers[i], &kernels, text ? atof(text) : 0.4));
    return 0;
}
