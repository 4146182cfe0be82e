/* SPDX-License-Identifier: Apache-2.0 */

/* What the caller says about the shapes of inputs that the file leaves open. */

#include <stdio.h>

#include "base/limits.h"
#include "exec/exec.h"

static const NnValue *input_value(const NnGraph *graph, size_t i)
{
    return &graph->values[graph->inputs[i]];
}

static const char *dim_name(const NnGraph *graph, size_t input, int dim)
{
    const NnValue *value = input_value(graph, input);

    return value->dim_names ? value->dim_names[dim] : NULL;
}

static bool has_name(const NnGraph *graph, size_t input, int dim, const char *name)
{
    const char *have = dim_name(graph, input, dim);

    return have && strcmp(have, name) == 0;
}

/* "batch×3×?×width": what the file says of an input. */
static const char *declared_string(const NnGraph *graph, size_t input, char *buffer, size_t n)
{
    const NnTensor *tensor = &input_value(graph, input)->tensor;
    size_t at = 0;

    snprintf(buffer, n, "scalar");
    for (int i = 0; i < tensor->rank && at < n; i++) {
        const char *name = dim_name(graph, input, i), *cross = i ? "×" : "";
        int written;

        if (tensor->dims[i] < 0)
            written = snprintf(buffer + at, n - at, "%s%.32s", cross, name ? name : "?");
        else
            written = snprintf(buffer + at, n - at, "%s%lld", cross, (long long)tensor->dims[i]);
        at += NN_MAX(written, 0);
    }
    return buffer;
}

/* The shape stated for an input, or NULL. */
static const NnShape *stated(const NnBinding *binding, const char *input)
{
    const NnShape *shape = NULL;

    for (size_t i = 0; i < binding->n_shapes; i++)
        if (strcmp(binding->shapes[i].input, input) == 0)
            shape = &binding->shapes[i];
    return shape;
}

static int check_inputs_exist(const NnGraph *graph, const NnBinding *binding, NnError *error)
{
    for (size_t i = 0; i < binding->n_shapes; i++) {
        bool found = false;

        for (size_t j = 0; j < graph->n_inputs; j++)
            found = found || strcmp(input_value(graph, j)->name, binding->shapes[i].input) == 0;
        if (!found)
            return nn_error_set(error, -EINVAL, "the model has no input '%s'",
                                binding->shapes[i].input);
    }
    return 0;
}

/* A stated shape must fit what the file says. */
static int apply_shape(const NnGraph *graph, size_t input, const NnShape *shape, NnTensor *tensor,
                       NnError *error)
{
    char text[256];

    if (shape->rank != tensor->rank)
        return nn_error_set(error, -EINVAL, "input '%s' has %d dimensions (%s), %d were given",
                            shape->input, tensor->rank,
                            declared_string(graph, input, text, sizeof(text)), shape->rank);
    for (int i = 0; i < tensor->rank; i++) {
        if (shape->dims[i] < 1 || (tensor->dims[i] >= 0 && tensor->dims[i] != shape->dims[i]))
            return nn_error_set(error, -EINVAL,
                                "input '%s': dimension %d cannot be %lld, the model's shape is %s",
                                shape->input, i, (long long)shape->dims[i],
                                declared_string(graph, input, text, sizeof(text)));
        tensor->dims[i] = shape->dims[i];
    }
    return 0;
}

static int apply_name(const NnGraph *graph, const NnBinding *binding, const NnDim *dim,
                      NnTensor *inputs, NnError *error)
{
    bool found = false;
    char text[256];

    if (dim->size < 1)
        return nn_error_set(error, -EINVAL, "dimension '%s' cannot be %lld", dim->name,
                            (long long)dim->size);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const NnValue *value = input_value(graph, i);

        for (int d = 0; d < inputs[i].rank; d++) {
            if (!has_name(graph, i, d, dim->name))
                continue;
            found = true;
            if (inputs[i].dims[d] >= 0 && inputs[i].dims[d] != dim->size)
                return nn_error_set(error, -EINVAL,
                                    "input '%s': dimension %d ('%s') is given as %lld and as %lld, "
                                    "the model's shape is %s",
                                    value->name, d, dim->name, (long long)inputs[i].dims[d],
                                    (long long)dim->size,
                                    declared_string(graph, i, text, sizeof(text)));
            inputs[i].dims[d] = dim->size;
        }
    }
    return found ? 0 : nn_error_set(error, -EINVAL, "no input of the model has a dimension '%s'",
                                    dim->name);
}

