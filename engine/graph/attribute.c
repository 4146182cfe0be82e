/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

const NnAttribute *nn_node_attribute(const NnNode *node, const char *name)
{
    for (size_t i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    return NULL;
}

/* The attribute when present; -EBADMSG when of another type; NULL when absent. */
static int find_typed(const NnNode *node, const char *name, NnAttributeType type,
                      const char *expected, const NnAttribute **ret, NnError *error)
{
    const NnAttribute *a = nn_node_attribute(node, name);

    if (a && a->type != type)
        return nn_error_set(error, -EBADMSG, "attribute '%s' is not %s", name, expected);
    *ret = a;
    return 0;
}

int nn_node_int(const NnNode *node, const char *name, int64_t fallback, int64_t *ret,
                NnError *error)
{
    const NnAttribute *a;
    int r;

    r = find_typed(node, name, NN_ATTRIBUTE_INT, "an integer", &a, error);
    if (r < 0)
        return r;
    *ret = a ? a->i : fallback;
    return 0;
}

int nn_node_float(const NnNode *node, const char *name, float fallback, float *ret, NnError *error)
{
    const NnAttribute *a;
    int r;

    r = find_typed(node, name, NN_ATTRIBUTE_FLOAT, "a number", &a, error);
    if (r < 0)
        return r;
    *ret = a ? a->f : fallback;
    return 0;
}

int nn_node_string(const NnNode *node, const char *name, const char *fallback, const char **ret,
                   NnError *error)
{
    const NnAttribute *a;
    int r;

    r = find_typed(node, name, NN_ATTRIBUTE_STRING, "a string", &a, error);
    if (r < 0)
        return r;
    *ret = a ? a->s : fallback;
    return 0;
}

/* The elements of a list, none where there is no such attribute. */
static int copy_list(const NnAttribute *a, const void *elements, size_t element_bytes, void *ret,
                     size_t max, size_t *ret_n, NnError *error)
{
    if (a && a->n > max)
        return nn_error_set(error, -E2BIG,
                            "attribute '%s' has %zu values, at most %zu are possible", a->name,
                            a->n, max);
    if (a && a->n)
        memcpy(ret, elements, a->n * element_bytes);
    *ret_n = a ? a->n : 0;
    return 0;
}

int nn_node_ints(const NnNode *node, const char *name, int64_t *ret, size_t max, size_t *ret_n,
                 NnError *error)
{
    const NnAttribute *a;
    int r;

    r = find_typed(node, name, NN_ATTRIBUTE_INTS, "a list of integers", &a, error);
    if (r < 0)
        return r;
    return copy_list(a, a ? a->ints : NULL, sizeof(ret[0]), ret, max, ret_n, error);
}

int nn_node_graph(const NnNode *node, const char *name, const NnGraph **ret, NnError *error)
{
    const NnAttribute *a;
    int r;

    r = find_typed(node, name, NN_ATTRIBUTE_GRAPH, "a graph", &a, error);
    if (r < 0)
        return r;
    if (!a)
        return nn_error_set(error, -EBADMSG, "attribute '%s' is missing", name);
    *ret = a->graph;
    return 0;
}

int nn_node_floats(const NnNode *node, const char *name, float *ret, size_t max, size_t *ret_n,
                   NnError *error)
{
    const NnAttribute *a;
    int r;

    r = find_typed(node, name, NN_ATTRIBUTE_FLOATS, "a list of numbers", &a, error);
    if (r < 0)
        return r;
    return copy_list(a, a ? a->floats : NULL, sizeof(ret[0]), ret, max, ret_n, error);
}

int nn_node_tensor(const NnNode *node, const char *name, const NnTensor **ret, NnError *error)
{
    const NnAttribute *a;
    int r;

    r = find_typed(node, name, NN_ATTRIBUTE_TENSOR, "a tensor", &a, error);
    if (r < 0)
        return r;
    *ret = a ? &a->tensor : NULL;
    return 0;
}

int nn_node_set_ints(NnNode *node, const char *name, const int64_t *ints, size_t n)
{
    NnAttribute *a = (NnAttribute *)nn_node_attribute(node, name);
    NnAttribute made = { .type = NN_ATTRIBUTE_INTS, .n = n };

    made.name = strdup(name);
    made.ints = malloc(NN_MAX(n, 1) * sizeof(made.ints[0]));
    if (!a && made.name && made.ints) {
        NnAttribute *more = reallocarray(node->attributes, node->n_attributes + 1,
                                         sizeof(more[0]));

        if (more) {
            node->attributes = more;
            a = &more[node->n_attributes++];
            *a = (NnAttribute){ 0 };
        }
    }
    if (!a || !made.name || !made.ints) {
        nn_attribute_clear(&made);
        return -ENOMEM;
    }
    memcpy(made.ints, ints, n * sizeof(ints[0]));
    nn_attribute_clear(a);
    *a = made;
    return 0;
}

bool nn_node_has(const NnNode *node, const char *name)
{
    return nn_node_attribute(node, name) != NULL;
}

const char *nn_node_name(const NnNode *node)
{
    return node->name;
}

int nn_node_opset(const NnNode *node)
{
    return node->opset;
}
