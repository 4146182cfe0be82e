/* SPDX-License-Identifier: Apache-2.0 */

/* Up- and downsampling, and what is refused beside them. */

#include "nnef/lower.h"

/* The factors of the dimensions behind batch and channels. */
static bool factors(NnefCall *call, NnValueId *ret_input, NnTensor *ret_tensor,
                    int64_t factor[NN_RANK_MAX])
{
    size_t n = nn_nnef_integers(call, "factor", factor);
    const NnTensor *tensor;

    *ret_input = nn_nnef_tensor(call, "input");
    tensor = nn_nnef_build_tensor(call->build, *ret_input);
    if (!tensor)
        return false;
    if (tensor->rank < 3 || n != (size_t)tensor->rank - 2)
        nn_nnef_build_fail(call->build, -EBADMSG, "'factor' has %zu items for %d dimensions", n,
                           tensor->rank);
    for (size_t i = 0; i < n; i++)
        if (factor[i] < 1 || factor[i] > NNEF_EXTENT_MAX)
            nn_nnef_build_fail(call->build, -EBADMSG, "a factor is %lld", (long long)factor[i]);
    *ret_tensor = *tensor;
    return call->build->status >= 0;
}

static bool divides(NnefCall *call, const NnTensor *tensor, const int64_t *factor)
{
    for (int i = 2; i < tensor->rank; i++)
        if (tensor->dims[i] % factor[i - 2])
            nn_nnef_build_fail(call->build, -EBADMSG, "a factor of %lld does not divide %lld",
                               (long long)factor[i - 2], (long long)tensor->dims[i]);
    return call->build->status >= 0;
}

int nn_nnef_lower_nearest_downsample(NnefCall *call)
{
    int64_t factor[NN_RANK_MAX], begin[NN_RANK_MAX], end[NN_RANK_MAX], axes[NN_RANK_MAX];
    NnefBuild *build = call->build;
    NnTensor tensor;
    NnValueId x;
    size_t n;

    if (!factors(call, &x, &tensor, factor) || !divides(call, &tensor, factor))
        return 0;
    n = (size_t)tensor.rank - 2;
    for (size_t i = 0; i < n; i++) {
        begin[i] = 0;
        end[i] = tensor.dims[i + 2];
        axes[i] = (int64_t)i + 2;
    }
    nn_nnef_result(call, 0,
                   nn_nnef_build(build, "Slice", NULL, x, nn_nnef_build_ints(build, begin, n),
                                 nn_nnef_build_ints(build, end, n),
                                 nn_nnef_build_ints(build, axes, n),
                                 nn_nnef_build_ints(build, factor, n)));
    return 0;
}

int nn_nnef_lower_area_downsample(NnefCall *call)
{
    int64_t factor[NN_RANK_MAX];
    NnTensor tensor;
    NnValueId x;
    size_t n;

    if (!factors(call, &x, &tensor, factor) || !divides(call, &tensor, factor))
        return 0;
    n = (size_t)tensor.rank - 2;
    nn_nnef_result(call, 0, nn_nnef_build(call->build, "AveragePool",
                                          NNEF_ATTRIBUTES(NNEF_INTS("kernel_shape", factor, n),
                                                          NNEF_INTS("strides", factor, n)),
                                          x));
    return 0;
}

static NnValueId resize(NnefBuild *build, NnValueId x, const int64_t *factor, int rank,
                        const char *mode, const char *coordinates)
{
    NnTensor scales = { .dtype = NN_DTYPE_F32, .rank = 1, .dims = { rank } };
    float *to = nn_aligned_alloc((size_t)rank * sizeof(float));

    for (int i = 0; to && i < rank; i++)
        to[i] = i < 2 ? 1.0f : (float)factor[i - 2];
    scales.data = to;
    return nn_nnef_build(build, "Resize",
                         NNEF_ATTRIBUTES(NNEF_TEXT("mode", mode),
                                         NNEF_TEXT("coordinate_transformation_mode", coordinates),
                                         NNEF_TEXT("nearest_mode", "floor")),
                         x, NN_NO_VALUE, nn_nnef_build_constant(build, &scales));
}

int nn_nnef_lower_nearest_upsample(NnefCall *call)
{
    int64_t factor[NN_RANK_MAX];
    NnTensor tensor;
    NnValueId x;

    if (factors(call, &x, &tensor, factor))
        nn_nnef_result(call, 0, resize(call->build, x, factor, tensor.rank, "nearest",
                                       "asymmetric"));
    return 0;
}

/* Zeros around, resized with the rest and cut off again. */
static NnValueId resize_with_zeros(NnefBuild *build, NnValueId x, const NnTensor *tensor,
                                   const int64_t *factor, const char *coordinates)
{
    int64_t one[NN_RANK_MAX] = { 0 }, begin[NN_RANK_MAX], end[NN_RANK_MAX], axes[NN_RANK_MAX];
    size_t n = (size_t)tensor->rank - 2;

    for (size_t i = 0; i < n; i++) {
        one[i + 2] = 1;
        begin[i] = factor[i];
        end[i] = factor[i] * (tensor->dims[i + 2] + 1);
        axes[i] = (int64_t)i + 2;
    }
    x = nn_nnef_pad(build, x, "constant", 0.0, one, one, tensor->rank);
    x = resize(build, x, factor, tensor->rank, "linear", coordinates);
    return nn_nnef_build(build, "Slice", NULL, x, nn_nnef_build_ints(build, begin, n),
                         nn_nnef_build_ints(build, end, n), nn_nnef_build_ints(build, axes, n));
}

int nn_nnef_lower_multilinear_upsample(NnefCall *call)
{
    static const char *const methods[][2] = { { "symmetric", "half_pixel" },
                                              { "asymmetric", "asymmetric" },
                                              { "aligned", "align_corners" } };
    const char *method = nn_nnef_text(call, "method"), *border = nn_nnef_text(call, "border");
    const char *coordinates = NULL;
    int64_t factor[NN_RANK_MAX];
    NnTensor tensor;
    NnValueId x;

    for (size_t i = 0; i < NN_ARRAY_SIZE(methods); i++)
        if (strcmp(method, methods[i][0]) == 0)
            coordinates = methods[i][1];
    if (!coordinates)
        return nn_error_set(call->build->error, -EBADMSG,
                            "method '%s', 'symmetric', 'asymmetric' or 'aligned' was expected",
                            method);
    if (!factors(call, &x, &tensor, factor))
        return 0;
    if (strcmp(border, "constant") == 0 && strcmp(method, "aligned") != 0)
        x = resize_with_zeros(call->build, x, &tensor, factor, coordinates);
    else if (strcmp(border, "replicate") == 0 || strcmp(method, "aligned") == 0)
        x = resize(call->build, x, factor, tensor.rank, "linear", coordinates);
    else
        return nn_error_set(call->build->error, -ENOTSUP, "border '%s' is not supported here",
                            border);
    nn_nnef_result(call, 0, x);
    return 0;
}

/* The standard leaves open how regions round and what lies outside of them. */
int nn_nnef_lower_region(NnefCall *call)
{
    return nn_error_set(call->build->error, -ENOTSUP, "regions of interest are not supported");
}

int nn_nnef_lower_update(NnefCall *call)
{
    return nn_error_set(call->build->error, -ENOTSUP,
                        "variables that change from run to run are not supported");
}