/* Whether the stated shapes give a name another size too. Writers that know no
 * names call all dimensions the same. */
static bool is_ambiguous(const NnGraph *graph, const NnBinding *binding, const NnTensor *inputs,
                         const char *name, int64_t size)
{
    for (size_t i = 0; i < graph->n_inputs; i++) {
        if (!stated(binding, input_value(graph, i)->name))
            continue;
        for (int d = 0; d < inputs[i].rank; d++)
            if (has_name(graph, i, d, name) && inputs[i].dims[d] != size)
                return true;
    }
    return false;
}

/* Open dimensions of the name are of that size. */
static void spread_name(const NnGraph *graph, NnTensor *inputs, const char *name, int64_t size)
{
    for (size_t i = 0; i < graph->n_inputs; i++)
        for (int d = 0; d < inputs[i].rank; d++)
            if (inputs[i].dims[d] < 0 && has_name(graph, i, d, name))
                inputs[i].dims[d] = size;
}

/* What the stated shapes say of inputs for which nothing was stated. */
static void spread_stated(const NnGraph *graph, const NnBinding *binding, NnTensor *inputs)
{
    for (size_t i = 0; binding->n_shapes && i < graph->n_inputs; i++) {
        if (!stated(binding, input_value(graph, i)->name))
            continue;
        for (int d = 0; d < inputs[i].rank; d++) {
            const char *name = dim_name(graph, i, d);

            if (name && !is_ambiguous(graph, binding, inputs, name, inputs[i].dims[d]))
                spread_name(graph, inputs, name, inputs[i].dims[d]);
        }
    }
}

/* Whether nothing but first dimensions is left open: these count as 1. */
static bool close_first_dims(const NnGraph *graph, NnTensor *inputs)
{
    for (size_t i = 0; i < graph->n_inputs; i++)
        for (int d = 1; d < inputs[i].rank; d++)
            if (inputs[i].dims[d] < 0)
                return false;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (inputs[i].rank > 0 && inputs[i].dims[0] < 0)
            inputs[i].dims[0] = 1;
    return true;
}

static int check_sizes(const NnGraph *graph, const NnTensor *inputs, NnError *error)
{
    size_t bytes;
    int r;

    for (size_t i = 0; i < graph->n_inputs; i++) {
        r = nn_tensor_bytes(&inputs[i], &bytes);
        if (r < 0)
            return nn_error_set(error, r, "input '%s' is larger than %zu MiB",
                                input_value(graph, i)->name, NN_LIMIT_TENSOR_BYTES >> 20);
    }
    return 0;
}

int nn_bind_inputs(const NnGraph *graph, const NnBinding *binding, NnTensor *ret_inputs,
                   bool *ret_complete, NnError *error)
{
    int r;

    r = check_inputs_exist(graph, binding, error);
    for (size_t i = 0; r >= 0 && i < graph->n_inputs; i++) {
        const NnShape *shape = stated(binding, input_value(graph, i)->name);

        ret_inputs[i] = input_value(graph, i)->tensor;
        if (shape)
            r = apply_shape(graph, i, shape, &ret_inputs[i], error);
    }
    for (size_t i = 0; r >= 0 && i < binding->n_dims; i++)
        r = apply_name(graph, binding, &binding->dims[i], ret_inputs, error);
    if (r < 0)
        return r;
    spread_stated(graph, binding, ret_inputs);
    *ret_complete = close_first_dims(graph, ret_inputs);
    return *ret_complete ? check_sizes(graph, ret_inputs, error) : 0;
}

int nn_bind_open_error(const NnGraph *graph, const NnTensor *inputs, NnError *error)
{
    char text[256];

    for (size_t i = 0; i < graph->n_inputs; i++)
        for (int d = 1; d < inputs[i].rank; d++) {
            const char *name = dim_name(graph, i, d);

            if (inputs[i].dims[d] >= 0)
                continue;
            return nn_error_set(error, -EINVAL,
                                "input '%s' leaves dimension %d%s%s%s open (the model says %s): "
                                "state the whole shape%s",
                                input_value(graph, i)->name, d, name ? " ('" : "", name ? name : "",
                                name ? "')" : "", declared_string(graph, i, text, sizeof(text)),
                                name ? " or the dimension by its name" : "");
        }
    return nn_error_set(error, -EINVAL, "the shapes of its inputs are open");
}
