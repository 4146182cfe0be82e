/* SPDX-License-Identifier: Apache-2.0 */

/* Every GEMM tile of the list that this processor has, against a sum in double,
 * and matrix products made of it, against the same and against OpenBLAS where
 * that is built in. Tolerance: 2e-6 of the sum of the absolute products. */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "check.h"
#include "kernels/matmul.h"

#ifdef HAVE_OPENBLAS
#include <cblas.h>
#endif

#define TOLERANCE 2e-6

#define NN_F32_GEMM(isa_, mr_, nr_, symbol) \
    { .isa = isa_, .name = #symbol, .mr = mr_, .nr = nr_, .func = symbol },
static const NnF32Gemm kernels_list[] = {
#include "kernels/gemm/gemm.inc"
};
#undef NN_F32_GEMM

/* ±max, denormals, zeros and small powers of two. With K = 1 each product is
 * rounded once, so a correct kernel agrees with the C expression to the bit. */
static float special(Check *check)
{
    static const float values[] = { 0.0f, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, 1e-42f,
                                    -1e-45f, 1.0f, -0.5f, 2.0f, 0.25f };

    return values[check_between(check, 0, NN_ARRAY_SIZE(values) - 1)];
}

static double reference(const NnGemmTile *t, int mr, int nr, const float *before, int i, int j,
                        double *ret_sum_of_abs)
{
    double sum = t->accumulate ? before[i * t->ldc + j] : 0, sum_of_abs = fabs(sum);

    for (int64_t k = 0; k < t->k; k++) {
        double product = (double)t->a[k * mr + i] * t->b[k * nr + j];

        sum += product;
        sum_of_abs += fabs(product);
    }
    if (t->bias)
        sum += t->bias[i];
    if (t->residual)
        sum += t->residual[i * t->ldr + j];
    *ret_sum_of_abs = sum_of_abs + 1;
    return sum;
}

/* ReLU and clip only: they are exact, check_activation looks at the others. */
static double activate(const NnActivation *a, double x)
{
    if (!a)
        return x;
    return a->kind == NN_ACTIVATION_RELU ? fmax(x, 0) : fmin(fmax(x, a->low), a->high);
}

static void compare_tile(Check *check, const NnF32Gemm *gemm, const NnGemmTile *t,
                         const float *before, int64_t c_floats, bool exact)
{
    for (int64_t at = 0; at < c_floats; at++) {
        int i = (int)(at / t->ldc), j = (int)(at % t->ldc);
        double sum_of_abs, expected, tolerance;

        if (i >= t->rows || j >= t->columns) {
            if (memcmp(&t->c[at], &before[at], sizeof(float)) != 0)
                check_fail(check, "%dx%d k %lld: element %d,%d outside was written", t->rows,
                           t->columns, (long long)t->k, i, j);
            continue;
        }
        expected = activate(t->activation,
                            reference(t, gemm->mr, gemm->nr, before, i, j, &sum_of_abs));
        tolerance = exact ? 0 : TOLERANCE * sum_of_abs;
        if (exact)
            expected = (float)expected;
        check->n_compared++;
        if (!(fabs(t->c[at] - expected) <= tolerance) && !(t->c[at] == expected))
            check_fail(check, "%dx%d k %lld bias %d residual %d accumulate %d activation %d: "
                       "element %d,%d: got %.9g, expected %.9g", t->rows, t->columns,
                       (long long)t->k, t->bias != NULL, t->residual != NULL, t->accumulate,
                       t->activation ? (int)t->activation->kind : 0, i, j, t->c[at], expected);
    }
}

static void fill(Check *check, float *x, int64_t n, bool extremes)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = extremes ? special(check) : check_float(check);
}

