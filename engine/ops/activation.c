/* SPDX-License-Identifier: Apache-2.0 */

/* Activations. Those that a kernel knows go through it for float32, so that a
 * network gives the same values whether or not they are fused. */

#include "kernels/kernels.h"
#include "ops/unary.h"

typedef struct KernelRange {
    NnActivation activation;
    NnF32ActivationFunc func;
    const float *from;
    float *to;
} KernelRange;

static void kernel_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const KernelRange *k = argument;
    (void)worker;
    k->func(&k->activation, k->from + begin, k->to + begin, end - begin);
}

static int run_with_kernel(const NnCall *call, const NnActivation *activation, NnRangeFunc range,
                           int64_t cost)
{
    if (call->in[0]->dtype != NN_DTYPE_F32 || !call->kernels || !call->kernels->f32_activation)
        return nn_unary_run(call, range, cost);
    KernelRange k = {
        .activation = *activation,
        .func = call->kernels->f32_activation,
        .from = call->in[0]->data,
        .to = call->out[0]->data,
    };
    nn_range_run(call->pool, nn_tensor_elements(call->out[0]), nn_grain(cost), kernel_range, &k);
    return 0;
}

static int float_infer(const NnCall *call)
{
    return nn_infer_same(call, NN_TYPES_FLOAT);
}

static int number_infer(const NnCall *call)
{
    return nn_infer_same(call, NN_TYPES_NUMBER);
}

NN_UNARY_RANGE(relu, NN_SWITCH_NUMBER, T, x < (T)0 ? (T)0 : x)

static int relu_run(const NnCall *call)
{
    NnActivation activation = { .kind = NN_ACTIVATION_RELU };
    return run_with_kernel(call, &activation, relu_range, 1);
}

NN_UNARY_OP(relu, "Relu", 6, NULL, number_infer, relu_run, NN_OP_IN_PLACE)

NN_UNARY_PREPARE(leaky_relu, "alpha", 0.01f, "beta", 0)
NN_UNARY_RANGE(leaky_relu, NN_SWITCH_FLOAT, T, x < 0 ? a * x : x)

static int leaky_relu_run(const NnCall *call)
{
    const NnUnaryParams *p = call->params;
    NnActivation activation = { .kind = NN_ACTIVATION_LEAKY_RELU, .alpha = p->alpha };
    return run_with_kernel(call, &activation, leaky_relu_range, 2);
}

NN_UNARY_OP(leaky_relu, "LeakyRelu", 6, leaky_relu_prepare, float_infer, leaky_relu_run,
            NN_OP_IN_PLACE)

NN_UNARY_RANGE(sigmoid, NN_SWITCH_FLOAT, T, (T)1 / ((T)1 + exp(-x)))

static int sigmoid_run(const NnCall *call)
{
    NnActivation activation = { .kind = NN_ACTIVATION_SIGMOID };
    return run_with_kernel(call, &activation, sigmoid_range, 16);
}

NN_UNARY_OP(sigmoid, "Sigmoid", 6, NULL, float_infer, sigmoid_run, NN_OP_IN_PLACE)

/* The engine's own: what the passes make of Mul(x, Sigmoid(x)). */
NN_UNARY_RANGE(silu, NN_SWITCH_FLOAT, T, x / ((T)1 + exp(-x)))

static int silu_run(const NnCall *call)
{
    NnActivation activation = { .kind = NN_ACTIVATION_SILU };
    return run_with_kernel(call, &activation, silu_range, 16);
}

const NnOp nn_op_silu = {
    .type = "Silu",
    .domain = "plated",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .flags = NN_OP_IN_PLACE | NN_OP_ELEMENTWISE,
    .params_bytes = sizeof(NnUnaryParams),
    .infer = float_infer,
    .run = silu_run,
};

NN_UNARY_RANGE(hard_swish, NN_SWITCH_FLOAT, T,
               x * fmin(fmax(x / (T)6 + (T)0.5, (T)0), (T)1))

static int hard_swish_run(const NnCall *call)
{
    NnActivation activation = { .kind = NN_ACTIVATION_HARD_SWISH };
    return run_with_kernel(call, &activation, hard_swish_range, 4);
}

NN_UNARY_OP(hard_swish, "HardSwish", 14, NULL, float_infer, hard_swish_run, NN_OP_IN_PLACE)

