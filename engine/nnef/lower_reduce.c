/* SPDX-License-Identifier: Apache-2.0 */

/* Reductions, products of matrices and normalisations. */

#include "nnef/lower.h"

NnValueId nn_nnef_reduce(NnefBuild *build, const char *op, NnValueId id, const int64_t *axes,
                         size_t n)
{
    if (n == 0)
        return id;
    /* Opset 13 takes the axes of ReduceSum as an input, those of the others not. */
    if (strcmp(op, "ReduceSum") == 0)
        return nn_nnef_build(build, op, NULL, id, nn_nnef_build_ints(build, axes, n));
    return nn_nnef_build(build, op, NNEF_ATTRIBUTES(NNEF_INTS("axes", axes, n)), id);
}

/* The input and the axes that stand in the call. */
static bool reduction(NnefCall *call, NnValueId *input, int64_t axes[NN_RANK_MAX], size_t *n)
{
    const NnTensor *tensor;

    *input = nn_nnef_tensor(call, "input");
    tensor = nn_nnef_build_tensor(call->build, *input);
    if (tensor)
        *n = nn_nnef_axes(call, "axes", tensor->rank, axes);
    return call->build->status >= 0;
}

int nn_nnef_lower_reduce(NnefCall *call)
{
    const char *name = call->fragment->name;
    bool mean = strcmp(name, "mean_reduce") == 0 ||
                (strcmp(name, "sum_reduce") == 0 && nn_nnef_logical(call, "normalize"));
    const char *op = mean                             ? "ReduceMean"
                     : strcmp(name, "sum_reduce") == 0 ? "ReduceSum"
                     : strcmp(name, "max_reduce") == 0 ? "ReduceMax"
                                                       : "ReduceMin";
    int64_t axes[NN_RANK_MAX];
    NnValueId x;
    size_t n;

    if (reduction(call, &x, axes, &n))
        nn_nnef_result(call, 0, nn_nnef_reduce(call->build, op, x, axes, n));
    return 0;
}

int nn_nnef_lower_arg_reduce(NnefCall *call)
{
    bool max = strcmp(call->fragment->name, "argmax_reduce") == 0;
    int64_t axes[NN_RANK_MAX];
    NnValueId x;
    size_t n;

    if (!reduction(call, &x, axes, &n))
        return 0;
    if (n != 1)
        return nn_error_set(call->build->error, -ENOTSUP, "over %zu axes, one is supported", n);
    nn_nnef_result(call, 0, nn_nnef_build(call->build, max ? "ArgMax" : "ArgMin",
                                          NNEF_ATTRIBUTES(NNEF_INT("axis", axes[0])), x));
    return 0;
}

int nn_nnef_lower_logical_reduce(NnefCall *call)
{
    bool any = strcmp(call->fragment->name, "any_reduce") == 0;
    int64_t axes[NN_RANK_MAX];
    NnValueId x;
    size_t n;

    if (!reduction(call, &x, axes, &n))
        return 0;
    x = nn_nnef_build_cast(call->build, x, NN_DTYPE_F32);
    x = nn_nnef_reduce(call->build, any ? "ReduceMax" : "ReduceMin", x, axes, n);
    nn_nnef_result(call, 0, nn_nnef_build_cast(call->build, x, NN_DTYPE_BOOL));
    return 0;
}

int nn_nnef_lower_moments(NnefCall *call)
{
    NnefBuild *build = call->build;
    int64_t axes[NN_RANK_MAX];
    NnValueId x, mean;
    size_t n;

    if (!reduction(call, &x, axes, &n))
        return 0;
    mean = nn_nnef_reduce(build, "ReduceMean", x, axes, n);
    x = nn_nnef_with(build, "Sub", x, mean);
    x = nn_nnef_with(build, "Mul", x, x);
    nn_nnef_result(call, 0, mean);
    nn_nnef_result(call, 1, nn_nnef_reduce(build, "ReduceMean", x, axes, n));
    return 0;
}

static NnValueId swap_last(NnefBuild *build, NnValueId id)
{
    const NnTensor *tensor = nn_nnef_build_tensor(build, id);
    int64_t perm[NN_RANK_MAX];
    int rank;

    if (!tensor)
        return NN_NO_VALUE;
    rank = tensor->rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return nn_nnef_build(build, "Transpose", NNEF_ATTRIBUTES(NNEF_INTS("perm", perm, (size_t)rank)),
                         id);
}

