/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The functions by which recurrent operators activate their gates. */

#include "kernels/kernels.h"

/* Functions of one direction at most: f, g and h of LSTM. */
#define NN_CELL_FUNCTIONS 3

typedef enum NnCellKind {
    NN_CELL_AFFINE,
    NN_CELL_ELU,
    NN_CELL_HARD_SIGMOID,
    NN_CELL_LEAKY_RELU,
    NN_CELL_RELU,
    NN_CELL_SCALED_TANH,
    NN_CELL_SIGMOID,
    NN_CELL_SOFTPLUS,
    NN_CELL_SOFTSIGN,
    NN_CELL_TANH,
    NN_CELL_THRESHOLDED_RELU,
    _NN_CELL_MAX,
} NnCellKind;

typedef struct NnCellFunction {
    NnCellKind kind;
    float alpha, beta;
} NnCellFunction;

/* Reads activations, activation_alpha and activation_beta: `n` functions for each
 * direction, by default those of `kinds`. */
NN_MUST_CHECK int nn_cell_read(const NnNode *node, int directions, int n, const NnCellKind *kinds,
                               NnCellFunction ret[][NN_CELL_FUNCTIONS], NnError *error);

/* x[i] = function(x[i] clipped to -clip…clip). */
void nn_cell_apply(const NnCellFunction *function, const NnKernels *kernels, float clip, float *x,
                   int64_t n);