/* Activations with attributes that no kernel knows. */
#define ACTIVATION(symbol, name, first, alpha_name, alpha, beta_name, beta, cost, ...)            \
    NN_UNARY_PREPARE(symbol, alpha_name, alpha, beta_name, beta)                                  \
    NN_UNARY_RANGE(symbol, NN_SWITCH_FLOAT, T, __VA_ARGS__)                                       \
    static int symbol##_run(const NnCall *call)                                                   \
    {                                                                                             \
        return nn_unary_run(call, symbol##_range, cost);                                          \
    }                                                                                             \
    NN_UNARY_OP(symbol, name, first, symbol##_prepare, float_infer, symbol##_run, NN_OP_IN_PLACE)

ACTIVATION(hard_sigmoid, "HardSigmoid", 6, "alpha", 0.2f, "beta", 0.5f, 4,
           fmin(fmax(a * x + b, (T)0), (T)1))
ACTIVATION(elu, "Elu", 6, "alpha", 1.0f, "beta", 0, 16, x < 0 ? a * expm1(x) : x)
ACTIVATION(celu, "Celu", 12, "alpha", 1.0f, "beta", 0, 16, x < 0 ? a * expm1(x / a) : x)
/* The defaults are the specification's, to float32. */
ACTIVATION(selu, "Selu", 6, "alpha", 1.67326319217681884765625f, "gamma",
           1.05070102214813232421875f, 16, x < 0 ? b * a * expm1(x) : b * x)
ACTIVATION(thresholded_relu, "ThresholdedRelu", 10, "alpha", 1.0f, "beta", 0, 1, x > a ? x : (T)0)

static double shrink(double x, const NnUnaryParams *p)
{
    return x < -(double)p->alpha ? x + (double)p->beta
                                 : x > (double)p->alpha ? x - (double)p->beta : 0;
}

NN_UNARY_PREPARE(shrink, "lambd", 0.5f, "bias", 0)

/* In double for all types, kept inside int64: an unsigned number minus a bias may
 * have no other meaning than to wrap. */
NN_UNARY_RANGE(shrink, NN_SWITCH_NUMBER, T,
               _Generic((T)0, float: shrink((double)x, p), double: shrink((double)x, p),
                        default: (int64_t)fmax(fmin(shrink((double)x, p), 0x1p62), -0x1p62)))

static int shrink_run(const NnCall *call)
{
    return nn_unary_run(call, shrink_range, 2);
}

NN_UNARY_OP(shrink, "Shrink", 9, shrink_prepare, number_infer, shrink_run, NN_OP_IN_PLACE)

/* Gelu: alpha says that erf is approximated by tanh. */
static int gelu_prepare(const NnNode *node, void *params, NnError *error)
{
    NnUnaryParams *p = params;
    const char *approximate;
    int r = nn_node_string(node, "approximate", "none", &approximate, error);
    if (r < 0)
        return r;
    if (strcmp(approximate, "none") != 0 && strcmp(approximate, "tanh") != 0)
        return nn_error_set(error, -ENOTSUP, "approximate %s is not supported", approximate);
    p->alpha = strcmp(approximate, "tanh") == 0;
    return 0;
}

/* √½, and √(2/π) of Hendrycks and Gimpel's approximation (arXiv 1606.08415). */
#define SQRT_HALF 0.70710678118654752
#define SQRT_2_PI 0.79788456080286536

NN_UNARY_RANGE(gelu, NN_SWITCH_FLOAT, T,
               a != 0 ? x * (T)0.5 *
                            ((T)1 + tanh((T)SQRT_2_PI * (x + (T)0.044715 * x * x * x)))
                      : x * (T)0.5 * ((T)1 + erf(x * (T)SQRT_HALF)))

static int gelu_run(const NnCall *call)
{
    return nn_unary_run(call, gelu_range, 40);
}

NN_UNARY_OP(gelu, "Gelu", 20, gelu_prepare, float_infer, gelu_run, NN_OP_IN_PLACE)

NN_UNARY_PREPARE(quick_gelu, "alpha", 1.702f, "beta", 0)
NN_UNARY_RANGE(quick_gelu, NN_SWITCH_FLOAT, T, x / ((T)1 + exp(-a * x)))

static int quick_gelu_run(const NnCall *call)
{
    return nn_unary_run(call, quick_gelu_range, 16);
}

/* Both are in ONNX Runtime's own domain too; its optimiser writes them. */
#define MS_OP(symbol, name, verb)               \
    const NnOp nn_op_##symbol = {               \
        .type = name,                           \
        .domain = "com.microsoft",              \
        .since = 1,                             \
        .min_inputs = 1,                        \
        .max_inputs = 1,                        \
        .max_outputs = 1,                       \
        .flags = NN_OP_IN_PLACE | NN_OP_ELEMENTWISE,                \
        .params_bytes = sizeof(NnUnaryParams),  \
        .prepare = verb##_prepare,              \
        .infer = float_infer,                   \
        .run = verb##_run,                      \
    };

MS_OP(ms_gelu, "Gelu", gelu)
MS_OP(ms_quick_gelu, "QuickGelu", quick_gelu)
