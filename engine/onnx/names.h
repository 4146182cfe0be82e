/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "graph/graph.h"

/* Value names of a graph to ids: a balanced tree, so that no choice of names
 * makes it slow. */
typedef struct NnNames {
    NnGraph *graph;
    void *root;
} NnNames;

/* The value of that name, or NN_NO_VALUE. */
NnValueId nn_names_find(const NnNames *names, const char *name);

/* The value of that name, made when there is none. -ENOMEM, -E2BIG. */
NN_MUST_CHECK int nn_names_get(NnNames *names, const char *name, NnValueId *ret_id);

void nn_names_clear(NnNames *names);
