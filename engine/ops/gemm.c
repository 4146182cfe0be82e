/* SPDX-License-Identifier: Apache-2.0 */

/* Gemm: alpha·A·B + beta·C, A and B transposed on demand, C broadcast. */

#include "kernels/matmul.h"
#include "ops/support.h"

#define TYPES                                                                              \
    (NN_TYPES_FLOAT | NN_BIT(NN_DTYPE_I32) | NN_BIT(NN_DTYPE_U32) | NN_BIT(NN_DTYPE_I64) | \
     NN_BIT(NN_DTYPE_U64))

/* Integers wrap instead of being undefined. */
#define ADD_PRODUCT(sum, x, y)                                     \
    _Generic((T)0, float: sum + x * y, double: sum + x * y,        \
             default: (uint64_t)sum + (uint64_t)x * (uint64_t)y)
/* Beyond, alpha and beta would not fit the integers they multiply. */
#define FACTOR_MAX 2147483520.0f

typedef struct GemmParams {
    float alpha, beta;
    bool transpose_a, transpose_b;
} GemmParams;

static int gemm_prepare(const NnNode *node, void *params, NnError *error)
{
    GemmParams *p = params;
    int64_t transpose_a, transpose_b;
    int r;

    r = nn_node_float(node, "alpha", 1.0f, &p->alpha, error);
    if (r < 0)
        return r;
    r = nn_node_float(node, "beta", 1.0f, &p->beta, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "transA", 0, &transpose_a, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "transB", 0, &transpose_b, error);
    if (r < 0)
        return r;
    p->transpose_a = transpose_a != 0;
    p->transpose_b = transpose_b != 0;
    return 0;
}

static bool broadcasts(const NnTensor *c, int64_t m, int64_t n)
{
    int64_t rows = c->rank == 2 ? c->dims[0] : 1, columns = c->rank ? c->dims[c->rank - 1] : 1;

    return c->rank <= 2 && (rows == 1 || rows == m) && (columns == 1 || columns == n);
}

static int gemm_shape(const NnCall *call, int64_t *ret_m, int64_t *ret_n, int64_t *ret_k)
{
    const GemmParams *p = call->params;
    const NnTensor *a = call->in[0], *b = call->in[1];
    int64_t k = a->dims[p->transpose_a ? 0 : 1];
    char text_a[128], text_b[128];

    if (b->dims[p->transpose_b ? 1 : 0] != k)
        return nn_error_set(call->error, -EBADMSG, "%s%s and %s%s cannot be multiplied",
                            nn_tensor_shape_string(a, text_a, sizeof(text_a)),
                            p->transpose_a ? " transposed" : "",
                            nn_tensor_shape_string(b, text_b, sizeof(text_b)),
                            p->transpose_b ? " transposed" : "");
    *ret_m = a->dims[p->transpose_a ? 1 : 0];
    *ret_n = b->dims[p->transpose_b ? 0 : 1];
    *ret_k = k;
    return 0;
}

static int check_inputs(const NnCall *call)
{
    int r;

    r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, TYPES);
    if (r < 0)
        return r;
    for (size_t i = 1; i < call->n_in; i++) {
        r = nn_check_same_dtype(call, i);
        if (r < 0)
            return r;
    }
    r = nn_check_rank(call, 0, 2, 2);
    if (r < 0)
        return r;
    return nn_check_rank(call, 1, 2, 2);
}

static int gemm_infer(const NnCall *call)
{
    const GemmParams *p = call->params;
    const NnTensor *c = nn_input(call, 2);
    int64_t dims[2], k;
    int r;

    r = check_inputs(call);
    if (r < 0)
        return r;
    r = gemm_shape(call, &dims[0], &dims[1], &k);
    if (r < 0)
        return r;
    if (!nn_is_float(call->in[0]->dtype) &&
        !(p->alpha >= 0.0f && p->alpha <= FACTOR_MAX && p->beta >= 0.0f && p->beta <= FACTOR_MAX))
        return nn_error_set(call->error, -ENOTSUP, "alpha %g and beta %g for integers",
                            (double)p->alpha, (double)p->beta);
    if (c && !broadcasts(c, dims[0], dims[1])) {
        char text[128];
        return nn_error_set(call->error, -EBADMSG, "C of %s does not broadcast to %lld×%lld",
                            nn_tensor_shape_string(c, text, sizeof(text)), (long long)dims[0],
                            (long long)dims[1]);
    }
    return nn_set_output(call, 0, call->in[0]->dtype, 2, dims);
}

