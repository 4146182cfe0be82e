/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What context, model and session know of each other. */

#include "base/pool.h"
#include "graph/infer.h"
#include "kernels/kernels.h"

struct NnContext {
    NnIsa isa;
    NnKernels kernels;
    NnPool *pool;
    NnLogFunc log;
    void *log_userdata;
};

/* One operator call of the program. `in` and `out` index the session's tensors. */
typedef struct NnStep {
    const NnNode *node;
    void *state;        /* packed weights */
    size_t state_bytes;
    bool dynamic;       /* infers its dims again while running */
} NnStep;

/* Where the values of one inference lie. */
typedef struct NnPlan {
    size_t *offset;     /* of each value in the arena; SIZE_MAX: not there */
    size_t arena_bytes; /* values, then scratch */
    size_t scratch_offset;
} NnPlan;

/* A graph compiled for fixed input shapes. Read-only; sessions share it. */
typedef struct NnProgram {
    NnContext *context;
    NnGraph *graph;     /* after passes; owns constants and params */
    NnStep *steps;
    size_t n_steps;
    NnPlan plan;
    NnTensor *inputs;   /* descriptions */
    NnTensor *outputs;
    uint64_t flops;
} NnProgram;

struct NnModel {
    NnContext *context;
    NnProgram *program;
};

void nn_log(const NnContext *context, NnLogLevel level, const char *format, ...) NN_PRINTF(3, 4);

/* Gives each value that is neither constant nor unused a place, such that values
 * that live at the same time do not overlap. `scratch_bytes` is the most any
 * step needs. -E2BIG over the limit, -ENOMEM. */
NN_MUST_CHECK int nn_plan_make(const NnGraph *graph, size_t scratch_bytes, NnPlan *ret_plan);
void nn_plan_clear(NnPlan *plan);

/* Gives each input of the graph the shape that the options state for it. -EINVAL:
 * what they state does not fit the file, or leaves a dimension open. */
NN_MUST_CHECK int nn_graph_bind(NnGraph *graph, const NnModelOptions *options, NnError *error);

/* Compiles a graph whose input shapes are complete. Takes the graph over, on
 * failure too. */
NN_MUST_CHECK int nn_program_new(NnContext *context, NnGraph *graph, const NnModelOptions *options,
                                 NnProgram **ret_program, NnError *error);
NnProgram *nn_program_free(NnProgram *program);
NN_DEFINE_CLEANUP(NnProgram, nn_program_free)

/* The graph behind a model, for the tool and the tests. */
const NnGraph *nn_model_graph(const NnModel *model);

/* Runs step after step and calls `observe` after each with the step and its
 * time in nanoseconds: what profiling stands on. */
typedef void (*NnObserveFunc)(void *userdata, const NnNode *node, const NnTensor *const *in,
                              NnTensor *const *out, uint64_t time_ns);
NN_MUST_CHECK int nn_session_run_observed(NnSession *session, NnObserveFunc observe, void *userdata,
                                          NnError *error);
