/* SPDX-License-Identifier: Apache-2.0 */

/* MatMul as numpy.matmul: the last two dimensions are matrices, those before
 * broadcast; a vector is a row on the left and a column on the right. */

#include "kernels/matmul.h"
#include "ops/support.h"

#define TYPES                                                                              \
    (NN_TYPES_FLOAT | NN_BIT(NN_DTYPE_I32) | NN_BIT(NN_DTYPE_U32) | NN_BIT(NN_DTYPE_I64) | \
     NN_BIT(NN_DTYPE_U64))

/* Integers wrap instead of being undefined. */
#define ADD_PRODUCT(sum, x, y)                                     \
    _Generic((T)0, float: sum + x * y, double: sum + x * y,        \
             default: (uint64_t)sum + (uint64_t)x * (uint64_t)y)

typedef struct MatmulShape {
    int64_t m, n, k, matrices;
    int batch_rank;
    int64_t batch[NN_RANK_MAX], a_batch[NN_RANK_MAX], b_batch[NN_RANK_MAX];
    int rank;                   /* of the output */
    int64_t dims[NN_RANK_MAX];
} MatmulShape;

/* Steps of one input along the broadcast batch, in elements. */
static void batch_strides(const NnTensor *t, int n_matrix, int batch_rank, int64_t *strides)
{
    int own = t->rank - n_matrix;
    int64_t stride = nn_product(t->dims, own, t->rank);

    for (int axis = batch_rank - 1; axis >= 0; axis--) {
        int mine = axis - (batch_rank - own);
        int64_t dim = mine >= 0 ? t->dims[mine] : 1;

        strides[axis] = dim > 1 ? stride : 0;
        stride *= dim;
    }
}

static int mismatch(const NnCall *call)
{
    char a[128], b[128];

    return nn_error_set(call->error, -EBADMSG, "%s and %s cannot be multiplied",
                        nn_tensor_shape_string(call->in[0], a, sizeof(a)),
                        nn_tensor_shape_string(call->in[1], b, sizeof(b)));
}

static int batch_dims(const NnCall *call, int a_matrix, int b_matrix, MatmulShape *s)
{
    const NnTensor *a = call->in[0], *b = call->in[1];
    int a_own = a->rank - a_matrix, b_own = b->rank - b_matrix;

    s->batch_rank = NN_MAX(a_own, b_own);
    s->matrices = 1;
    for (int axis = 0; axis < s->batch_rank; axis++) {
        int ia = axis - (s->batch_rank - a_own), ib = axis - (s->batch_rank - b_own);
        int64_t da = ia >= 0 ? a->dims[ia] : 1, db = ib >= 0 ? b->dims[ib] : 1;

        if (da != db && da != 1 && db != 1)
            return mismatch(call);
        s->batch[axis] = da == 1 ? db : da;
        s->matrices *= s->batch[axis];
    }
    batch_strides(a, a_matrix, s->batch_rank, s->a_batch);
    batch_strides(b, b_matrix, s->batch_rank, s->b_batch);
    return 0;
}

static int matmul_shape(const NnCall *call, MatmulShape *ret)
{
    const NnTensor *a = call->in[0], *b = call->in[1];
    int a_matrix = NN_MIN(a->rank, 2), b_matrix = NN_MIN(b->rank, 2), r;
    MatmulShape s = { 0 };

    if (a->rank < 1 || b->rank < 1)
        return mismatch(call);
    s.m = a_matrix == 2 ? a->dims[a->rank - 2] : 1;
    s.k = a->dims[a->rank - 1];
    s.n = b_matrix == 2 ? b->dims[b->rank - 1] : 1;
    if (b->dims[b->rank - b_matrix] != s.k)
        return mismatch(call);
    r = batch_dims(call, a_matrix, b_matrix, &s);
    if (r < 0)
        return r;
    for (; s.rank < s.batch_rank; s.rank++)
        s.dims[s.rank] = s.batch[s.rank];
    if (a_matrix == 2)
        s.dims[s.rank++] = s.m;
    if (b_matrix == 2)
        s.dims[s.rank++] = s.n;
    *ret = s;
    return 0;
}

