/* SPDX-License-Identifier: Apache-2.0 */

/* Every activation kernel of the list that this processor has, against the
 * definition in double. Tolerance: 2e-6 relative, and for results under 2e-36
 * as much absolutely; of the C kernel 4e-7 more where 1 + e^-x rounds. */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "check.h"
#include "kernels/kernels.h"

#define TOLERANCE 2e-6
#define TINY 2e-36

#define NN_F32_ACTIVATION(isa_, symbol) { .isa = isa_, .name = #symbol, .func = symbol },
static const NnF32Activation kernels_list[] = {
#include "kernels/activation/activation.inc"
};
#undef NN_F32_ACTIVATION

static double reference(const NnActivation *a, double x)
{
    switch (a->kind) {
    case NN_ACTIVATION_RELU:
        return x < 0 ? 0 : x;
    case NN_ACTIVATION_LEAKY_RELU:
        return x < 0 ? x * a->alpha : x;
    case NN_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case NN_ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    case NN_ACTIVATION_HARD_SWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case NN_ACTIVATION_CLIP:
        return fmin(fmax(x, a->low), a->high);
    default:
        return x;
    }
}

static void compare(Check *check, const NnActivation *a, const float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double expected = reference(a, x[i]), tolerance = TOLERANCE * fabs(expected) + TINY;

        /* Near x = -3 hard swish loses the bits of x/6 + 1/2. */
        if (a->kind == NN_ACTIVATION_HARD_SWISH)
            tolerance += 1e-7 * fabs(x[i]);
        check->n_compared++;
        if (isnan(x[i]) ? !isnan(y[i]) : !(fabs(y[i] - expected) <= tolerance))
            check_fail(check, "activation %d of %lld values, index %lld, x %.9g: got %.9g, "
                       "expected %.9g", a->kind, (long long)n, (long long)i, x[i], y[i], expected);
    }
}

static float random_value(Check *check)
{
    static const float values[] = { 0.0f, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, 1e-42f,
                                    -1e-45f, 1.0f, -1.0f, 3.0f, -3.0f, 88.5f, -88.5f, 90.0f,
                                    -90.0f, 104.0f, -104.0f, NAN };

    switch (check_between(check, 0, 7)) {
    case 0:
        return values[check_between(check, 0, NN_ARRAY_SIZE(values) - 1)];
    case 1:
        return 100.0f * check_float(check);
    case 2:
        return ldexpf(check_float(check), (int)check_between(check, -140, 100));
    default:
        return 8.0f * check_float(check);
    }
}

static void check_length(Check *check, const NnF32Activation *kernel, const NnActivation *a,
                         int64_t n)
{
    Guarded x = check_alloc(n, (int)check_between(check, 0, 15));
    Guarded y = check_alloc(n, (int)check_between(check, 0, 15));

    for (int64_t i = 0; i < n; i++)
        x.data[i] = random_value(check);
    kernel->func(a, x.data, y.data, n);
    compare(check, a, x.data, y.data, n);
    /* In place: the same bits. */
    kernel->func(a, x.data, x.data, n);
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&x.data[i], &y.data[i], sizeof(float)) != 0)
            check_fail(check, "activation %d of %lld values in place, index %lld: %.9g, else %.9g",
                       a->kind, (long long)n, (long long)i, x.data[i], y.data[i]);
    check_free(check, &x, "x");
    check_free(check, &y, "y");
}

/* Where most values of a network lie, densely. */
static void check_sweep(Check *check, const NnF32Activation *kernel, const NnActivation *a)
{
    enum { N = 100000 };
    Guarded x = check_alloc(N, 0), y = check_alloc(N, 0);

    for (int64_t i = 0; i < N; i++)
        x.data[i] = -20.0f + 40.0f * (float)i / N;
    kernel->func(a, x.data, y.data, N);
    compare(check, a, x.data, y.data, N);
    check_free(check, &x, "x");
    check_free(check, &y, "y");
}

int main(int argc, char **argv)
{
    Check check;

    check_start(&check, "activation", argc, argv);
    for (size_t i = 0; i < NN_ARRAY_SIZE(kernels_list); i++) {
        check.kernel = kernels_list[i].name;
        if (!nn_isa_available(kernels_list[i].isa)) {
            printf("%s: not on this processor\n", check.kernel);
            continue;
        }
        for (int kind = 0; kind < _NN_ACTIVATION_MAX; kind++) {
            NnActivation a = { .kind = (NnActivationKind)kind, .alpha = 0.1f, .low = -0.5f,
                               .high = 6.0f };

            for (int64_t n = 0; n <= 67; n++)
                check_length(&check, &kernels_list[i], &a, n);
            check_length(&check, &kernels_list[i], &a, 5000);
            check_sweep(&check, &kernels_list[i], &a);
        }
        printf("%s: good\n", check.kernel);
    }
    return check_end(&check);
}
