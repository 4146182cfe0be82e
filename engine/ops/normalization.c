/* SPDX-License-Identifier: Apache-2.0 */

/* Normalisations that compute their statistics from the input. */

#include <math.h>

#include "ops/support.h"

typedef struct NormParams {
    float epsilon;
    int64_t groups;             /* GroupNormalization */
} NormParams;

typedef struct Moments {
    double mean, inverse;       /* 1/√(variance + ε) */
} Moments;

#define MOMENTS(x, n, epsilon)                                                        \
    ({                                                                                \
        double sum = 0, squares = 0;                                                  \
        for (int64_t j = 0; j < (n); j++)                                             \
            sum += (double)(x)[j];                                                    \
        double average = sum / (double)(n);                                              \
        for (int64_t j = 0; j < (n); j++)                                             \
            squares += ((double)(x)[j] - average) * ((double)(x)[j] - average);             \
        (Moments){ average, 1 / sqrt(squares / (double)(n) + (double)(epsilon)) };       \
    })

static int instance_prepare(const NnNode *node, void *params, NnError *error)
{
    NormParams *p = params;
    return nn_node_float(node, "epsilon", 1e-5f, &p->epsilon, error);
}

static int instance_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 3);
    if (r >= 0)
        r = nn_check_rank(call, 0, 3, NN_RANK_MAX);
    for (size_t i = 1; r >= 0 && i < 3; i++) {
        r = nn_check_same_dtype(call, i);
        if (r >= 0)
            r = nn_check_vector(call, i, call->in[0]->dims[1]);
    }
    return r < 0 ? r : nn_infer_same(call, NN_TYPES_FLOAT);
}

static void instance_planes(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NormParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t n = nn_product(in->dims, 2, in->rank);
    (void)worker;
    NN_SWITCH_FLOAT(in->dtype, {
        for (int64_t plane = begin; plane < end; plane++) {
            int64_t c = plane % in->dims[1];
            const T *x = (const T *)in->data + plane * n;
            T *y = (T *)call->out[0]->data + plane * n;
            Moments m = MOMENTS(x, n, p->epsilon);
            double factor = (double)((const T *)call->in[1]->data)[c] * m.inverse;
            double offset = (double)((const T *)call->in[2]->data)[c] - m.mean * factor;
            for (int64_t i = 0; i < n; i++)
                y[i] = (T)((double)x[i] * factor + offset);
        }
    })
}

static int instance_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    nn_range_run(call->pool, in->dims[0] * in->dims[1],
                 nn_grain(4 * nn_product(in->dims, 2, in->rank)), instance_planes, (void *)call);
    return 0;
}

const NnOp nn_op_instance_normalization = {
    .type = "InstanceNormalization",
    .domain = "",
    .since = 6,
    .min_inputs = 3,
    .max_inputs = 3,
    .max_outputs = 1,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(NormParams),
    .prepare = instance_prepare,
    .infer = instance_infer,
    .run = instance_run,
};

typedef struct LayerParams {
    int64_t axis;
    float epsilon;
    NnDtype stash;              /* of the moments; undefined: that of the input */
} LayerParams;

static int layer_prepare(const NnNode *node, void *params, NnError *error)
{
    LayerParams *p = params;
    int64_t stash;
    int r = nn_node_int(node, "axis", -1, &p->axis, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "stash_type", 1, &stash, error);
    if (r < 0)
        return r;
    r = nn_op_dtype(stash, &p->stash, error);
    if (r < 0)
        return r;
    if (!nn_is_float(p->stash))
        return nn_error_set(error, -ENOTSUP, "stash_type %s is not supported",
                            nn_dtype_name(p->stash));
    return nn_node_float(node, "epsilon", 1e-5f, &p->epsilon, error);
}

/* Whether a scale or bias has one number for each of the normalised dimensions,
 * those from `axis` on. */
