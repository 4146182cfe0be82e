/* SPDX-License-Identifier: Apache-2.0 */

/* The operators MatMul and Gemm: numpy's shapes and broadcasting, all types,
 * against a walk over the indices of the output. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "check.h"
#include "kernels/matmul.h"

static const NnDtype dtypes[] = { NN_DTYPE_F32, NN_DTYPE_F32, NN_DTYPE_F32, NN_DTYPE_F64,
                                  NN_DTYPE_I32, NN_DTYPE_I64, NN_DTYPE_U32, NN_DTYPE_U64 };

static double get(const NnTensor *t, int64_t i)
{
    switch (t->dtype) {
    case NN_DTYPE_F32:
        return ((const float *)t->data)[i];
    case NN_DTYPE_F64:
        return ((const double *)t->data)[i];
    case NN_DTYPE_I32:
        return ((const int32_t *)t->data)[i];
    case NN_DTYPE_U32:
        return ((const uint32_t *)t->data)[i];
    case NN_DTYPE_I64:
        return (double)((const int64_t *)t->data)[i];
    default:
        return (double)((const uint64_t *)t->data)[i];
    }
}

static void set(NnTensor *t, int64_t i, int value)
{
    switch (t->dtype) {
    case NN_DTYPE_F32:
        ((float *)t->data)[i] = (float)value;
        break;
    case NN_DTYPE_F64:
        ((double *)t->data)[i] = value;
        break;
    case NN_DTYPE_I32:
    case NN_DTYPE_U32:
        ((uint32_t *)t->data)[i] = (uint32_t)value;
        break;
    default:
        ((uint64_t *)t->data)[i] = (uint64_t)value;
        break;
    }
}

/* Small whole numbers: every sum is exact in every type. */
static Guarded fill(Check *check, NnTensor *t)
{
    int64_t n = nn_tensor_elements(t);
    Guarded g = check_alloc(n * (int64_t)nn_dtype_size(t->dtype) / 4, 0);

    t->data = g.data;
    for (int64_t i = 0; i < n; i++)
        set(t, i, (int)check_between(check, 0, 6));
    return g;
}

typedef struct Call {
    NnTensor a, b, c, y;
    const NnTensor *in[3];
    NnTensor *out[1];
    Guarded ga, gb, gc, gy, scratch;
    NnError error;
    NnCall call;
    char text[256];
} Call;

static void run(Check *check, const NnOp *op, Call *k, NnPool *pool, const NnKernels *kernels)
{
    char a[64], b[64];

    k->in[0] = &k->a;
    k->in[1] = &k->b;
    k->out[0] = &k->y;
    k->call.in = k->in;
    k->call.out = k->out;
    k->call.n_out = 1;
    k->call.error = &k->error;
    k->call.pool = pool;
    k->call.kernels = kernels;
    snprintf(k->text, sizeof(k->text), "%s %s by %s", nn_dtype_name(k->a.dtype),
             nn_tensor_shape_string(&k->a, a, sizeof(a)),
             nn_tensor_shape_string(&k->b, b, sizeof(b)));
    if (op->infer(&k->call) < 0)
        check_fail(check, "%s: %s", k->text, k->error.message);
    k->ga = fill(check, &k->a);
    k->gb = fill(check, &k->b);
    k->gy = fill(check, &k->y);
    if (k->call.n_in == 3)
        k->gc = fill(check, &k->c);
    k->scratch = check_alloc((int64_t)(op->scratch(&k->call) / sizeof(float)), 0);
    k->call.scratch = k->scratch.data;
    if (op->run(&k->call) < 0)
        check_fail(check, "%s: run failed", k->text);
}

static void compare(Check *check, const Call *k, int64_t i, double expected)
{
    double got = get(&k->y, i);

    check->n_compared++;
    if (got != expected)
        check_fail(check, "%s: index %lld: got %.17g, expected %.17g", k->text, (long long)i, got,
                   expected);
}

static void clean(Check *check, Call *k)
{
    check_free(check, &k->ga, "A");
    check_free(check, &k->gb, "B");
    check_free(check, &k->gy, "Y");
    check_free(check, &k->scratch, "scratch");
    if (k->call.n_in == 3)
        check_free(check, &k->gc, "C");
}

