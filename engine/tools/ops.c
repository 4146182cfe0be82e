/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "onnx/import.h"
#include "ops/op.h"
#include "tool.h"

static const struct {
    unsigned flag;
    const char *name;
} flag_names[] = {
    { NN_OP_VIEW, "view" },
    { NN_OP_DYNAMIC, "dynamic" },
    { NN_OP_NO_FOLD, "no-fold" },
    { NN_OP_IN_PLACE, "in-place" },
    { NN_OP_DIMS_ONLY, "dims-only" },
};

/* The oldest opset that a file can ask for: the importer has a limit for the
 * standard's own operators. */
static int first_opset(const NnOp *op)
{
    return *op->domain ? op->since : NN_MAX(op->since, NN_OPSET_MIN);
}

static void print_flags(const NnOp *op, const char *quote, const char *separator)
{
    const char *before = "";

    for (size_t i = 0; i < NN_ARRAY_SIZE(flag_names); i++) {
        if (!(op->flags & flag_names[i].flag))
            continue;
        printf("%s%s%s%s", before, quote, flag_names[i].name, quote);
        before = separator;
    }
}

/* Domains and types are names of ours: nothing in them needs escaping. */
static void print_json(void)
{
    const NnOp *op;

    printf("{\"opset_max\": %d, \"operators\": [", NN_OPSET_MAX);
    for (size_t i = 0; (op = nn_op_at(i)); i++) {
        printf("%s{\"domain\": \"%s\", \"type\": \"%s\", \"since\": %d, \"flags\": [",
               i ? ", " : "", op->domain, op->type, first_opset(op));
        print_flags(op, "\"", ", ");
        fputs("]}", stdout);
    }
    puts("]}");
}

static void print_text(void)
{
    const NnOp *op;

    for (size_t i = 0; (op = nn_op_at(i)); i++) {
        printf("%-10s %-28s %4d%s", *op->domain ? op->domain : "ai.onnx", op->type,
               first_opset(op), op->flags ? "  " : "");
        print_flags(op, "", ",");
        putchar('\n');
    }
}

int cmd_ops(const Options *options)
{
    if (options->json)
        print_json();
    else
        print_text();
    return 0;
}
