/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

void nn_f32_channels__c(const NnChannelTaps *taps, float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float sum = taps->bias ? taps->bias[i] : 0.0f;

        for (int64_t j = 0; j < taps->n; j++)
            sum += taps->x[j][i] * taps->weights[j][i];
        y[i] = sum + (taps->residual ? taps->residual[i] : 0.0f);
    }
    if (taps->activation)
        nn_f32_activation__c(taps->activation, y, y, count);
}