/* Dims of one operand: the batch, some of it left out or 1, and the matrix. */
static void describe_operand(Check *check, NnTensor *t, NnDtype dtype, int batch_rank,
                             const int64_t *batch, int64_t rows, int64_t columns)
{
    int skip = (int)check_between(check, 0, batch_rank);

    *t = (NnTensor){ .dtype = dtype };
    for (int i = skip; i < batch_rank; i++)
        t->dims[t->rank++] = check_between(check, 0, 3) ? batch[i] : 1;
    t->dims[t->rank++] = rows;
    t->dims[t->rank++] = columns;
}

/* Where element [batch…][row][column] of an operand stands, by numpy's rules. */
static int64_t offset(const NnTensor *t, int batch_rank, const int64_t *at, int64_t row,
                      int64_t column)
{
    int own = t->rank - 2;
    int64_t o = 0;

    for (int i = 0; i < own; i++)
        o = o * t->dims[i] + (t->dims[i] == 1 ? 0 : at[batch_rank - own + i]);
    return (o * t->dims[t->rank - 2] + row) * t->dims[t->rank - 1] + column;
}

static void check_matmul(Check *check, NnPool *pool, const NnKernels *kernels)
{
    NnDtype dtype = dtypes[check_between(check, 0, NN_ARRAY_SIZE(dtypes) - 1)];
    int64_t m = check_between(check, 1, 9), n = check_between(check, 1, 20);
    int64_t k = check_between(check, 1, 12), batch[3], at[3] = { 0 };
    int batch_rank = (int)check_between(check, 0, 3), a_vector, b_vector, y_batch;
    NnTensor a, b;
    Call c = { .call = { .n_in = 2 } };

    for (int i = 0; i < batch_rank; i++)
        batch[i] = check_between(check, 1, 4);
    describe_operand(check, &c.a, dtype, batch_rank, batch, m, k);
    describe_operand(check, &c.b, dtype, batch_rank, batch, k, n);
    a_vector = c.a.rank == 2 && m == 1 && check_between(check, 0, 1);
    b_vector = c.b.rank == 2 && n == 1 && check_between(check, 0, 1);
    a = c.a;
    b = c.b;
    if (a_vector)
        c.a = (NnTensor){ .dtype = dtype, .rank = 1, .dims = { k } };
    if (b_vector)
        c.b = (NnTensor){ .dtype = dtype, .rank = 1, .dims = { k } };
    run(check, &nn_op_matmul, &c, pool, kernels);

    y_batch = NN_MAX(a.rank, b.rank) - 2;
    if (c.y.rank != y_batch + 2 - a_vector - b_vector)
        check_fail(check, "%s: %d dimensions", c.text, c.y.rank);
    for (int64_t i = 0; i < nn_tensor_elements(&c.y); i++) {
        int64_t rest = i / n / m;
        double sum = 0;

        for (int axis = y_batch - 1; axis >= 0; axis--) {
            at[axis] = rest % c.y.dims[axis];
            rest /= c.y.dims[axis];
        }
        for (int64_t kk = 0; kk < k; kk++)
            sum += get(&c.a, offset(&a, y_batch, at, i / n % m, kk)) *
                   get(&c.b, offset(&b, y_batch, at, kk, i % n));
        compare(check, &c, i, sum);
    }
    clean(check, &c);
}

static NnAttribute number(const char *name, float f)
{
    return (NnAttribute){ .name = (char *)name, .type = NN_ATTRIBUTE_FLOAT, .f = f };
}

static NnAttribute flag(const char *name, bool on)
{
    return (NnAttribute){ .name = (char *)name, .type = NN_ATTRIBUTE_INT, .i = on };
}