static int matmul_infer(const NnCall *call)
{
    MatmulShape s;
    int r;

    r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, TYPES);
    if (r < 0)
        return r;
    r = nn_check_same_dtype(call, 1);
    if (r < 0)
        return r;
    r = matmul_shape(call, &s);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, call->in[0]->dtype, s.rank, s.dims);
}

static size_t matmul_scratch(const NnCall *call)
{
    return call->in[0]->dtype == NN_DTYPE_F32 ? nn_matmul_scratch(call->pool) : 0;
}

typedef struct RowsRun {
    const NnCall *call;
    MatmulShape s;
} RowsRun;

/* Rows of the output of any other type, as the definition has them. */
static void multiply_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const RowsRun *run = argument;
    const MatmulShape *s = &run->s;
    const NnTensor *a = run->call->in[0], *b = run->call->in[1], *out = run->call->out[0];

    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        int64_t rest = row / s->m, a_offset = row % s->m * s->k, b_offset = 0;

        for (int axis = s->batch_rank - 1; axis >= 0; axis--) {
            int64_t at = rest % s->batch[axis];

            rest /= s->batch[axis];
            a_offset += at * s->a_batch[axis];
            b_offset += at * s->b_batch[axis];
        }
        NN_SWITCH_NUMBER(a->dtype, {
            const T *pa = (const T *)a->data + a_offset, *pb = (const T *)b->data + b_offset;
            T *pc = (T *)out->data + row * s->n;

            for (int64_t j = 0; j < s->n; j++)
                pc[j] = 0;
            for (int64_t k = 0; k < s->k; k++)
                for (int64_t j = 0; j < s->n; j++)
                    pc[j] = (T)ADD_PRODUCT(pc[j], pa[k], pb[k * s->n + j]);
        })
    }
}

static int matmul_run(const NnCall *call)
{
    RowsRun rows = { .call = call };
    NnMatmul mm;
    int r;

    r = matmul_shape(call, &rows.s);
    if (r < 0)
        return r;
    if (rows.s.matrices == 0 || rows.s.m == 0 || rows.s.n == 0)
        return 0;
    if (call->in[0]->dtype != NN_DTYPE_F32) {
        nn_range_run(call->pool, rows.s.matrices * rows.s.m, nn_grain(rows.s.n * rows.s.k),
                     multiply_rows, &rows);
        return 0;
    }
    mm = (NnMatmul){
        .m = rows.s.m,
        .n = rows.s.n,
        .k = rows.s.k,
        .a = call->in[0]->data,
        .b = call->in[1]->data,
        .c = call->out[0]->data,
        .a_row = rows.s.k,
        .a_column = 1,
        .b_row = rows.s.n,
        .b_column = 1,
        .alpha = 1.0f,
        .batch_rank = rows.s.batch_rank,
    };
    memcpy(mm.batch, rows.s.batch, sizeof(mm.batch));
    memcpy(mm.a_batch, rows.s.a_batch, sizeof(mm.a_batch));
    memcpy(mm.b_batch, rows.s.b_batch, sizeof(mm.b_batch));
    /* One right matrix for a dense batch on the left: one tall product. */
    if (mm.batch_rank > 0 && nn_tensor_elements(call->in[0]) == rows.s.matrices * mm.m * mm.k &&
        nn_tensor_elements(call->in[1]) == mm.k * mm.n) {
        mm.m *= rows.s.matrices;
        mm.batch_rank = 0;
    }
    nn_matmul_run(&mm, call->kernels, call->pool, call->scratch);
    return 0;
}

static uint64_t matmul_flops(const NnCall *call)
{
    MatmulShape s;

    if (matmul_shape(call, &s) < 0)
        return 0;
    return (uint64_t)2 * s.matrices * s.m * s.n * s.k;
}

const NnOp nn_op_matmul = {
    .type = "MatMul",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .infer = matmul_infer,
    .scratch = matmul_scratch,
    .run = matmul_run,
    .flops = matmul_flops,
};
