/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "graph/graph.h"
#include "npy.h"
#include "tool.h"

uint64_t tool_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* "1x3x640x640" or "1,3,640,640". */
static int parse_shape(const Named *named, NnShape *ret)
{
    const char *at = named->value;

    *ret = (NnShape){ .input = named->name };
    while (*at) {
        char *end;
        long long dim = strtoll(at, &end, 10);

        if (end == at || dim < 0 || ret->rank == NN_RANK_MAX || !strchr("x,", *end)) {
            fprintf(stderr, "plated-nn: '%s' is not a shape such as 1x3x640x640\n", named->value);
            return -EINVAL;
        }
        ret->dims[ret->rank++] = dim;
        at = *end ? end + 1 : end;
    }
    return 0;
}

/* Shapes from the command line, then from the input files. */
static int collect_shapes(const Options *options, NnShape *shapes, size_t *ret_n)
{
    size_t n = 0;
    int r;

    for (size_t i = 0; i < options->n_shapes; i++) {
        r = parse_shape(&options->shapes[i], &shapes[n++]);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < options->n_inputs; i++) {
        NnTensor tensor;
        NnError error;

        r = npy_read(options->inputs[i].value, &tensor, &error);
        if (r < 0) {
            fprintf(stderr, "plated-nn: %s\n", error.message);
            return r;
        }
        free(tensor.data);
        shapes[n] = (NnShape){ .input = options->inputs[i].name, .rank = tensor.rank };
        memcpy(shapes[n++].dims, tensor.dims, sizeof(tensor.dims));
    }
    *ret_n = n;
    return 0;
}

static int collect_dims(const Options *options, NnDim *dims)
{
    int r;

    for (size_t i = 0; i < options->n_dims; i++) {
        int size = 0;

        r = tool_parse_int(options->dims[i].value, 1, INT_MAX, &size);
        if (r < 0)
            return r;
        dims[i] = (NnDim){ .name = options->dims[i].name, .size = size };
    }
    return 0;
}

/* To the first processor that it may run on, which the engine leaves to it. */
static void pin_caller(void)
{
    cpu_set_t allowed, first;
    int cpu = 0;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        return;
    while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &allowed))
        cpu++;
    CPU_ZERO(&first);
    CPU_SET(cpu, &first);
    (void)sched_setaffinity(0, sizeof(first), &first);
}

int tool_load(const Options *options, bool look_only, Loaded *ret)
{
    NnShape shapes[2 * TOOL_NAMED_MAX];
    NnDim dims[TOOL_NAMED_MAX];
    /* Looking and comparing read every weight anyway. */
    NnModelOptions model_options = {
        .shapes = shapes,
        .dims = dims,
        .n_dims = options->n_dims,
        .fixed = !look_only,
        .verify = true,
        .keep_graph = look_only,
        .exact = options->exact,
        .tune = options->tune,
        .check_weights = look_only || options->n_expects > 0,
    };
    NnContextOptions context_options = {
        .threads = options->threads, .isa = options->isa, .pin = options->pin,
    };
    Loaded loaded = { 0 };
    NnError error;
    int r;

    r = collect_shapes(options, shapes, &model_options.n_shapes);
    if (r >= 0)
        r = collect_dims(options, dims);
    if (r < 0)
        return r;
    r = nn_context_new(&context_options, &loaded.context, &error);
    if (r >= 0 && options->pin)
        pin_caller();
    if (r >= 0)
        r = nn_model_load(loaded.context, options->model, &model_options, &loaded.model, &error);
    if (r >= 0)
        r = nn_session_new(loaded.model, &loaded.session, &error);
    if (r < 0) {
        fprintf(stderr, "plated-nn: %s\n", error.message);
        tool_unload(&loaded);
        return r;
    }
    *ret = loaded;
    return 0;
}

void tool_unload(Loaded *loaded)
{
    nn_session_free(loaded->session);
    nn_model_free(loaded->model);
    nn_context_free(loaded->context);
    *loaded = (Loaded){ 0 };
}

/* Element `i` of a number type as 0 or 1. */
static void set_bit(NnTensor *tensor, int64_t i, int bit)
{
    switch (nn_dtype_size(tensor->dtype)) {
    case 1: ((uint8_t *)tensor->data)[i] = (uint8_t)bit; break;
    case 2: ((uint16_t *)tensor->data)[i] = (uint16_t)bit; break;
    case 4: ((uint32_t *)tensor->data)[i] = (uint32_t)bit; break;
    case 8: ((uint64_t *)tensor->data)[i] = (uint64_t)bit; break;
    default: break;
    }
}

