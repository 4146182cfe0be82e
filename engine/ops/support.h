/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What several operators share: checks of inputs, loops over element types,
 * threads over ranges, sorting without allocation. */

#include "ops/op.h"

/* Sets of element types. */
#define NN_BIT(dtype) (1u << (dtype))
#define NN_TYPES_FLOAT (NN_BIT(NN_DTYPE_F32) | NN_BIT(NN_DTYPE_F64))
#define NN_TYPES_SIGNED                                                                  \
    (NN_BIT(NN_DTYPE_I8) | NN_BIT(NN_DTYPE_I16) | NN_BIT(NN_DTYPE_I32) | NN_BIT(NN_DTYPE_I64))
#define NN_TYPES_UNSIGNED                                                                \
    (NN_BIT(NN_DTYPE_U8) | NN_BIT(NN_DTYPE_U16) | NN_BIT(NN_DTYPE_U32) | NN_BIT(NN_DTYPE_U64))
#define NN_TYPES_INT (NN_TYPES_SIGNED | NN_TYPES_UNSIGNED)
#define NN_TYPES_NUMBER (NN_TYPES_FLOAT | NN_TYPES_INT)
#define NN_TYPES_INDEX (NN_BIT(NN_DTYPE_I32) | NN_BIT(NN_DTYPE_I64))
#define NN_TYPES_BOOL NN_BIT(NN_DTYPE_BOOL)
#define NN_TYPES_ANY (NN_TYPES_NUMBER | NN_TYPES_BOOL | NN_BIT(NN_DTYPE_F16))

/* One block for all types compares unsigned numbers with zero too. */
#pragma GCC diagnostic ignored "-Wtype-limits"

/* Runs a block once with T as the C type of `dtype`, or not at all when the
 * dtype is not in the family: infer has refused that before. */
#define NN_CASE(dtype, type, ...) \
    case dtype: {                 \
        typedef type T;           \
        __VA_ARGS__;              \
        break;                    \
    }
#define NN_CASES_FLOAT(...)                     \
    NN_CASE(NN_DTYPE_F32, float, __VA_ARGS__)   \
    NN_CASE(NN_DTYPE_F64, double, __VA_ARGS__)
#define NN_CASES_SIGNED(...)                    \
    NN_CASE(NN_DTYPE_I8, int8_t, __VA_ARGS__)   \
    NN_CASE(NN_DTYPE_I16, int16_t, __VA_ARGS__) \
    NN_CASE(NN_DTYPE_I32, int32_t, __VA_ARGS__) \
    NN_CASE(NN_DTYPE_I64, int64_t, __VA_ARGS__)
#define NN_CASES_UNSIGNED(...)                   \
    NN_CASE(NN_DTYPE_U8, uint8_t, __VA_ARGS__)   \
    NN_CASE(NN_DTYPE_U16, uint16_t, __VA_ARGS__) \
    NN_CASE(NN_DTYPE_U32, uint32_t, __VA_ARGS__) \
    NN_CASE(NN_DTYPE_U64, uint64_t, __VA_ARGS__)
#define NN_SWITCH(dtype, cases) \
    switch (dtype) {            \
        cases                   \
    default:                    \
        break;                  \
    }
#define NN_SWITCH_FLOAT(dtype, ...) NN_SWITCH(dtype, NN_CASES_FLOAT(__VA_ARGS__))
#define NN_SWITCH_INT(dtype, ...) \
    NN_SWITCH(dtype, NN_CASES_SIGNED(__VA_ARGS__) NN_CASES_UNSIGNED(__VA_ARGS__))
#define NN_SWITCH_NUMBER(dtype, ...)                                            \
    NN_SWITCH(dtype, NN_CASES_FLOAT(__VA_ARGS__) NN_CASES_SIGNED(__VA_ARGS__)   \
                     NN_CASES_UNSIGNED(__VA_ARGS__))
#define NN_SWITCH_NUMBER_OR_BOOL(dtype, ...)                                    \
    NN_SWITCH(dtype, NN_CASES_FLOAT(__VA_ARGS__) NN_CASES_SIGNED(__VA_ARGS__)   \
                     NN_CASES_UNSIGNED(__VA_ARGS__)                             \
                     NN_CASE(NN_DTYPE_BOOL, uint8_t, __VA_ARGS__))
#define NN_SWITCH_BOOL(dtype, ...) \
    NN_SWITCH(dtype, NN_CASE(NN_DTYPE_BOOL, uint8_t, __VA_ARGS__))

/* The same for code that only moves elements of `size` bytes. */
#define NN_SWITCH_SIZE(size, ...)         \
    switch (size) {                       \
        NN_CASE(1, uint8_t, __VA_ARGS__)  \
        NN_CASE(2, uint16_t, __VA_ARGS__) \
        NN_CASE(4, uint32_t, __VA_ARGS__) \
        NN_CASE(8, uint64_t, __VA_ARGS__) \
    default:                              \
        break;                            \
    }

/* The loop after it reads and writes the same index only, so that output over
 * input does not stop the vectoriser. clang knows no such hint that keeps quiet
 * about loops it leaves alone. */
