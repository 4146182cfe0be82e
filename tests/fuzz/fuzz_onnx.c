/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a file holds, loading ends in a model or in a sentence, and what
 * loads runs. */

#include "nn.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Runs that a fuzzer has no time for say nothing new. */
#define FLOPS_MAX 20000000
#define ARENA_MAX ((size_t)64 << 20)

static void quiet(void *userdata, NnLogLevel level, const char *message)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnContextOptions options = { .threads = 1, .log = quiet };
    NnModelOptions model_options = { .verify = true };
    NnContext *context = NULL;
    NnModel *model = NULL;
    NnSession *session = NULL;
    NnError error;

    if (nn_context_new(&options, &context, &error) < 0)
        return 0;
    if (nn_model_load_memory(context, "fuzz", bytes, n, &model_options, &model, &error) >= 0 &&
        nn_model_flops(model) <= FLOPS_MAX && nn_model_arena_bytes(model) <= ARENA_MAX &&
        nn_session_new(model, &session, &error) >= 0 && nn_session_run(session, &error) < 0)
        session = nn_session_free(session);
    nn_session_free(session);
    nn_model_free(model);
    nn_context_free(context);
    return 0;
}
