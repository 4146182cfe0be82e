/* SPDX-License-Identifier: Apache-2.0 */

/* The operations of NNEF 1.0.x: their declarations, and what makes nodes of them.
 * "tensor" is "tensor<scalar>". */

#include "nnef/lower.h"

#define UNARY "(x: tensor) -> (y: tensor)"
#define BINARY "(x: tensor, y: tensor) -> (z: tensor)"
#define COMPARE "(x: tensor, y: tensor) -> (z: tensor<logical>)"
#define LOGICAL "(x: tensor<logical>, y: tensor<logical>) -> (z: tensor<logical>)"
#define REDUCE "(input: tensor, axes: integer[]) -> (output: tensor)"
#define WINDOW                                                                             \
    "border: string = 'constant', padding: (integer, integer)[] = [], stride: integer[] = " \
    "[], dilation: integer[] = []"
#define POOL "(input: tensor, size: integer[], " WINDOW ") -> (output: tensor)"
#define ROI "(input: tensor, rois: tensor, batch_index: tensor<integer>, output_size: integer[]"
#define LOCAL                                                                                      \
    "(input: tensor, size: integer[], bias: scalar = 0.0, epsilon: scalar = 0.0) -> (output: tensor)"
#define NORM                                                                                       \
    "(input: tensor, axes: integer[], bias: scalar = 0.0, epsilon: scalar = 0.0) -> (output: tensor)"