static void check_tile(Check *check, const NnF32Gemm *gemm, int rows, int columns, int64_t k,
                       bool extremes)
{
    NnActivation activation = {
        .kind = check_between(check, 0, 1) ? NN_ACTIVATION_RELU : NN_ACTIVATION_CLIP,
        .low = -0.5f,
        .high = 0.5f,
    };
    int64_t ldc = columns + check_between(check, 0, 20), ldr = columns + check_between(check, 0, 5);
    int64_t c_floats = (rows - 1) * ldc + columns;
    Guarded a = check_alloc(gemm->mr * k, (int)check_between(check, 0, 15));
    Guarded b = check_alloc(gemm->nr * k, (int)check_between(check, 0, 15));
    Guarded c = check_alloc(c_floats, (int)check_between(check, 0, 15));
    Guarded before = check_alloc(c_floats, 0), bias = check_alloc(rows, 1);
    Guarded residual = check_alloc((rows - 1) * ldr + columns, 3);
    NnGemmTile tile = {
        .a = a.data,
        .b = b.data,
        .k = k,
        .c = c.data,
        .ldc = ldc,
        .bias = !extremes && check_between(check, 0, 1) ? bias.data : NULL,
        .residual = !extremes && check_between(check, 0, 1) ? residual.data : NULL,
        .ldr = ldr,
        .rows = rows,
        .columns = columns,
        .accumulate = !extremes && check_between(check, 0, 1),
        .activation = !extremes && check_between(check, 0, 1) ? &activation : NULL,
    };

    fill(check, a.data, a.n, extremes);
    fill(check, b.data, b.n, extremes);
    fill(check, bias.data, bias.n, false);
    fill(check, residual.data, residual.n, false);
    fill(check, c.data, c.n, false);
    if (!tile.accumulate)
        c.data[0] = NAN;
    memcpy(before.data, c.data, (size_t)c_floats * sizeof(float));
    gemm->func(&tile);
    compare_tile(check, gemm, &tile, before.data, c_floats, extremes);
    check_free(check, &a, "A");
    check_free(check, &b, "B");
    check_free(check, &c, "C");
    check_free(check, &before, "copy");
    check_free(check, &bias, "bias");
    check_free(check, &residual, "residual");
}

static void check_tiles(Check *check, const NnF32Gemm *gemm)
{
    static const int64_t ks[] = { 0, 1, 2, 3, 5, 17 };

    for (int rows = 1; rows <= gemm->mr; rows++)
        for (int columns = 1; columns <= gemm->nr; columns++) {
            check_tile(check, gemm, rows, columns, ks[check_between(check, 0, 5)], false);
            check_tile(check, gemm, rows, columns, check_between(check, 1, 600), false);
            check_tile(check, gemm, rows, columns, 1, true);
        }
}

/* A product of matrices of any strides. */
static void describe_product(Check *check, NnMatmul *mm)
{
    bool transpose_a = check_between(check, 0, 1), transpose_b = check_between(check, 0, 1);

    mm->a_row = transpose_a ? 1 : mm->k + check_between(check, 0, 3);
    mm->a_column = transpose_a ? mm->m + check_between(check, 0, 3) : 1;
    mm->b_row = transpose_b ? 1 : mm->n + check_between(check, 0, 3);
    mm->b_column = transpose_b ? mm->k + check_between(check, 0, 3) : 1;
    mm->alpha = check_float(check);
    mm->beta = check_float(check);
    mm->d_row = check_between(check, 0, 1) ? mm->n : 0;
    mm->d_column = check_between(check, 0, 1);
}

static void compare_product(Check *check, const NnMatmul *mm, const char *what, const float *c)
{
    int64_t total = mm->m * mm->n, step = NN_MAX(total / 3000, 1);

    for (int64_t at = 0; at < total; at += check_between(check, 1, 2 * step - 1)) {
        int64_t i = at / mm->n, j = at % mm->n;
        double sum = 0, sum_of_abs = 1, expected;

        for (int64_t k = 0; k < mm->k; k++) {
            double product = (double)mm->a[i * mm->a_row + k * mm->a_column] *
                             mm->b[k * mm->b_row + j * mm->b_column];

            sum += product;
            sum_of_abs += fabs(product);
        }
        expected = mm->alpha * sum;
        if (mm->d)
            expected += (double)mm->beta * mm->d[i * mm->d_row + j * mm->d_column];
        check->n_compared++;
        if (!(fabs(c[at] - expected) <= TOLERANCE * sum_of_abs))
            check_fail(check, "%s %lldx%lldx%lld: element %lld,%lld: got %.9g, expected %.9g", what,
                       (long long)mm->m, (long long)mm->n, (long long)mm->k, (long long)i,
                       (long long)j, c[at], expected);
    }
}

#ifdef HAVE_OPENBLAS
static void compare_blas(Check *check, const NnMatmul *mm)
{
    bool a_plain = mm->a_column == 1, b_plain = mm->b_column == 1;
    int64_t lda = a_plain ? NN_MAX(mm->a_row, mm->k) : mm->a_column;
    int64_t ldb = b_plain ? NN_MAX(mm->b_row, mm->n) : mm->b_column;
    Guarded c = check_alloc(mm->m * mm->n, 0);

    for (int64_t i = 0; i < c.n; i++)
        c.data[i] = mm->d ? mm->d[i / mm->n * mm->d_row + i % mm->n * mm->d_column] : 0.0f;
    cblas_sgemm(CblasRowMajor, a_plain ? CblasNoTrans : CblasTrans,
                b_plain ? CblasNoTrans : CblasTrans, (int)mm->m, (int)mm->n, (int)mm->k, mm->alpha,
                mm->a, (int)lda, mm->b, (int)ldb, mm->beta, c.data, (int)mm->n);
    for (int64_t i = 0; i < c.n; i++) {
        check->n_compared++;
        if (!(fabsf(mm->c[i] - c.data[i]) <= 2 * TOLERANCE * (1 + mm->k / 2)))
            check_fail(check, "%lldx%lldx%lld: element %lld: got %.9g, OpenBLAS %.9g",
                       (long long)mm->m, (long long)mm->n, (long long)mm->k, (long long)i,
                       mm->c[i], c.data[i]);
    }
    check_free(check, &c, "OpenBLAS's C");
}
#else
static void compare_blas(Check *check, const NnMatmul *mm)
{
    (void)check;
    (void)mm;
}
#endif

