/* SPDX-License-Identifier: Apache-2.0 */

/* Compress and Unique: some of the slices along an axis, or some of the elements
 * where no axis is given. How many is known only while running. */

#include "ops/support.h"

typedef struct SliceParams {
    bool has_axis;
    int64_t axis;
    int64_t sorted;
} SliceParams;

static int slice_prepare(const NnNode *node, void *params, NnError *error)
{
    SliceParams *p = params;
    p->has_axis = nn_node_attribute(node, "axis") != NULL;
    int r = nn_node_int(node, "axis", 0, &p->axis, error);
    return r < 0 ? r : nn_node_int(node, "sorted", 1, &p->sorted, error);
}

/* Input 0 as outer × n × inner elements of which slices along n are chosen. */
typedef struct Slices {
    const char *from;
    NnDtype dtype;
    int64_t outer, n, inner;
    size_t size;
    int axis;           /* of the output */
} Slices;

static Slices make_slices(const NnCall *call)
{
    const SliceParams *p = call->params;
    const NnTensor *in = call->in[0];
    Slices s = { .from = in->data, .dtype = in->dtype, .outer = 1, .inner = 1,
                 .n = nn_tensor_elements(in), .size = nn_dtype_size(in->dtype) };
    if (p->has_axis) {
        s.axis = (int)(p->axis < 0 ? p->axis + in->rank : p->axis);
        s.outer = nn_product(in->dims, 0, s.axis);
        s.n = in->dims[s.axis];
        s.inner = nn_product(in->dims, s.axis + 1, in->rank);
    }
    return s;
}

/* Output 0 when `n` slices at most are chosen. */
static int set_slices(const NnCall *call, int64_t n)
{
    const SliceParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t dims[NN_RANK_MAX];
    if (!p->has_axis)
        return nn_set_output(call, 0, in->dtype, 1, &n);
    memcpy(dims, in->dims, sizeof(dims));
    dims[p->axis < 0 ? p->axis + in->rank : p->axis] = n;
    return nn_set_output(call, 0, in->dtype, in->rank, dims);
}

static int check_axis(const NnCall *call)
{
    const SliceParams *p = call->params;
    int axis;
    return p->has_axis ? nn_resolve_axis(call, p->axis, call->in[0]->rank, &axis) : 0;
}

/* Slice `from` becomes slice `to` of `n`. */
static void copy_slice(const Slices *s, int64_t from, NnTensor *out, int64_t to, int64_t n)
{
    size_t bytes = (size_t)s->inner * s->size;
    for (int64_t i = 0; i < s->outer; i++)
        memcpy((char *)out->data + (size_t)(i * n + to) * bytes,
               s->from + (size_t)(i * s->n + from) * bytes, bytes);
}

static int compress_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 2);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_ANY);
    if (r >= 0)
        r = nn_check_dtype(call, 1, NN_TYPES_BOOL);
    if (r >= 0)
        r = nn_check_rank(call, 1, 1, 1);
    if (r >= 0)
        r = check_axis(call);
    if (r < 0)
        return r;
    Slices s = make_slices(call);
    return set_slices(call, NN_MIN(s.n, call->in[1]->dims[0]));
}

static int compress_run(const NnCall *call)
{
    const uint8_t *chosen = call->in[1]->data;
    NnTensor *out = call->out[0];
    Slices s = make_slices(call);
    int64_t n = 0, to = 0;
    for (int64_t i = 0; i < call->in[1]->dims[0]; i++) {
        n += chosen[i] != 0;
        if (chosen[i] && i >= s.n)
            return nn_error_set(call->error, -EDOM, "slice %lld is chosen of %lld", (long long)i,
                                (long long)s.n);
    }
    for (int64_t i = 0; i < NN_MIN(s.n, call->in[1]->dims[0]); i++)
        if (chosen[i])
            copy_slice(&s, i, out, to++, n);
    out->dims[s.axis] = n;
    return 0;
}

const NnOp nn_op_compress = {
    .type = "Compress",
    .domain = "",
    .since = 9,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .flags = NN_OP_DYNAMIC,
    .params_bytes = sizeof(SliceParams),
    .prepare = slice_prepare,
    .infer = compress_infer,
    .run = compress_run,
};

static int unique_infer(const NnCall *call)
{
    int r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_NUMBER | NN_TYPES_BOOL);
    if (r >= 0)
        r = check_axis(call);
    if (r < 0)
        return r;
    Slices s = make_slices(call);
    r = set_slices(call, s.n);
    for (size_t i = 1; r >= 0 && i < call->n_out; i++)
        r = nn_set_output(call, i, NN_DTYPE_I64, 1, &s.n);
    return r;
}

