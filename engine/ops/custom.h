/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The operators that an application has registered: descriptions of nn.h, each
 * behind an NnOp that the rest of the engine calls. */

#include "ops/op.h"

struct NnRegistry {
    struct NnCustomEntry *first;
};

/* -EEXIST, -EINVAL, -ENOMEM with a sentence. */
NN_MUST_CHECK int nn_registry_add(NnRegistry *registry, const NnCustomOp *custom, NnError *error);
void nn_registry_clear(NnRegistry *registry);

/* NULL when there is none. */
const NnOp *nn_registry_find(const NnRegistry *registry, const char *domain, const char *type);
