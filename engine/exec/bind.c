/* SPDX-License-Identifier: Apache-2.0 */

/* What the caller says about the shapes of inputs that the file leaves open. */

#include "base/limits.h"
#include "exec/exec.h"

/* The dims that the caller gives an input must fit those of the file. */
static int bind_given(const NnShape *shape, const char *name, NnTensor *tensor, NnError *error)
{
    char text[128];

    if (shape->rank != tensor->rank)
        return nn_error_set(error, -EINVAL, "input '%s' has %d dimensions (%s), %d were given",
                            name, tensor->rank,
                            nn_tensor_shape_string(tensor, text, sizeof(text)), shape->rank);
    for (int i = 0; i < tensor->rank; i++) {
        if (shape->dims[i] < 1 || (tensor->dims[i] >= 0 && tensor->dims[i] != shape->dims[i]))
            return nn_error_set(error, -EINVAL,
                                "input '%s': dimension %d cannot be %lld, the model's shape is %s",
                                name, i, (long long)shape->dims[i],
                                nn_tensor_shape_string(tensor, text, sizeof(text)));
        tensor->dims[i] = shape->dims[i];
    }
    return 0;
}

static int bind_input(const NnModelOptions *options, NnValue *value, NnError *error)
{
    NnTensor *tensor = &value->tensor;
    char text[128];
    size_t bytes;
    int r;

    for (size_t i = 0; i < options->n_shapes; i++)
        if (strcmp(options->shapes[i].input, value->name) == 0) {
            r = bind_given(&options->shapes[i], value->name, tensor, error);
            if (r < 0)
                return r;
        }
    if (tensor->rank > 0 && tensor->dims[0] < 0)
        tensor->dims[0] = 1;
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dims[i] < 0)
            return nn_error_set(error, -EINVAL,
                                "input '%s' leaves its shape open (%s): state the whole shape",
                                value->name, nn_tensor_shape_string(tensor, text, sizeof(text)));
    r = nn_tensor_bytes(tensor, &bytes);
    if (r < 0)
        return nn_error_set(error, r, "input '%s' is larger than %zu MiB", value->name,
                            NN_LIMIT_TENSOR_BYTES >> 20);
    value->inferred = true;
    return 0;
}

int nn_graph_bind(NnGraph *graph, const NnModelOptions *options, NnError *error)
{
    int r;

    for (size_t i = 0; i < options->n_shapes; i++) {
        bool found = false;

        for (size_t j = 0; j < graph->n_inputs; j++)
            found = found || strcmp(graph->values[graph->inputs[j]].name,
                                    options->shapes[i].input) == 0;
        if (!found)
            return nn_error_set(error, -EINVAL, "the model has no input '%s'",
                                options->shapes[i].input);
    }
    for (size_t i = 0; i < graph->n_inputs; i++) {
        r = bind_input(options, &graph->values[graph->inputs[i]], error);
        if (r < 0)
            return r;
    }
    return 0;
}
