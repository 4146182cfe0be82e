/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The inference engine of plated: networks from files, tensors in, tensors out, on
 * the CPU. docs/embedding.md has a program to start from.
 *
 *   NnContext  instruction set, threads, log hook, custom operators; one for a process
 *   NnModel    a network; read-only once loaded
 *   NnSession  the memory of one running inference; many may share a model
 *
 * Order: sessions are freed before their model, models before their context. What a
 * function takes by const pointer is borrowed during the call unless it says more;
 * what it gives out by const pointer belongs to the object it was asked of.
 *
 * Errors: functions that can fail return 0 or a negative errno, and leave their
 * `ret_` outputs alone on failure. -EBADMSG: a malformed file. -ENOTSUP: something
 * that the engine does not do. -E2BIG: a file over a limit. -EINVAL: a wrong argument.
 * -ENOMEM. Reading a file also gives what open() and mmap() give, such as -ENOENT.
 * Functions that take an NnError write one sentence for a person there; it may be
 * NULL. All strings are UTF-8.
 *
 * Threads: a context and a model may be used from several threads at once, but for
 * what makes and frees them; a session belongs to one thread at a time. Runs of one
 * context take turns on its threads. No function touches signals, locale or global
 * state. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NN_MUST_CHECK __attribute__((warn_unused_result))
#define NN_PUBLIC __attribute__((visibility("default")))
#define NN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* The version of the library, "0.1.0". */
NN_PUBLIC const char *nn_version(void);

/* A tensor has at most this many dimensions. */
#define NN_RANK_MAX 8

typedef struct NnContext NnContext;
typedef struct NnModel NnModel;
typedef struct NnSession NnSession;

/* One sentence that says what went wrong and where: file, node, operator, what was
 * found, what was expected. Holds it after a failure only. */
typedef struct NnError {
    char message[512];
} NnError;

/* Writes a sentence, cut where it is too long, and returns `code`, so that a
 * function that fails can return the call. `error` may be NULL. */
NN_PUBLIC int nn_error_set(NnError *error, int code, const char *format, ...) NN_PRINTF(3, 4);

/* Element types, with the sizes and meanings of ONNX. */
typedef enum NnDtype {
    NN_DTYPE_UNDEFINED,
    NN_DTYPE_F32,
    NN_DTYPE_F64,
    NN_DTYPE_F16,
    NN_DTYPE_I8,
    NN_DTYPE_U8,
    NN_DTYPE_I16,
    NN_DTYPE_U16,
    NN_DTYPE_I32,
    NN_DTYPE_U32,
    NN_DTYPE_I64,
    NN_DTYPE_U64,
    NN_DTYPE_BOOL,
    _NN_DTYPE_MAX,
} NnDtype;

/* Bytes of one element; 0 for NN_DTYPE_UNDEFINED. */
NN_PUBLIC size_t nn_dtype_size(NnDtype dtype);

/* "float32", "int64", …; "undefined" for anything else. */
NN_PUBLIC const char *nn_dtype_name(NnDtype dtype);

/* A dense tensor, row-major: element [i][j] of a 2-dimensional one is number
 * i · dims[1] + j. Pictures are planes in the order that the network wants, mostly
 * 1×3×height×width. `data` belongs to whoever made the tensor. In the description of
 * a model's inputs and outputs `data` is NULL, a dimension that is open, or known
 * only while running, is -1, and a rank that the file does not tell is -1. */
typedef struct NnTensor {
    NnDtype dtype;
    int rank;
    int64_t dims[NN_RANK_MAX];
    void *data;
} NnTensor;

/* Number of elements: the product of dims, 1 for a scalar. The dims must have
 * been checked (no -1, product within int64). */
NN_PUBLIC int64_t nn_tensor_elements(const NnTensor *tensor);

/* Number of bytes of the elements. Checks what it reads: -EBADMSG for an undefined
 * dtype, a bad rank or a negative dim, -E2BIG for more than the engine takes. */
NN_PUBLIC NN_MUST_CHECK int nn_tensor_bytes(const NnTensor *tensor, size_t *ret_bytes);

/* "1×3×640×640", "scalar", with ? for -1, into the caller's buffer of `n` bytes,
 * cut where it is too long. Returns `buffer`. */
NN_PUBLIC const char *nn_tensor_shape_string(const NnTensor *tensor, char *buffer, size_t n);

