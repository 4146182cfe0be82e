/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Random numbers that depend on a seed alone: the Mersenne Twister MT19937
 * (Matsumoto and Nishimura, ACM TOMACS 8, 1998), seeded and turned into doubles
 * as numpy's RandomState does, so that networks with a seed give the values of
 * ONNX's reference implementation. */

#include "ops/op.h"

#define NN_RANDOM_WORDS 624

typedef struct NnRandom {
    uint32_t words[NN_RANDOM_WORDS];
    size_t next;
    bool has_spare;
    double spare;       /* the second of a pair of normal numbers */
} NnRandom;

/* Where the numbers of a node begin. */
typedef struct NnRandomSeed {
    bool given;
    uint32_t value;
} NnRandomSeed;

/* Reads the attribute `seed`, an int or a float. */
NN_MUST_CHECK int nn_random_read_seed(const NnNode *node, NnRandomSeed *ret, NnError *error);

/* Without a seed, nodes of different names give different numbers; every run of
 * a node gives the same ones. */
void nn_random_start(NnRandom *random, const NnNode *node, const NnRandomSeed *seed);

/* Uniform in 0…1 without 1, with 53 bits. */
double nn_random_uniform(NnRandom *random);

/* Normal, mean 0 and deviation 1. */
double nn_random_normal(NnRandom *random);