static bool covers(const NnTensor *in, const NnTensor *tensor, int axis)
{
    bool same = tensor->rank <= in->rank && tensor->rank >= in->rank - axis;
    for (int i = 0; same && i < tensor->rank; i++) {
        int at = in->rank - tensor->rank + i;
        same = tensor->dims[i] == (at < axis ? 1 : in->dims[at]);
    }
    return same;
}

static int check_factor(const NnCall *call, size_t input, int axis)
{
    const NnTensor *in = call->in[0], *tensor = nn_input(call, input);
    char shape[128];
    int r = nn_check_same_dtype(call, input);
    if (r < 0 || !tensor || covers(in, tensor, axis))
        return r;
    bool fits = tensor->rank <= in->rank;
    for (int i = 0; fits && i < tensor->rank; i++)
        fits = tensor->dims[i] == 1 || tensor->dims[i] == in->dims[in->rank - tensor->rank + i];
    if (fits)
        return 0;
    return nn_error_set(call->error, -EBADMSG, "input %zu is %s, which does not fit the normalised "
                        "dimensions", input, nn_tensor_shape_string(tensor, shape, sizeof(shape)));
}

static int layer_infer(const NnCall *call)
{
    const LayerParams *p = call->params;
    int axis = 0, r = nn_check_inputs(call, 2);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    r = nn_resolve_axis(call, p->axis, in->rank, &axis);
    for (size_t i = 1; r >= 0 && i < 3; i++)
        r = check_factor(call, i, axis);
    if (r < 0)
        return r;
    int64_t dims[NN_RANK_MAX];
    for (int i = 0; i < in->rank; i++)
        dims[i] = i < axis ? in->dims[i] : 1;
    for (size_t i = 1; r >= 0 && i < call->n_out; i++)
        r = nn_set_output(call, i, p->stash, in->rank, dims);
    return r < 0 ? r : nn_infer_same(call, NN_TYPES_FLOAT);
}

/* Where the number of element `i` of the input stands in a tensor that broadcasts
 * to it. */
static int64_t broadcast_offset(const NnTensor *in, const NnTensor *tensor, int64_t i)
{
    int64_t offset = 0, stride = 1;
    for (int at = in->rank - 1, own = tensor->rank - 1; own >= 0; at--, own--) {
        offset += tensor->dims[own] == 1 ? 0 : i % in->dims[at] * stride;
        stride *= tensor->dims[own];
        i /= in->dims[at];
    }
    return offset;
}

static void store_moment(NnTensor *tensor, int64_t line, double value)
{
    if (tensor)
        NN_SWITCH_FLOAT(tensor->dtype, ((T *)tensor->data)[line] = (T)value;)
}

static void layer_lines(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const LayerParams *p = call->params;
    const NnTensor *in = call->in[0], *bias = nn_input(call, 2);
    NnTensor *out = nn_output(call, 0);
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    int64_t n = nn_product(in->dims, axis, in->rank);
    bool direct = covers(in, call->in[1], axis) && (!bias || covers(in, bias, axis));
    (void)worker;
    NN_SWITCH_FLOAT(in->dtype, {
        const T *scales = call->in[1]->data, *biases = bias ? bias->data : NULL;
        for (int64_t line = begin; line < end; line++) {
            const T *x = (const T *)in->data + line * n;
            Moments m = MOMENTS(x, n, p->epsilon);
            store_moment(nn_output(call, 1), line, m.mean);
            store_moment(nn_output(call, 2), line, m.inverse);
            for (int64_t i = 0; out && i < n; i++) {
                int64_t at = line * n + i;
                int64_t s = direct ? i : broadcast_offset(in, call->in[1], at);
                int64_t b = direct || !bias ? i : broadcast_offset(in, bias, at);
                double y = ((double)x[i] - m.mean) * m.inverse * (double)scales[s];
                ((T *)out->data)[at] = (T)(y + (biases ? (double)biases[b] : 0));
            }
        }
    })
}

static int layer_run(const NnCall *call)
{
    const LayerParams *p = call->params;
    const NnTensor *in = call->in[0];
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    nn_range_run(call->pool, nn_product(in->dims, 0, axis),
                 nn_grain(4 * nn_product(in->dims, axis, in->rank)), layer_lines, (void *)call);
    return 0;
}