typedef enum NnLogLevel {
    NN_LOG_ERROR,
    NN_LOG_WARNING,
    NN_LOG_INFO,
    NN_LOG_DEBUG,
} NnLogLevel;

/* Called from any thread that loads or binds, perhaps from several at once. The
 * message ends with the call. */
typedef void (*NnLogFunc)(void *userdata, NnLogLevel level, const char *message);

/* Zero-initialise, then set what differs from the default. */
typedef struct NnContextOptions {
    int threads;          /* threads of a run, the caller's among them; 0: one per processor */
    const char *isa;      /* "c", "neon", "avx2", "avx512": at most this; NULL: the best that this
                             processor has */
    bool pin;             /* keep each thread but the caller's on a processor of its own, in the order
                             of the caller's affinity mask; the first is left to the caller */
    NnLogFunc log;        /* NULL: warnings and errors on stderr */
    void *log_userdata;
} NnContextOptions;

/* Starts the threads. `options` may be NULL; its strings are not needed afterwards.
 * -EINVAL: an unknown isa, one that this processor does not have, or a number of
 * threads outside 0…64. -EAGAIN: the system gives no more threads. */
NN_PUBLIC NN_MUST_CHECK int nn_context_new(const NnContextOptions *options, NnContext **ret_context,
                                           NnError *error);

/* Waits for the threads to end. All models must have been freed. NULL is fine.
 * Returns NULL. */
NN_PUBLIC NnContext *nn_context_free(NnContext *context);

/* The number of threads, 1 or more, and the name of the instruction set in use. */
NN_PUBLIC int nn_context_threads(const NnContext *context);
NN_PUBLIC const char *nn_context_isa(const NnContext *context);

/* The whole shape of an input whose file leaves dimensions open; all of at least 1,
 * and those that the file states as they are. */
typedef struct NnShape {
    const char *input;
    int rank;
    int64_t dims[NN_RANK_MAX];
} NnShape;

/* The size, at least 1, of all open dimensions that the file gives this name. */
typedef struct NnDim {
    const char *name;
    int64_t size;
} NnDim;

/* Zero-initialise, then set what differs from the default. */
typedef struct NnModelOptions {
    const NnShape *shapes;  /* borrowed during the call */
    size_t n_shapes;
    const NnDim *dims;      /* borrowed during the call */
    size_t n_dims;
    bool fixed;             /* sessions are never bound to other shapes: frees what that needs,
                               and open dimensions must be closed now */
    bool verify;            /* check the graph after every pass */
    bool keep_graph;        /* no optimising pass: what inspect looks at */
    bool exact;             /* convolutions are plain sums: no algorithm with fewer
                               multiplications, whose rounding is coarser; a compiled file keeps
                               what it was compiled with */
    bool tune;              /* measure on this processor which algorithm is the fastest for each
                               convolution, instead of estimating it: seconds to a minute */
    bool check_weights;     /* of a compiled file: read all weights to check them too */
    const char *cache;      /* a directory that keeps what is compiled of an .onnx file, so that
                               the next load maps it; borrowed during the call. Counts with
                               `fixed` alone, and not for files with external data */
} NnModelOptions;

/* Reads an .onnx file, or a model of NNEF 1.0 by its directory or by the path of its
 * graph.nnef, and compiles it; or a compiled .nnp file, which is told by its first
 * bytes. The context must outlive the model. `options` may be NULL.
 *
 * Where the file leaves dimensions open, the options say the shapes that sessions
 * start with: whole shapes of inputs, sizes of named dimensions, or both. A whole
 * shape also says what its names are in the inputs for which nothing is stated.
 * Where only first dimensions are still open then, these count as 1. Where others
 * are, the model is loaded all the same, describes its inputs with -1, and each
 * session is bound before its first run: nn_session_bind(). -EINVAL: what is
 * stated does not fit the file, names what it does not have, or leaves dimensions
 * open although `fixed` is set.
 *
 * With `cache` the compiled form of the file is looked for in that directory by a
 * checksum of the file's bytes, and written there when there is none that this engine
 * and instruction set can use. A directory that cannot be written to costs a warning.
 * Whoever may write there decides what the network computes. */
NN_PUBLIC NN_MUST_CHECK int nn_model_load(NnContext *context, const char *path,
                                          const NnModelOptions *options, NnModel **ret_model,
                                          NnError *error);

/* The same from memory, which is not needed afterwards; a compiled file is copied.
 * `name` stands in messages. External data is refused. */
