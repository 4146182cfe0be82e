/* SPDX-License-Identifier: Apache-2.0 */

/* MatMul as numpy.matmul: the last two dimensions are matrices, those before
 * broadcast; a vector is a row on the left and a column on the right. */

#include "kernels/matmul.h"
#include "ops/matmul_shape.h"

#define TYPES                                                                              \
    (NN_TYPES_FLOAT | NN_BIT(NN_DTYPE_I32) | NN_BIT(NN_DTYPE_U32) | NN_BIT(NN_DTYPE_I64) | \
     NN_BIT(NN_DTYPE_U64))

/* Integers wrap instead of being undefined. */
#define ADD_PRODUCT(sum, x, y)                                     \
    _Generic((T)0, float: sum + x * y, double: sum + x * y,        \
             default: (uint64_t)sum + (uint64_t)x * (uint64_t)y)

static int matmul_infer(const NnCall *call)
{
    NnMatmulShape s;
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
    r = nn_matmul_shape(call, 0, 1, &s);
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
    NnMatmulShape s;
} RowsRun;

/* Rows of the output of any other type, as the definition has them. */
static void multiply_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const RowsRun *run = argument;
    const NnMatmulShape *s = &run->s;
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

    r = nn_matmul_shape(call, 0, 1, &rows.s);
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
    NnMatmulShape s;

    if (nn_matmul_shape(call, 0, 1, &s) < 0)
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
