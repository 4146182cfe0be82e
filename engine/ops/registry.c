/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/nhwc.h"

#define NN_OP(name) extern const NnOp nn_op_##name;
#include "ops/ops.inc"
#undef NN_OP

#define NN_OP(name) &nn_op_##name,
static const NnOp *const ops[] = {
#include "ops/ops.inc"
};
#undef NN_OP

#define NN_OP(name) &nn_op_##name,
static const NnOp *const nhwc_ops[] = {
#include "ops/nhwc.inc"
};
#undef NN_OP

static const NnOp *find(const NnOp *const *list, size_t n, const char *domain, const char *type)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i]->type, type) == 0 && strcmp(list[i]->domain, domain) == 0)
            return list[i];
    return NULL;
}

const NnOp *nn_op_find(const char *domain, const char *type)
{
    /* Both names stand for the standard's own operators. */
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    return find(ops, NN_ARRAY_SIZE(ops), domain, type);
}

const NnOp *nn_nhwc_op_find(const char *type)
{
    return find(nhwc_ops, NN_ARRAY_SIZE(nhwc_ops), NN_NHWC_DOMAIN, type);
}

const NnOp *nn_op_at(size_t index)
{
    return index < NN_ARRAY_SIZE(ops) ? ops[index] : NULL;
}
