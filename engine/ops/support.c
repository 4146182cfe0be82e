/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/support.h"

int nn_check_inputs(const NnCall *call, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!nn_input(call, i))
            return nn_error_set(call->error, -EBADMSG, "input %zu is missing", i);
    return 0;
}

int nn_check_dtype(const NnCall *call, size_t input, unsigned types)
{
    const NnTensor *tensor = nn_input(call, input);
    if (!tensor || NN_BIT(tensor->dtype) & types)
        return 0;
    return nn_error_set(call->error, -ENOTSUP, "input %zu of type %s is not supported", input,
                        nn_dtype_name(tensor->dtype));
}

int nn_check_rank(const NnCall *call, size_t input, int low, int high)
{
    const NnTensor *tensor = nn_input(call, input);
    if (!tensor || (tensor->rank >= low && tensor->rank <= high))
        return 0;
    return nn_error_set(call->error, -EBADMSG, "input %zu has %d dimensions, expected %d to %d",
                        input, tensor->rank, low, high);
}

int nn_check_same_dtype(const NnCall *call, size_t input)
{
    const NnTensor *tensor = nn_input(call, input);
    if (!tensor || tensor->dtype == call->in[0]->dtype)
        return 0;
    return nn_error_set(call->error, -EBADMSG, "input %zu is %s, expected %s like input 0", input,
                        nn_dtype_name(tensor->dtype), nn_dtype_name(call->in[0]->dtype));
}

int nn_check_vector(const NnCall *call, size_t input, int64_t n)
{
    const NnTensor *tensor = nn_input(call, input);
    char shape[128];
    if (!tensor || (tensor->rank == 1 && tensor->dims[0] == n))
        return 0;
    return nn_error_set(call->error, -EBADMSG, "input %zu is %s, expected %lld elements", input,
                        nn_tensor_shape_string(tensor, shape, sizeof(shape)), (long long)n);
}

int nn_check_first_output(const NnCall *call)
{
    return nn_output(call, 0) ? 0 : nn_error_set(call->error, -EBADMSG, "output 0 has no name");
}

int nn_check_unused_output(const NnCall *call, size_t output)
{
    if (!nn_output(call, output))
        return 0;
    return nn_error_set(call->error, -ENOTSUP, "output %zu is not supported", output);
}

int nn_set_output(const NnCall *call, size_t output, NnDtype dtype, int rank, const int64_t *dims)
{
    NnTensor *out = nn_output(call, output);
    if (rank > NN_RANK_MAX)
        return nn_error_set(call->error, -E2BIG, "output %zu would have %d dimensions, limit %d",
                            output, rank, NN_RANK_MAX);
    if (!out)
        return 0;
    NnTensor tensor = { .dtype = dtype, .rank = rank };
    if (rank)
        memcpy(tensor.dims, dims, (size_t)rank * sizeof(*dims));
    size_t bytes;
    int r = nn_tensor_bytes(&tensor, &bytes);
    if (r < 0)
        return nn_error_set(call->error, r, "output %zu would be too large", output);
    tensor.data = out->data;
    *out = tensor;
    return 0;
}

int nn_infer_same(const NnCall *call, unsigned types)
{
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, types);
    if (r < 0)
        return r;
    return nn_set_output(call, 0, call->in[0]->dtype, call->in[0]->rank, call->in[0]->dims);
}

