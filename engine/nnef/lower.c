/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/lower.h"

#include "base/limits.h"

const NnefValue *nn_nnef_argument(const NnefCall *call, const char *name)
{
    size_t i = 0;

    while (i + 1 < call->fragment->n_parameters &&
           strcmp(call->fragment->parameters[i].name, name) != 0)
        i++;
    return &call->arguments[i];
}

int64_t nn_nnef_integer(const NnefCall *call, const char *name)
{
    return nn_nnef_argument(call, name)->i;
}

double nn_nnef_scalar(const NnefCall *call, const char *name)
{
    return nn_nnef_argument(call, name)->f;
}

bool nn_nnef_logical(const NnefCall *call, const char *name)
{
    return nn_nnef_argument(call, name)->b;
}

const char *nn_nnef_text(const NnefCall *call, const char *name)
{
    return nn_nnef_argument(call, name)->s;
}

size_t nn_nnef_integers(const NnefCall *call, const char *name, int64_t list[NN_RANK_MAX])
{
    const NnefValue *value = nn_nnef_argument(call, name);

    if (value->n > NN_RANK_MAX) {
        nn_nnef_build_fail(call->build, -E2BIG, "'%s' has %zu items, at most %d are possible",
                           name, value->n, NN_RANK_MAX);
        return 0;
    }
    for (size_t i = 0; i < value->n; i++)
        list[i] = value->items[i].i;
    return value->n;
}

size_t nn_nnef_axes(const NnefCall *call, const char *name, int rank, int64_t axes[NN_RANK_MAX])
{
    size_t n = nn_nnef_integers(call, name, axes);
    unsigned seen = 0;

    for (size_t i = 0; i < n; i++) {
        if (axes[i] < 0 || axes[i] >= rank || (seen & 1u << axes[i])) {
            nn_nnef_build_fail(call->build, -EBADMSG,
                               "'%s' holds %lld, each of 0 to %d may stand there once", name,
                               (long long)axes[i], rank - 1);
            return 0;
        }
        seen |= 1u << axes[i];
    }
    return n;
}

static NnValueId of_value(NnefBuild *build, const NnefValue *value, NnDtype dtype)
{
    switch (value->kind) {
    case NNEF_VALUE_TENSOR: return value->id;
    case NNEF_VALUE_LOGICAL: return nn_nnef_build_scalar(build, value->b, NN_DTYPE_BOOL);
    case NNEF_VALUE_INTEGER: return nn_nnef_build_scalar(build, (double)value->i, dtype);
    default: return nn_nnef_build_scalar(build, value->f, dtype);
    }
}

NnValueId nn_nnef_tensor(const NnefCall *call, const char *name)
{
    const NnefValue *value = nn_nnef_argument(call, name);
    const NnefParameter *p = &call->fragment->parameters[value - call->arguments];

    return of_value(call->build, value,
                    p->type->primitive == NNEF_PRIMITIVE_INTEGER ? NN_DTYPE_I64 : NN_DTYPE_F32);
}

