/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Models and files for the tests of compiled models. */

#include "build.h"
#include "nnp/section.h"

enum { FLOAT = 1, CHANNELS = 6, SIZE = 9 };

float noise(uint32_t *state);
void add_noise(Build *build, const char *name, size_t rank, const int64_t *dims);

/* ONNX files, malloc'd. Packed convolutions with an activation and a residual fused
 * in, one that is not packed, weights that stay as they are, attributes of all kinds. */
uint8_t *image_network(size_t *ret_n);

/* Dims that are known only while running, and arithmetic with them. */
uint8_t *dynamic_network(size_t *ret_n);

/* More weights than are checked at every load. */
uint8_t *large_network(size_t *ret_n);

/* A folder that is there from the first call until clear_folder(), and a file in
 * it; the string lives until the next call. */
const char *in_folder(const char *name);
void clear_folder(void);

/* NULL where the processor does not have it. */
NnContext *new_context(const char *isa);

NnModel *load_bytes(NnContext *context, const uint8_t *bytes, size_t n);
uint8_t *read_file(const char *path, size_t *ret_n);

/* The compiled file, malloc'd, of a program; sections at every line. */
uint8_t *write_compact(const NnModel *model, size_t *ret_n);

/* The same of an ONNX file, which is freed. */
uint8_t *compile(NnContext *context, uint8_t *onnx, size_t n_onnx, size_t *ret_n);
