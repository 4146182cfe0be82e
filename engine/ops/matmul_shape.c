/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/matmul_shape.h"

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

static int mismatch(const NnCall *call, const NnTensor *left, const NnTensor *right)
{
    char a[128], b[128];

    return nn_error_set(call->error, -EBADMSG, "%s and %s cannot be multiplied",
                        nn_tensor_shape_string(left, a, sizeof(a)),
                        nn_tensor_shape_string(right, b, sizeof(b)));
}

static int batch_dims(const NnCall *call, const NnTensor *a, int a_matrix, const NnTensor *b,
                      int b_matrix, NnMatmulShape *s)
{
    int a_own = a->rank - a_matrix, b_own = b->rank - b_matrix;

    s->batch_rank = NN_MAX(a_own, b_own);
    s->matrices = 1;
    for (int axis = 0; axis < s->batch_rank; axis++) {
        int ia = axis - (s->batch_rank - a_own), ib = axis - (s->batch_rank - b_own);
        int64_t da = ia >= 0 ? a->dims[ia] : 1, db = ib >= 0 ? b->dims[ib] : 1;

        if (da != db && da != 1 && db != 1)
            return mismatch(call, a, b);
        s->batch[axis] = da == 1 ? db : da;
        s->matrices *= s->batch[axis];
    }
    batch_strides(a, a_matrix, s->batch_rank, s->a_batch);
    batch_strides(b, b_matrix, s->batch_rank, s->b_batch);
    return 0;
}

int nn_matmul_shape(const NnCall *call, size_t left, size_t right, NnMatmulShape *ret_shape)
{
    const NnTensor *a = call->in[left], *b = call->in[right];
    int a_matrix = NN_MIN(a->rank, 2), b_matrix = NN_MIN(b->rank, 2), r;
    NnMatmulShape s = { 0 };

    if (a->rank < 1 || b->rank < 1)
        return mismatch(call, a, b);
    s.m = a_matrix == 2 ? a->dims[a->rank - 2] : 1;
    s.k = a->dims[a->rank - 1];
    s.n = b_matrix == 2 ? b->dims[b->rank - 1] : 1;
    if (b->dims[b->rank - b_matrix] != s.k)
        return mismatch(call, a, b);
    r = batch_dims(call, a, a_matrix, b, b_matrix, &s);
    if (r < 0)
        return r;
    for (; s.rank < s.batch_rank; s.rank++)
        s.dims[s.rank] = s.batch[s.rank];
    if (a_matrix == 2)
        s.dims[s.rank++] = s.m;
    if (b_matrix == 2)
        s.dims[s.rank++] = s.n;
    *ret_shape = s;
    return 0;
}