const NnOp nn_op_layer_normalization = {
    .type = "LayerNormalization",
    .domain = "",
    .since = 17,
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 3,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(LayerParams),
    .prepare = layer_prepare,
    .infer = layer_infer,
    .run = layer_run,
};

static int group_prepare(const NnNode *node, void *params, NnError *error)
{
    NormParams *p = params;
    int r = nn_node_int(node, "num_groups", 0, &p->groups, error);
    if (r < 0)
        return r;
    if (p->groups < 1)
        return nn_error_set(error, -EBADMSG, "num_groups is %lld", (long long)p->groups);
    return instance_prepare(node, params, error);
}

/* Scale and bias stand for groups in opset 18, for channels from 21 on. */
static bool per_group(const NnCall *call)
{
    return call->node->opset < 21;
}

static int group_infer(const NnCall *call)
{
    const NormParams *p = call->params;
    int r = nn_check_inputs(call, 3);
    if (r >= 0)
        r = nn_check_rank(call, 0, 2, NN_RANK_MAX);
    if (r < 0)
        return r;
    int64_t channels = call->in[0]->dims[1];
    if (channels % p->groups != 0)
        return nn_error_set(call->error, -EBADMSG, "%lld channels do not divide into %lld groups",
                            (long long)channels, (long long)p->groups);
    for (size_t i = 1; r >= 0 && i < 3; i++) {
        r = nn_check_same_dtype(call, i);
        if (r >= 0)
            r = nn_check_vector(call, i, per_group(call) ? p->groups : channels);
    }
    return r < 0 ? r : nn_infer_same(call, NN_TYPES_FLOAT);
}

static void group_blocks(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NormParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t each = in->dims[1] / p->groups, plane = nn_product(in->dims, 2, in->rank);
    (void)worker;
    NN_SWITCH_FLOAT(in->dtype, {
        const T *scales = call->in[1]->data, *biases = call->in[2]->data;
        for (int64_t block = begin; block < end; block++) {
            int64_t group = block % p->groups;
            const T *x = (const T *)in->data + block * each * plane;
            T *y = (T *)call->out[0]->data + block * each * plane;
            Moments m = MOMENTS(x, each * plane, p->epsilon);
            for (int64_t c = 0; c < each; c++) {
                int64_t s = per_group(call) ? group : group * each + c;
                double factor = (double)scales[s] * m.inverse;
                double offset = (double)biases[s] - m.mean * factor;
                for (int64_t i = c * plane; i < (c + 1) * plane; i++)
                    y[i] = (T)((double)x[i] * factor + offset);
            }
        }
    })
}

static int group_run(const NnCall *call)
{
    const NormParams *p = call->params;
    const NnTensor *in = call->in[0];
    nn_range_run(call->pool, in->dims[0] * p->groups,
                 nn_grain(4 * nn_product(in->dims, 1, in->rank) / p->groups), group_blocks,
                 (void *)call);
    return 0;
}

const NnOp nn_op_group_normalization = {
    .type = "GroupNormalization",
    .domain = "",
    .since = 18,
    .min_inputs = 3,
    .max_inputs = 3,
    .max_outputs = 1,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(NormParams),
    .prepare = group_prepare,
    .infer = group_infer,
    .run = group_run,
};

typedef struct LpParams {
    int64_t axis, p;
} LpParams;

static int lp_prepare(const NnNode *node, void *params, NnError *error)
{
    LpParams *p = params;
    int r = nn_node_int(node, "axis", -1, &p->axis, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "p", 2, &p->p, error);
    if (r < 0)
        return r;
    if (p->p != 1 && p->p != 2)
        return nn_error_set(error, -EBADMSG, "p is %lld, expected 1 or 2", (long long)p->p);
    return 0;
}

static int lp_infer(const NnCall *call)
{
    const LpParams *p = call->params;
    int axis, r = nn_infer_same(call, NN_TYPES_FLOAT);
    return r < 0 ? r : nn_resolve_axis(call, p->axis, call->in[0]->rank, &axis);
}