static void check_gemm(Check *check, NnPool *pool, const NnKernels *kernels)
{
    NnDtype dtype = dtypes[check_between(check, 0, NN_ARRAY_SIZE(dtypes) - 1)];
    int64_t m = check_between(check, 1, 30), n = check_between(check, 1, 40);
    int64_t k = check_between(check, 1, 20), rows, columns;
    int alpha = (int)check_between(check, 1, 3), beta = (int)check_between(check, 0, 2);
    bool ta = check_between(check, 0, 1), tb = check_between(check, 0, 1);
    NnAttribute attributes[] = { number("alpha", (float)alpha), number("beta", (float)beta),
                                 flag("transA", ta), flag("transB", tb) };
    NnNode node = { .attributes = attributes, .n_attributes = NN_ARRAY_SIZE(attributes) };
    void *params = calloc(1, nn_op_gemm.params_bytes);
    Call c = { .a = { .dtype = dtype, .rank = 2, .dims = { ta ? k : m, ta ? m : k } },
               .b = { .dtype = dtype, .rank = 2, .dims = { tb ? n : k, tb ? k : n } },
               .c = { .dtype = dtype, .rank = (int)check_between(check, 0, 2) },
               .call = { .n_in = (size_t)check_between(check, 2, 3), .params = params } };

    rows = c.c.rank == 2 && check_between(check, 0, 1) ? m : 1;
    columns = c.c.rank > 0 && check_between(check, 0, 2) ? n : 1;
    c.c.dims[0] = c.c.rank == 2 ? rows : columns;
    c.c.dims[1] = columns;
    c.in[2] = &c.c;
    if (nn_op_gemm.prepare(&node, params, &c.error) < 0)
        check_fail(check, "prepare: %s", c.error.message);
    run(check, &nn_op_gemm, &c, pool, kernels);
    for (int64_t i = 0; i < m * n; i++) {
        int64_t row = i / n, column = i % n;
        double sum = 0;

        for (int64_t kk = 0; kk < k; kk++)
            sum += get(&c.a, ta ? kk * m + row : row * k + kk) *
                   get(&c.b, tb ? column * k + kk : kk * n + column);
        sum *= alpha;
        if (c.call.n_in == 3)
            sum += beta * get(&c.c, (rows > 1 ? row : 0) * columns + (columns > 1 ? column : 0));
        compare(check, &c, i, sum);
    }
    clean(check, &c);
    free(params);
}

/* Shapes that do not fit end in a sentence, not in a product. */
static void check_refusals(Check *check)
{
    static const struct {
        NnTensor a, b;
    } bad[] = {
        { { NN_DTYPE_F32, 2, { 2, 3 }, NULL }, { NN_DTYPE_F32, 2, { 4, 2 }, NULL } },
        { { NN_DTYPE_F32, 3, { 2, 2, 3 }, NULL }, { NN_DTYPE_F32, 3, { 3, 3, 2 }, NULL } },
        { { NN_DTYPE_F32, 0, { 0 }, NULL }, { NN_DTYPE_F32, 1, { 1 }, NULL } },
        { { NN_DTYPE_F32, 1, { 3 }, NULL }, { NN_DTYPE_F64, 1, { 3 }, NULL } },
    };

    for (size_t i = 0; i < NN_ARRAY_SIZE(bad); i++) {
        const NnTensor *in[] = { &bad[i].a, &bad[i].b };
        NnTensor y, *out[] = { &y };
        NnError error = { "" };
        NnCall call = { .in = in, .n_in = 2, .out = out, .n_out = 1, .error = &error };

        check->n_compared++;
        if (nn_op_matmul.infer(&call) != -EBADMSG || !error.message[0])
            check_fail(check, "bad case %zu was taken", i);
    }
}

int main(int argc, char **argv)
{
    NnKernels kernels;
    NnPool *pool = NULL;
    Check check;

    check_start(&check, "matmul", argc, argv);
    check.kernel = "MatMul and Gemm";
    if (nn_pool_new(2, &pool) < 0)
        check_fail(&check, "no pool");
    check_refusals(&check);
    for (int i = 0; i < 1500; i++) {
        nn_kernels_select(nn_isa_best(), &kernels);
        kernels.blas = check_between(&check, 0, 1);
        check_matmul(&check, i % 3 ? pool : NULL, &kernels);
        check_gemm(&check, i % 3 ? pool : NULL, &kernels);
    }
    nn_pool_free(pool);
    return check_end(&check);
}
