/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "exec/exec.h"
#include "nnp/section.h"

/* Runs that a fuzzer has no time for say nothing new. */
#define WORK_MAX 2000000
#define ARENA_MAX ((size_t)16 << 20)

static void quiet(void *userdata, NnLogLevel level, const char *message)
{
}

NnContext *feed_context(void)
{
    static NnContext *context;
    /* Compiled files fit one tile of the kernels: that of the set all machines have. */
    NnContextOptions options = { .threads = 1, .isa = "c", .log = quiet };

    if (!context && nn_context_new(&options, &context, NULL) < 0)
        abort();
    return context;
}

/* Nothing follows the last colon. A name may be so long that nothing else has room. */
static bool is_cut(const char *message, size_t n)
{
    return n > 1 && n < sizeof(((NnError *)0)->message) - 1 && message[n - 2] == ':' &&
           message[n - 1] == ' ';
}

void feed_check(int r, const void *made, const NnError *error)
{
    size_t n = strnlen(error->message, sizeof(error->message));

    if (r < 0 ? !made && n > 0 && n < sizeof(error->message) && !is_cut(error->message, n)
              : made != NULL)
        return;
    fprintf(stderr, "%d: \"%s\"\n", r, error->message);
    abort();
}

uint32_t feed_seed(const uint8_t *bytes, size_t n)
{
    uint32_t seed = 2166136261u;

    for (size_t i = 0; i < n; i++)
        seed = (seed ^ bytes[i]) * 16777619u;
    return seed;
}

/* Small numbers, which are indices and lengths too, or any bits at all. */
static void fill(NnTensor *tensor, uint32_t *seed)
{
    int64_t n = nn_tensor_elements(tensor);
    size_t size = nn_dtype_size(tensor->dtype);
    uint8_t *data = tensor->data;

    for (int64_t i = 0; i < n; i++) {
        int32_t small;

        *seed = *seed * 1664525 + 1013904223;
        small = (int32_t)(*seed >> 24) % 8 - 2;
        if (tensor->dtype == NN_DTYPE_BOOL)
            data[i] = small & 1;
        else if (tensor->dtype == NN_DTYPE_F32 && *seed >> 28)
            ((float *)data)[i] = (float)small / 2;
        else
            for (size_t j = 0; j < size; j++)
                data[i * (int64_t)size + (int64_t)j] =
                    *seed >> 28 ? (uint8_t)(j < 4 ? small >> (8 * j) : small >> 31)
                                : (uint8_t)(*seed >> (8 * (j % 3)));
    }
}

void feed_mend_nnp(const NnContext *context, uint8_t *bytes, size_t n)
{
    NnpHeader header, was;

    if (n < sizeof(header))
        return;
    memcpy(&was, bytes, sizeof(was));
    nn_nnp_identify(context, &header);
    header.file_bytes = n;
    memcpy(header.sections, was.sections, sizeof(header.sections));
    for (size_t i = 0; i < _NNP_SECTION_MAX; i++) {
        NnpSection *s = &header.sections[i];

        if (s->offset <= n && s->bytes <= n - s->offset)
            s->checksum = nn_hash_bytes(bytes + s->offset, s->bytes);
    }
    header.checksum = nn_hash_bytes(&header, offsetof(NnpHeader, checksum));
    memcpy(bytes, &header, sizeof(header));
}

static bool is_short(const NnProgram *program)
{
    return program->work <= WORK_MAX && program->plan.arena_bytes <= ARENA_MAX;
}

/* Binds the dimensions that the file leaves open. False when that is refused, or
 * would take long. */
static bool bind_open(NnModel *model, NnSession *session, uint32_t seed)
{
    NnShape shapes[4];
    NnBinding binding = { .shapes = shapes };
    NnProgram *program = NULL;
    NnError error = { "" };
    bool fits;
    int r;

    for (size_t i = 0; i < nn_model_n_inputs(model) && i < 4; i++) {
        const NnTensor *declared = nn_model_declared_input(model, i);
        NnShape *shape = &shapes[binding.n_shapes++];

        *shape = (NnShape){ .input = nn_model_input_name(model, i), .rank = declared->rank };
        for (int d = 0; d < declared->rank; d++)
            shape->dims[d] = declared->dims[d] < 0 ? 1 + (seed >> (4 * d)) % 5 : declared->dims[d];
    }
    r = nn_model_bind(model, &binding, &program, &error);
    feed_check(r, program, &error);
    if (r < 0)
        return false;
    fits = is_short(program);
    nn_model_unref(model, program);
    return fits && nn_session_bind(session, shapes, binding.n_shapes, NULL, 0, &error) >= 0;
}

void feed_run(NnModel *model, uint32_t seed)
{
    NnSession *session = NULL;
    NnError error = { "" };
    int r;

    if (model->program && !is_short(model->program))
        return;
    r = nn_session_new(model, &session, &error);
    feed_check(r, session, &error);
    for (int i = 0; r >= 0 && i < 2; i++) {
        /* The second time with other shapes, where the file leaves them open. */
        if ((i > 0 || !model->program) && model->source &&
            !bind_open(model, session, seed + (uint32_t)i))
            break;
        for (size_t j = 0; j < nn_model_n_inputs(model); j++)
            fill(nn_session_input(session, j), &seed);
        error.message[0] = '\0';
        r = nn_session_run(session, &error);
        feed_check(r, r < 0 ? NULL : session, &error);
    }
    nn_session_free(session);
}