static size_t gemm_scratch(const NnCall *call)
{
    return call->in[0]->dtype == NN_DTYPE_F32 ? nn_matmul_scratch(call->pool) : 0;
}

/* Strides as numpy would broadcast C to the output. */
static void describe(const NnCall *call, NnMatmul *mm)
{
    const GemmParams *p = call->params;
    const NnTensor *c = nn_input(call, 2);
    int64_t a_width = call->in[0]->dims[1], b_width = call->in[1]->dims[1];

    mm->a_row = p->transpose_a ? 1 : a_width;
    mm->a_column = p->transpose_a ? a_width : 1;
    mm->b_row = p->transpose_b ? 1 : b_width;
    mm->b_column = p->transpose_b ? b_width : 1;
    mm->alpha = p->alpha;
    mm->beta = p->beta;
    if (!c)
        return;
    mm->d_column = c->rank > 0 && c->dims[c->rank - 1] > 1 ? 1 : 0;
    mm->d_row = c->rank == 2 && c->dims[0] > 1 ? c->dims[1] : 0;
}

typedef struct RowsRun {
    const NnCall *call;
    const NnMatmul *mm;         /* strides; the pointers are of another type */
} RowsRun;

/* Rows of the output of any other type, as the definition has them. */
static void multiply_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const RowsRun *run = argument;
    const NnMatmul *mm = run->mm;
    const NnTensor *a = run->call->in[0], *b = run->call->in[1], *c = nn_input(run->call, 2);

    (void)worker;
    NN_SWITCH_NUMBER(a->dtype, {
        const T *pa = a->data, *pb = b->data, *pc = c ? c->data : NULL;
        T *out = run->call->out[0]->data;
        const T alpha = (T)mm->alpha, beta = (T)mm->beta;

        for (int64_t i = begin; i < end; i++)
            for (int64_t j = 0; j < mm->n; j++) {
                T sum = 0, from = 0;

                for (int64_t k = 0; k < mm->k; k++)
                    sum = (T)ADD_PRODUCT(sum, pa[i * mm->a_row + k * mm->a_column],
                                         pb[k * mm->b_row + j * mm->b_column]);
                if (pc)
                    from = (T)ADD_PRODUCT(from, beta, pc[i * mm->d_row + j * mm->d_column]);
                out[i * mm->n + j] = (T)ADD_PRODUCT(from, alpha, sum);
            }
    })
}

static int gemm_run(const NnCall *call)
{
    const NnTensor *c = nn_input(call, 2);
    NnMatmul mm = { 0 };
    int r;

    r = gemm_shape(call, &mm.m, &mm.n, &mm.k);
    if (r < 0)
        return r;
    if (mm.m == 0 || mm.n == 0)
        return 0;
    describe(call, &mm);
    if (call->in[0]->dtype != NN_DTYPE_F32) {
        RowsRun rows = { .call = call, .mm = &mm };

        nn_range_run(call->pool, mm.m, nn_grain(mm.n * mm.k), multiply_rows, &rows);
        return 0;
    }
    mm.a = call->in[0]->data;
    mm.b = call->in[1]->data;
    mm.d = c ? c->data : NULL;
    mm.c = call->out[0]->data;
    nn_matmul_run(&mm, call->kernels, call->pool, call->scratch);
    return 0;
}

static uint64_t gemm_flops(const NnCall *call)
{
    int64_t m, n, k;

    if (gemm_shape(call, &m, &n, &k) < 0)
        return 0;
    return (uint64_t)2 * m * n * k;
}

const NnOp nn_op_gemm = {
    .type = "Gemm",
    .domain = "",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(GemmParams),
    .prepare = gemm_prepare,
    .infer = gemm_infer,
    .scratch = gemm_scratch,
    .run = gemm_run,
    .flops = gemm_flops,
};
