/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#define MR 4
#define NR 8

void nn_f32_gemm_4x8__c(const NnGemmTile *t)
{
    const float *a = t->a, *b = t->b;
    float acc[MR][NR] = { 0 };

    for (int64_t k = 0; k < t->k; k++, a += MR, b += NR)
        for (int i = 0; i < MR; i++)
            for (int j = 0; j < NR; j++)
                acc[i][j] += a[i] * b[j];

    for (int i = 0; i < t->rows; i++) {
        float *c = t->c + i * t->ldc;
        for (int j = 0; j < t->columns; j++) {
            float x = t->accumulate ? c[j] + acc[i][j] : acc[i][j];
            if (t->bias)
                x += t->bias[i];
            if (t->residual)
                x += t->residual[i * t->ldr + j];
            c[j] = x;
        }
        if (t->activation)
            nn_f32_activation__c(t->activation, c, c, t->columns);
    }
}