static void run_product(Check *check, const NnMatmul *mm, const NnKernels *kernels, NnPool *pool)
{
    Guarded scratch = check_alloc((int64_t)(nn_matmul_scratch(pool) / sizeof(float)), 0);

    for (int64_t i = 0; i < scratch.n; i++)
        scratch.data[i] = NAN;
    for (int64_t i = 0; i < mm->m * mm->n; i++)
        mm->c[i] = NAN;
    nn_matmul_run(mm, kernels, pool, scratch.data);
    check_free(check, &scratch, "scratch");
}

static void check_product(Check *check, const NnKernels *kernels, NnPool *pool, int64_t m,
                          int64_t n, int64_t k)
{
    NnKernels ours = *kernels;
    NnMatmul mm = { .m = m, .n = n, .k = k };
    Guarded a, b, c, d, alone;

    describe_product(check, &mm);
    a = check_alloc(mm.a_column == 1 ? (m - 1) * mm.a_row + k : (k - 1) * mm.a_column + m, 1);
    b = check_alloc(mm.b_column == 1 ? (k - 1) * mm.b_row + n : (n - 1) * mm.b_column + k, 2);
    c = check_alloc(m * n, 3);
    d = check_alloc(m * n, 4);
    alone = check_alloc(m * n, 0);
    check_fill(check, a.data, a.n);
    check_fill(check, b.data, b.n);
    check_fill(check, d.data, d.n);
    mm.a = a.data;
    mm.b = b.data;
    mm.c = c.data;
    mm.d = check_between(check, 0, 1) ? d.data : NULL;

    ours.blas = false;
    run_product(check, &mm, &ours, NULL);
    compare_product(check, &mm, "tiles", c.data);
    compare_blas(check, &mm);
    memcpy(alone.data, c.data, (size_t)c.n * sizeof(float));
    run_product(check, &mm, &ours, pool);
    if (memcmp(alone.data, c.data, (size_t)c.n * sizeof(float)) != 0)
        check_fail(check, "%lldx%lldx%lld: other bits with threads", (long long)m, (long long)n,
                   (long long)k);
    ours.blas = true;
    run_product(check, &mm, &ours, pool);
    compare_product(check, &mm, "library", c.data);
    check_free(check, &a, "A");
    check_free(check, &b, "B");
    check_free(check, &c, "C");
    check_free(check, &d, "D");
    check_free(check, &alone, "copy");
}

/* Of layers: output channels, pixels, inputs of one output. */
static const int64_t layers[][3] = {
    { 32, 1000, 9 }, { 64, 576, 288 }, { 255, 144, 256 }, { 1, 1000, 512 }, { 100, 1, 300 },
};

static void check_products(Check *check, const NnF32Gemm *gemm, NnPool *pool)
{
    NnKernels kernels;

    nn_kernels_select(gemm->isa, &kernels);
    kernels.f32_gemm = *gemm;
    for (int i = 0; i < 60; i++)
        check_product(check, &kernels, pool, check_between(check, 1, 2 * gemm->mr + 1),
                      check_between(check, 1, 2 * gemm->nr + 1), check_between(check, 1, 70));
    for (int i = 0; i < 6; i++)
        check_product(check, &kernels, pool, check_between(check, 1, 300),
                      check_between(check, 1, 450), check_between(check, 1, 600));
    for (size_t i = 0; i < NN_ARRAY_SIZE(layers); i++)
        check_product(check, &kernels, pool, layers[i][0], layers[i][1], layers[i][2]);
}

int main(int argc, char **argv)
{
    NnPool *pool = NULL;
    Check check;

    check_start(&check, "gemm", argc, argv);
    if (nn_pool_new(3, &pool) < 0)
        check_fail(&check, "no pool");
    for (size_t i = 0; i < NN_ARRAY_SIZE(kernels_list); i++) {
        check.kernel = kernels_list[i].name;
        if (!nn_isa_available(kernels_list[i].isa)) {
            printf("%s: not on this processor\n", check.kernel);
            continue;
        }
        check_tiles(&check, &kernels_list[i]);
        check_products(&check, &kernels_list[i], pool);
        printf("%s: good\n", check.kernel);
    }
    nn_pool_free(pool);
    return check_end(&check);
}
