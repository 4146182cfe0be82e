/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Compiled models, .nnp: a graph behind the passes with its packed weights. */

#include "exec/exec.h"

bool nn_nnp_detect(const void *bytes, size_t n_bytes);

/* Reads the graph and checks all that a run of it relies on but for the shapes,
 * which compiling it infers anew. Constants and packed weights are used where
 * they are: `bytes`, 64-byte aligned, must outlive the graph. `check_all` reads
 * the weights for their checksums. The sentence begins with `name`. */
NN_MUST_CHECK int nn_nnp_import(const char *name, const NnContext *context, const void *bytes,
                                size_t n_bytes, bool check_all, NnGraph **ret_graph,
                                NnError *error);

/* Writes the program to `path`, which a reader sees as it was or whole. Sections
 * begin at multiples of `align`: NNP_SECTION_ALIGN, or less where size counts. */
NN_MUST_CHECK int nn_nnp_write(const NnProgram *program, const char *path, size_t align,
                               NnError *error);
