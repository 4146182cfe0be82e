/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/build.h"

#include <stdio.h>

#include "base/limits.h"
#include "graph/infer.h"

void nn_nnef_build_fail(NnefBuild *build, int code, const char *format, ...)
{
    va_list args;

    if (build->status < 0)
        return;
    build->status = code;
    if (!build->error)
        return;
    va_start(args, format);
    vsnprintf(build->error->message, sizeof(build->error->message), format, args);
    va_end(args);
}

static void fail_adding(NnefBuild *build, int r)
{
    if (r == -E2BIG)
        nn_nnef_build_fail(build, r, "the graph has more than %d nodes or %d tensors",
                           NN_LIMIT_NODES, NN_LIMIT_VALUES);
    else
        nn_nnef_build_fail(build, r, "out of memory");
}

#define UNNAMED_BYTES 64

static void unnamed(NnefBuild *build, char name[UNNAMED_BYTES])
{
    snprintf(name, UNNAMED_BYTES, "%c%.40s.%u", NNEF_UNNAMED, build->prefix ? build->prefix : "",
             build->serial++);
}

static int copy_list(const NnefAttribute *from, NnAttribute *to)
{
    size_t n = NN_MAX(from->n, 1);

    if (from->type == NN_ATTRIBUTE_INTS) {
        to->ints = calloc(n, sizeof(to->ints[0]));
        if (to->ints && from->n)
            memcpy(to->ints, from->list, from->n * sizeof(to->ints[0]));
    } else if (from->type == NN_ATTRIBUTE_FLOATS) {
        to->floats = calloc(n, sizeof(to->floats[0]));
        if (to->floats && from->n)
            memcpy(to->floats, from->list, from->n * sizeof(to->floats[0]));
    } else
        to->strings = calloc(n, sizeof(to->strings[0]));
    if (!to->ints && !to->floats && !to->strings)
        return -ENOMEM;
    for (size_t i = 0; to->strings && i < from->n; i++) {
        to->strings[i] = strdup(((const char *const *)from->list)[i]);
        to->n++;
        if (!to->strings[i])
            return -ENOMEM;
    }
    to->n = from->n;
    return 0;
}

static int copy_tensor(NnefBuild *build, const NnTensor *from, NnTensor *to)
{
    size_t bytes;
    int r;

    r = nn_tensor_bytes(from, &bytes);
    if (r < 0)
        return r;
    *to = *from;
    to->data = nn_nnef_build_alloc(build, bytes);
    if (!to->data)
        return -ENOMEM;
    if (bytes)
        memcpy(to->data, from->data, bytes);
    return 0;
}

static int copy_attribute(NnefBuild *build, const NnefAttribute *from, NnAttribute *to)
{
    to->name = strdup(from->name);
    to->type = from->type;
    to->i = from->i;
    to->f = (float)from->f;
    if (!to->name)
        return -ENOMEM;
    switch (from->type) {
    case NN_ATTRIBUTE_INTS:
    case NN_ATTRIBUTE_FLOATS:
    case NN_ATTRIBUTE_STRINGS: return copy_list(from, to);
    case NN_ATTRIBUTE_TENSOR: return copy_tensor(build, from->tensor, &to->tensor);
    case NN_ATTRIBUTE_STRING: to->s = strdup(from->s); return to->s ? 0 : -ENOMEM;
    default: return 0;
    }
}

