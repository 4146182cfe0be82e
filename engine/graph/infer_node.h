/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Inference node by node: a node is taken, its outputs get their shapes, and what
 * it turns into is appended to the graph. */

#include "graph/infer.h"

typedef struct NnInfer {
    NnGraph *graph;             /* its nodes are those done so far */
    const NnKernels *kernels;
    NnError *error;
    const NnTensor **in;        /* of the call in hand; room for n_in, n_out */
    NnTensor **out;
    NnTensor *results;
    size_t n_in, n_out;
    size_t folded_bytes;
    uint64_t folded_work;
    NnValueId *wide;            /* of a float16 value: the float32 one it stands for */
    size_t n_wide;
} NnInfer;

/* Takes the node over, whatever becomes of it. The sentence names it. */
NN_MUST_CHECK int nn_infer_append(NnInfer *infer, NnNode *node);

typedef struct NnBuildAttribute {
    const char *name;
    int64_t i;
} NnBuildAttribute;

/* Appends a node of the standard with one output. */
NN_MUST_CHECK int nn_infer_build(NnInfer *infer, const char *type, const NnValueId *inputs,
                                 size_t n_inputs, const NnBuildAttribute *attributes,
                                 size_t n_attributes, NnValueId output);

/* The sentence for a graph that grew over its limits or out of memory. */
int nn_infer_full(NnInfer *infer, int r);

/* Whether the node reads a value of type float16. */
bool nn_half_reads(const NnInfer *infer, const NnNode *node);

/* Puts float32 in place of the node's float16 inputs, by casts. `ret_narrow`: what
 * it computes in float32 is float16 in the file. */
NN_MUST_CHECK int nn_half_widen(NnInfer *infer, NnNode *node, bool *ret_narrow);

/* A float32 output of a widened node and the float16 value of the file. */
typedef struct NnHalfPair {
    NnValueId wide, narrow;
} NnHalfPair;

/* Gives a widened node whose outputs are inferred new values for those that are
 * float32. `ret_pairs` is malloc'd. */
NN_MUST_CHECK int nn_half_split(NnInfer *infer, NnNode *node, NnHalfPair **ret_pairs,
                                size_t *ret_n);

/* Appends the casts that make the float16 values. */
NN_MUST_CHECK int nn_half_narrow(NnInfer *infer, const NnHalfPair *pairs, size_t n);

/* Appends what If, Loop or Scan does. The conditions and trip counts must be
 * constant, or -ENOTSUP; the node is left as it is. */
NN_MUST_CHECK int nn_body_expand(NnInfer *infer, NnNode *node);
