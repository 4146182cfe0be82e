/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#define LANES 4

static float sum_products(const NnConvPanel *p, const NnConvTile *t, int pixel, int column)
{
    int width = (p->columns + LANES - 1) / LANES * LANES;
    float sum = 0.0f;

    for (int64_t i = 0; i < t->n_taps; i++) {
        const NnConvTap *tap = &t->taps[i];
        const float *x = tap->x + pixel * tap->stride;
        const float *w = p->weights + tap->k * width + column;

        for (int64_t c = 0; c < p->channels; c++)
            sum += x[c] * w[c * width];
    }
    return sum;
}

static void run_tile(const NnConvPanel *p, const NnConvTile *t)
{
    for (int i = 0; i < t->pixels; i++) {
        float *y = t->y + i * p->ldy;

        for (int j = 0; j < p->columns; j++) {
            float start = p->accumulate ? y[j] : p->bias ? p->bias[j] : 0.0f;

            y[j] = start + sum_products(p, t, i, j) +
                   (t->residual ? t->residual[i * p->ldr + j] : 0.0f);
        }
        if (p->activation)
            nn_f32_activation__c(p->activation, y, y, p->columns);
    }
}

void nn_f32_conv_4x8__c(const NnConvPanel *panel)
{
    for (int i = 0; i < panel->n_tiles; i++)
        run_tile(panel, &panel->tiles[i]);
}
