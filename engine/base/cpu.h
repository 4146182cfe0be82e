/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the processor can do, asked once when a context is made. */

#include "nn.h"

/* Instruction sets in rising order within an architecture. */
typedef enum NnIsa {
    NN_ISA_C,
    NN_ISA_NEON,
    NN_ISA_NEONDOT,
    NN_ISA_AVX2,
    NN_ISA_AVX512,
    _NN_ISA_MAX,
} NnIsa;

const char *nn_isa_name(NnIsa isa);

/* -EINVAL for a name that is none. */
NN_MUST_CHECK int nn_isa_from_name(const char *name, NnIsa *ret_isa);

/* Whether this processor, under this kernel, runs it. */
bool nn_isa_available(NnIsa isa);

/* The best available one. */
NnIsa nn_isa_best(void);

/* Processors this process may run on: its affinity mask, at least 1. */
unsigned nn_cpu_count(void);