static NnValueId matmul(NnefCall *call, const char *const *names, bool transpose_a,
                        bool transpose_b)
{
    NnefBuild *build = call->build;
    NnValueId v[2];
    const NnTensor *a, *b;

    nn_nnef_operands(call, names, 2, v);
    a = nn_nnef_build_tensor(build, v[0]);
    b = nn_nnef_build_tensor(build, v[1]);
    if (!a || !b)
        return NN_NO_VALUE;
    if (a->rank < 2 || a->rank != b->rank) {
        nn_nnef_build_fail(build, -EBADMSG, "%d and %d dimensions, two or more and as many were "
                                            "expected",
                           a->rank, b->rank);
        return NN_NO_VALUE;
    }
    if (transpose_a)
        v[0] = swap_last(build, v[0]);
    if (transpose_b)
        v[1] = swap_last(build, v[1]);
    return nn_nnef_with(build, "MatMul", v[0], v[1]);
}

int nn_nnef_lower_matmul(NnefCall *call)
{
    static const char *const names[] = { "A", "B" };

    nn_nnef_result(call, 0, matmul(call, names, nn_nnef_logical(call, "transposeA"),
                                   nn_nnef_logical(call, "transposeB")));
    return 0;
}

int nn_nnef_lower_linear(NnefCall *call)
{
    static const char *const names[] = { "input", "filter" };
    NnefBuild *build = call->build;
    NnValueId v[3] = { nn_nnef_tensor(call, "input"), nn_nnef_tensor(call, "filter"),
                       NN_NO_VALUE };
    const NnTensor *filter = nn_nnef_build_tensor(build, v[1]);
    const NnTensor *input = nn_nnef_build_tensor(build, v[0]);
    double bias = 0.0;
    bool literal = nn_nnef_literal(call, "bias", &bias);
    NnValueId y;

    if (!filter || !input)
        return 0;
    if (filter->rank == 2 && input->rank == 2 && (!literal || bias == 0.0)) {
        if (!literal)
            v[2] = nn_nnef_flat(build, nn_nnef_tensor(call, "bias"), filter->dims[0]);
        y = nn_nnef_build_output(build, "Gemm", NNEF_ATTRIBUTES(NNEF_INT("transB", 1)), v, 3);
    } else {
        y = matmul(call, names, false, true);
        if (!literal || bias != 0.0) {
            NnValueId sum[2] = { y, nn_nnef_tensor(call, "bias") };

            nn_nnef_align(build, sum, 2);
            y = nn_nnef_with(build, "Add", sum[0], sum[1]);
        }
    }
    nn_nnef_result(call, 0, y);
    return 0;
}

/* The window of a normalisation; missing trailing dimensions are 1. */
static bool window_size(NnefCall *call, NnValueId x, int64_t size[NN_RANK_MAX], int *ret_rank)
{
    const NnTensor *tensor = nn_nnef_build_tensor(call->build, x);
    size_t n = nn_nnef_integers(call, "size", size);

    if (!tensor)
        return false;
    if (n > (size_t)tensor->rank)
        nn_nnef_build_fail(call->build, -EBADMSG, "'size' has %zu items for %d dimensions", n,
                           tensor->rank);
    for (int i = 0; i < tensor->rank; i++) {
        if ((size_t)i >= n)
            size[i] = 1;
        if (size[i] < 1 || size[i] > NNEF_EXTENT_MAX)
            nn_nnef_build_fail(call->build, -EBADMSG, "'size' holds %lld", (long long)size[i]);
    }
    *ret_rank = tensor->rank;
    return call->build->status >= 0;
}

int nn_nnef_lower_response_normalization(NnefCall *call)
{
    NnefBuild *build = call->build;
    double alpha = nn_nnef_scalar(call, "alpha"), beta = nn_nnef_scalar(call, "beta");
    double bias = nn_nnef_scalar(call, "bias");
    NnValueId x = nn_nnef_tensor(call, "input"), y;
    int64_t size[NN_RANK_MAX];
    bool channels = true;
    int rank;

    if (!window_size(call, x, size, &rank))
        return 0;
    for (int i = 0; i < rank; i++)
        channels = channels && (i == 1 || size[i] == 1);
    if (channels && rank >= 3)
        y = nn_nnef_build(build, "LRN",
                          NNEF_ATTRIBUTES(NNEF_FLOAT("alpha", alpha), NNEF_FLOAT("beta", beta),
                                          NNEF_FLOAT("bias", bias), NNEF_INT("size", size[1])),
                          x);
    else {
        y = nn_nnef_box_sizes(build, nn_nnef_with(build, "Mul", x, x), size, true);
        y = nn_nnef_with_number(build, "Mul", y, alpha);
        y = nn_nnef_with_number(build, "Add", y, bias);
        y = nn_nnef_with(build, "Div", x, nn_nnef_with_number(build, "Pow", y, beta));
    }
    nn_nnef_result(call, 0, y);
    return 0;
}

static NnValueId less_mean(NnefBuild *build, NnValueId x, const int64_t *size)
{
    return nn_nnef_with(build, "Sub", x, nn_nnef_box_sizes(build, x, size, true));
}