NnValueId *nn_nnef_tensors(const NnefCall *call, const char *name, size_t *ret_n)
{
    const NnefValue *value = nn_nnef_argument(call, name);
    NnValueId *ids;

    if (value->n == 0 || value->n > NN_LIMIT_NODE_INPUTS) {
        nn_nnef_build_fail(call->build, -EBADMSG, "'%s' holds %zu tensors, 1 to %d were expected",
                           name, value->n, NN_LIMIT_NODE_INPUTS);
        return NULL;
    }
    ids = nn_nnef_alloc(call->eval->memory, value->n, sizeof(ids[0]));
    if (!ids) {
        nn_nnef_build_fail(call->build, -ENOMEM, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < value->n; i++)
        ids[i] = of_value(call->build, &value->items[i], NN_DTYPE_F32);
    *ret_n = value->n;
    return ids;
}

bool nn_nnef_literal(const NnefCall *call, const char *name, double *ret)
{
    const NnefValue *value = nn_nnef_argument(call, name);

    if (value->kind != NNEF_VALUE_INTEGER && value->kind != NNEF_VALUE_SCALAR)
        return false;
    *ret = value->kind == NNEF_VALUE_INTEGER ? (double)value->i : value->f;
    return true;
}

static bool is_float(NnDtype dtype)
{
    return dtype == NN_DTYPE_F32 || dtype == NN_DTYPE_F64 || dtype == NN_DTYPE_F16;
}

/* The type that a literal and a tensor, or two tensors, meet in. */
static NnDtype common_dtype(NnDtype a, NnDtype b)
{
    if (a == NN_DTYPE_UNDEFINED || a == b)
        return b;
    if (b == NN_DTYPE_UNDEFINED)
        return a;
    if (is_float(a) != is_float(b))
        return is_float(a) ? a : b;
    if (is_float(a))
        return a == NN_DTYPE_F64 || b == NN_DTYPE_F64 ? NN_DTYPE_F64 : NN_DTYPE_F32;
    return NN_DTYPE_I64;
}

static NnDtype operands_dtype(const NnefCall *call, const char *const *names, size_t n)
{
    NnDtype dtype = NN_DTYPE_UNDEFINED;
    bool scalar = false;

    for (size_t i = 0; i < n; i++) {
        const NnefValue *value = nn_nnef_argument(call, names[i]);
        const NnTensor *tensor;

        scalar = scalar || value->kind == NNEF_VALUE_SCALAR;
        if (value->kind != NNEF_VALUE_TENSOR)
            continue;
        tensor = nn_nnef_build_tensor(call->build, value->id);
        if (tensor)
            dtype = common_dtype(dtype, tensor->dtype);
    }
    if (dtype == NN_DTYPE_UNDEFINED)
        return NN_DTYPE_F32;
    return scalar && !is_float(dtype) && dtype != NN_DTYPE_BOOL ? NN_DTYPE_F32 : dtype;
}

void nn_nnef_align(NnefBuild *build, NnValueId *ids, size_t n)
{
    int rank = 0;

    for (size_t i = 0; i < n; i++) {
        const NnTensor *tensor = nn_nnef_build_tensor(build, ids[i]);

        if (!tensor)
            return;
        rank = NN_MAX(rank, tensor->rank);
    }
    for (size_t i = 0; i < n; i++) {
        const NnTensor *tensor = nn_nnef_build_tensor(build, ids[i]);
        int64_t dims[NN_RANK_MAX];

        if (!tensor || tensor->rank == 0 || tensor->rank == rank)
            continue;
        for (int j = 0; j < rank; j++)
            dims[j] = j < tensor->rank ? tensor->dims[j] : 1;
        ids[i] = nn_nnef_build_reshape(build, ids[i], dims, rank);
    }
}

void nn_nnef_operands(const NnefCall *call, const char *const *names, size_t n, NnValueId *ret)
{
    NnDtype dtype = operands_dtype(call, names, n);

    for (size_t i = 0; i < n; i++) {
        ret[i] = of_value(call->build, nn_nnef_argument(call, names[i]),
                          is_float(dtype) ? dtype : NN_DTYPE_I64);
        ret[i] = nn_nnef_build_cast(call->build, ret[i], dtype);
    }
    nn_nnef_align(call->build, ret, n);
}

NnValueId nn_nnef_flat(NnefBuild *build, NnValueId id, int64_t n)
{
    const NnTensor *tensor = nn_nnef_build_tensor(build, id);

    if (!tensor)
        return NN_NO_VALUE;
    if (tensor->rank == 0)
        return id;
    if (tensor->rank > 2 || tensor->dims[tensor->rank - 1] != n ||
        (tensor->rank == 2 && tensor->dims[0] != 1)) {
        char text[128];

        nn_nnef_build_fail(build, -EBADMSG, "a bias has shape %s, 1×%lld was expected",
                           nn_tensor_shape_string(tensor, text, sizeof(text)), (long long)n);
        return NN_NO_VALUE;
    }
    return nn_nnef_build_reshape(build, id, &n, 1);
}

NnValueId nn_nnef_with(NnefBuild *build, const char *op, NnValueId a, NnValueId b)
{
    return nn_nnef_build(build, op, NULL, a, b);
}

NnValueId nn_nnef_with_number(NnefBuild *build, const char *op, NnValueId a, double b)
{
    const NnTensor *tensor = nn_nnef_build_tensor(build, a);

    if (!tensor)
        return NN_NO_VALUE;
    return nn_nnef_build(build, op, NULL, a,
                         nn_nnef_build_scalar(build, b, is_float(tensor->dtype) ? tensor->dtype
                                                                                : NN_DTYPE_F32));
}

void nn_nnef_result(NnefCall *call, size_t index, NnValueId id)
{
    call->results[index] = (NnefValue){ .kind = NNEF_VALUE_TENSOR, .id = id };
}

int nn_nnef_result_array(NnefCall *call, const NnValueId *ids, size_t n)
{
    NnefValue *items = nn_nnef_alloc(call->eval->memory, n, sizeof(items[0]));

    if (!items)
        return nn_error_set(call->build->error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        items[i] = (NnefValue){ .kind = NNEF_VALUE_TENSOR, .id = ids[i] };
    call->results[0] = (NnefValue){ .kind = NNEF_VALUE_ARRAY, .items = items, .n = n };
    return 0;
}
