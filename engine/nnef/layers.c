/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/layers.h"

#define CONV_PARAMETERS                                                                         \
    "border: string = 'constant', padding: (integer, integer)[] = [], stride: integer[] = [], " \
    "dilation: integer[] = [], "

#define POOL_LAYER(LAYER, POOL)                                                                  \
    "fragment " LAYER "(input: tensor<scalar>, size: integer[], border: string = 'constant', "   \
    "padding: (integer, integer)[] = [], stride: integer[] = [], dilation: integer[] = [])"      \
    " -> (output: tensor<scalar>) {"                                                             \
    "  output = " POOL "(input, size = [1, 1] + size, border = border,"                          \
    "    padding = [] if length_of(padding) == 0 else [(0, 0), (0, 0)] + padding,"               \
    "    stride = [] if length_of(stride) == 0 else [1, 1] + stride,"                            \
    "    dilation = [] if length_of(dilation) == 0 else [1, 1] + dilation); }\n"

const char nn_nnef_layers[] =
    "fragment linear_layer(input: tensor<scalar>, channels: integer, use_bias: logical = true, "
    "scope: string) -> (output: tensor<scalar>) {"
    "  w = variable(shape = [channels, shape_of(input)[1]], label = scope + '/filter');"
    "  b = variable(shape = [1, channels], label = scope + '/bias') if use_bias else 0.0;"
    "  output = linear(input, w, b); }\n"

    "fragment conv_layer(input: tensor<scalar>, channels: integer, size: integer[], "
    CONV_PARAMETERS
    "groups: integer = 1, use_bias: logical = true, scope: string) -> (output: tensor<scalar>) {"
    "  depth = shape_of(input)[1] / groups if groups > 0 else 1;"
    "  w = variable(shape = [channels, depth] + size, label = scope + '/filter');"
    "  b = variable(shape = [1, channels], label = scope + '/bias') if use_bias else 0.0;"
    "  output = conv(input, w, b, border = border, padding = padding, stride = stride,"
    "    dilation = dilation, groups = groups); }\n"

    "fragment deconv_layer(input: tensor<scalar>, channels: integer, size: integer[], "
    CONV_PARAMETERS
    "output_shape: integer[] = [], groups: integer = 1, use_bias: logical = true, "
    "scope: string) -> (output: tensor<scalar>) {"
    "  depth = channels / groups if groups > 0 else 1;"
    "  w = variable(shape = [shape_of(input)[1], depth] + size, label = scope + '/filter');"
    "  b = variable(shape = [1, channels], label = scope + '/bias') if use_bias else 0.0;"
    "  output = deconv(input, w, b, border = border, padding = padding, stride = stride,"
    "    dilation = dilation, output_shape = output_shape, groups = groups); }\n"

    POOL_LAYER("max_pool_layer", "max_pool")
    POOL_LAYER("avg_pool_layer", "avg_pool")

    "fragment batch_normalization_layer(input: tensor<scalar>, center: logical = true, "
    "scale: logical = true, epsilon: scalar, scope: string) -> (output: tensor<scalar>) {"
    "  s = [1, shape_of(input)[1]];"
    "  gamma = variable(shape = s, label = scope + '/gamma') if scale else 1.0;"
    "  beta = variable(shape = s, label = scope + '/beta') if center else 0.0;"
    "  mean = variable(shape = s, label = scope + '/mean');"
    "  variance = variable(shape = s, label = scope + '/variance');"
    "  output = batch_normalization(input, mean, variance, beta, gamma, epsilon = epsilon); }\n";