/* x / max(σ + bias, ε) */
static NnValueId over_deviation(NnefCall *call, NnValueId x, NnValueId sigma)
{
    NnefBuild *build = call->build;

    sigma = nn_nnef_with_number(build, "Add", sigma, nn_nnef_scalar(call, "bias"));
    sigma = nn_nnef_with_number(build, "Max", sigma, nn_nnef_scalar(call, "epsilon"));
    return nn_nnef_with(build, "Div", x, sigma);
}

static NnValueId over_variance(NnefCall *call, NnValueId x, const int64_t *size)
{
    NnefBuild *build = call->build;
    NnValueId sigma = nn_nnef_box_sizes(build, nn_nnef_with(build, "Mul", x, x), size, true);

    return over_deviation(call, x, nn_nnef_build(build, "Sqrt", NULL, sigma));
}

int nn_nnef_lower_mean_normalization(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    int64_t size[NN_RANK_MAX];
    int rank;

    if (window_size(call, x, size, &rank))
        nn_nnef_result(call, 0, less_mean(call->build, x, size));
    return 0;
}

int nn_nnef_lower_variance_normalization(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    int64_t size[NN_RANK_MAX];
    int rank;

    if (window_size(call, x, size, &rank))
        nn_nnef_result(call, 0, over_variance(call, x, size));
    return 0;
}

int nn_nnef_lower_contrast_normalization(NnefCall *call)
{
    NnValueId x = nn_nnef_tensor(call, "input");
    int64_t size[NN_RANK_MAX];
    int rank;

    if (window_size(call, x, size, &rank))
        nn_nnef_result(call, 0, over_variance(call, less_mean(call->build, x, size), size));
    return 0;
}

int nn_nnef_lower_l1_normalization(NnefCall *call)
{
    int64_t axes[NN_RANK_MAX];
    NnValueId x, sigma;
    size_t n;

    if (!reduction(call, &x, axes, &n))
        return 0;
    sigma = nn_nnef_reduce(call->build, "ReduceSum", nn_nnef_build(call->build, "Abs", NULL, x),
                           axes, n);
    nn_nnef_result(call, 0, over_deviation(call, x, sigma));
    return 0;
}

int nn_nnef_lower_l2_normalization(NnefCall *call)
{
    int64_t axes[NN_RANK_MAX];
    NnValueId x, sigma;
    size_t n;

    if (!reduction(call, &x, axes, &n))
        return 0;
    sigma = nn_nnef_reduce(call->build, "ReduceSum", nn_nnef_with(call->build, "Mul", x, x), axes,
                           n);
    nn_nnef_result(call, 0,
                   over_deviation(call, x, nn_nnef_build(call->build, "Sqrt", NULL, sigma)));
    return 0;
}

/* Parameters of one value for each channel, or one number for all. */
static bool per_channel(NnefCall *call, const char *name, int64_t channels, NnValueId *ret)
{
    double value;
    NnValueId id;
    const NnTensor *tensor;

    if (nn_nnef_literal(call, name, &value)) {
        *ret = nn_nnef_build_fill(call->build, &channels, 1, value);
        return true;
    }
    id = nn_nnef_tensor(call, name);
    tensor = nn_nnef_build_tensor(call->build, id);
    if (!tensor || tensor->rank != 2 || tensor->dims[0] != 1 || tensor->dims[1] != channels)
        return false;
    *ret = nn_nnef_build_reshape(call->build, id, &channels, 1);
    return true;
}

int nn_nnef_lower_batch_normalization(NnefCall *call)
{
    static const char *const onnx[] = { "scale", "offset", "mean", "variance" };
    static const char *const names[] = { "input", "mean", "variance", "offset", "scale" };
    NnefBuild *build = call->build;
    double epsilon = nn_nnef_scalar(call, "epsilon");
    NnValueId v[5] = { nn_nnef_tensor(call, "input") };
    const NnTensor *tensor = nn_nnef_build_tensor(build, v[0]);
    int64_t channels;
    bool simple = tensor && tensor->rank >= 2;

    if (!tensor)
        return 0;
    channels = tensor->rank >= 2 ? tensor->dims[1] : 0;
    for (int i = 0; i < 4 && simple; i++)
        simple = per_channel(call, onnx[i], channels, &v[i + 1]);
    if (simple) {
        nn_nnef_result(call, 0, nn_nnef_build_output(
                                    build, "BatchNormalization",
                                    NNEF_ATTRIBUTES(NNEF_FLOAT("epsilon", epsilon)), v, 5));
        return 0;
    }
    nn_nnef_operands(call, names, 5, v);
    v[2] = nn_nnef_build(build, "Sqrt", NULL, nn_nnef_with_number(build, "Add", v[2], epsilon));
    v[0] = nn_nnef_with(build, "Mul", v[4], nn_nnef_with(build, "Sub", v[0], v[1]));
    v[0] = nn_nnef_with(build, "Div", v[0], v[2]);
    nn_nnef_result(call, 0, nn_nnef_with(build, "Add", v[3], v[0]));
    return 0;
}
