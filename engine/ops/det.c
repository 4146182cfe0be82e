/* SPDX-License-Identifier: Apache-2.0 */

#include <math.h>

#include "ops/support.h"

static int det_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_check_rank(call, 0, 2, NN_RANK_MAX);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    if (in->dims[in->rank - 1] != in->dims[in->rank - 2])
        return nn_error_set(call->error, -EBADMSG, "a matrix of %lld×%lld is not square",
                            (long long)in->dims[in->rank - 2], (long long)in->dims[in->rank - 1]);
    return nn_set_output(call, 0, in->dtype, in->rank - 2, in->dims);
}

/* Scratch: one matrix in double. */
static size_t det_scratch(const NnCall *call)
{
    size_t n = (size_t)call->in[0]->dims[call->in[0]->rank - 1];
    return n * n * sizeof(double);
}

/* Gaussian elimination, the largest element of a column as pivot. */
static double determinant(double *m, int64_t n)
{
    double product = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; i++)
            pivot = fabs(m[i * n + k]) > fabs(m[pivot * n + k]) ? i : pivot;
        for (int64_t j = k; pivot != k && j < n; j++) {
            double kept = m[k * n + j];
            m[k * n + j] = m[pivot * n + j];
            m[pivot * n + j] = kept;
        }
        product *= pivot == k ? m[k * n + k] : -m[k * n + k];
        if (m[k * n + k] == 0)
            return 0;
        for (int64_t i = k + 1; i < n; i++) {
            double factor = m[i * n + k] / m[k * n + k];
            for (int64_t j = k + 1; j < n; j++)
                m[i * n + j] -= factor * m[k * n + j];
        }
    }
    return product;
}

static int det_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    int64_t n = in->dims[in->rank - 1];
    double *matrix = call->scratch;
    NN_SWITCH_FLOAT(in->dtype, {
        for (int64_t i = 0; i < nn_tensor_elements(call->out[0]); i++) {
            for (int64_t j = 0; j < n * n; j++)
                matrix[j] = (double)((const T *)in->data)[i * n * n + j];
            ((T *)call->out[0]->data)[i] = (T)determinant(matrix, n);
        }
    })
    return 0;
}

const NnOp nn_op_det = {
    .type = "Det",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .infer = det_infer,
    .scratch = det_scratch,
    .run = det_run,
};
