/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What operations of the standard share on their way to nodes of ONNX. The types
 * of arguments have been checked against the declaration. Failures are kept in
 * the builder, as in build.h. */

#include "nnef/eval.h"

/* Sizes and offsets above this are refused before arithmetic. */
#define NNEF_EXTENT_MAX ((int64_t)1 << 30)

const NnefValue *nn_nnef_argument(const NnefCall *call, const char *name);
int64_t nn_nnef_integer(const NnefCall *call, const char *name);
double nn_nnef_scalar(const NnefCall *call, const char *name);
bool nn_nnef_logical(const NnefCall *call, const char *name);
const char *nn_nnef_text(const NnefCall *call, const char *name);

/* An array of integers; the number of them. More than NN_RANK_MAX are refused. */
size_t nn_nnef_integers(const NnefCall *call, const char *name, int64_t list[NN_RANK_MAX]);

/* The axes of an argument, each once and below `rank`. */
size_t nn_nnef_axes(const NnefCall *call, const char *name, int rank, int64_t axes[NN_RANK_MAX]);

/* A tensor; a literal becomes a constant of rank 0. */
NnValueId nn_nnef_tensor(const NnefCall *call, const char *name);

/* The tensors of an array; NULL on failure. */
NnValueId *nn_nnef_tensors(const NnefCall *call, const char *name, size_t *ret_n);

/* A literal number, 0.0 or 1 for instance. */
bool nn_nnef_literal(const NnefCall *call, const char *name, double *ret);

/* Operands in one element type and in shapes that ONNX broadcasts: NNEF lines
 * shapes up at their first dimensions. */
void nn_nnef_operands(const NnefCall *call, const char *const *names, size_t n, NnValueId *ret);
void nn_nnef_align(NnefBuild *build, NnValueId *ids, size_t n);

/* A bias of shape [1, n] as [n]; one number stays. */
NnValueId nn_nnef_flat(NnefBuild *build, NnValueId id, int64_t n);

/* Arithmetic with an operation of ONNX on two tensors, or a tensor and a number. */
NnValueId nn_nnef_with(NnefBuild *build, const char *op, NnValueId a, NnValueId b);
NnValueId nn_nnef_with_number(NnefBuild *build, const char *op, NnValueId a, double b);

void nn_nnef_result(NnefCall *call, size_t index, NnValueId id);
int nn_nnef_result_array(NnefCall *call, const NnValueId *ids, size_t n);

/* Pads by a border: "constant", "replicate", "reflect", "reflect-even". */
NnValueId nn_nnef_pad(NnefBuild *build, NnValueId id, const char *border, double value,
                      const int64_t *before, const int64_t *after, int rank);

/* Sum, or with `normalize` mean, over windows of all dimensions. */
NnValueId nn_nnef_box(NnefCall *call, NnValueId input, bool normalize);

/* The same with these sizes, automatic padding and border 'constant'. */
NnValueId nn_nnef_box_sizes(NnefBuild *build, NnValueId input, const int64_t *size, bool normalize);

/* Reductions that keep the dimensions. */
NnValueId nn_nnef_reduce(NnefBuild *build, const char *op, NnValueId id, const int64_t *axes,
                         size_t n);

int nn_nnef_lower_external(NnefCall *call);
int nn_nnef_lower_variable(NnefCall *call);
int nn_nnef_lower_constant(NnefCall *call);
int nn_nnef_lower_update(NnefCall *call);

int nn_nnef_lower_unary(NnefCall *call);
int nn_nnef_lower_binary(NnefCall *call);
int nn_nnef_lower_not_equal(NnefCall *call);
int nn_nnef_lower_select(NnefCall *call);
int nn_nnef_lower_clamp(NnefCall *call);
int nn_nnef_lower_power(NnefCall *call);
int nn_nnef_lower_log2(NnefCall *call);
int nn_nnef_lower_cast(NnefCall *call);
int nn_nnef_lower_copy_n(NnefCall *call);
int nn_nnef_lower_add_n(NnefCall *call);

int nn_nnef_lower_softmax(NnefCall *call);
int nn_nnef_lower_elu(NnefCall *call);
int nn_nnef_lower_selu(NnefCall *call);
int nn_nnef_lower_gelu(NnefCall *call);
int nn_nnef_lower_silu(NnefCall *call);
int nn_nnef_lower_softabs(NnefCall *call);
int nn_nnef_lower_prelu(NnefCall *call);
int nn_nnef_lower_leaky_relu(NnefCall *call);

int nn_nnef_lower_reshape(NnefCall *call);
int nn_nnef_lower_transpose(NnefCall *call);
int nn_nnef_lower_squeeze(NnefCall *call);
int nn_nnef_lower_unsqueeze(NnefCall *call);
int nn_nnef_lower_concat(NnefCall *call);
int nn_nnef_lower_split(NnefCall *call);
int nn_nnef_lower_stack(NnefCall *call);
int nn_nnef_lower_unstack(NnefCall *call);
int nn_nnef_lower_slice(NnefCall *call);
int nn_nnef_lower_tile(NnefCall *call);
int nn_nnef_lower_pad(NnefCall *call);
int nn_nnef_lower_gather(NnefCall *call);

int nn_nnef_lower_reduce(NnefCall *call);
int nn_nnef_lower_arg_reduce(NnefCall *call);
int nn_nnef_lower_logical_reduce(NnefCall *call);
int nn_nnef_lower_moments(NnefCall *call);
int nn_nnef_lower_matmul(NnefCall *call);
int nn_nnef_lower_linear(NnefCall *call);

int nn_nnef_lower_conv(NnefCall *call);
int nn_nnef_lower_deconv(NnefCall *call);
int nn_nnef_lower_separable_conv(NnefCall *call);
int nn_nnef_lower_separable_deconv(NnefCall *call);

int nn_nnef_lower_box(NnefCall *call);
int nn_nnef_lower_debox(NnefCall *call);
int nn_nnef_lower_max_pool(NnefCall *call);
int nn_nnef_lower_avg_pool(NnefCall *call);
int nn_nnef_lower_rms_pool(NnefCall *call);
int nn_nnef_lower_argmax_pool(NnefCall *call);
int nn_nnef_lower_max_pool_with_index(NnefCall *call);
int nn_nnef_lower_sample(NnefCall *call);
int nn_nnef_lower_desample(NnefCall *call);

int nn_nnef_lower_nearest_downsample(NnefCall *call);
int nn_nnef_lower_area_downsample(NnefCall *call);
int nn_nnef_lower_nearest_upsample(NnefCall *call);
int nn_nnef_lower_multilinear_upsample(NnefCall *call);
int nn_nnef_lower_region(NnefCall *call);

int nn_nnef_lower_response_normalization(NnefCall *call);
int nn_nnef_lower_mean_normalization(NnefCall *call);
int nn_nnef_lower_variance_normalization(NnefCall *call);
int nn_nnef_lower_contrast_normalization(NnefCall *call);
int nn_nnef_lower_l1_normalization(NnefCall *call);
int nn_nnef_lower_l2_normalization(NnefCall *call);
int nn_nnef_lower_batch_normalization(NnefCall *call);

int nn_nnef_lower_linear_quantize(NnefCall *call);
int nn_nnef_lower_min_max_linear_quantize(NnefCall *call);
int nn_nnef_lower_zero_point_linear_quantize(NnefCall *call);
int nn_nnef_lower_logarithmic_quantize(NnefCall *call);
