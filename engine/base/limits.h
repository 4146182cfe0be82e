/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a model file may ask for at most. Real networks stay far below. */

#define NN_LIMIT_FILE_BYTES ((size_t)2 << 30)
#define NN_LIMIT_TENSOR_BYTES ((size_t)1 << 30)
#define NN_LIMIT_FOLDED_BYTES ((size_t)256 << 20)
#define NN_LIMIT_FOLDED_WORK ((uint64_t)1 << 28) /* steps, as nn_call_work() counts */
#define NN_LIMIT_ARENA_BYTES ((size_t)2 << 30)
#define NN_LIMIT_NODES 20000
#define NN_LIMIT_VALUES 100000
#define NN_LIMIT_NODE_INPUTS 4096
#define NN_LIMIT_ATTRIBUTES 64
#define NN_LIMIT_NAME_BYTES 4096
#define NN_LIMIT_THREADS 64
#define NN_LIMIT_BODY_DEPTH 8
#define NN_LIMIT_NNEF_TEXT_BYTES ((size_t)64 << 20)
#define NN_LIMIT_NNEF_BYTES ((size_t)512 << 20)     /* syntax tree and values of one document */
#define NN_LIMIT_NNEF_DEPTH 100                     /* of expressions within each other */
#define NN_LIMIT_NNEF_CALL_DEPTH 1000               /* of evaluations within each other */
#define NN_LIMIT_NNEF_CALLS 200000
