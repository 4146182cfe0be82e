/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* plated-nn: what its commands share. */

#include "base/util.h"

#define TOOL_NAMED_MAX 32

/* NAME=VALUE of the command line. */
typedef struct Named {
    char *name;
    char *value;
} Named;

typedef struct Options {
    const char *model;
    const char *out;
    const char *isa;
    const char *output_dir;
    int threads;            /* 0: not given */
    int iterations;
    int warmup;
    bool json;
    bool pin;
    bool marks;
    bool exact, tune;
    double rtol, atol;
    Named inputs[TOOL_NAMED_MAX];
    size_t n_inputs;
    Named expects[TOOL_NAMED_MAX];
    size_t n_expects;
    Named shapes[TOOL_NAMED_MAX];
    size_t n_shapes;
    Named dims[TOOL_NAMED_MAX];
    size_t n_dims;
} Options;

int cmd_inspect(const Options *options);
int cmd_run(const Options *options);
int cmd_bench(const Options *options);
int cmd_compile(const Options *options);
int cmd_profile(const Options *options);
int cmd_verify(const Options *options);
int cmd_convert(const Options *options);
int cmd_ops(const Options *options);

/* A model with one session, as the commands need it. */
typedef struct Loaded {
    NnContext *context;
    NnModel *model;
    NnSession *session;
} Loaded;

/* Loads with the threads, isa, shapes and dims of the options; the files given as
 * inputs complete open shapes. With `look_only` no pass runs, and shapes may stay
 * open. Prints the sentence on failure. */
int tool_load(const Options *options, bool look_only, Loaded *ret);

/* A number from min to max, or -EINVAL with a printed sentence. */
int tool_parse_int(const char *text, int min, int max, int *ret);
void tool_unload(Loaded *loaded);

/* Fills the session's inputs from the options' files; what is not named is
 * filled with a fixed pattern when `pattern`, refused otherwise. */
int tool_fill_inputs(const Options *options, Loaded *loaded, bool pattern);

/* Index of an output by name, or -ENOENT with a printed sentence. */
int tool_find_output(const NnModel *model, const char *name);

/* Element `index` of a tensor as a double. */
double tool_element(const NnTensor *tensor, int64_t index);

uint64_t tool_now_ns(void);

/* The string in quotes, to stdout. */
void tool_print_json_string(const char *s);
