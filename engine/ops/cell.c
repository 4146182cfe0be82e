/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/cell.h"

#include <math.h>
#include <strings.h>

typedef struct Known {
    const char *name;
    bool has_alpha, has_beta;
    float alpha, beta;          /* of the operator of that name, where there is one */
} Known;

static const Known known[] = {
    [NN_CELL_AFFINE] = { "Affine", true, true, 1, 0 },
    [NN_CELL_ELU] = { "Elu", true, false, 1, 0 },
    [NN_CELL_HARD_SIGMOID] = { "HardSigmoid", true, true, 0.2f, 0.5f },
    [NN_CELL_LEAKY_RELU] = { "LeakyRelu", true, false, 0.01f, 0 },
    [NN_CELL_RELU] = { "Relu", false, false, 0, 0 },
    [NN_CELL_SCALED_TANH] = { "ScaledTanh", true, true, 1, 1 },
    [NN_CELL_SIGMOID] = { "Sigmoid", false, false, 0, 0 },
    [NN_CELL_SOFTPLUS] = { "Softplus", false, false, 0, 0 },
    [NN_CELL_SOFTSIGN] = { "Softsign", false, false, 0, 0 },
    [NN_CELL_TANH] = { "Tanh", false, false, 0, 0 },
    [NN_CELL_THRESHOLDED_RELU] = { "ThresholdedRelu", true, false, 1, 0 },
};
_Static_assert(NN_ARRAY_SIZE(known) == _NN_CELL_MAX, "every function has a name");

static int find_kind(const char *name, NnCellKind *ret, NnError *error)
{
    /* The specification leaves the case of the names open. */
    for (size_t i = 0; i < NN_ARRAY_SIZE(known); i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            *ret = (NnCellKind)i;
            return 0;
        }
    }
    return nn_error_set(error, -ENOTSUP, "activation '%s' is not known", name);
}

/* The attribute when it is there and of the type, else NULL. */
static int find_list(const NnNode *node, const char *name, NnAttributeType type,
                     const NnAttribute **ret, NnError *error)
{
    const NnAttribute *a = nn_node_attribute(node, name);
    /* An empty list has no type of its own. */
    if (a && a->type != type && a->n != 0)
        return nn_error_set(error, -EBADMSG, "attribute '%s' is no list of %s", name,
                            type == NN_ATTRIBUTE_FLOATS ? "numbers" : "strings");
    *ret = a && a->type == type && a->n > 0 ? a : NULL;
    return 0;
}

/* Takes the next number of a list for a function that has such a parameter. */
static float take(const NnAttribute *list, size_t *used, bool has, float fallback)
{
    if (!has || !list || *used >= list->n)
        return fallback;
    return list->floats[(*used)++];
}

int nn_cell_read(const NnNode *node, int directions, int n, const NnCellKind *kinds,
                 NnCellFunction ret[][NN_CELL_FUNCTIONS], NnError *error)
{
    const NnAttribute *names = NULL, *alphas = NULL, *betas = NULL;
    size_t alpha = 0, beta = 0;
    int r = find_list(node, "activations", NN_ATTRIBUTE_STRINGS, &names, error);
    if (r >= 0)
        r = find_list(node, "activation_alpha", NN_ATTRIBUTE_FLOATS, &alphas, error);
    if (r >= 0)
        r = find_list(node, "activation_beta", NN_ATTRIBUTE_FLOATS, &betas, error);
    if (r < 0)
        return r;
    if (names && names->n != (size_t)(directions * n))
        return nn_error_set(error, -EBADMSG, "attribute 'activations' has %zu names, expected %d",
                            names->n, directions * n);
    for (int i = 0; i < directions * n; i++) {
        NnCellKind kind = kinds[i % n];
        r = names ? find_kind(names->strings[i], &kind, error) : 0;
        if (r < 0)
            return r;
        const Known *k = &known[kind];
        ret[i / n][i % n] = (NnCellFunction){
            .kind = kind,
            .alpha = take(alphas, &alpha, k->has_alpha, k->alpha),
            .beta = take(betas, &beta, k->has_beta, k->beta),
        };
    }
    return 0;
}

#define EACH(...)                           \
    for (int64_t i = 0; i < n; i++) {       \
        const float v = x[i];               \
        x[i] = (__VA_ARGS__);               \
    }

void nn_cell_apply(const NnCellFunction *function, const NnKernels *kernels, float clip, float *x,
                   int64_t n)
{
    const NnActivation sigmoid = { .kind = NN_ACTIVATION_SIGMOID };
    const float a = function->alpha, b = function->beta;
    for (int64_t i = 0; clip < INFINITY && i < n; i++)
        x[i] = x[i] < -clip ? -clip : x[i] > clip ? clip : x[i];
    switch (function->kind) {
    case NN_CELL_AFFINE:
        EACH(a * v + b)
        break;
    case NN_CELL_ELU:
        EACH(v < 0 ? a * expm1f(v) : v)
        break;
    case NN_CELL_HARD_SIGMOID:
        EACH(fminf(fmaxf(a * v + b, 0), 1))
        break;
    case NN_CELL_LEAKY_RELU:
        EACH(v < 0 ? a * v : v)
        break;
    case NN_CELL_RELU:
        EACH(v < 0 ? 0 : v)
        break;
    case NN_CELL_SCALED_TANH:
        EACH(a * tanhf(b * v))
        break;
    case NN_CELL_SIGMOID:
        kernels->f32_activation(&sigmoid, x, x, n);
        break;
    case NN_CELL_SOFTPLUS:
        EACH(fmaxf(v, 0) + log1pf(expf(-fabsf(v))))
        break;
    case NN_CELL_SOFTSIGN:
        EACH(v / (1 + fabsf(v)))
        break;
    case NN_CELL_TANH:
        EACH(tanhf(v))
        break;
    case NN_CELL_THRESHOLDED_RELU:
        EACH(v >= a ? v : 0)
        break;
    case _NN_CELL_MAX:
        break;
    }
}
