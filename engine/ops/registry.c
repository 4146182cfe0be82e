/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/op.h"

#define NN_OP(name) extern const NnOp nn_op_##name;
#include "ops/ops.inc"
#undef NN_OP

#define NN_OP(name) &nn_op_##name,
static const NnOp *const ops[] = {
#include "ops/ops.inc"
};
#undef NN_OP

const NnOp *nn_op_find(const char *domain, const char *type)
{
    /* Both names stand for the standard's own operators. */
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (size_t i = 0; i < NN_ARRAY_SIZE(ops); i++)
        if (strcmp(ops[i]->type, type) == 0 && strcmp(ops[i]->domain, domain) == 0)
            return ops[i];
    return NULL;
}

const NnOp *nn_op_at(size_t index)
{
    return index < NN_ARRAY_SIZE(ops) ? ops[index] : NULL;
}