static int lp_run(const NnCall *call)
{
    const LpParams *p = call->params;
    const NnTensor *in = call->in[0];
    int axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
    int64_t n = in->dims[axis], inner = nn_product(in->dims, axis + 1, in->rank);
    int64_t lines = nn_product(in->dims, 0, axis) * inner;
    NN_SWITCH_FLOAT(in->dtype, {
        for (int64_t line = 0; line < lines; line++) {
            int64_t offset = line / inner * n * inner + line % inner;
            const T *x = (const T *)in->data + offset;
            T *y = (T *)call->out[0]->data + offset;
            double norm = 0;
            for (int64_t i = 0; i < n; i++) {
                double v = (double)x[i * inner];
                norm += p->p == 1 ? fabs(v) : v * v;
            }
            norm = p->p == 1 ? norm : sqrt(norm);
            for (int64_t i = 0; i < n; i++)
                y[i * inner] = (T)(norm == 0 ? 0 : (double)x[i * inner] / norm);
        }
    })
    return 0;
}

const NnOp nn_op_lp_normalization = {
    .type = "LpNormalization",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(LpParams),
    .prepare = lp_prepare,
    .infer = lp_infer,
    .run = lp_run,
};

typedef struct LrnParams {
    float alpha, beta, bias;
    int64_t size;
} LrnParams;

static int lrn_prepare(const NnNode *node, void *params, NnError *error)
{
    LrnParams *p = params;
    int r = nn_node_float(node, "alpha", 1e-4f, &p->alpha, error);
    if (r < 0)
        return r;
    r = nn_node_float(node, "beta", 0.75f, &p->beta, error);
    if (r < 0)
        return r;
    r = nn_node_float(node, "bias", 1, &p->bias, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "size", 0, &p->size, error);
    if (r < 0)
        return r;
    if (p->size < 1 || p->size > INT32_MAX)
        return nn_error_set(error, -EBADMSG, "size is %lld", (long long)p->size);
    return 0;
}

static int lrn_infer(const NnCall *call)
{
    int r = nn_infer_same(call, NN_TYPES_FLOAT);
    return r < 0 ? r : nn_check_rank(call, 0, 2, NN_RANK_MAX);
}

static void lrn_planes(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const LrnParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t channels = in->dims[1], n = nn_product(in->dims, 2, in->rank);
    (void)worker;
    NN_SWITCH_FLOAT(in->dtype, {
        for (int64_t plane = begin; plane < end; plane++) {
            int64_t c = plane % channels;
            int64_t low = NN_MAX(c - (p->size - 1) / 2, 0);
            int64_t high = NN_MIN(c + p->size / 2, channels - 1);
            for (int64_t i = 0; i < n; i++) {
                const T *x = (const T *)in->data + (plane - c) * n + i;
                double sum = 0;
                for (int64_t j = low; j <= high; j++)
                    sum += (double)x[j * n] * (double)x[j * n];
                double scale = (double)p->bias + (double)p->alpha / (double)p->size * sum;
                ((T *)call->out[0]->data)[plane * n + i] =
                    (T)((double)x[c * n] / pow(scale, (double)p->beta));
            }
        }
    })
}

static int lrn_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    nn_range_run(call->pool, in->dims[0] * in->dims[1],
                 nn_grain(32 * nn_product(in->dims, 2, in->rank)), lrn_planes, (void *)call);
    return 0;
}

static uint64_t lrn_work(const NnCall *call)
{
    const LrnParams *p = call->params;
    return (uint64_t)nn_tensor_elements(call->in[0]) *
           (uint64_t)NN_MIN(p->size, call->in[0]->dims[1]);
}

const NnOp nn_op_lrn = {
    .type = "LRN",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(LrnParams),
    .prepare = lrn_prepare,
    .infer = lrn_infer,
    .run = lrn_run,
    .work = lrn_work,
};

/* The standard's function adds this to the deviation. */
#define MVN_EPSILON 1e-9

