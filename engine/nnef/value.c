/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/value.h"

#include <stdio.h>

const char *nn_nnef_value_name(const NnefValue *value)
{
    static const char *const names[] = { "nothing", "integer", "scalar", "logical",
                                         "string",  "tensor",  "array",  "tuple" };

    return names[value->kind];
}

const char *nn_nnef_type_name(const NnefType *type, char *buffer, size_t n)
{
    static const char *const primitives[] = { "", "integer", "scalar", "logical", "string", "?" };
    char inner[48];
    size_t used;

    switch (type->kind) {
    case NNEF_TYPE_PRIMITIVE: snprintf(buffer, n, "%s", primitives[type->primitive]); break;
    case NNEF_TYPE_TENSOR: snprintf(buffer, n, "tensor<%s>", primitives[type->primitive]); break;
    case NNEF_TYPE_ARRAY:
        snprintf(buffer, n, "%s[]", nn_nnef_type_name(type->items[0], inner, sizeof(inner)));
        break;
    case NNEF_TYPE_TUPLE:
        used = (size_t)snprintf(buffer, n, "(");
        for (size_t i = 0; i < type->n && used < n; i++)
            used += (size_t)snprintf(buffer + used, n - used, "%s%s", i ? ", " : "",
                                     nn_nnef_type_name(type->items[i], inner, sizeof(inner)));
        if (used < n)
            snprintf(buffer + used, n - used, ")");
        break;
    }
    return buffer;
}

static bool is_integer(NnDtype dtype)
{
    return dtype != NN_DTYPE_F32 && dtype != NN_DTYPE_F64 && dtype != NN_DTYPE_F16 &&
           dtype != NN_DTYPE_BOOL;
}

/* The arithmetic of the standard is declared for scalars; it is as well defined
 * for integers, and files use it so. */
static bool fits_primitive(NnefPrimitive primitive, bool tensor, NnefValue *value)
{
    switch (primitive) {
    case NNEF_PRIMITIVE_INTEGER: return value->kind == NNEF_VALUE_INTEGER;
    case NNEF_PRIMITIVE_LOGICAL: return value->kind == NNEF_VALUE_LOGICAL;
    case NNEF_PRIMITIVE_STRING: return value->kind == NNEF_VALUE_STRING;
    case NNEF_PRIMITIVE_SCALAR:
        if (value->kind == NNEF_VALUE_INTEGER && !tensor)
            *value = (NnefValue){ .kind = NNEF_VALUE_SCALAR, .f = (double)value->i };
        return value->kind == NNEF_VALUE_SCALAR || value->kind == NNEF_VALUE_INTEGER;
    default: return value->kind != NNEF_VALUE_NONE && value->kind < NNEF_VALUE_TENSOR;
    }
}

static bool fits_tensor(const NnGraph *graph, NnefPrimitive primitive, NnefValue *value)
{
    const NnValue *tensor;

    if (value->kind != NNEF_VALUE_TENSOR)
        return fits_primitive(primitive, true, value);
    tensor = &graph->values[value->id];
    if (!tensor->inferred)
        return true;
    switch (primitive) {
    case NNEF_PRIMITIVE_INTEGER: return is_integer(tensor->tensor.dtype);
    case NNEF_PRIMITIVE_SCALAR: return tensor->tensor.dtype != NN_DTYPE_BOOL;
    case NNEF_PRIMITIVE_LOGICAL: return tensor->tensor.dtype == NN_DTYPE_BOOL;
    default: return true;
    }
}

static bool fits_items(NnefMemory *memory, const NnGraph *graph, const NnefType *type,
                       NnefPrimitive generic, NnefValue *value)
{
    NnefValue *items = nn_nnef_alloc(memory, value->n, sizeof(items[0]));

    if (!items)
        return false;
    for (size_t i = 0; i < value->n; i++) {
        items[i] = value->items[i];
        if (!nn_nnef_value_fits(memory, graph,
                                type->items[type->kind == NNEF_TYPE_TUPLE ? i : 0], generic,
                                &items[i]))
            return false;
    }
    value->items = items;
    return true;
}

bool nn_nnef_value_fits(NnefMemory *memory, const NnGraph *graph, const NnefType *type,
                        NnefPrimitive generic, NnefValue *value)
{
    NnefPrimitive primitive = type->primitive;

    if (primitive == NNEF_PRIMITIVE_GENERIC)
        primitive = generic;
    switch (type->kind) {
    case NNEF_TYPE_TENSOR: return fits_tensor(graph, primitive, value);
    case NNEF_TYPE_ARRAY:
        return value->kind == NNEF_VALUE_ARRAY && fits_items(memory, graph, type, generic, value);
    case NNEF_TYPE_TUPLE:
        return value->kind == NNEF_VALUE_TUPLE && value->n == type->n &&
               fits_items(memory, graph, type, generic, value);
    default: return fits_primitive(primitive, false, value);
    }
}
