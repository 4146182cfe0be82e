/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What context, model and session know of each other. */

#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "graph/infer.h"
#include "kernels/kernels.h"
#include "ops/custom.h"

struct NnContext {
    NnIsa isa;
    NnKernels kernels;
    NnPool *pool;
    NnRegistry registry;
    atomic_bool sealed; /* a model was loaded: the registry stays as it is */
    NnLogFunc log;
    void *log_userdata;
};

/* One operator call of the program. */
typedef struct NnStep {
    const NnNode *node;
    void *state;        /* packed weights */
    size_t state_bytes;
    unsigned *state_refs; /* steps of programs of one model that share it, under the model's
                             lock; NULL: it is not freed */
    bool dynamic;       /* infers its dims again while running */
} NnStep;

/* Where the values of one inference lie. */
typedef struct NnPlan {
    size_t *offset;     /* of each value in the arena; SIZE_MAX: not there */
    int64_t *pitch;     /* of each value, floats from pixel to pixel; 0: it is dense */
    size_t arena_bytes; /* values, then scratch */
    size_t scratch_offset;
} NnPlan;

/* A graph compiled for fixed input shapes. Read-only but for the count; sessions
 * share it. */
typedef struct NnProgram {
    NnContext *context;
    NnGraph *graph;     /* after passes; owns constants and params */
    NnStep *steps;
    size_t n_steps;
    NnPlan plan;
    NnTensor *inputs;   /* descriptions */
    NnTensor *outputs;
    uint64_t flops;
    uint64_t work;      /* steps of one inference at worst */
    unsigned refs;      /* under the model's lock */
} NnProgram;

/* Programs that a model keeps for shapes that may come back, the default apart. */
#define NN_RECENT_PROGRAMS 4

struct NnModel {
    NnContext *context;
    char *name;         /* for messages */
    NnGraph *source;    /* as read; its constants are lent to the programs. NULL when no other
                           shapes can be bound: the default program has taken it over */
    NnProgram *program; /* of the shapes known at load; NULL while dims are open */
    NnTensor *declared; /* inputs as the file has them */
    NnTensor *inputs;   /* and as they were bound at load */
    bool verify, keep_graph, exact, tune;
    pthread_mutex_t lock;
    NnProgram *recent[NN_RECENT_PROGRAMS]; /* the last one first */
};

/* What the caller says about dimensions that the file leaves open. */
typedef struct NnBinding {
    const NnShape *shapes;
    size_t n_shapes;
    const NnDim *dims;
    size_t n_dims;
} NnBinding;

void nn_log(const NnContext *context, NnLogLevel level, const char *format, ...) NN_PRINTF(3, 4);

/* Where a value is channels of another, which its producer or its readers are told of
 * by a pitch. */
typedef struct NnAlias {
    NnValueId in;       /* NN_NO_VALUE: it stands for itself */
    int64_t first;      /* channel */
    int64_t pitch;      /* of one that stands for itself, in floats; 0: it is dense */
} NnAlias;

/* Of each value: inputs of a concat that can be made in their place there, and slices
 * that can be read where they are; and pitches that spare the cache's sets. The caller
 * frees. -ENOMEM. */
NN_MUST_CHECK int nn_alias_find(const NnGraph *graph, NnAlias **ret_aliases);

/* Gives each value that is neither constant nor unused a place, such that values
 * that live at the same time do not overlap. `scratch_bytes` is the most any
 * step needs. -E2BIG over the limit, -ENOMEM. */
NN_MUST_CHECK int nn_plan_make(const NnGraph *graph, size_t scratch_bytes, NnPlan *ret_plan);
void nn_plan_clear(NnPlan *plan);

/* The shapes of all inputs. Not complete: some dims stay -1. -EINVAL: what is
 * stated does not fit the file. -E2BIG: an input over the limit. */
NN_MUST_CHECK int nn_bind_inputs(const NnGraph *graph, const NnBinding *binding,
                                 NnTensor *ret_inputs, bool *ret_complete, NnError *error);

/* The sentence for inputs that are not complete; -EINVAL. */
int nn_bind_open_error(const NnGraph *graph, const NnTensor *inputs, NnError *error);

/* Compiles a graph for these inputs. Takes the graph over, on failure too. With
 * `like`, a program of the same model for other shapes, packed weights that are
 * the same are shared. */
NN_MUST_CHECK int nn_program_new(const NnModel *model, NnGraph *graph, const NnTensor *inputs,
                                 const NnProgram *like, NnProgram **ret_program, NnError *error);
NnProgram *nn_program_free(NnProgram *program);

/* The input whose data is gone where a step has a state. */
size_t nn_packed_input(const NnOp *op);
NN_DEFINE_CLEANUP(NnProgram, nn_program_free)

/* One line at debug level. */
void nn_program_log(const NnModel *model, const NnProgram *program);

/* The program for these shapes, from those at hand or compiled now; a reference
 * for the caller. -EINVAL: the shapes do not fit, or leave dims open. */
NN_MUST_CHECK int nn_model_bind(NnModel *model, const NnBinding *binding, NnProgram **ret_program,
                                NnError *error);

/* A reference to the default program, or NULL. */
NnProgram *nn_model_default(NnModel *model);
void nn_model_unref(NnModel *model, NnProgram *program);

/* The graph behind a model, for the tool and the tests. */
const NnGraph *nn_model_graph(const NnModel *model);

/* Runs step after step and calls `observe` after each with the step, what it was
 * called with and its time in nanoseconds: what profiling stands on. */
typedef void (*NnObserveFunc)(void *userdata, const NnStep *step, const NnCall *call,
                              uint64_t time_ns);
NN_MUST_CHECK int nn_session_run_observed(NnSession *session, NnObserveFunc observe, void *userdata,
                                          NnError *error);
