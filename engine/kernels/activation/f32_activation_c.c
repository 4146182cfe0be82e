/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/util.h"
#include "kernels/kernels.h"

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/* Comparisons that are false for NaN let it through. */
static float activate(const NnActivation *activation, float x)
{
    switch (activation->kind) {
    case NN_ACTIVATION_RELU:
        return x < 0.0f ? 0.0f : x;
    case NN_ACTIVATION_LEAKY_RELU:
        return x < 0.0f ? activation->alpha * x : x;
    case NN_ACTIVATION_SILU:
        return x * sigmoid(x);
    case NN_ACTIVATION_SIGMOID:
        return sigmoid(x);
    case NN_ACTIVATION_HARD_SWISH: {
        float gate = x * (1.0f / 6.0f) + 0.5f;
        return x * (gate < 0.0f ? 0.0f : gate > 1.0f ? 1.0f : gate);
    }
    case NN_ACTIVATION_CLIP:
        x = x < activation->low ? activation->low : x;
        return x > activation->high ? activation->high : x;
    default:
        return x;
    }
}

void nn_f32_activation__c(const NnActivation *activation, const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = activate(activation, x[i]);
}
