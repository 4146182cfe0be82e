/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Builds small ONNX files in memory. Everything lives until the program ends. */

#include <stddef.h>
#include <stdint.h>

#include "onnx.pb-c.h"

typedef struct Build {
    Onnx__Model model;
    Onnx__Graph graph;
    Onnx__OperatorSet opset, other;
    Onnx__OperatorSet *opsets[2];
} Build;

char *build_string(const char *s);

/* An empty model of this opset. */
void build_start(Build *build, int64_t opset);

/* It uses another domain too. */
void build_domain(Build *build, const char *domain, int64_t version);

/* A dim of -1 is an open one without a name. */
void build_input(Build *build, const char *name, int data_type, size_t rank, const int64_t *dims);

/* The same with dims as words, "batch 3 ? width". */
void build_input_named(Build *build, const char *name, int data_type, const char *dims);
void build_output(Build *build, const char *name);

/* float32 with these elements, or zeros. */
Onnx__Tensor *build_floats(Build *build, const char *name, size_t rank, const int64_t *dims,
                           const float *elements);
Onnx__Tensor *build_ints(Build *build, const char *name, size_t n, const int64_t *elements);

/* Inputs and outputs separated by spaces. */
Onnx__Node *build_node(Build *build, const char *type, const char *inputs, const char *outputs);
void build_attribute_ints(Onnx__Node *node, const char *name, size_t n, const int64_t *ints);
void build_attribute_floats(Onnx__Node *node, const char *name, size_t n, const float *floats);
/* A vector of int64. */
void build_attribute_tensor(Onnx__Node *node, const char *name, size_t n, const int64_t *elements);
void build_attribute_int(Onnx__Node *node, const char *name, int64_t i);
void build_attribute_float(Onnx__Node *node, const char *name, float f);
void build_attribute_string(Onnx__Node *node, const char *name, const char *s);

void build_metadata(Build *build, const char *key, const char *value);

/* The file, malloc'd. */
uint8_t *build_pack(const Build *build, size_t *ret_n);
