/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A for a patch d and weights g. The points are 0, ±1 and
 * infinity for F(2,3); 0, ±√2, ±1/√2, infinity for F(4,3), whose error is a quarter of
 * that of the usual 0, ±1, ±2; and 0, ±1, ±2, ±1/2, infinity for F(6,3). On the choice
 * of points: Barabasz, Anderson, Soodhalter, Gregg, "Error Analysis and Improving the
 * Accuracy of Winograd Convolution for Deep Neural Networks", 2020.
 *
 * With stride 2 the outer taps see the even pixels alone and the middle tap the odd ones:
 * three outputs are F(3,2) over the even, with the points 0, ±1 and infinity, and three
 * plain products; seven instead of nine. */

static inline int nn_winograd_stride(int m)
{
    return m == 3 ? 2 : 1;
}

/* Inputs from one tile to the next, and of a patch. */
static inline int nn_winograd_step(int m)
{
    return m * nn_winograd_stride(m);
}

static inline int nn_winograd_alpha(int m)
{
    return nn_winograd_step(m) + 3 - nn_winograd_stride(m);
}

#define WINOGRAD_SQRT2 1.41421356237309504880f
#define WINOGRAD_ALPHA_MAX 8

typedef struct NnWinogradMatrices {
    double g[WINOGRAD_ALPHA_MAX][3];
    double bt[WINOGRAD_ALPHA_MAX][WINOGRAD_ALPHA_MAX];
    double at[WINOGRAD_ALPHA_MAX - 2][WINOGRAD_ALPHA_MAX];
} NnWinogradMatrices;

/* Of m = 2, 4 or 6, or of 3 with stride 2. */
static inline const NnWinogradMatrices *nn_winograd_matrices(int m)
{
#define R 1.41421356237309504880
    static const NnWinogradMatrices matrices[] = {
        {
            .g = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } },
            .bt = { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, -1, 0, 1 } },
            .at = { { 1, 1, 1, 0 }, { 0, 1, -1, 1 } },
        },
        {
            .g = { { 1, 0, 0 }, { R / 6, 1. / 3, R / 3 }, { R / 6, -1. / 3, R / 3 },
                   { -R / 3, -1. / 3, -R / 6 }, { -R / 3, 1. / 3, -R / 6 }, { 0, 0, 1 } },
            .bt = { { 1, 0, -2.5, 0, 1, 0 }, { 0, -R / 2, -0.5, R, 1, 0 },
                    { 0, R / 2, -0.5, -R, 1, 0 }, { 0, -R, -2, R / 2, 1, 0 },
                    { 0, R, -2, -R / 2, 1, 0 }, { 0, 1, 0, -2.5, 0, 1 } },
            .at = { { 1, R / 2, R / 2, R, R, 0 }, { 0, 1, -1, 1, -1, 0 },
                    { 0, R, R, R / 2, R / 2, 0 }, { 0, 2, -2, 0.5, -0.5, 1 } },
        },
        {
            .g = { { 1, 0, 0 }, { -2. / 9, -2. / 9, -2. / 9 }, { -2. / 9, 2. / 9, -2. / 9 },
                   { 1. / 90, 2. / 90, 4. / 90 }, { 1. / 90, -2. / 90, 4. / 90 },
                   { 32. / 45, 16. / 45, 8. / 45 }, { 32. / 45, -16. / 45, 8. / 45 },
                   { 0, 0, 1 } },
            .bt = { { 1, 0, -5.25, 0, 5.25, 0, -1, 0 }, { 0, 1, 1, -4.25, -4.25, 1, 1, 0 },
                    { 0, -1, 1, 4.25, -4.25, -1, 1, 0 }, { 0, 0.5, 0.25, -2.5, -1.25, 2, 1, 0 },
                    { 0, -0.5, 0.25, 2.5, -1.25, -2, 1, 0 }, { 0, 2, 4, -2.5, -5, 0.5, 1, 0 },
                    { 0, -2, 4, 2.5, -5, -0.5, 1, 0 }, { 0, -1, 0, 5.25, 0, -5.25, 0, 1 } },
            .at = { { 1, 1, 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 0.5, -0.5, 0 },
                    { 0, 1, 1, 4, 4, 0.25, 0.25, 0 }, { 0, 1, -1, 8, -8, 0.125, -0.125, 0 },
                    { 0, 1, 1, 16, 16, 0.0625, 0.0625, 0 },
                    { 0, 1, -1, 32, -32, 0.03125, -0.03125, 1 } },
        },
        {
            .g = { { 1, 0, 0 }, { 0.5, 0, 0.5 }, { 0.5, 0, -0.5 }, { 0, 0, 1 }, { 0, 1, 0 },
                   { 0, 1, 0 }, { 0, 1, 0 } },
            .bt = { { 1, 0, 0, 0, -1 }, { 0, 0, 1, 0, 1 }, { 0, 0, -1, 0, 1 },
                    { 0, 0, -1, 0, 0, 0, 1 }, { 0, 1 }, { 0, 0, 0, 1 }, { 0, 0, 0, 0, 0, 1 } },
            .at = { { 1, 1, 1, 0, 1 }, { 0, 1, -1, 0, 0, 1 }, { 0, 1, 1, 1, 0, 0, 1 } },
        },
    };
#undef R

    return &matrices[m == 3 ? 3 : m / 2 - 1];
}
