/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#define LANES 4

static float sum_products(const NnConvTile *t, int pixel, int column)
{
    int width = (t->columns + LANES - 1) / LANES * LANES;
    float sum = 0.0f;

    for (int64_t i = 0; i < t->n_taps; i++) {
        const NnConvTap *tap = &t->taps[i];
        const float *x = tap->x + pixel * tap->stride;
        const float *w = t->weights + tap->k * width + column;

        for (int64_t c = 0; c < t->channels; c++)
            sum += x[c] * w[c * width];
    }
    return sum;
}

void nn_f32_conv_4x8__c(const NnConvTile *tile)
{
    for (int i = 0; i < tile->pixels; i++) {
        float *y = tile->y + i * tile->ldy;

        for (int j = 0; j < tile->columns; j++) {
            float sum = sum_products(tile, i, j);

            sum += tile->accumulate ? y[j] : 0.0f;
            sum += tile->bias ? tile->bias[j] : 0.0f;
            y[j] = sum + (tile->residual ? tile->residual[i * tile->ldr + j] : 0.0f);
        }
        if (tile->activation)
            nn_f32_activation__c(tile->activation, y, y, tile->columns);
    }
}
