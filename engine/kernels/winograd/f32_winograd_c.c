/* SPDX-License-Identifier: Apache-2.0 */

/* The transforms as plain products with the matrices, in double: what the others are
 * measured against. */

#include "base/util.h"
#include "kernels/kernels.h"
#include "kernels/winograd/matrices.h"

#define CHUNK 32
#define LANES 4


static double pixel(const NnWinogradStrip *s, int64_t y, int64_t x, int64_t c)
{
    if (y < s->top || y >= s->bottom || x < s->left || x >= s->right || c >= s->channels)
        return 0;
    return s->x[y * s->row_stride + x * s->pitch + c];
}

static void input_patch(const NnWinogradStrip *s, int64_t tile, int64_t c, float *v)
{
    const NnWinogradMatrices *w = nn_winograd_matrices(s->m);
    double half[WINOGRAD_ALPHA_MAX][WINOGRAD_ALPHA_MAX] = { 0 };
    int alpha = nn_winograd_alpha(s->m), step = nn_winograd_step(s->m);

    for (int i = 0; i < alpha; i++)
        for (int j = 0; j < alpha; j++)
            for (int k = 0; k < alpha; k++)
                half[i][j] += w->bt[i][k] * pixel(s, k, tile * step + j, c);
    for (int i = 0; i < alpha; i++)
        for (int j = 0; j < alpha; j++) {
            double sum = 0;

            for (int k = 0; k < alpha; k++)
                sum += half[i][k] * w->bt[j][k];
            v[(i * alpha + j) * s->position_stride] = (float)sum;
        }
}

void nn_f32_winograd_input__c(const NnWinogradStrip *s)
{
    for (int64_t tile = 0; tile < s->tiles; tile++)
        for (int64_t c = 0; c < nn_div_up(s->channels, LANES) * LANES; c++)
            input_patch(s, tile, c,
                        s->v + c / NN_WINOGRAD_LINE * NN_WINOGRAD_LINE * s->rows +
                            tile * NN_WINOGRAD_LINE + c % NN_WINOGRAD_LINE);
}

void nn_f32_winograd_multiply__c(const float *v, const float *u, int64_t channels, int rows,
                                 int columns, float *products, int64_t stride)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            double sum = 0;

            for (int64_t k = 0; k < channels; k++) {
                int64_t at = (k / NN_WINOGRAD_LINE * rows + i) * NN_WINOGRAD_LINE;

                sum += (double)v[at + k % NN_WINOGRAD_LINE] * u[k * columns + j];
            }
            products[i * stride + j] = (float)sum;
        }
}

void nn_f32_winograd_output__c(const NnWinogradProduct *p)
{
    const NnWinogradMatrices *w = nn_winograd_matrices(p->m);
    int alpha = nn_winograd_alpha(p->m);

    for (int64_t c = 0; c < p->channels; c++) {
        double half[WINOGRAD_ALPHA_MAX][WINOGRAD_ALPHA_MAX] = { 0 };

        for (int i = 0; i < p->m; i++)
            for (int j = 0; j < alpha; j++)
                for (int k = 0; k < alpha; k++)
                    half[i][j] += w->at[i][k] *
                                  p->products[(k * alpha + j) * CHUNK + c];
        for (int i = 0; i < p->m; i++)
            for (int j = 0; j < p->m; j++) {
                double sum = p->bias ? p->bias[c] : 0;
                float y;

                for (int k = 0; k < alpha; k++)
                    sum += half[i][k] * w->at[j][k];
                if (p->residual)
                    sum += p->residual[i * p->residual_row + j * p->residual_pitch + c];
                y = (float)sum;
                if (p->activation)
                    nn_f32_activation__c(p->activation, &y, &y, 1);
                p->y[i * p->y_row + j * p->y_pitch + c] = y;
            }
    }
}
