/* SPDX-License-Identifier: Apache-2.0 */

/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: the second takes the
 * logarithm of the softmax over the classes first. Inputs: scores [n, classes, …],
 * targets [n, …], optional weights [classes]. */

#include <math.h>

#include "ops/support.h"

typedef enum Reduction {
    REDUCTION_MEAN,
    REDUCTION_SUM,
    REDUCTION_NONE,
} Reduction;

typedef struct LossParams {
    Reduction reduction;
    bool softmax;
    bool ignores;
    int64_t ignored;        /* the target that counts nothing */
} LossParams;

static int loss_prepare(const NnNode *node, void *params, NnError *error)
{
    static const char *const names[] = {
        [REDUCTION_MEAN] = "mean",
        [REDUCTION_SUM] = "sum",
        [REDUCTION_NONE] = "none",
    };
    LossParams *p = params;
    const char *name;
    int r = nn_node_string(node, "reduction", "mean", &name, error);
    if (r < 0)
        return r;
    p->ignores = nn_node_attribute(node, "ignore_index") != NULL;
    r = nn_node_int(node, "ignore_index", 0, &p->ignored, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            p->reduction = (Reduction)i;
            return 0;
        }
    }
    return nn_error_set(error, -EBADMSG, "reduction is %s, expected mean, sum or none", name);
}

static int cross_entropy_prepare(const NnNode *node, void *params, NnError *error)
{
    LossParams *p = params;
    p->softmax = true;
    return loss_prepare(node, params, error);
}

static int check_targets(const NnCall *call)
{
    const NnTensor *scores = call->in[0], *targets = call->in[1];
    char have[128], other[128];
    bool fit = targets->rank == scores->rank - 1;
    for (int i = 0; fit && i < targets->rank; i++)
        fit = targets->dims[i] == scores->dims[i ? i + 1 : 0];
    return fit ? 0
               : nn_error_set(call->error, -EBADMSG, "targets of %s do not fit scores of %s",
                              nn_tensor_shape_string(targets, have, sizeof(have)),
                              nn_tensor_shape_string(scores, other, sizeof(other)));
}

static int loss_infer(const NnCall *call)
{
    const LossParams *p = call->params;
    int r = nn_check_inputs(call, 2);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_check_rank(call, 0, 2, NN_RANK_MAX);
    if (r >= 0)
        r = nn_check_dtype(call, 1, NN_TYPES_INDEX);
    if (r >= 0)
        r = check_targets(call);
    if (r >= 0)
        r = nn_check_same_dtype(call, 2);
    if (r >= 0)
        r = nn_check_vector(call, 2, call->in[0]->dims[1]);
    if (r < 0)
        return r;
    const NnTensor *scores = call->in[0], *targets = call->in[1];
    r = nn_set_output(call, 1, scores->dtype, scores->rank, scores->dims);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, scores->dtype,
                         p->reduction == REDUCTION_NONE ? targets->rank : 0, targets->dims);
}

/* log Σ exp(x[c]) of n numbers, step apart, without overflow. Without fmax(), over
 * which the vectoriser of gcc 12 for arm64 breaks down. */
#define LOG_TOTAL(x, n, step)                                         \
    ({                                                                \
        double most = -(double)INFINITY, powers = 0;                  \
        for (int64_t c = 0; c < (n); c++)                             \
            if ((double)(x)[c * (step)] > most)                       \
                most = (double)(x)[c * (step)];                       \
        for (int64_t c = 0; c < (n); c++)                             \
            powers += exp((double)(x)[c * (step)] - most);            \
        most + log(powers);                                           \
    })

/* Checks before anything is written: a target outside the classes has no score. */
static int check_classes(const NnCall *call)
{
    const LossParams *p = call->params;
    int64_t classes = call->in[0]->dims[1];
    for (int64_t i = 0; i < nn_tensor_elements(call->in[1]); i++) {
        int64_t target = nn_load_int(call->in[1], i);
        if ((target < 0 || target >= classes) && !(p->ignores && target == p->ignored))
            return nn_error_set(call->error, -EDOM, "target %lld is none of %lld classes",
                                (long long)target, (long long)classes);
    }
    return 0;
}

static int loss_run(const NnCall *call)
{
    const LossParams *p = call->params;
    const NnTensor *in = call->in[0], *weights = nn_input(call, 2);
    NnTensor *out = nn_output(call, 0), *logs = nn_output(call, 1);
    int64_t classes = in->dims[1], inner = nn_product(in->dims, 2, in->rank);
    double sum = 0, total = 0;
    int r = check_classes(call);
    if (r < 0)
        return r;
    NN_SWITCH_FLOAT(in->dtype, {
        for (int64_t i = 0; i < nn_tensor_elements(call->in[1]); i++) {
            int64_t offset = i / inner * classes * inner + i % inner;
            const T *x = (const T *)in->data + offset;
            int64_t target = nn_load_int(call->in[1], i);
            bool counts = !(p->ignores && target == p->ignored);
            double log_total = p->softmax ? LOG_TOTAL(x, classes, inner) : 0;
            double weight = counts && weights ? (double)((const T *)weights->data)[target] : counts;
            double loss = counts ? (log_total - (double)x[target * inner]) * weight : 0;
            for (int64_t c = 0; logs && c < classes; c++)
                ((T *)logs->data)[offset + c * inner] = (T)((double)x[c * inner] - log_total);
            if (out && p->reduction == REDUCTION_NONE)
                ((T *)out->data)[i] = (T)loss;
            sum += loss;
            total += weight;
        }
        if (out && p->reduction != REDUCTION_NONE)
            *(T *)out->data = (T)(p->reduction == REDUCTION_MEAN ? sum / total : sum);
    })
    return 0;
}

#define LOSS_OP(symbol, name, prepare_func, outputs)    \
    const NnOp nn_op_##symbol = {                       \
        .type = name,                                   \
        .domain = "",                                   \
        .since = 12,                                    \
        .min_inputs = 2,                                \
        .max_inputs = 3,                                \
        .max_outputs = outputs,                         \
        .params_bytes = sizeof(LossParams),             \
        .prepare = prepare_func,                        \
        .infer = loss_infer,                            \
        .run = loss_run,                                \
    };

LOSS_OP(negative_log_likelihood_loss, "NegativeLogLikelihoodLoss", loss_prepare, 1)
LOSS_OP(softmax_cross_entropy_loss, "SoftmaxCrossEntropyLoss", cross_entropy_prepare, 2)
