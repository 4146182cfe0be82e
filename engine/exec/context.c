/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/limits.h"
#include "exec/exec.h"

static void log_to_stderr(void *userdata, NnLogLevel level, const char *message)
{
    if (level <= NN_LOG_WARNING)
        fprintf(stderr, "%s\n", message);
}

void nn_log(const NnContext *context, NnLogLevel level, const char *format, ...)
{
    char message[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    context->log(context->log_userdata, level, message);
}

static int choose_isa(const char *name, NnIsa *ret_isa, NnError *error)
{
    NnIsa isa = nn_isa_best();
    int r;

    if (name) {
        r = nn_isa_from_name(name, &isa);
        if (r < 0)
            return nn_error_set(error, r, "'%s' is no instruction set", name);
        if (!nn_isa_available(isa))
            return nn_error_set(error, -EINVAL, "this processor does not have %s", name);
    }
    *ret_isa = isa;
    return 0;
}

int nn_context_new(const NnContextOptions *options, NnContext **ret_context, NnError *error)
{
    static const NnContextOptions defaults = { 0 };
    _cleanup_free_ NnContext *context = calloc(1, sizeof(*context));
    unsigned threads;
    int r;

    options = options ? options : &defaults;
    if (!context)
        return nn_error_set(error, -ENOMEM, "out of memory");
    if (options->threads < 0 || options->threads > NN_LIMIT_THREADS)
        return nn_error_set(error, -EINVAL, "%d threads, 1 to %d are possible", options->threads,
                            NN_LIMIT_THREADS);
    r = choose_isa(options->isa, &context->isa, error);
    if (r < 0)
        return r;
    context->log = options->log ? options->log : log_to_stderr;
    context->log_userdata = options->log_userdata;
    nn_kernels_select(context->isa, &context->kernels);
    threads = options->threads ? (unsigned)options->threads : nn_cpu_count();
    r = nn_pool_new(NN_MIN(threads, NN_LIMIT_THREADS), &context->pool);
    if (r < 0)
        return nn_error_set(error, r, "starting %u threads: %s", threads, strerror(-r));
    r = options->pin ? nn_pool_pin(context->pool) : 0;
    if (r < 0) {
        nn_pool_free(context->pool);
        return nn_error_set(error, r, "pinning threads to processors: %s", strerror(-r));
    }
    *ret_context = NN_TAKE(context);
    return 0;
}

NnContext *nn_context_free(NnContext *context)
{
    if (!context)
        return NULL;
    nn_pool_free(context->pool);
    nn_registry_clear(&context->registry);
    free(context);
    return NULL;
}

int nn_op_register(NnContext *context, const NnCustomOp *op, NnError *error)
{
    if (atomic_load(&context->sealed))
        return nn_error_set(error, -EBUSY,
                            "operators are registered before the first model is loaded");
    return nn_registry_add(&context->registry, op, error);
}

int nn_context_threads(const NnContext *context)
{
    return (int)nn_pool_threads(context->pool);
}

const char *nn_context_isa(const NnContext *context)
{
    return nn_isa_name(context->isa);
}
