/* SPDX-License-Identifier: Apache-2.0 */

/* GFLOP/s of every GEMM tile of the list that this processor has, on one thread
 * and packed operands of real layers, and how that compares with OpenBLAS's
 * sgemm (which packs by itself) in the same run, where it is built in. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "kernels/matmul.h"

#ifdef HAVE_OPENBLAS
#include <cblas.h>
#endif

#define SECONDS 0.2

#define NN_F32_GEMM(isa_, mr_, nr_, symbol) \
    { .isa = isa_, .name = #symbol, .mr = mr_, .nr = nr_, .func = symbol },
static const NnF32Gemm kernels_list[] = {
#include "kernels/gemm/gemm.inc"
};
#undef NN_F32_GEMM

typedef struct Bench {
    const NnF32Gemm *gemm;
    int64_t m, n, k;
    float *a, *b, *c;
} Bench;

/* Processor time, for a machine that others use too. */
static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_tiles(const Bench *x)
{
    const NnF32Gemm *g = x->gemm;
    NnGemmTile tile = { .k = x->k, .ldc = x->n };

    for (int64_t i = 0; i < x->m; i += g->mr)
        for (int64_t j = 0; j < x->n; j += g->nr) {
            tile.a = x->a + i * x->k;
            tile.b = x->b + j * x->k;
            tile.c = x->c + i * x->n + j;
            tile.rows = (int)NN_MIN(x->m - i, g->mr);
            tile.columns = (int)NN_MIN(x->n - j, g->nr);
            g->func(&tile);
        }
}

static void run_blas(const Bench *x)
{
#ifdef HAVE_OPENBLAS
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)x->m, (int)x->n, (int)x->k, 1.0f,
                x->a, (int)x->k, x->b, (int)x->n, 0.0f, x->c, (int)x->n);
#else
    (void)x;
#endif
}

/* The best of three: what the code can do, not what else the machine did. */
static double gflops(const Bench *x, void (*run)(const Bench *))
{
    double best = 0;

    run(x);
    for (int round = 0; round < 3; round++) {
        double start = now(), seconds;
        int64_t n = 0;

        do {
            run(x);
            n++;
            seconds = now() - start;
        } while (seconds < SECONDS / 3);
        best = NN_MAX(best, 2e-9 * (double)(x->m * x->n * x->k * n) / seconds);
    }
    return best;
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

/* Output channels, pixels, inputs of one output: one block of each layer. */
static const int64_t layers[][3] = {
    { 32, 384, 9 }, { 32, 192, 288 }, { 64, 192, 64 }, { 64, 192, 288 }, { 128, 144, 384 },
    { 255, 144, 256 }, { 256, 192, 256 },
};

int main(void)
{
#ifdef HAVE_OPENBLAS
    openblas_set_num_threads(1);
#endif
    printf("%-28s %18s %10s %10s %8s\n", "kernel", "m x n x k", "GFLOP/s", "OpenBLAS", "ratio");
    for (size_t i = 0; i < NN_ARRAY_SIZE(kernels_list); i++)
        for (size_t j = 0; j < NN_ARRAY_SIZE(layers); j++) {
            Bench x = { &kernels_list[i], layers[j][0], layers[j][1], layers[j][2], NULL, NULL,
                        NULL };
            double ours, blas = 0;
            char shape[64];

            if (!nn_isa_available(x.gemm->isa))
                continue;
            x.a = filled(nn_pack_floats(x.m, x.k, x.gemm->mr));
            x.b = filled(nn_pack_floats(x.n, x.k, x.gemm->nr));
            x.c = filled(x.m * x.n);
            ours = gflops(&x, run_tiles);
#ifdef HAVE_OPENBLAS
            blas = gflops(&x, run_blas);
#else
            (void)run_blas;
#endif
            snprintf(shape, sizeof(shape), "%lldx%lldx%lld", (long long)x.m, (long long)x.n,
                     (long long)x.k);
            printf("%-28s %18s %10.1f %10.1f %8.2f\n", x.gemm->name, shape, ours, blas,
                   blas > 0 ? ours / blas : 0.0);
            free(x.a);
            free(x.b);
            free(x.c);
        }
    return 0;
}
