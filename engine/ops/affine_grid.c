/* SPDX-License-Identifier: Apache-2.0 */

/* AffineGrid: where GridSample looks for each output, from matrices of [n, 2, 3] or
 * [n, 3, 4] that map the coordinates of the output (x first), and 1, to the input's. */

#include "ops/support.h"

typedef struct AffineParams {
    int64_t align_corners;
} AffineParams;

static int affine_prepare(const NnNode *node, void *params, NnError *error)
{
    AffineParams *p = params;
    return nn_node_int(node, "align_corners", 0, &p->align_corners, error);
}

static int affine_infer(const NnCall *call)
{
    int64_t size[5], dims[5];
    char shape[128];
    size_t n;
    int r = nn_check_inputs(call, 2);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_input_ints(call, 1, size, NN_ARRAY_SIZE(size), &n);
    if (r < 0)
        return r;
    const NnTensor *theta = call->in[0];
    int64_t spatial = (int64_t)n - 2;
    if (spatial < 2 || theta->rank != 3 || theta->dims[0] != size[0] || theta->dims[1] != spatial ||
        theta->dims[2] != spatial + 1)
        return nn_error_set(call->error, -EBADMSG,
                            "matrices of %s do not fit a size of %zu numbers",
                            nn_tensor_shape_string(theta, shape, sizeof(shape)), n);
    dims[0] = size[0];
    for (int i = 0; i < spatial; i++)
        dims[1 + i] = size[2 + i];
    dims[n - 1] = spatial;
    return nn_set_output(call, 0, theta->dtype, (int)n, dims);
}

/* -1…1 over the centres of the first and last element, or over their outer edges. */
static double coordinate(bool align_corners, int64_t i, int64_t n)
{
    if (align_corners)
        return n > 1 ? (double)(2 * i) / (double)(n - 1) - 1 : 0;
    return (double)(2 * i + 1) / (double)n - 1;
}

static void affine_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const AffineParams *p = call->params;
    const NnTensor *out = call->out[0];
    int spatial = out->rank - 2;
    (void)worker;
    NN_SWITCH_FLOAT(out->dtype, {
        for (int64_t i = begin; i < end; i++) {
            double at[4] = { 1, 1, 1, 1 };
            int64_t rest = i;
            for (int d = 0; d < spatial; d++) {
                int64_t n = out->dims[spatial - d];
                at[d] = coordinate(p->align_corners != 0, rest % n, n);
                rest /= n;
            }
            const T *theta = (const T *)call->in[0]->data + rest * spatial * (spatial + 1);
            for (int row = 0; row < spatial; row++) {
                double sum = 0;
                for (int d = 0; d <= spatial; d++)
                    sum += (double)theta[row * (spatial + 1) + d] * at[d];
                ((T *)out->data)[i * spatial + row] = (T)sum;
            }
        }
    })
}

static int affine_run(const NnCall *call)
{
    const NnTensor *out = call->out[0];
    nn_range_run(call->pool, nn_product(out->dims, 0, out->rank - 1), nn_grain(32), affine_range,
                 (void *)call);
    return 0;
}

const NnOp nn_op_affine_grid = {
    .type = "AffineGrid",
    .domain = "",
    .since = 20,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(AffineParams),
    .prepare = affine_prepare,
    .infer = affine_infer,
    .run = affine_run,
};