NN_PUBLIC NN_MUST_CHECK int nn_model_load_memory(NnContext *context, const char *name,
                                                 const void *bytes, size_t n_bytes,
                                                 const NnModelOptions *options, NnModel **ret_model,
                                                 NnError *error);

/* Writes the compiled model with its packed weights, so that nn_model_load() has
 * little left to do but to map it: weights are used in place and shared between
 * processes. Only the same version of the engine reads it, with the instruction set
 * of this context; others refuse it by -ENOTSUP. Inputs have the shapes that
 * sessions of this model start with, for good; -EINVAL where those are open. The
 * file is replaced in one step. One in use may be replaced this way, but must not
 * be written to. */
NN_PUBLIC NN_MUST_CHECK int nn_model_save(const NnModel *model, const char *path, NnError *error);

/* All its sessions must have been freed. NULL is fine. Returns NULL. */
NN_PUBLIC NnModel *nn_model_free(NnModel *model);

/* Inputs and outputs in the order of the file, counted from 0; the index must be
 * below the number. Inputs that the file initialises are constants and not counted.
 * Descriptions are of the shapes that sessions start with: where these are open, of
 * what the file says. Strings and descriptions live as long as the model. */
NN_PUBLIC size_t nn_model_n_inputs(const NnModel *model);
NN_PUBLIC const char *nn_model_input_name(const NnModel *model, size_t index);
NN_PUBLIC const NnTensor *nn_model_input(const NnModel *model, size_t index);

/* An input as the file has it, -1 for each open dimension whatever was stated when
 * it was loaded; and the file's name of a dimension, or NULL. */
NN_PUBLIC const NnTensor *nn_model_declared_input(const NnModel *model, size_t index);
NN_PUBLIC const char *nn_model_dim_name(const NnModel *model, size_t input, int dim);

NN_PUBLIC size_t nn_model_n_outputs(const NnModel *model);
NN_PUBLIC const char *nn_model_output_name(const NnModel *model, size_t index);
NN_PUBLIC const NnTensor *nn_model_output(const NnModel *model, size_t index);

/* Index of the input or output of that name; -ENOENT when there is none. */
NN_PUBLIC int nn_model_find_input(const NnModel *model, const char *name);
NN_PUBLIC int nn_model_find_output(const NnModel *model, const char *name);

/* Value of a metadata key of the file, the first where the key stands there
 * twice; NULL when it does not. Lives as long as the model. */
NN_PUBLIC const char *nn_model_metadata(const NnModel *model, const char *key);

/* All metadata in the order of the file; `index` counts from 0. The strings live
 * as long as the model. */
NN_PUBLIC size_t nn_model_n_metadata(const NnModel *model);
NN_PUBLIC const char *nn_model_metadata_key(const NnModel *model, size_t index);
NN_PUBLIC const char *nn_model_metadata_value(const NnModel *model, size_t index);

/* The program that wrote the file, "pytorch 2.1.0", or NULL; the version of the
 * standard's operators that it uses, 0 where the format knows none. */
NN_PUBLIC const char *nn_model_producer(const NnModel *model);
NN_PUBLIC int nn_model_opset(const NnModel *model);

/* Floating-point operations of one inference, two for each multiply-add, and the
 * planned memory of one session in bytes, for the shapes that sessions start with; 0
 * where those are open. */
NN_PUBLIC uint64_t nn_model_flops(const NnModel *model);
NN_PUBLIC size_t nn_model_arena_bytes(const NnModel *model);

/* Allocates the memory of one inference, for the shapes stated at load. Where these
 * are open, the session has no memory and no tensors before nn_session_bind(). The
 * model must outlive the session. -ENOMEM. */
NN_PUBLIC NN_MUST_CHECK int nn_session_new(NnModel *model, NnSession **ret_session, NnError *error);

/* Binds the session to other input shapes: what is stated here counts, not what was
 * stated at load, by the same rules (see nn_model_load). Compiles where these
 * shapes are not among the last few of the model; weights are shared with what was
 * compiled before. Tensors that the session gave out before are stale then. On
 * failure the session stays as it was. -EINVAL: the shapes do not fit the file or
 * leave dimensions open; and what nn_model_load returns for shapes that the network
 * cannot do. Sessions of one model may be bound at the same time. */
NN_PUBLIC NN_MUST_CHECK int nn_session_bind(NnSession *session, const NnShape *shapes,
                                            size_t n_shapes, const NnDim *dims, size_t n_dims,
                                            NnError *error);