#ifdef __clang__
#define NN_INDEPENDENT
#else
#define NN_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Checks for infer: they write the sentence and return the code. */

/* The first `n` inputs are there. */
NN_MUST_CHECK int nn_check_inputs(const NnCall *call, size_t n);
/* An absent optional input passes. */
NN_MUST_CHECK int nn_check_dtype(const NnCall *call, size_t input, unsigned types);
NN_MUST_CHECK int nn_check_rank(const NnCall *call, size_t input, int low, int high);
/* Input `input` has the dtype of input 0. An absent optional input passes. */
NN_MUST_CHECK int nn_check_same_dtype(const NnCall *call, size_t input);
/* A rank-1 tensor of `n` elements. */
NN_MUST_CHECK int nn_check_vector(const NnCall *call, size_t input, int64_t n);
/* Output 0 is there: what an operator with several outputs may ask for. */
NN_MUST_CHECK int nn_check_first_output(const NnCall *call);
/* Nobody reads output `output`. */
NN_MUST_CHECK int nn_check_unused_output(const NnCall *call, size_t output);

/* Optional inputs: NULL when absent. */
static inline const NnTensor *nn_input(const NnCall *call, size_t i)
{
    return i < call->n_in ? call->in[i] : NULL;
}

/* NULL for an output that nobody reads. */
static inline NnTensor *nn_output(const NnCall *call, size_t i)
{
    return i < call->n_out ? call->out[i] : NULL;
}

/* Describes an output and checks its size; an output nobody reads passes.
 * `dims` may be those of the output itself. */
NN_MUST_CHECK int nn_set_output(const NnCall *call, size_t output, NnDtype dtype, int rank,
                                const int64_t *dims);

/* Output 0 is like input 0, whose dtype is one of `types`. */
NN_MUST_CHECK int nn_infer_same(const NnCall *call, unsigned types);

/* -rank…rank-1 to 0…rank-1; -EBADMSG outside. */
NN_MUST_CHECK int nn_resolve_axis(const NnCall *call, int64_t axis, int rank, int *ret_axis);

/* The same for a list, which must not name an axis twice. */
NN_MUST_CHECK int nn_resolve_axes(const NnCall *call, const int64_t *axes, size_t n, int rank,
                                  bool ret_selected[NN_RANK_MAX]);

/* Element `index` of a tensor; integers from an integer or bool tensor only. */
int64_t nn_load_int(const NnTensor *tensor, int64_t index);
double nn_load_float(const NnTensor *tensor, int64_t index);

/* The values of an int32 or int64 input of rank 0 or 1. -ENOTSUP when they are
 * not known, -EBADMSG when there are more than `max`. */
NN_MUST_CHECK int nn_input_ints(const NnCall *call, size_t input, int64_t *ret, size_t max,
                                size_t *ret_n);

/* The same for one value. */
NN_MUST_CHECK int nn_input_int(const NnCall *call, size_t input, int64_t *ret);

/* A list that is an attribute up to `last_attribute` opset and an input after
 * it. `ret_given` is false when it is absent. */
NN_MUST_CHECK int nn_list(const NnCall *call, const char *attribute, int last_attribute,
                          size_t input, int64_t *ret, size_t max, size_t *ret_n, bool *ret_given);

/* Product of dims[begin]…dims[end-1]. */
int64_t nn_product(const int64_t *dims, int begin, int end);

/* Strides in elements of a dense row-major tensor. */
void nn_strides(const NnTensor *tensor, int64_t *ret_strides);

static inline bool nn_is_float(NnDtype dtype)
{
    return (NN_TYPES_FLOAT & NN_BIT(dtype)) != 0;
}

/* Out of range is undefined in C, the nearest value here; NaN becomes 0. */
static inline int64_t nn_float_to_int(double x)
{
    if (x != x)
        return 0;
    return x >= 0x1p63 ? INT64_MAX : x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

/* Calls `func` for parts of 0…n-1 of at least `grain` items on the threads of
 * the pool. Within one loop a worker runs one part at a time. */
void nn_range_run(NnPool *pool, int64_t n, int64_t grain, NnRangeFunc func, void *argument);

/* Workers that nn_range_run() may use: what scratch is multiplied by. */
unsigned nn_range_workers(const NnPool *pool);

/* Grain for rows of `cost` elementary steps each. */
static inline int64_t nn_grain(int64_t cost)
{
    return NN_MAX(16384 / NN_MAX(cost, 1), 1);
}

/* A heap of indices: what stands before all others is taken first. `before` is a
 * strict total order. In place, no allocation. */
typedef bool (*NnBeforeFunc)(const void *context, int64_t a, int64_t b);
void nn_heap_build(int64_t *index, int64_t n, NnBeforeFunc before, const void *context);

/* Takes the first of the `n` that are left. The heap is index[0…n-2] then;
 * index[n-1] is free. */
int64_t nn_heap_take(int64_t *index, int64_t n, NnBeforeFunc before, const void *context);

/* The number of a TensorProto.DataType as a dtype; -ENOTSUP for others. */
NN_MUST_CHECK int nn_op_dtype(int64_t number, NnDtype *ret_dtype, NnError *error);
