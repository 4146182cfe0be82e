/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One operator = one file in engine/ops/, which defines one or several NnOp
 * (several where one implementation serves a family, such as Add and Mul) and
 * is listed in ops.inc. */

#include "base/pool.h"
#include "graph/graph.h"

typedef struct NnKernels NnKernels;

/* What an operator is called with. in[i] is NULL for an absent optional input,
 * out[i] for an output that nobody reads. */
typedef struct NnCall {
    const NnNode *node;         /* for messages; params are in `params` */
    const void *params;
    const void *state;          /* what create made; NULL without create */
    const NnTensor *const *in;
    size_t n_in;
    NnTensor *const *out;
    size_t n_out;
    const int64_t *in_pitch;    /* of values of an operator with NN_OP_PITCH, in floats from pixel
                                   to pixel, 0: dense; NULL: all are. Run only */
    const int64_t *out_pitch;
    void *scratch;              /* 64-byte aligned, op->scratch bytes; run only */
    NnPool *pool;               /* may be NULL: one thread */
    const NnKernels *kernels;   /* of the context; create, scratch and run */
    NnError *error;
} NnCall;

typedef enum NnOpFlags {
    NN_OP_VIEW = 1 << 0,        /* output 0 has the bytes of input 0 with another shape or name:
                                   the planner lets both share memory; run copies only when
                                   in[0]->data != out[0]->data */
    NN_OP_DYNAMIC = 1 << 1,     /* infer gives the largest dims, run sets the true ones */
    NN_OP_NO_FOLD = 1 << 2,     /* never evaluated at load */
    NN_OP_IN_PLACE = 1 << 3,    /* output 0 may be input 0's memory when that dies here and has
                                   the same dtype and dims */
    NN_OP_DIMS_ONLY = 1 << 4,   /* reads the dims of its inputs, never their data: Shape, Size */
    NN_OP_BODY = 1 << 5,        /* its bodies take its place while shapes are inferred: neither
                                   infer nor run */
    NN_OP_ELEMENTWISE = 1 << 6, /* each element of the output follows from those at its place of
                                   the inputs, which broadcast: the order of dims is nothing to it */
    NN_OP_PITCH = 1 << 7,       /* its pictures, [N,H,W,C], may have pixels that lie more than C
                                   floats apart */
    NN_OP_JOIN = 1 << 8,        /* with NN_OP_PITCH: output 0 is the inputs side by side along C.
                                   Run copies those that do not lie there already */
    NN_OP_PART = 1 << 9,        /* with NN_OP_PITCH: output 0 is channels of input 0 from
                                   op->first_channel() on. Run copies them unless they are shared */
} NnOpFlags;

typedef struct NnFused NnFused;

struct NnOp {
    const char *type;           /* "Conv" */
    const char *domain;         /* "" is ai.onnx */
    int since;                  /* oldest opset it does; newest is the importer's limit */
    size_t min_inputs, max_inputs;
    size_t max_outputs;
    unsigned flags;
    size_t params_bytes;

    /* Reads the node's attributes into params (zeroed before), checks them.
     * -EBADMSG, -ENOTSUP with a sentence; the caller adds node and operator. */
    int (*prepare)(const NnNode *node, void *params, NnError *error);

    /* Sets dtype, rank and dims of every output from those of the inputs.
     * in[i]->data is set where the value is known. Called at load, and again
     * while running when an input's true dims are known only then: it must not
     * allocate. -EBADMSG: the inputs do not fit each other. -ENOTSUP: it needs
     * the value of an input that is not constant, or a dtype it does not do. */
    int (*infer)(const NnCall *call);

    /* Optional. Packs constant input `packed_input` (0: input 1), the weights, once,
     * at load: with a state that is not NULL its data is dropped, and run must not
     * read it. A NULL state says that nothing was packed. The state is one block from nn_aligned_alloc()
     * without pointers: a compiled file may hold it, and then it is used where the
     * file is mapped. */
    size_t packed_input;
    int (*create)(const NnCall *call, void **ret_state, size_t *ret_bytes);

    /* With create. -EBADMSG when a block from a compiled file, 64-byte aligned, is
     * not of the kind and size that create makes for these dims, params and kernels.
     * Run relies on those alone: what the block says of itself is read here only. */
    int (*check_state)(const NnCall *call, const void *state, size_t bytes);

    /* Optional. Where params keep what passes fuse into the operator. A compiled
     * file holds that beside the attributes; passes may change nothing else in
     * params that prepare would not find again. */
    NnFused (*fused)(void *params);

    /* With NN_OP_PART. */
    int64_t (*first_channel)(const void *params);

    /* Optional. Bytes of scratch for these dims, for all threads together. */
    size_t (*scratch)(const NnCall *call);

    /* Fills out[i]->data. Never fails for valid dims but with -EDOM for values
     * the operator forbids. */
    int (*run)(const NnCall *call);

    /* Optional. Floating-point operations for these dims. */
    uint64_t (*flops)(const NnCall *call);

    /* Optional. How run does it for these dims and this state, in a word or two for
     * people: "im2col". Never NULL. */
    const char *(*algorithm)(const NnCall *call);

    /* Steps at worst for these dims, needed where they can be many more than flops and
     * the elements of inputs and outputs: what folding may cost is counted so. */
    uint64_t (*work)(const NnCall *call);
};

/* NULL when there is none. */
const NnOp *nn_op_find(const char *domain, const char *type);

/* Operator number `index` of those built in, NULL past the last. */
const NnOp *nn_op_at(size_t index);

struct NnFused {
    NnActivation *activation;
    bool *residual;
};

/* Params that passes read and write. Conv: inputs X, W, optional B. Spatial
 * dimensions are height, width, depth; one alone is a width, with a kernel of 1 and
 * no pads along the height. */
typedef struct NnConvParams {
    int64_t kernel[3], strides[3], dilations[3];
    int64_t pads[4];            /* top, left, bottom, right; counts only without auto_pad */
    int64_t depth_pads[2];      /* front, back; the same */
    int64_t group;
    int auto_pad;               /* 0 NOTSET, 1 SAME_UPPER, 2 SAME_LOWER, 3 VALID */
    int spatial;                /* spatial dimensions the attributes speak of, 0: from the weight */
    NnActivation activation;
    bool residual;              /* input 3 is added before the activation */
} NnConvParams;

typedef struct NnBatchNormParams {
    float epsilon;
    float momentum;
    bool training;              /* the statistics are those of the input */
} NnBatchNormParams;

typedef struct NnLeakyReluParams {
    float alpha;
} NnLeakyReluParams;

extern const NnOp nn_op_conv, nn_op_batch_normalization, nn_op_relu, nn_op_leaky_relu,
    nn_op_sigmoid, nn_op_mul, nn_op_add, nn_op_identity, nn_op_constant, nn_op_silu, nn_op_clip,
    nn_op_hard_swish, nn_op_gemm, nn_op_matmul, nn_op_dropout, nn_op_transpose, nn_op_concat,
    nn_op_split, nn_op_slice, nn_op_resize, nn_op_upsample, nn_op_max_pool, nn_op_average_pool,
    nn_op_global_average_pool, nn_op_pad;