/* NULL is fine. Returns NULL. */
NN_PUBLIC NnSession *nn_session_free(NnSession *session);

/* Where to write an input before each run: `data` has the elements of its dtype and
 * dims, 64-byte aligned. The memory belongs to the session; its contents are
 * undefined again after each run. NULL: no such index, or no shapes yet. Dtype, dims
 * and the pointer itself are not to be changed. */
NN_PUBLIC NnTensor *nn_session_input(NnSession *session, size_t index);

/* Runs the network on the threads of the context and waits for the end. Does not
 * allocate. -EDOM: a value in the input that an operator refuses, such as an index
 * out of range; -EINVAL: the session has no shapes yet; what a custom operator
 * returns. After a failure the outputs are undefined, and the session can run again. */
NN_PUBLIC NN_MUST_CHECK int nn_session_run(NnSession *session, NnError *error);

/* An output of the last run, with its true dims; before the first run, with the dims
 * that it will have at most. Its data lives until the next run. NULL: no such index,
 * or no shapes yet. */
NN_PUBLIC const NnTensor *nn_session_output(const NnSession *session, size_t index);

/* Custom operators
 *
 * An application gives the engine operators that it lacks: what their attributes
 * mean, what shape they give, and how they compute. They are folded over constants,
 * planned into the arena and run on the engine's threads as the engine's own are.
 * docs/adding-an-op.md walks through one. */

/* A node of the network, which prepare reads. Lives as long as its params. */
typedef struct NnNode NnNode;

/* The node's name in the file, for messages; never NULL, perhaps empty. */
NN_PUBLIC const char *nn_node_name(const NnNode *node);

/* The version of the operator's domain that the file uses; 1 where it states none. */
NN_PUBLIC int nn_node_opset(const NnNode *node);

/* Attributes of a node. Each gives the attribute, or `fallback` where the node has
 * none of that name; -EBADMSG with a sentence where it is of another type. Strings
 * and tensors belong to the node. */
NN_PUBLIC bool nn_node_has(const NnNode *node, const char *name);
NN_PUBLIC NN_MUST_CHECK int nn_node_int(const NnNode *node, const char *name, int64_t fallback,
                                        int64_t *ret, NnError *error);
NN_PUBLIC NN_MUST_CHECK int nn_node_float(const NnNode *node, const char *name, float fallback,
                                          float *ret, NnError *error);
NN_PUBLIC NN_MUST_CHECK int nn_node_string(const NnNode *node, const char *name,
                                           const char *fallback, const char **ret, NnError *error);

/* Lists are copied: `ret_n` elements into `ret`, 0 where there is no such attribute.
 * -E2BIG: there are more than `max`. */
NN_PUBLIC NN_MUST_CHECK int nn_node_ints(const NnNode *node, const char *name, int64_t *ret,
                                         size_t max, size_t *ret_n, NnError *error);
NN_PUBLIC NN_MUST_CHECK int nn_node_floats(const NnNode *node, const char *name, float *ret,
                                           size_t max, size_t *ret_n, NnError *error);

/* NULL where there is no such attribute. */
NN_PUBLIC NN_MUST_CHECK int nn_node_tensor(const NnNode *node, const char *name,
                                           const NnTensor **ret, NnError *error);

/* What an operator can apply to its result in place of a node behind it. */
typedef enum NnActivationKind {
    NN_ACTIVATION_NONE,
    NN_ACTIVATION_RELU,
    NN_ACTIVATION_LEAKY_RELU,   /* x < 0 ? alpha · x : x */
    NN_ACTIVATION_SILU,         /* x · sigmoid(x) */
    NN_ACTIVATION_SIGMOID,
    NN_ACTIVATION_HARD_SWISH,   /* x · min(max(x / 6 + 1/2, 0), 1) */
    NN_ACTIVATION_CLIP,         /* min(max(x, low), high) */
    _NN_ACTIVATION_MAX,
} NnActivationKind;

typedef struct NnActivation {
    NnActivationKind kind;
    float alpha;
    float low, high;
} NnActivation;

/* What the functions of a custom operator are called with. All of it belongs to
 * the engine and ends with the call. */
