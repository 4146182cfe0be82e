/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever allocation fails while a file is loaded and its session made, it ends in
 * a sentence, nothing leaks, and running allocates nothing. For libFuzzer the first
 * two bytes say which allocation; a replay tries them all. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"
#include "fail_alloc.h"
#include "feed.h"
#include "nnef/nnef.h"
#include "nnp/nnp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* More than this are too many to let each of them fail. */
#define SWEEP_MAX 2000
#define WORK_MAX 2000000
#define ARENA_MAX ((size_t)1 << 20)

static int load_nnef(const uint8_t *bytes, size_t n, NnError *error)
{
    NnGraph *graph = NULL;
    int r = nn_nnef_import_text("fuzz", NULL, (const char *)bytes, n, NULL, 0, &graph, error);

    feed_check(r, graph, error);
    nn_graph_free(graph);
    return r;
}

static int run(NnModel *model, NnError *error)
{
    NnSession *session = NULL;
    long count;
    int r;

    if (!model->program || model->program->work > WORK_MAX ||
        model->program->plan.arena_bytes > ARENA_MAX)
        return 0;
    r = nn_session_new(model, &session, error);
    feed_check(r, session, error);
    count = fail_alloc_count();
    if (r >= 0 && nn_session_run(session, error) < 0 && !*error->message)
        abort();
    if (count != fail_alloc_count())
        abort();
    nn_session_free(session);
    return r;
}

/* Loads and runs once, says what came of it and how often it allocated. Ends the
 * program where the allocations do not come out even. */
static int attempt(NnContext *context, const uint8_t *bytes, size_t n, long k, bool on,
                   NnError *error, long *ret_count)
{
    NnModelOptions options = { .verify = true };
    NnModel *model = NULL;
    long live = fail_alloc_live();
    int r;

    error->message[0] = '\0';
    fail_alloc_at(k, on);
    if (n > 7 && memcmp(bytes, "version", 7) == 0) {
        r = load_nnef(bytes, n, error);
    } else {
        r = nn_model_load_memory(context, "fuzz", bytes, n, &options, &model, error);
        feed_check(r, model, error);
        if (r >= 0)
            r = run(model, error);
        nn_model_free(model);
    }
    *ret_count = fail_alloc_count();
    fail_alloc_at(-1, false);
    if (fail_alloc_live() != live) {
        fprintf(stderr, "%ld blocks are left when allocation %ld fails\n", fail_alloc_live() - live,
                k);
        abort();
    }
    return r;
}

/* `expected`: what comes of it when nothing fails. */
static void check(NnContext *context, const uint8_t *bytes, size_t n, long k, bool on,
                  int expected)
{
    NnError error;
    long count;
    int r = attempt(context, bytes, n, k, on, &error, &count);

    if (r == -ENOMEM ? !strstr(error.message, "memory") : r != expected) {
        fprintf(stderr, "when allocation %ld fails%s, loading gives %d: %s\n", k,
                on ? " and all after it" : "", r, error.message);
        abort();
    }
}

#ifdef FUZZ_SWEEP
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnContext *context = feed_context();
    NnError error;
    uint8_t *copy = memcpy(malloc(n + 1), bytes, n);
    int expected;
    long count;

    if (nn_nnp_detect(copy, n))
        feed_mend_nnp(context, copy, n);
    expected = attempt(context, copy, n, -1, false, &error, &count);
    for (long k = 0; k < count && count <= SWEEP_MAX; k++) {
        check(context, copy, n, k, false, expected);
        check(context, copy, n, k, true, expected);
    }
    free(copy);
    return 0;
}
#else
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnContext *context = feed_context();
    NnError error;
    long count, k;
    int expected;

    if (n < 2)
        return 0;
    expected = attempt(context, bytes + 2, n - 2, -1, false, &error, &count);
    k = (bytes[0] | bytes[1] << 8) % (count + 1);
    check(context, bytes + 2, n - 2, k, bytes[0] & 1, expected);
    return 0;
}
#endif