/* A fixed pattern in [0, 1) for floats and small numbers for the rest. */
static void fill_pattern(NnTensor *tensor)
{
    int64_t n = nn_tensor_elements(tensor);
    uint32_t state = 1;

    for (int64_t i = 0; i < n; i++) {
        float x;

        state = state * 1664525 + 1013904223;
        x = (float)(state >> 8) / (1 << 24);
        switch (tensor->dtype) {
        case NN_DTYPE_F16: ((NnF16 *)tensor->data)[i] = (NnF16)x; break;
        case NN_DTYPE_F32: ((float *)tensor->data)[i] = x; break;
        case NN_DTYPE_F64: ((double *)tensor->data)[i] = x; break;
        default: set_bit(tensor, i, state >> 31); break;
        }
    }
}

static int fill_from_file(const Named *named, NnTensor *tensor)
{
    NnTensor file;
    NnError error;
    char want[128], have[128];
    size_t bytes;
    int r;

    r = npy_read(named->value, &file, &error);
    if (r < 0) {
        fprintf(stderr, "plated-nn: %s\n", error.message);
        return r;
    }
    if (file.dtype != tensor->dtype || !nn_tensor_same_shape(&file, tensor)) {
        fprintf(stderr, "plated-nn: %s holds %s %s, input '%s' needs %s %s\n", named->value,
                nn_dtype_name(file.dtype), nn_tensor_shape_string(&file, have, sizeof(have)),
                named->name, nn_dtype_name(tensor->dtype),
                nn_tensor_shape_string(tensor, want, sizeof(want)));
        free(file.data);
        return -EINVAL;
    }
    r = nn_tensor_bytes(tensor, &bytes);
    if (r >= 0 && bytes)
        memcpy(tensor->data, file.data, bytes);
    free(file.data);
    return r;
}

int tool_fill_inputs(const Options *options, Loaded *loaded, bool pattern)
{
    int r;

    for (size_t i = 0; i < nn_model_n_inputs(loaded->model); i++) {
        const char *name = nn_model_input_name(loaded->model, i);
        NnTensor *tensor = nn_session_input(loaded->session, i);
        const Named *named = NULL;

        for (size_t j = 0; j < options->n_inputs; j++)
            if (strcmp(options->inputs[j].name, name) == 0)
                named = &options->inputs[j];
        if (named) {
            r = fill_from_file(named, tensor);
            if (r < 0)
                return r;
        } else if (pattern) {
            fill_pattern(tensor);
        } else {
            fprintf(stderr, "plated-nn: input '%s' is not given: --input %s=FILE.npy\n", name,
                    name);
            return -EINVAL;
        }
    }
    return 0;
}

double tool_element(const NnTensor *tensor, int64_t i)
{
    switch (tensor->dtype) {
    case NN_DTYPE_F32: return ((const float *)tensor->data)[i];
    case NN_DTYPE_F64: return ((const double *)tensor->data)[i];
    case NN_DTYPE_F16: return (double)((const NnF16 *)tensor->data)[i];
    case NN_DTYPE_I8: return ((const int8_t *)tensor->data)[i];
    case NN_DTYPE_U8: return ((const uint8_t *)tensor->data)[i];
    case NN_DTYPE_I16: return ((const int16_t *)tensor->data)[i];
    case NN_DTYPE_U16: return ((const uint16_t *)tensor->data)[i];
    case NN_DTYPE_I32: return ((const int32_t *)tensor->data)[i];
    case NN_DTYPE_U32: return ((const uint32_t *)tensor->data)[i];
    case NN_DTYPE_I64: return (double)((const int64_t *)tensor->data)[i];
    case NN_DTYPE_U64: return (double)((const uint64_t *)tensor->data)[i];
    case NN_DTYPE_BOOL: return ((const bool *)tensor->data)[i];
    default: return NAN;
    }
}

int tool_find_output(const NnModel *model, const char *name)
{
    int index = nn_model_find_output(model, name);

    if (index < 0)
        fprintf(stderr, "plated-nn: the model has no output '%s'\n", name);
    return index;
}

void tool_print_json_string(const char *s)
{
    putchar('"');
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            printf("\\u%04x", *s);
        else
            putchar(*s);
    putchar('"');
}
