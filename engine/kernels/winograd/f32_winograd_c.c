/* SPDX-License-Identifier: Apache-2.0 */

/* The transforms as plain products with the matrices, in double: what the others are
 * measured against. */

#include "kernels/kernels.h"
#include "kernels/winograd/matrices.h"


void nn_f32_winograd_input__c(const NnWinogradPatch *p)
{
    const NnWinogradMatrices *w = nn_winograd_matrices(p->m);
    int alpha = p->m + 2;

    for (int64_t c = 0; c < p->channels; c++) {
        float *v = p->v + c / NN_WINOGRAD_LINE * NN_WINOGRAD_LINE * p->rows + c % NN_WINOGRAD_LINE;
        double half[WINOGRAD_ALPHA_MAX][WINOGRAD_ALPHA_MAX] = { 0 };

        for (int i = 0; i < alpha; i++)
            for (int j = 0; j < alpha; j++)
                for (int k = 0; k < alpha; k++)
                    half[i][j] += w->bt[i][k] * p->x[k * p->row_stride + j * p->pitch + c];
        for (int i = 0; i < alpha; i++)
            for (int j = 0; j < alpha; j++) {
                double sum = 0;

                for (int k = 0; k < alpha; k++)
                    sum += half[i][k] * w->bt[j][k];
                v[(i * alpha + j) * p->position_stride] = (float)sum;
            }
    }
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
    int alpha = p->m + 2;

    for (int64_t c = 0; c < p->channels; c++) {
        double half[WINOGRAD_ALPHA_MAX][WINOGRAD_ALPHA_MAX] = { 0 };

        for (int i = 0; i < p->m; i++)
            for (int j = 0; j < alpha; j++)
                for (int k = 0; k < alpha; k++)
                    half[i][j] += w->at[i][k] *
                                  p->products[(k * alpha + j) * p->position_stride + c];
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