int nn_resolve_axis(const NnCall *call, int64_t axis, int rank, int *ret_axis)
{
    if (axis < -rank || axis >= rank)
        return nn_error_set(call->error, -EBADMSG,
                            "axis %lld is not one of a tensor of %d dimensions", (long long)axis,
                            rank);
    *ret_axis = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

int nn_resolve_axes(const NnCall *call, const int64_t *axes, size_t n, int rank,
                    bool ret_selected[NN_RANK_MAX])
{
    bool selected[NN_RANK_MAX] = { false };
    for (size_t i = 0; i < n; i++) {
        int axis = 0;
        int r = nn_resolve_axis(call, axes[i], rank, &axis);
        if (r < 0)
            return r;
        if (selected[axis])
            return nn_error_set(call->error, -EBADMSG, "axis %d is named twice", axis);
        selected[axis] = true;
    }
    memcpy(ret_selected, selected, sizeof(selected));
    return 0;
}

int64_t nn_load_int(const NnTensor *tensor, int64_t index)
{
    int64_t value = 0;
    NN_SWITCH(tensor->dtype,
              NN_CASES_SIGNED(value = ((const T *)tensor->data)[index])
              NN_CASES_UNSIGNED(value = (int64_t)((const T *)tensor->data)[index])
              NN_CASE(NN_DTYPE_BOOL, uint8_t, value = ((const T *)tensor->data)[index]))
    return value;
}

double nn_load_float(const NnTensor *tensor, int64_t index)
{
    double value = 0;
    NN_SWITCH_NUMBER_OR_BOOL(tensor->dtype, value = (double)((const T *)tensor->data)[index])
    return value;
}

int nn_input_ints(const NnCall *call, size_t input, int64_t *ret, size_t max, size_t *ret_n)
{
    const NnTensor *tensor = nn_input(call, input);
    if (!tensor)
        return nn_error_set(call->error, -EBADMSG, "input %zu is missing", input);
    int r = nn_check_dtype(call, input, NN_TYPES_INDEX);
    if (r < 0)
        return r;
    r = nn_check_rank(call, input, 0, 1);
    if (r < 0)
        return r;
    int64_t n = nn_tensor_elements(tensor);
    if (n > (int64_t)max)
        return nn_error_set(call->error, -EBADMSG, "input %zu has %lld elements, limit %zu", input,
                            (long long)n, max);
    if (!tensor->data && n > 0)
        return nn_error_set(call->error, -ENOTSUP, "input %zu must be constant", input);
    for (int64_t i = 0; i < n; i++)
        ret[i] = nn_load_int(tensor, i);
    *ret_n = (size_t)n;
    return 0;
}

int nn_input_int(const NnCall *call, size_t input, int64_t *ret)
{
    size_t n;
    int64_t value;
    int r = nn_input_ints(call, input, &value, 1, &n);
    if (r < 0)
        return r;
    if (n != 1)
        return nn_error_set(call->error, -EBADMSG, "input %zu is empty", input);
    *ret = value;
    return 0;
}

int nn_list(const NnCall *call, const char *attribute, int last_attribute, size_t input,
            int64_t *ret, size_t max, size_t *ret_n, bool *ret_given)
{
    *ret_n = 0;
    *ret_given = false;
    if (call->node->opset <= last_attribute) {
        *ret_given = nn_node_attribute(call->node, attribute) != NULL;
        return nn_node_ints(call->node, attribute, ret, max, ret_n, call->error);
    }
    if (!nn_input(call, input))
        return 0;
    *ret_given = true;
    return nn_input_ints(call, input, ret, max, ret_n);
}

int64_t nn_product(const int64_t *dims, int begin, int end)
{
    int64_t product = 1;
    for (int i = begin; i < end; i++)
        product *= dims[i];
    return product;
}

void nn_strides(const NnTensor *tensor, int64_t *ret_strides)
{
    int64_t stride = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        ret_strides[i] = stride;
        stride *= tensor->dims[i];
    }
}

typedef struct Ranges {
    NnRangeFunc func;
    void *argument;
    int64_t n;
    int64_t tiles;
} Ranges;

static void run_tile(void *argument, size_t tile, unsigned worker)
{
    const Ranges *ranges = argument;
    int64_t quotient = ranges->n / ranges->tiles, rest = ranges->n % ranges->tiles;
    int64_t t = (int64_t)tile;
    int64_t begin = t * quotient + NN_MIN(t, rest);
    int64_t end = begin + quotient + (t < rest);
    ranges->func(ranges->argument, begin, end, worker);
}

unsigned nn_range_workers(const NnPool *pool)
{
    return pool ? nn_pool_threads(pool) : 1;
}

void nn_range_run(NnPool *pool, int64_t n, int64_t grain, NnRangeFunc func, void *argument)
{
    /* A few parts for each thread, so that one that is held up does not hold up all. */
    int64_t tiles = NN_MIN(n / NN_MAX(grain, 1), 4 * (int64_t)nn_range_workers(pool));
    if (n <= 0)
        return;
    if (tiles <= 1 || nn_range_workers(pool) == 1) {
        func(argument, 0, n, 0);
        return;
    }
    Ranges ranges = { .func = func, .argument = argument, .n = n, .tiles = tiles };
    nn_pool_run(pool, (size_t)tiles, run_tile, &ranges);
}

/* Puts `value` at the root of a subtree and lets what stands before it rise. */
static void sift_down(int64_t *index, int64_t root, int64_t n, int64_t value, NnBeforeFunc before,
                      const void *context)
{
    for (;;) {
        int64_t child = 2 * root + 1;
        if (child >= n)
            break;
        if (child + 1 < n && before(context, index[child + 1], index[child]))
            child++;
        if (!before(context, index[child], value))
            break;
        index[root] = index[child];
        root = child;
    }
    index[root] = value;
}

void nn_heap_build(int64_t *index, int64_t n, NnBeforeFunc before, const void *context)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--)
        sift_down(index, i, n, index[i], before, context);
}

int64_t nn_heap_take(int64_t *index, int64_t n, NnBeforeFunc before, const void *context)
{
    int64_t first = index[0];
    if (n > 1)
        sift_down(index, 0, n - 1, index[n - 1], before, context);
    return first;
}
