/* SPDX-License-Identifier: Apache-2.0 */

/* Every loop of multiply-adds of the list that this processor has: small whole
 * numbers, so that all sums are exact whatever is rounded where. */

#include <stdio.h>

#include "base/util.h"
#include "check.h"
#include "kernels/kernels.h"

#define NN_F32_FMA(isa_, sums_, symbol) \
    { .isa = isa_, .name = #symbol, .sums = sums_, .func = symbol },
static const NnF32Fma kernels_list[] = {
#include "kernels/fma/fma.inc"
};
#undef NN_F32_FMA

#define CASES 100

static void check_case(Check *check, const NnF32Fma *kernel)
{
    Guarded sums = check_alloc(kernel->sums, (int)check_between(check, 0, 15));
    float before[NN_F32_FMA_SUMS_MAX];
    int64_t n = check_between(check, 0, 100);
    float x = (float)check_between(check, -9, 9), y = (float)check_between(check, -9, 9);

    for (int i = 0; i < kernel->sums; i++)
        sums.data[i] = before[i] = (float)check_between(check, -99, 99);
    kernel->func(n, x, y, sums.data);
    for (int i = 0; i < kernel->sums; i++) {
        float expected = before[i] + (float)n * x * y;

        check->n_compared++;
        if (sums.data[i] != expected)
            check_fail(check, "%lld times %g by %g, sum %d: got %.9g, expected %.9g", (long long)n,
                       (double)x, (double)y, i, (double)sums.data[i], (double)expected);
    }
    check_free(check, &sums, "sums");
}

int main(int argc, char **argv)
{
    Check check;

    check_start(&check, "fma", argc, argv);
    for (size_t i = 0; i < NN_ARRAY_SIZE(kernels_list); i++) {
        check.kernel = kernels_list[i].name;
        if (!nn_isa_available(kernels_list[i].isa)) {
            printf("%s: not on this processor\n", check.kernel);
            continue;
        }
        for (int j = 0; j < CASES; j++)
            check_case(&check, &kernels_list[i]);
        printf("%s: good\n", check.kernel);
    }
    return check_end(&check);
}