static int fill_node(NnefBuild *build, NnNode *node, const char *domain, const char *op,
                     const NnefAttribute *attributes, const NnValueId *inputs, size_t n_inputs,
                     size_t n_outputs)
{
    size_t n = 0;

    while (attributes && attributes[n].name)
        n++;
    while (n_inputs && inputs[n_inputs - 1] == NN_NO_VALUE)
        n_inputs--;
    node->opset = build->opset;
    node->name = strdup("");
    node->op_type = strdup(op);
    node->domain = strdup(domain);
    node->attributes = calloc(NN_MAX(n, 1), sizeof(node->attributes[0]));
    node->inputs = calloc(NN_MAX(n_inputs, 1), sizeof(node->inputs[0]));
    node->outputs = calloc(NN_MAX(n_outputs, 1), sizeof(node->outputs[0]));
    if (!node->name || !node->op_type || !node->domain || !node->attributes || !node->inputs ||
        !node->outputs)
        return -ENOMEM;
    if (n_inputs)
        memcpy(node->inputs, inputs, n_inputs * sizeof(inputs[0]));
    node->n_inputs = n_inputs;
    for (size_t i = 0; i < n; i++) {
        node->n_attributes++;
        if (copy_attribute(build, &attributes[i], &node->attributes[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_outputs(NnefBuild *build, size_t at, NnValueId *outputs, size_t n)
{
    char name[UNNAMED_BYTES];
    int r;

    for (size_t i = 0; i < n; i++) {
        unnamed(build, name);
        r = nn_graph_add_value(build->graph, name, &outputs[i]);
        if (r < 0)
            return r;
        build->graph->nodes[at].outputs[i] = outputs[i];
        build->graph->nodes[at].n_outputs++;
    }
    return 0;
}

typedef struct Pointers {
    const NnTensor **in;
    NnTensor **out;
    NnTensor *results;
    NnTensor *wide;
} Pointers;

static void pointers_clear(Pointers *p)
{
    free(p->in);
    free(p->out);
    free(p->results);
    free(p->wide);
}

/* Arithmetic in float16 is done in float32 between casts, which inference of the
 * whole graph adds later. */
static int infer_as_float(NnCall *call, Pointers *p)
{
    bool found = false;
    int r;

    p->wide = calloc(NN_MAX(call->n_in, 1), sizeof(p->wide[0]));
    if (!p->wide)
        return nn_error_set(call->error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < call->n_in; i++) {
        if (!p->in[i] || p->in[i]->dtype != NN_DTYPE_F16)
            continue;
        found = true;
        p->wide[i] = *p->in[i];
        p->wide[i].dtype = NN_DTYPE_F32;
        p->wide[i].data = NULL;
        p->in[i] = &p->wide[i];
    }
    r = found ? call->node->op->infer(call) : -ENOTSUP;
    for (size_t i = 0; r >= 0 && i < call->n_out; i++)
        if (p->results[i].dtype == NN_DTYPE_F32)
            p->results[i].dtype = NN_DTYPE_F16;
    return r;
}

/* Gives the outputs of the last node their shapes. A node whose shapes depend on
 * values that folding will find is left to the passes. */
static int infer(NnefBuild *build, NnNode *node)
{
    _cleanup_(pointers_clear) Pointers p = {
        .in = calloc(NN_MAX(node->n_inputs, 1), sizeof(p.in[0])),
        .out = calloc(node->n_outputs, sizeof(p.out[0])),
        .results = calloc(node->n_outputs, sizeof(p.results[0])),
    };
    NnCall call = { .node = node, .params = node->params, .n_in = node->n_inputs,
                    .n_out = node->n_outputs, .error = build->error };
    NnValue *values = build->graph->values;
    size_t bytes;
    int r;

    if (!p.in || !p.out || !p.results)
        return nn_error_set(build->error, -ENOMEM, "out of memory");
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == NN_NO_VALUE)
            continue;
        if (!values[node->inputs[i]].inferred)
            return 0;
        p.in[i] = &values[node->inputs[i]].tensor;
    }
    for (size_t i = 0; i < node->n_outputs; i++)
        p.out[i] = &p.results[i];
    call.in = p.in;
    call.out = p.out;
    r = node->op->infer(&call);
    if (r == -ENOTSUP)
        r = infer_as_float(&call, &p);
    if (r < 0)
        return r == -ENOTSUP && build->lenient ? 0 : r;
    for (size_t i = 0; i < node->n_outputs; i++) {
        NnValue *value = &values[node->outputs[i]];

        p.results[i].data = NULL;
        r = nn_tensor_bytes(&p.results[i], &bytes);
        if (r < 0)
            return nn_error_set(build->error, r, "its output would be larger than %zu MiB",
                                NN_LIMIT_TENSOR_BYTES >> 20);
        value->tensor = p.results[i];
        value->inferred = true;
    }
    return 0;
}

void nn_nnef_build_outputs(NnefBuild *build, const char *domain, const char *op,
                           const NnefAttribute *attributes, const NnValueId *inputs,
                           size_t n_inputs, NnValueId *ret_outputs, size_t n_outputs)
{
    size_t at = build->graph->n_nodes;
    NnNode *node;
    int r;

    for (size_t i = 0; i < n_outputs; i++)
        ret_outputs[i] = NN_NO_VALUE;
    if (build->status < 0)
        return;
    r = nn_graph_add_node(build->graph, &node);
    if (r >= 0)
        r = fill_node(build, node, domain, op, attributes, inputs, n_inputs, n_outputs);
    if (r >= 0)
        r = add_outputs(build, at, ret_outputs, n_outputs);
    if (r < 0) {
        fail_adding(build, r);
        return;
    }
    r = nn_node_resolve(build->graph, node, build->error);
    if (r >= 0)
        r = infer(build, node);
    if (r < 0) {
        build->status = r;
        nn_error_prefix(build->error, r, "as %s", op);
    }
}

NnValueId nn_nnef_build_output(NnefBuild *build, const char *op, const NnefAttribute *attributes,
                               const NnValueId *inputs, size_t n_inputs)
{
    NnValueId id;

    nn_nnef_build_outputs(build, "", op, attributes, inputs, n_inputs, &id, 1);
    return id;
}

void *nn_nnef_build_alloc(NnefBuild *build, size_t bytes)
{
    void *data;

    if (build->status < 0)
        return NULL;
    if (bytes > NN_LIMIT_FOLDED_BYTES - build->constant_bytes) {
        nn_nnef_build_fail(build, -E2BIG, "the constants are larger than %zu MiB",
                           NN_LIMIT_FOLDED_BYTES >> 20);
        return NULL;
    }
    build->constant_bytes += bytes;
    data = nn_aligned_alloc(bytes);
    if (!data)
        nn_nnef_build_fail(build, -ENOMEM, "out of memory for %zu bytes", bytes);
    return data;
}

NnValueId nn_nnef_build_constant(NnefBuild *build, NnTensor *tensor)
{
    NnValueId id = NN_NO_VALUE;
    char name[UNNAMED_BYTES];
    int r;

    if (build->status >= 0 && tensor->data) {
        unnamed(build, name);
        r = nn_graph_add_constant(build->graph, name, tensor, &id);
        if (r < 0)
            fail_adding(build, r);
    } else
        nn_nnef_build_fail(build, -ENOMEM, "out of memory");
    if (build->status < 0) {
        free(tensor->data);
        return NN_NO_VALUE;
    }
    return id;
}

NnValueId nn_nnef_build_ints(NnefBuild *build, const int64_t *ints, size_t n)
{
    NnTensor tensor = { .dtype = NN_DTYPE_I64, .rank = 1, .dims = { (int64_t)n } };

    if (build->status < 0)
        return NN_NO_VALUE;
    tensor.data = nn_nnef_build_alloc(build, n * sizeof(ints[0]));
    if (tensor.data && n)
        memcpy(tensor.data, ints, n * sizeof(ints[0]));
    return nn_nnef_build_constant(build, &tensor);
}

static void fill(void *data, NnDtype dtype, size_t n, double value)
{
    for (size_t i = 0; i < n; i++)
        switch (dtype) {
        case NN_DTYPE_F64: ((double *)data)[i] = value; break;
        case NN_DTYPE_F16: ((NnF16 *)data)[i] = (NnF16)value; break;
        case NN_DTYPE_I64: ((int64_t *)data)[i] = (int64_t)value; break;
        case NN_DTYPE_BOOL: ((bool *)data)[i] = value != 0.0; break;
        default: ((float *)data)[i] = (float)value; break;
        }
}

NnValueId nn_nnef_build_scalar(NnefBuild *build, double value, NnDtype dtype)
{
    NnTensor tensor = { .dtype = dtype };

    if (build->status < 0)
        return NN_NO_VALUE;
    tensor.data = nn_nnef_build_alloc(build, sizeof(double));
    if (tensor.data)
        fill(tensor.data, dtype, 1, value);
    return nn_nnef_build_constant(build, &tensor);
}

NnValueId nn_nnef_build_fill(NnefBuild *build, const int64_t *dims, int rank, double value)
{
    NnTensor tensor = { .dtype = NN_DTYPE_F32, .rank = rank };
    size_t bytes;

    if (build->status < 0)
        return NN_NO_VALUE;
    for (int i = 0; i < rank; i++)
        tensor.dims[i] = dims[i];
    if (nn_tensor_bytes(&tensor, &bytes) < 0) {
        nn_nnef_build_fail(build, -E2BIG, "a constant is larger than %zu MiB",
                           NN_LIMIT_TENSOR_BYTES >> 20);
        return NN_NO_VALUE;
    }
    tensor.data = nn_nnef_build_alloc(build, bytes);
    if (tensor.data)
        fill(tensor.data, NN_DTYPE_F32, bytes / sizeof(float), value);
    return nn_nnef_build_constant(build, &tensor);
}

NnValueId nn_nnef_build_reshape(NnefBuild *build, NnValueId id, const int64_t *dims, int rank)
{
    const NnTensor *from = nn_nnef_build_tensor(build, id);
    size_t bytes;
    NnTensor to;
    bool same;

    if (!from)
        return NN_NO_VALUE;
    same = from->rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = from->dims[i] == dims[i];
    if (same)
        return id;
    if (!build->graph->values[id].constant || nn_tensor_elements(from) > 1 << 20)
        return nn_nnef_build(build, "Reshape", NULL, id,
                             nn_nnef_build_ints(build, dims, (size_t)rank));
    if (nn_tensor_bytes(from, &bytes) < 0)
        return NN_NO_VALUE;
    to = *from;
    to.data = nn_nnef_build_alloc(build, bytes);
    if (to.data && bytes)
        memcpy(to.data, from->data, bytes);
    to.rank = rank;
    for (int i = 0; i < rank; i++)
        to.dims[i] = dims[i];
    return nn_nnef_build_constant(build, &to);
}

NnValueId nn_nnef_build_cast(NnefBuild *build, NnValueId id, NnDtype dtype)
{
    static const uint8_t numbers[] = {
        [NN_DTYPE_F32] = 1, [NN_DTYPE_U8] = 2,  [NN_DTYPE_I8] = 3,   [NN_DTYPE_U16] = 4,
        [NN_DTYPE_I16] = 5, [NN_DTYPE_I32] = 6, [NN_DTYPE_I64] = 7,  [NN_DTYPE_BOOL] = 9,
        [NN_DTYPE_F16] = 10, [NN_DTYPE_F64] = 11, [NN_DTYPE_U32] = 12, [NN_DTYPE_U64] = 13,
    };
    const NnTensor *from = nn_nnef_build_tensor(build, id);

    if (!from || from->dtype == dtype)
        return id;
    return nn_nnef_build(build, "Cast", NNEF_ATTRIBUTES(NNEF_INT("to", numbers[dtype])), id);
}

const NnTensor *nn_nnef_build_tensor(NnefBuild *build, NnValueId id)
{
    if (build->status < 0 || id == NN_NO_VALUE)
        return NULL;
    if (!build->graph->values[id].inferred) {
        nn_nnef_build_fail(build, -ENOTSUP, "the shape of an input is known only while running");
        return NULL;
    }
    return &build->graph->values[id].tensor;
}
