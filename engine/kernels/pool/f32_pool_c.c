/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

void nn_f32_pool__c(const NnPoolRows *pool, float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float x = pool->rows[0][i];

        for (int64_t j = 1; j < pool->n; j++) {
            float next = pool->rows[j][i];

            x = pool->average ? x + next : next > x || next != next ? next : x;
        }
        y[i] = pool->average ? x * pool->scale : x;
    }
}