typedef struct MvnParams {
    int64_t axes[NN_RANK_MAX];
    size_t n;
} MvnParams;

static int mvn_prepare(const NnNode *node, void *params, NnError *error)
{
    MvnParams *p = params;
    memcpy(p->axes, (int64_t[]){ 0, 2, 3 }, 3 * sizeof(p->axes[0]));
    int r = nn_node_ints(node, "axes", p->axes, NN_RANK_MAX, &p->n, error);
    p->n = p->n ? p->n : 3;
    return r;
}

/* Strides in elements among the groups that share their moments; 0 along an axis
 * that is averaged over. Returns the number of groups. */
static int64_t mvn_groups(const NnCall *call, int64_t *ret_strides)
{
    const MvnParams *p = call->params;
    const NnTensor *in = call->in[0];
    bool averaged[NN_RANK_MAX] = { false };
    int64_t groups = 1;
    for (size_t i = 0; i < p->n; i++)
        averaged[p->axes[i] < 0 ? p->axes[i] + in->rank : p->axes[i]] = true;
    for (int i = in->rank - 1; i >= 0; i--) {
        ret_strides[i] = averaged[i] ? 0 : groups;
        groups *= averaged[i] ? 1 : in->dims[i];
    }
    return groups;
}

static int mvn_infer(const NnCall *call)
{
    const MvnParams *p = call->params;
    bool averaged[NN_RANK_MAX];
    int r = nn_infer_same(call, NN_TYPES_FLOAT);
    return r < 0 ? r : nn_resolve_axes(call, p->axes, p->n, call->in[0]->rank, averaged);
}

/* Scratch: mean and variance of each group. */
static size_t mvn_scratch(const NnCall *call)
{
    int64_t strides[NN_RANK_MAX];
    return 2 * (size_t)mvn_groups(call, strides) * sizeof(double);
}

/* Runs a block for all elements with `i` as element and `g` as its group. */
#define FOR_EACH_IN_GROUP(in, strides, ...)                                        \
    do {                                                                           \
        int last = (in)->rank - 1;                                                 \
        int64_t width = (in)->dims[last], rows = nn_product((in)->dims, 0, last);  \
        for (int64_t row = 0; row < rows; row++) {                                 \
            int64_t g = 0;                                                         \
            for (int64_t axis = last - 1, rest = row; axis >= 0; axis--) {         \
                g += rest % (in)->dims[axis] * (strides)[axis];                    \
                rest /= (in)->dims[axis];                                          \
            }                                                                      \
            for (int64_t i = row * width; i < (row + 1) * width;                   \
                 i++, g += (strides)[last]) {                                      \
                __VA_ARGS__;                                                       \
            }                                                                      \
        }                                                                          \
    } while (0)

static int mvn_run(const NnCall *call)
{
    const NnTensor *in = call->in[0];
    int64_t strides[NN_RANK_MAX], groups = mvn_groups(call, strides);
    double *mean = call->scratch, *variance = mean + groups;
    double n = (double)(groups ? nn_tensor_elements(in) / groups : 0);
    memset(mean, 0, 2 * (size_t)groups * sizeof(*mean));
    NN_SWITCH_FLOAT(in->dtype, {
        const T *x = in->data;
        T *y = call->out[0]->data;
        FOR_EACH_IN_GROUP(in, strides, mean[g] += (double)x[i] / n);
        FOR_EACH_IN_GROUP(in, strides,
                          variance[g] += ((double)x[i] - mean[g]) * ((double)x[i] - mean[g]) / n);
        FOR_EACH_IN_GROUP(in, strides, y[i] = (T)(((double)x[i] - mean[g]) /
                                                  (sqrt(variance[g]) + MVN_EPSILON)));
    })
    return 0;
}

const NnOp nn_op_mean_variance_normalization = {
    .type = "MeanVarianceNormalization",
    .domain = "",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(MvnParams),
    .prepare = mvn_prepare,
    .infer = mvn_infer,
    .scratch = mvn_scratch,
    .run = mvn_run,
};
