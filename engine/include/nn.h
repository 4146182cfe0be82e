/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The inference engine of plated: ONNX or NNEF in, tensors out, on the CPU.
 *
 *   NnContext  instruction set, thread pool, log hook; one for a process
 *   NnModel    a network, compiled for fixed input shapes; read-only once loaded
 *   NnSession  the memory of one running inference; many may share a model
 *
 * Errors are negative errno values: -EBADMSG for a malformed file, -ENOTSUP for
 * something the engine does not do, -E2BIG for a file over a limit, -EINVAL for
 * a wrong argument, -ENOMEM. Functions that take an NnError also write one
 * sentence for a person there; it may be NULL. `ret_` outputs are untouched on
 * failure. All strings are UTF-8.
 *
 * Threads: a context and a model may be used from several threads at once; a
 * session belongs to one thread at a time. Runs of one context take turns on
 * its pool. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NN_MUST_CHECK __attribute__((warn_unused_result))
#define NN_PUBLIC __attribute__((visibility("default")))

/* A tensor has at most this many dimensions. */
#define NN_RANK_MAX 8

typedef struct NnContext NnContext;
typedef struct NnModel NnModel;
typedef struct NnSession NnSession;

/* One sentence that says what went wrong and where. */
typedef struct NnError {
    char message[512];
} NnError;

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

/* A dense tensor, row-major. `data` belongs to whoever made the tensor. In the
 * description of a model's inputs and outputs `data` is NULL and a dimension
 * that is known only while running is -1. */
typedef struct NnTensor {
    NnDtype dtype;
    int rank;
    int64_t dims[NN_RANK_MAX];
    void *data;
} NnTensor;

/* Number of elements: the product of dims, 1 for a scalar. The dims must have
 * been checked (no -1, product within int64). */
NN_PUBLIC int64_t nn_tensor_elements(const NnTensor *tensor);

typedef enum NnLogLevel {
    NN_LOG_ERROR,
    NN_LOG_WARNING,
    NN_LOG_INFO,
    NN_LOG_DEBUG,
} NnLogLevel;

typedef void (*NnLogFunc)(void *userdata, NnLogLevel level, const char *message);

/* Zero-initialise, then set what differs from the default. */
typedef struct NnContextOptions {
    int threads;          /* worker threads with the caller; 0: one per processor */
    const char *isa;      /* "c", "neon", "avx2": at most this; NULL: best of this CPU */
    NnLogFunc log;        /* NULL: warnings and errors on stderr */
    void *log_userdata;
} NnContextOptions;

/* Starts the pool. `options` may be NULL. -EINVAL: unknown isa, one this CPU
 * does not have, or a thread count outside 0…64. */
NN_PUBLIC NN_MUST_CHECK int nn_context_new(const NnContextOptions *options, NnContext **ret_context,
                                           NnError *error);

/* Waits for the pool to end. All models must have been freed. NULL is fine.
 * Returns NULL. */
NN_PUBLIC NnContext *nn_context_free(NnContext *context);

NN_PUBLIC int nn_context_threads(const NnContext *context);
NN_PUBLIC const char *nn_context_isa(const NnContext *context);

/* The whole shape of an input whose file leaves dimensions open. */
typedef struct NnShape {
    const char *input;
    int rank;
    int64_t dims[NN_RANK_MAX];
} NnShape;

/* The size of all open dimensions that the file gives this name. */
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
    bool check_weights;     /* of a compiled file: read all weights to check them too */
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
 * open although `fixed` is set. */
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

/* All sessions must have been freed. NULL is fine. Returns NULL. */
NN_PUBLIC NnModel *nn_model_free(NnModel *model);

/* Inputs and outputs in the order of the file. Initialised inputs are not
 * counted. The strings and descriptions live as long as the model. */
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

/* Floating-point operations of one inference, two for each multiply-add, and
 * the planned memory of one session in bytes. */
NN_PUBLIC uint64_t nn_model_flops(const NnModel *model);
NN_PUBLIC size_t nn_model_arena_bytes(const NnModel *model);

/* Allocates the memory of one inference. The model must outlive the session. */
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

/* Where to write an input. The memory belongs to the session; its contents are
 * undefined again after each run. */
NN_PUBLIC NnTensor *nn_session_input(NnSession *session, size_t index);

/* Runs the network. Does not allocate. The only failures are those of values in
 * the input that an operator refuses, such as an index out of range: -EDOM. */
NN_PUBLIC NN_MUST_CHECK int nn_session_run(NnSession *session, NnError *error);

/* An output of the last run, with its true dims. Lives until the next run. */
NN_PUBLIC const NnTensor *nn_session_output(const NnSession *session, size_t index);

#ifdef __cplusplus
}
#endif