typedef struct NnOpCall {
    void *userdata;                 /* of the description */
    const void *params;             /* what prepare filled */
    const NnTensor *const *inputs;  /* NULL for an optional input that is absent; data is set
                                       where the value is known, and always in run */
    size_t n_inputs;
    NnTensor *const *outputs;       /* NULL for an output that nobody reads */
    size_t n_outputs;
    void *scratch;                  /* 64-byte aligned; in run only */
    NnActivation activation;        /* of output 0, to be applied by run; kind NONE when there
                                       is nothing to do */
    NnError *error;                 /* for nn_error_set() */
    const void *engine;             /* for the nn_op_ functions */
} NnOpCall;

typedef enum NnCustomOpFlags {
    NN_CUSTOM_OP_ACTIVATION = 1 << 0,   /* run applies call->activation to output 0, float32:
                                           an activation behind it is then given to it */
    NN_CUSTOM_OP_IN_PLACE = 1 << 1,     /* output 0 may lie in the memory of input 0 where that
                                           is read nowhere else and has the same shape */
    NN_CUSTOM_OP_NO_FOLD = 1 << 2,      /* never computed at load, though all inputs are constant:
                                           for what gives other results at other times */
    NN_CUSTOM_OP_DYNAMIC = 1 << 3,      /* infer gives the largest shape, run sets the true dims */
} NnCustomOpFlags;

/* Description of an operator. Zero-initialise, then set what is needed. Functions
 * are called from the thread that loads, binds or runs, for several sessions at the
 * same time, and must not call back into the engine but with functions of this
 * section. They return 0 or a negative errno, with a sentence by nn_error_set();
 * the engine puts node, operator and opset before it. */
typedef struct NnCustomOp {
    const char *domain;         /* "com.example"; "" is the standard's own */
    const char *type;           /* "BlockMean" */
    int since;                  /* oldest version of the domain that it does; 0 is 1 */
    size_t min_inputs, max_inputs;
    size_t max_outputs;         /* 0 is 1 */
    unsigned flags;             /* NnCustomOpFlags */
    size_t params_bytes;        /* of the application's own struct, which holds what the attributes
                                   say; no memory of its own, for nothing frees it */
    void *userdata;             /* must outlive the context */

    /* Optional. Reads the attributes of a node into its params, which are zeroed
     * before. -EBADMSG: an attribute that makes no sense. -ENOTSUP: one that the
     * operator does not do. */
    int (*prepare)(const NnNode *node, void *userdata, void *params, NnError *error);

    /* Sets dtype, rank and dims of every output that is not NULL from the inputs.
     * Must check all that run relies on: ranks, dims and dtypes come from a file that
     * may be hostile. -EBADMSG: the inputs do not fit each other. -ENOTSUP: a dtype that
     * it does not do (float16 inputs are then given to it as float32), or it needs the
     * value of an input that is not known. Also called while running, where dims are
     * known only then: it must not allocate. */
    int (*infer)(const NnOpCall *call);

    /* Optional. Bytes of scratch for these dims and all threads together; see
     * nn_op_workers(). */
    size_t (*scratch)(const NnOpCall *call);

    /* Fills outputs[i]->data. Must not allocate. -EDOM: values in the input that it
     * refuses. */
    int (*run)(const NnOpCall *call);

    /* Optional. Floating-point operations for these dims: what nn_model_flops() adds. */
    uint64_t (*flops)(const NnOpCall *call);
} NnCustomOp;

/* Adds an operator to the context. Before the first model is loaded, from one
 * thread; the description is copied with its strings. -EEXIST: the engine or an
 * earlier registration has an operator of that domain and type. -EBUSY: a model was
 * loaded. -EINVAL: a description that makes no sense, and why. -ENOMEM. */
NN_PUBLIC NN_MUST_CHECK int nn_op_register(NnContext *context, const NnCustomOp *op,
                                           NnError *error);

/* For run: calls `func` for parts of 0…n-1 of at least `grain` items on the threads
 * of the context and returns when all are done. `worker` counts from 0 and tells
 * threads apart: one part at a time runs for each. */
typedef void (*NnRangeFunc)(void *argument, int64_t begin, int64_t end, unsigned worker);
NN_PUBLIC void nn_op_parallel(const NnOpCall *call, int64_t n, int64_t grain, NnRangeFunc func,
                              void *argument);

/* The number of workers that nn_op_parallel() uses at most: for scratch and run. */
NN_PUBLIC unsigned nn_op_workers(const NnOpCall *call);

/* For run: y[i] = the call's activation of x[i], as the engine computes it; a copy
 * for none. `x` may be `y`. */
NN_PUBLIC void nn_op_activate(const NnOpCall *call, const float *x, float *y, int64_t n);

#ifdef __cplusplus
}
#endif