static const NnefOperation operations[] = {
    { "external<? = scalar>(shape: integer[]) -> (output: tensor<?>)", nn_nnef_lower_external },
    { "variable<? = scalar>(shape: integer[], label: string) -> (output: tensor<?>)",
      nn_nnef_lower_variable },
    { "constant<? = scalar>(shape: integer[], value: ?[]) -> (output: tensor<?>)",
      nn_nnef_lower_constant },
    { "update<?>(variable: tensor<?>, value: tensor<?>) -> (result: tensor<?>)",
      nn_nnef_lower_update },

    { "copy<?>(x: tensor<?>) -> (y: tensor<?>)", nn_nnef_lower_unary },
    { "abs" UNARY, nn_nnef_lower_unary },
    { "sign" UNARY, nn_nnef_lower_unary },
    { "exp" UNARY, nn_nnef_lower_unary },
    { "log" UNARY, nn_nnef_lower_unary },
    { "sin" UNARY, nn_nnef_lower_unary },
    { "cos" UNARY, nn_nnef_lower_unary },
    { "tan" UNARY, nn_nnef_lower_unary },
    { "sinh" UNARY, nn_nnef_lower_unary },
    { "cosh" UNARY, nn_nnef_lower_unary },
    { "tanh" UNARY, nn_nnef_lower_unary },
    { "asin" UNARY, nn_nnef_lower_unary },
    { "acos" UNARY, nn_nnef_lower_unary },
    { "atan" UNARY, nn_nnef_lower_unary },
    { "asinh" UNARY, nn_nnef_lower_unary },
    { "acosh" UNARY, nn_nnef_lower_unary },
    { "atanh" UNARY, nn_nnef_lower_unary },
    { "neg" UNARY, nn_nnef_lower_unary },
    { "rcp" UNARY, nn_nnef_lower_unary },
    { "floor" UNARY, nn_nnef_lower_unary },
    { "ceil" UNARY, nn_nnef_lower_unary },
    { "round" UNARY, nn_nnef_lower_unary },
    { "sqrt" UNARY, nn_nnef_lower_unary },
    { "relu" UNARY, nn_nnef_lower_unary },
    { "sigmoid" UNARY, nn_nnef_lower_unary },
    { "softplus" UNARY, nn_nnef_lower_unary },
    { "not(x: tensor<logical>) -> (y: tensor<logical>)", nn_nnef_lower_unary },
    { "sqr" UNARY, nn_nnef_lower_power },
    { "rsqr" UNARY, nn_nnef_lower_power },
    { "rsqrt" UNARY, nn_nnef_lower_power },
    { "log2" UNARY, nn_nnef_lower_log2 },
    { "add" BINARY, nn_nnef_lower_binary },
    { "sub" BINARY, nn_nnef_lower_binary },
    { "mul" BINARY, nn_nnef_lower_binary },
    { "div" BINARY, nn_nnef_lower_binary },
    { "pow" BINARY, nn_nnef_lower_binary },
    { "min" BINARY, nn_nnef_lower_binary },
    { "max" BINARY, nn_nnef_lower_binary },
    { "lt" COMPARE, nn_nnef_lower_binary },
    { "gt" COMPARE, nn_nnef_lower_binary },
    { "le" COMPARE, nn_nnef_lower_binary },
    { "ge" COMPARE, nn_nnef_lower_binary },
    { "eq(x: tensor<>, y: tensor<>) -> (z: tensor<logical>)", nn_nnef_lower_binary },
    { "ne(x: tensor<>, y: tensor<>) -> (z: tensor<logical>)", nn_nnef_lower_not_equal },
    { "and" LOGICAL, nn_nnef_lower_binary },
    { "or" LOGICAL, nn_nnef_lower_binary },
    { "select<?>(condition: tensor<logical>, true_value: tensor<?>, false_value: tensor<?>) -> "
      "(output: tensor<?>)",
      nn_nnef_lower_select },
    { "clamp(x: tensor, a: tensor, b: tensor) -> (y: tensor)", nn_nnef_lower_clamp },
    { "cast<?>(input: tensor<>) -> (output: tensor<?>)", nn_nnef_lower_cast },
    { "copy_n<?>(x: tensor<?>, times: integer) -> (y: tensor<?>[])", nn_nnef_lower_copy_n },
    { "add_n(x: tensor[]) -> (y: tensor)", nn_nnef_lower_add_n },

    { "elu(x: tensor, alpha: scalar = 1.0) -> (y: tensor)", nn_nnef_lower_elu },
    { "selu(x: tensor, alpha: scalar = 1.67326319, lambda: scalar = 1.05070102) -> (y: tensor)",
      nn_nnef_lower_selu },
    { "gelu" UNARY, nn_nnef_lower_gelu },
    { "silu" UNARY, nn_nnef_lower_silu },
    { "softabs(x: tensor, epsilon: scalar) -> (y: tensor)", nn_nnef_lower_softabs },
    { "softmax(x: tensor, axes: integer[] = [1]) -> (y: tensor)", nn_nnef_lower_softmax },
    { "prelu(x: tensor, alpha: tensor) -> (y: tensor)", nn_nnef_lower_prelu },
    { "leaky_relu(x: tensor, alpha: scalar) -> (y: tensor)", nn_nnef_lower_leaky_relu },

    { "reshape<?>(input: tensor<?>, shape: integer[], axis_start: integer = 0, axis_count: "
      "integer = -1) -> (output: tensor<?>)",
      nn_nnef_lower_reshape },
    { "transpose<?>(input: tensor<?>, axes: integer[]) -> (output: tensor<?>)",
      nn_nnef_lower_transpose },
    { "squeeze<?>(input: tensor<?>, axes: integer[]) -> (output: tensor<?>)",
      nn_nnef_lower_squeeze },
    { "unsqueeze<?>(input: tensor<?>, axes: integer[]) -> (output: tensor<?>)",
      nn_nnef_lower_unsqueeze },
    { "concat<?>(values: tensor<?>[], axis: integer) -> (value: tensor<?>)",
      nn_nnef_lower_concat },
    { "split<?>(value: tensor<?>, axis: integer, ratios: integer[]) -> (values: tensor<?>[])",
      nn_nnef_lower_split },
    { "stack<?>(values: tensor<?>[], axis: integer) -> (value: tensor<?>)", nn_nnef_lower_stack },
    { "unstack<?>(value: tensor<?>, axis: integer) -> (values: tensor<?>[])",
      nn_nnef_lower_unstack },
    { "slice<?>(input: tensor<?>, axes: integer[], begin: integer[], end: integer[], stride: "
      "integer[] = []) -> (output: tensor<?>)",
      nn_nnef_lower_slice },
    { "tile<?>(input: tensor<?>, repeats: integer[]) -> (output: tensor<?>)",
      nn_nnef_lower_tile },
    { "pad(input: tensor, padding: (integer, integer)[], border: string = 'constant', value: "
      "scalar = 0.0) -> (output: tensor)",
      nn_nnef_lower_pad },
    { "gather<?>(input: tensor<?>, indices: tensor<integer>, axis: integer = 0) -> (output: "
      "tensor<?>)",
      nn_nnef_lower_gather },

    { "sum_reduce(input: tensor, axes: integer[], normalize: logical = false) -> (output: tensor)",
      nn_nnef_lower_reduce },
    { "mean_reduce" REDUCE, nn_nnef_lower_reduce },
    { "max_reduce" REDUCE, nn_nnef_lower_reduce },
    { "min_reduce" REDUCE, nn_nnef_lower_reduce },
    { "argmax_reduce(input: tensor, axes: integer[]) -> (output: tensor<integer>)",
      nn_nnef_lower_arg_reduce },
    { "argmin_reduce(input: tensor, axes: integer[]) -> (output: tensor<integer>)",
      nn_nnef_lower_arg_reduce },
    { "any_reduce(input: tensor<logical>, axes: integer[]) -> (output: tensor<logical>)",
      nn_nnef_lower_logical_reduce },
    { "all_reduce(input: tensor<logical>, axes: integer[]) -> (output: tensor<logical>)",
      nn_nnef_lower_logical_reduce },
    { "moments(input: tensor, axes: integer[]) -> (mean: tensor, variance: tensor)",
      nn_nnef_lower_moments },
    { "matmul(A: tensor, B: tensor, transposeA: logical = false, transposeB: logical = false) -> "
      "(C: tensor)",
      nn_nnef_lower_matmul },
    { "linear(input: tensor, filter: tensor, bias: tensor = 0.0) -> (output: tensor)",
      nn_nnef_lower_linear },

    { "conv(input: tensor, filter: tensor, bias: tensor = 0.0, " WINDOW
      ", groups: integer = 1) -> (output: tensor)",
      nn_nnef_lower_conv },
    { "deconv(input: tensor, filter: tensor, bias: tensor = 0.0, " WINDOW
      ", output_shape: integer[] = [], groups: integer = 1) -> (output: tensor)",
      nn_nnef_lower_deconv },
    { "separable_conv(input: tensor, plane_filter: tensor, point_filter: tensor, bias: tensor = "
      "0.0, " WINDOW ", groups: integer = 1) -> (output: tensor)",
      nn_nnef_lower_separable_conv },
    { "separable_deconv(input: tensor, plane_filter: tensor, point_filter: tensor, bias: tensor = "
      "0.0, " WINDOW ", output_shape: integer[] = [], groups: integer = 1) -> (output: tensor)",
      nn_nnef_lower_separable_deconv },

    { "box(input: tensor, size: integer[], " WINDOW ", normalize: logical = false) -> (output: "
      "tensor)",
      nn_nnef_lower_box },
    { "debox(input: tensor, size: integer[], " WINDOW ", output_shape: integer[] = [], normalize: "
      "logical = false) -> (output: tensor)",
      nn_nnef_lower_debox },
    { "avg_unpool(input: tensor, size: integer[], " WINDOW ", output_shape: integer[] = []) -> "
      "(output: tensor)",
      nn_nnef_lower_debox },
    { "max_pool" POOL, nn_nnef_lower_max_pool },
    { "avg_pool" POOL, nn_nnef_lower_avg_pool },
    { "rms_pool" POOL, nn_nnef_lower_rms_pool },
    { "argmax_pool(input: tensor, size: integer[], " WINDOW ") -> (index: tensor<integer>)",
      nn_nnef_lower_argmax_pool },
    { "max_pool_with_index(input: tensor, size: integer[], " WINDOW ") -> (output: tensor, index: "
      "tensor<integer>)",
      nn_nnef_lower_max_pool_with_index },
    { "sample(input: tensor, index: tensor<integer>, size: integer[], " WINDOW ") -> (output: "
      "tensor)",
      nn_nnef_lower_sample },
    { "desample(input: tensor, index: tensor<integer>, size: integer[], " WINDOW
      ", output_shape: integer[] = []) -> (output: tensor)",
      nn_nnef_lower_desample },
    { "max_unpool(input: tensor, index: tensor<integer>, size: integer[], " WINDOW
      ", output_shape: integer[] = []) -> (output: tensor)",
      nn_nnef_lower_desample },

    { "nearest_downsample(input: tensor, factor: integer[]) -> (output: tensor)",
      nn_nnef_lower_nearest_downsample },
    { "area_downsample(input: tensor, factor: integer[]) -> (output: tensor)",
      nn_nnef_lower_area_downsample },
    { "nearest_upsample(input: tensor, factor: integer[]) -> (output: tensor)",
      nn_nnef_lower_nearest_upsample },
    { "multilinear_upsample(input: tensor, factor: integer[], method: string = 'symmetric', "
      "border: string = 'replicate') -> (output: tensor)",
      nn_nnef_lower_multilinear_upsample },

    { "local_response_normalization(input: tensor, size: integer[], alpha: scalar = 1.0, beta: "
      "scalar = 0.5, bias: scalar = 1.0) -> (output: tensor)",
      nn_nnef_lower_response_normalization },
    { "local_mean_normalization(input: tensor, size: integer[]) -> (output: tensor)",
      nn_nnef_lower_mean_normalization },
    { "local_variance_normalization" LOCAL, nn_nnef_lower_variance_normalization },
    { "local_contrast_normalization" LOCAL, nn_nnef_lower_contrast_normalization },
    { "l1_normalization" NORM, nn_nnef_lower_l1_normalization },
    { "l2_normalization" NORM, nn_nnef_lower_l2_normalization },
    { "batch_normalization(input: tensor, mean: tensor, variance: tensor, offset: tensor, scale: "
      "tensor, epsilon: scalar) -> (output: tensor)",
      nn_nnef_lower_batch_normalization },

    { "avg_roi_pool" ROI ") -> (output: tensor)", nn_nnef_lower_region },
    { "max_roi_pool" ROI ") -> (output: tensor)", nn_nnef_lower_region },
    { "roi_resample" ROI ", method: string = 'symmetric') -> (output: tensor)",
      nn_nnef_lower_region },
    { "avg_roi_align" ROI ", sampling_rate: integer[], resize_method: string = 'symmetric') -> "
      "(output: tensor)",
      nn_nnef_lower_region },
    { "max_roi_align" ROI ", sampling_rate: integer[], resize_method: string = 'symmetric') -> "
      "(output: tensor)",
      nn_nnef_lower_region },

    { "linear_quantize(x: tensor, min: tensor, max: tensor, bits: integer) -> (y: tensor)",
      nn_nnef_lower_linear_quantize },
    { "min_max_linear_quantize(x: tensor, min: tensor, max: tensor, bits: integer, signed: "
      "logical, symmetric: logical) -> (y: tensor)",
      nn_nnef_lower_min_max_linear_quantize },
    { "zero_point_linear_quantize(x: tensor, zero_point: tensor<integer>, scale: tensor, bits: "
      "integer, signed: logical, symmetric: logical) -> (y: tensor)",
      nn_nnef_lower_zero_point_linear_quantize },
    { "logarithmic_quantize(x: tensor, max: tensor, bits: integer) -> (y: tensor)",
      nn_nnef_lower_logarithmic_quantize },
};

const NnefOperation *nn_nnef_operation_find(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < NN_ARRAY_SIZE(operations); i++) {
        const char *declaration = operations[i].declaration;

        if (strncmp(declaration, name, n) == 0 && (declaration[n] == '(' || declaration[n] == '<'))
            return &operations[i];
    }
    return NULL;
}