/* Scratch: the order of the slices, the group of each, the place of each group. */
static size_t unique_scratch(const NnCall *call)
{
    return 3 * (size_t)make_slices(call).n * sizeof(int64_t);
}

/* -1, 0 or 1, element by element; NaN stands behind all numbers and equals itself. */
static int compare(const Slices *s, int64_t a, int64_t b)
{
    NN_SWITCH_NUMBER_OR_BOOL(s->dtype, {
        for (int64_t i = 0; i < s->outer; i++) {
            const T *x = (const T *)(const void *)s->from + (i * s->n + a) * s->inner;
            const T *y = (const T *)(const void *)s->from + (i * s->n + b) * s->inner;
            for (int64_t j = 0; j < s->inner; j++) {
                if (x[j] == y[j] || (x[j] != x[j] && y[j] != y[j]))
                    continue;
                return x[j] < y[j] || y[j] != y[j] ? -1 : 1;
            }
        }
    })
    return 0;
}

/* Merges order[begin..middle) and order[middle..end), both sorted; the first of equals stays
 * first. Halves that are in order already need one comparison. */
static void merge(const Slices *s, int64_t *order, int64_t *left, int64_t begin, int64_t middle,
                  int64_t end)
{
    int64_t n = middle - begin, i = 0, j = middle;

    if (compare(s, order[middle - 1], order[middle]) <= 0)
        return;
    memcpy(left, order + begin, (size_t)n * sizeof(left[0]));
    for (int64_t to = begin; i < n; to++)
        order[to] = j < end && compare(s, left[i], order[j]) > 0 ? order[j++] : left[i++];
}

static void sort(const Slices *s, int64_t *order, int64_t *scratch)
{
    for (int64_t i = 0; i < s->n; i++)
        order[i] = i;
    for (int64_t width = 1; width < s->n; width *= 2)
        for (int64_t i = 0; i + width < s->n; i += 2 * width)
            merge(s, order, scratch, i, i + width, NN_MIN(i + 2 * width, s->n));
}

/* Numbers the groups of equal slices; order[g] becomes the first slice of group g,
 * which stands first among its equals. */
static int64_t number_groups(const Slices *s, int64_t *order, int64_t *group)
{
    int64_t n = 0, before = -1;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t slice = order[i];
        if (before < 0 || compare(s, before, slice) != 0)
            order[n++] = slice;
        group[slice] = n - 1;
        before = slice;
    }
    return n;
}

static void fill_outputs(const NnCall *call, const Slices *s, int64_t n, const int64_t *first,
                         const int64_t *group, const int64_t *place)
{
    NnTensor *values = nn_output(call, 0), *indices = nn_output(call, 1);
    NnTensor *inverse = nn_output(call, 2), *counts = nn_output(call, 3);
    for (int64_t g = 0; g < n; g++) {
        if (values)
            copy_slice(s, first[g], values, place[g], n);
        if (indices)
            ((int64_t *)indices->data)[place[g]] = first[g];
        if (counts)
            ((int64_t *)counts->data)[g] = 0;
    }
    for (int64_t i = 0; i < s->n; i++) {
        if (inverse)
            ((int64_t *)inverse->data)[i] = place[group[i]];
        if (counts)
            ((int64_t *)counts->data)[place[group[i]]]++;
    }
    if (values)
        values->dims[s->axis] = n;
    if (indices)
        indices->dims[0] = n;
    if (counts)
        counts->dims[0] = n;
}

static int unique_run(const NnCall *call)
{
    const SliceParams *p = call->params;
    Slices s = make_slices(call);
    int64_t *order = call->scratch, *group = order + s.n, *place = group + s.n, next = 0;
    sort(&s, order, group);
    int64_t n = number_groups(&s, order, group);
    for (int64_t i = 0; i < s.n; i++)
        if (order[group[i]] == i)
            place[group[i]] = p->sorted ? group[i] : next++;
    fill_outputs(call, &s, n, order, group, place);
    return 0;
}

const NnOp nn_op_unique = {
    .type = "Unique",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 4,
    .flags = NN_OP_DYNAMIC,
    .params_bytes = sizeof(SliceParams),
    .prepare = slice_prepare,
    .infer = unique_infer,
    .scratch = unique_scratch,
    .run = unique_run,
};
