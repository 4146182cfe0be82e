/* SPDX-License-Identifier: Apache-2.0 */

/* RandomUniform, RandomNormal, their Like forms, Bernoulli and Multinomial. */

#include "ops/random.h"

#include <math.h>

#include "ops/support.h"

#define TWIST_DISTANCE 397

int nn_random_read_seed(const NnNode *node, NnRandomSeed *ret, NnError *error)
{
    const NnAttribute *a = nn_node_attribute(node, "seed");
    if (!a)
        return 0;
    if (a->type != NN_ATTRIBUTE_FLOAT && a->type != NN_ATTRIBUTE_INT)
        return nn_error_set(error, -EBADMSG, "seed is no number");
    double value = a->type == NN_ATTRIBUTE_INT ? (double)a->i : (double)a->f;
    if (!(fabs(value) < 0x1p62))
        return nn_error_set(error, -EBADMSG, "seed is %g", value);
    *ret = (NnRandomSeed){ .given = true, .value = (uint32_t)(int64_t)value };
    return 0;
}

/* FNV-1a. */
static uint32_t hash(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

void nn_random_start(NnRandom *random, const NnNode *node, const NnRandomSeed *seed)
{
    uint32_t word = seed->given ? seed->value : hash(node->name);
    *random = (NnRandom){ .next = NN_RANDOM_WORDS };
    for (uint32_t i = 0; i < NN_RANDOM_WORDS; i++) {
        random->words[i] = word;
        word = 1812433253u * (word ^ (word >> 30)) + i + 1;
    }
}

static void twist(NnRandom *random)
{
    uint32_t *w = random->words;
    for (size_t i = 0; i < NN_RANDOM_WORDS; i++) {
        uint32_t mixed = (w[i] & 0x80000000u) | (w[(i + 1) % NN_RANDOM_WORDS] & 0x7fffffffu);
        w[i] = w[(i + TWIST_DISTANCE) % NN_RANDOM_WORDS] ^ (mixed >> 1) ^
               (mixed & 1 ? 0x9908b0dfu : 0);
    }
    random->next = 0;
}

static uint32_t next_word(NnRandom *random)
{
    if (random->next == NN_RANDOM_WORDS)
        twist(random);
    uint32_t y = random->words[random->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

double nn_random_uniform(NnRandom *random)
{
    uint32_t high = next_word(random) >> 5, low = next_word(random) >> 6;
    return ((double)high * 0x1p26 + (double)low) * 0x1p-53;
}

/* Marsaglia's polar method gives two numbers at a time. */
double nn_random_normal(NnRandom *random)
{
    double x, y, square;
    if (random->has_spare) {
        random->has_spare = false;
        return random->spare;
    }
    do {
        x = 2 * nn_random_uniform(random) - 1;
        y = 2 * nn_random_uniform(random) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    double factor = sqrt(-2 * log(square) / square);
    random->has_spare = true;
    random->spare = x * factor;
    return y * factor;
}

typedef struct FillParams {
    NnRandomSeed seed;
    NnDtype dtype;          /* undefined: that of the input */
    float a, b;             /* low and high, or mean and deviation */
    int64_t dims[NN_RANK_MAX];
    size_t rank;
} FillParams;

static int read_dtype(const NnNode *node, NnDtype *ret, NnError *error)
{
    int64_t number;
    int r = nn_node_int(node, "dtype", 0, &number, error);
    if (r < 0 || !nn_node_attribute(node, "dtype"))
        return r;
    return nn_op_dtype(number, ret, error);
}

static int like_prepare(const NnNode *node, FillParams *p, const char *a, float a_default,
                        const char *b, NnError *error)
{
    int r = nn_random_read_seed(node, &p->seed, error);
    if (r >= 0)
        r = read_dtype(node, &p->dtype, error);
    if (r >= 0)
        r = nn_node_float(node, a, a_default, &p->a, error);
    return r < 0 ? r : nn_node_float(node, b, 1, &p->b, error);
}

static int fill_prepare(const NnNode *node, FillParams *p, NnError *error)
{
    if (!nn_node_attribute(node, "shape"))
        return nn_error_set(error, -EBADMSG, "shape is missing");
    p->dtype = p->dtype ? p->dtype : NN_DTYPE_F32;
    return nn_node_ints(node, "shape", p->dims, NN_RANK_MAX, &p->rank, error);
}

static int random_uniform_like_prepare(const NnNode *node, void *params, NnError *error)
{
    return like_prepare(node, params, "low", 0, "high", error);
}

static int random_normal_like_prepare(const NnNode *node, void *params, NnError *error)
{
    return like_prepare(node, params, "mean", 0, "scale", error);
}

static int random_uniform_prepare(const NnNode *node, void *params, NnError *error)
{
    int r = random_uniform_like_prepare(node, params, error);
    return r < 0 ? r : fill_prepare(node, params, error);
}

static int random_normal_prepare(const NnNode *node, void *params, NnError *error)
{
    int r = random_normal_like_prepare(node, params, error);
    return r < 0 ? r : fill_prepare(node, params, error);
}

static int fill_infer(const NnCall *call)
{
    const FillParams *p = call->params;
    const NnTensor *like = nn_input(call, 0);
    NnDtype dtype = p->dtype || !like ? p->dtype : like->dtype;
    if (!(NN_BIT(dtype) & (NN_TYPES_FLOAT | NN_BIT(NN_DTYPE_F16))))
        return nn_error_set(call->error, -ENOTSUP, "random numbers of type %s are not supported",
                            nn_dtype_name(dtype));
    return like ? nn_set_output(call, 0, dtype, like->rank, like->dims)
                : nn_set_output(call, 0, dtype, (int)p->rank, p->dims);
}

#define SWITCH_RANDOM(dtype, ...) \
    NN_SWITCH(dtype, NN_CASES_FLOAT(__VA_ARGS__) NN_CASE(NN_DTYPE_F16, NnF16, __VA_ARGS__))

static int uniform_run(const NnCall *call)
{
    const FillParams *p = call->params;
    double low = (double)p->a, span = (double)p->b - low;
    NnTensor *out = call->out[0];
    NnRandom random;
    nn_random_start(&random, call->node, &p->seed);
    SWITCH_RANDOM(out->dtype, {
        for (int64_t i = 0; i < nn_tensor_elements(out); i++)
            ((T *)out->data)[i] = (T)(low + span * nn_random_uniform(&random));
    })
    return 0;
}

static int normal_run(const NnCall *call)
{
    const FillParams *p = call->params;
    double mean = (double)p->a, deviation = (double)p->b;
    NnTensor *out = call->out[0];
    NnRandom random;
    nn_random_start(&random, call->node, &p->seed);
    SWITCH_RANDOM(out->dtype, {
        for (int64_t i = 0; i < nn_tensor_elements(out); i++)
            ((T *)out->data)[i] = (T)(mean + deviation * nn_random_normal(&random));
    })
    return 0;
}

/* A number is tens of steps, and all of the generator's state to begin with. */
static uint64_t fill_work(const NnCall *call)
{
    return 32 * (uint64_t)nn_tensor_elements(call->out[0]);
}

#define FILL_OP(symbol, name, inputs, op_flags, run_func)       \
    const NnOp nn_op_##symbol = {                               \
        .type = name,                                           \
        .domain = "",                                           \
        .since = 1,                                             \
        .min_inputs = inputs,                                   \
        .max_inputs = inputs,                                   \
        .max_outputs = 1,                                       \
        .flags = op_flags,                                      \
        .params_bytes = sizeof(FillParams),                     \
        .prepare = symbol##_prepare,                            \
        .infer = fill_infer,                                    \
        .run = run_func,                                        \
        .work = fill_work,                                      \
    };

FILL_OP(random_normal, "RandomNormal", 0, 0, normal_run)
FILL_OP(random_normal_like, "RandomNormalLike", 1, NN_OP_DIMS_ONLY, normal_run)
FILL_OP(random_uniform, "RandomUniform", 0, 0, uniform_run)
FILL_OP(random_uniform_like, "RandomUniformLike", 1, NN_OP_DIMS_ONLY, uniform_run)

typedef struct DrawParams {
    NnRandomSeed seed;
    NnDtype dtype;          /* undefined: that of the input */
    int64_t samples;        /* Multinomial */
} DrawParams;

static int bernoulli_prepare(const NnNode *node, void *params, NnError *error)
{
    DrawParams *p = params;
    int r = nn_random_read_seed(node, &p->seed, error);
    return r < 0 ? r : read_dtype(node, &p->dtype, error);
}

static int bernoulli_infer(const NnCall *call)
{
    const DrawParams *p = call->params;
    int r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r < 0)
        return r;
    NnDtype dtype = p->dtype ? p->dtype : call->in[0]->dtype;
    return nn_set_output(call, 0, dtype, call->in[0]->rank, call->in[0]->dims);
}

static int bernoulli_run(const NnCall *call)
{
    const DrawParams *p = call->params;
    NnTensor *out = call->out[0];
    NnRandom random;
    nn_random_start(&random, call->node, &p->seed);
#define DRAW                                                                              \
    {                                                                                     \
        for (int64_t i = 0; i < nn_tensor_elements(out); i++)                             \
            ((T *)out->data)[i] =                                                         \
                (T)(nn_random_uniform(&random) < nn_load_float(call->in[0], i));          \
    }
    NN_SWITCH(out->dtype, NN_CASES_FLOAT(DRAW) NN_CASES_SIGNED(DRAW) NN_CASES_UNSIGNED(DRAW)
              NN_CASE(NN_DTYPE_BOOL, uint8_t, DRAW) NN_CASE(NN_DTYPE_F16, NnF16, DRAW))
    return 0;
}

const NnOp nn_op_bernoulli = {
    .type = "Bernoulli",
    .domain = "",
    .since = 15,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(DrawParams),
    .prepare = bernoulli_prepare,
    .infer = bernoulli_infer,
    .run = bernoulli_run,
};

static int multinomial_prepare(const NnNode *node, void *params, NnError *error)
{
    DrawParams *p = params;
    int r = bernoulli_prepare(node, params, error);
    if (r >= 0)
        r = nn_node_int(node, "sample_size", 1, &p->samples, error);
    if (r < 0)
        return r;
    p->dtype = p->dtype ? p->dtype : NN_DTYPE_I32;
    if (!(NN_BIT(p->dtype) & NN_TYPES_INDEX))
        return nn_error_set(error, -EBADMSG, "dtype is %s, expected int32 or int64",
                            nn_dtype_name(p->dtype));
    return p->samples > 0 ? 0
                          : nn_error_set(error, -EBADMSG, "sample_size is %lld",
                                         (long long)p->samples);
}

static int multinomial_infer(const NnCall *call)
{
    const DrawParams *p = call->params;
    int r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_check_rank(call, 0, 2, 2);
    if (r < 0)
        return r;
    int64_t dims[2] = { call->in[0]->dims[0], p->samples };
    if (call->in[0]->dims[1] < 1 || call->in[0]->dims[1] > INT32_MAX)
        return nn_error_set(call->error, -EBADMSG, "it draws from %lld classes",
                            (long long)call->in[0]->dims[1]);
    return nn_set_output(call, 0, p->dtype, 2, dims);
}

/* Scratch: sums of the probabilities up to each class. */
static size_t multinomial_scratch(const NnCall *call)
{
    return (size_t)call->in[0]->dims[1] * sizeof(double);
}

/* Input is the logarithm of the probabilities, up to a common factor. Returns
 * their sum, which is not a number when they are none. */
static double add_up(const NnTensor *in, int64_t row, double *sums)
{
    int64_t n = in->dims[1];
    double most = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, nn_load_float(in, row * n + i));
    for (int64_t i = 0; i < n; i++) {
        sum += exp(nn_load_float(in, row * n + i) - most);
        sums[i] = sum;
    }
    return sum;
}

/* The first class whose sum is more than x. */
static int64_t find_class(const double *sums, int64_t n, double x)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sums[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int multinomial_run(const NnCall *call)
{
    const DrawParams *p = call->params;
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    double *sums = call->scratch;
    NnRandom random;
    nn_random_start(&random, call->node, &p->seed);
    for (int64_t row = 0; row < in->dims[0]; row++) {
        double sum = add_up(in, row, sums);
        if (!isfinite(sum))
            return nn_error_set(call->error, -EDOM, "row %lld holds no probabilities",
                                (long long)row);
        for (int64_t i = 0; i < p->samples; i++) {
            int64_t class = find_class(sums, in->dims[1], nn_random_uniform(&random) * sum);
            if (out->dtype == NN_DTYPE_I64)
                ((int64_t *)out->data)[row * p->samples + i] = class;
            else
                ((int32_t *)out->data)[row * p->samples + i] = (int32_t)class;
        }
    }
    return 0;
}

const NnOp nn_op_multinomial = {
    .type = "Multinomial",
    .domain = "",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(DrawParams),
    .prepare = multinomial_prepare,
    .infer = multinomial_infer,
    .scratch = multinomial_scratch,
    .run = multinomial_run,
};
