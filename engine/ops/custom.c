/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/custom.h"

#include "base/limits.h"
#include "kernels/kernels.h"
#include "ops/support.h"

#define PARAMS_BYTES_MAX ((size_t)1 << 20)
#define OUTPUTS_MAX 64
#define ALL_FLAGS                                                                          \
    (NN_CUSTOM_OP_ACTIVATION | NN_CUSTOM_OP_IN_PLACE | NN_CUSTOM_OP_NO_FOLD | NN_CUSTOM_OP_DYNAMIC)

typedef struct NnCustomEntry {
    NnOp op;                /* first: nodes point at it */
    NnCustomOp custom;
    char *domain, *type;
    struct NnCustomEntry *next;
} NnCustomEntry;

/* Before the application's own params. */
typedef struct Head {
    _Alignas(16) NnActivation activation;
    bool residual;          /* never set: no pass gives a custom operator one */
} Head;

static const NnCustomOp *custom_of(const NnNode *node)
{
    return &((const NnCustomEntry *)node->op)->custom;
}

static NnOpCall open_call(const NnCall *call)
{
    const Head *head = call->params;

    if (call->error)
        call->error->message[0] = '\0';
    return (NnOpCall){
        .userdata = custom_of(call->node)->userdata,
        .params = head + 1,
        .inputs = call->in,
        .n_inputs = call->n_in,
        .outputs = call->out,
        .n_outputs = call->n_out,
        .scratch = call->scratch,
        .activation = head->activation,
        .error = call->error,
        .engine = call,
    };
}

/* A failure has a sentence, whether or not the application has written one. */
static int failed(int r, const char *what, NnError *error)
{
    if (r >= 0)
        return 0;
    if (error && !error->message[0])
        nn_error_set(error, r, "its %s failed: %s", what, strerror(-r));
    return r;
}

static int custom_prepare(const NnNode *node, void *params, NnError *error)
{
    const NnCustomOp *custom = custom_of(node);
    Head *head = params;

    if (!custom->prepare)
        return 0;
    if (error)
        error->message[0] = '\0';
    return failed(custom->prepare(node, custom->userdata, head + 1, error), "prepare", error);
}

/* An application is trusted with memory, but not to think of every output. */
static int check_outputs(const NnCall *call)
{
    size_t bytes;

    for (size_t i = 0; i < call->n_out; i++) {
        const NnTensor *out = call->out[i];

        if (!out)
            continue;
        if ((unsigned)out->dtype >= _NN_DTYPE_MAX || out->dtype == NN_DTYPE_UNDEFINED)
            return nn_error_set(call->error, -EINVAL, "its infer gave output %zu no type", i);
        if (out->rank < 0 || out->rank > NN_RANK_MAX)
            return nn_error_set(call->error, -EINVAL, "its infer gave output %zu a rank of %d", i,
                                out->rank);
        if (nn_tensor_bytes(out, &bytes) == -EBADMSG)
            return nn_error_set(call->error, -EINVAL, "its infer gave output %zu a negative dim",
                                i);
    }
    return 0;
}

static int custom_infer(const NnCall *call)
{
    NnOpCall open = open_call(call);
    int r;

    r = failed(custom_of(call->node)->infer(&open), "infer", call->error);
    return r < 0 ? r : check_outputs(call);
}

static size_t custom_scratch(const NnCall *call)
{
    NnOpCall open = open_call(call);

    return custom_of(call->node)->scratch(&open);
}

static uint64_t custom_flops(const NnCall *call)
{
    NnOpCall open = open_call(call);

    return custom_of(call->node)->flops(&open);
}

static int custom_run(const NnCall *call)
{
    NnOpCall open = open_call(call);

    return failed(custom_of(call->node)->run(&open), "run", call->error);
}

/* Each run starts from the largest dims, whatever the last one has set. */
static int custom_run_dynamic(const NnCall *call)
{
    void *data[OUTPUTS_MAX];
    size_t planned[OUTPUTS_MAX] = { 0 }, needed;
    int r;

    for (size_t i = 0; i < call->n_out; i++)
        data[i] = call->out[i] ? call->out[i]->data : NULL;
    r = custom_infer(call);
    for (size_t i = 0; r >= 0 && i < call->n_out; i++) {
        if (!call->out[i])
            continue;
        call->out[i]->data = data[i];
        r = nn_tensor_bytes(call->out[i], &planned[i]);
    }
    if (r >= 0)
        r = custom_run(call);
    for (size_t i = 0; r >= 0 && i < call->n_out; i++)
        if (call->out[i] && (nn_tensor_bytes(call->out[i], &needed) < 0 || needed > planned[i]))
            r = nn_error_set(call->error, -EINVAL,
                             "its run made output %zu larger than its infer said", i);
    return r;
}

static NnFused custom_fused(void *params)
{
    Head *head = params;

    return (NnFused){ &head->activation, &head->residual };
}

static int check_names(const NnRegistry *registry, const NnCustomOp *custom, NnError *error)
{
    if (!custom->domain || !custom->type || !*custom->type)
        return nn_error_set(error, -EINVAL, "an operator needs a domain and a type");
    if (strlen(custom->domain) > NN_LIMIT_NAME_BYTES || strlen(custom->type) > NN_LIMIT_NAME_BYTES)
        return nn_error_set(error, -EINVAL, "an operator's name is longer than %d bytes",
                            NN_LIMIT_NAME_BYTES);
    if (nn_op_find(custom->domain, custom->type))
        return nn_error_set(error, -EEXIST, "the engine has an operator '%s' in domain '%s'",
                            custom->type, custom->domain);
    if (nn_registry_find(registry, custom->domain, custom->type))
        return nn_error_set(error, -EEXIST, "operator '%s' in domain '%s' is registered already",
                            custom->type, custom->domain);
    return 0;
}

static int check_description(const NnCustomOp *custom, NnError *error)
{
    if (!custom->infer || !custom->run)
        return nn_error_set(error, -EINVAL, "operator '%s' needs infer and run", custom->type);
    if (custom->since < 0)
        return nn_error_set(error, -EINVAL, "operator '%s': a version of %d", custom->type,
                            custom->since);
    if (custom->min_inputs > custom->max_inputs || custom->max_inputs > NN_LIMIT_NODE_INPUTS)
        return nn_error_set(error, -EINVAL,
                            "operator '%s': %zu to %zu inputs, at most %d are possible",
                            custom->type, custom->min_inputs, custom->max_inputs,
                            NN_LIMIT_NODE_INPUTS);
    if (custom->max_outputs > OUTPUTS_MAX)
        return nn_error_set(error, -EINVAL, "operator '%s': %zu outputs, at most %d are possible",
                            custom->type, custom->max_outputs, OUTPUTS_MAX);
    if (custom->flags & ~(unsigned)ALL_FLAGS)
        return nn_error_set(error, -EINVAL, "operator '%s': flags 0x%x are not known", custom->type,
                            custom->flags & ~(unsigned)ALL_FLAGS);
    if (custom->params_bytes > PARAMS_BYTES_MAX)
        return nn_error_set(error, -EINVAL, "operator '%s': %zu bytes of params, at most %zu",
                            custom->type, custom->params_bytes, PARAMS_BYTES_MAX);
    return 0;
}

static unsigned op_flags(unsigned flags)
{
    return (flags & NN_CUSTOM_OP_IN_PLACE ? NN_OP_IN_PLACE : 0) |
           (flags & NN_CUSTOM_OP_NO_FOLD ? NN_OP_NO_FOLD : 0) |
           (flags & NN_CUSTOM_OP_DYNAMIC ? NN_OP_DYNAMIC : 0);
}

static void describe(NnCustomEntry *entry)
{
    const NnCustomOp *custom = &entry->custom;

    entry->op = (NnOp){
        .type = entry->type,
        .domain = entry->domain,
        .since = NN_MAX(custom->since, 1),
        .min_inputs = custom->min_inputs,
        .max_inputs = custom->max_inputs,
        .max_outputs = NN_MAX(custom->max_outputs, 1),
        .flags = op_flags(custom->flags),
        .params_bytes = sizeof(Head) + custom->params_bytes,
        .prepare = custom_prepare,
        .infer = custom_infer,
        .fused = custom->flags & NN_CUSTOM_OP_ACTIVATION ? custom_fused : NULL,
        .scratch = custom->scratch ? custom_scratch : NULL,
        .run = custom->flags & NN_CUSTOM_OP_DYNAMIC ? custom_run_dynamic : custom_run,
        .flops = custom->flops ? custom_flops : NULL,
    };
}

static void entry_free(NnCustomEntry *entry)
{
    free(entry->domain);
    free(entry->type);
    free(entry);
}
NN_DEFINE_CLEANUP(NnCustomEntry, entry_free)

int nn_registry_add(NnRegistry *registry, const NnCustomOp *custom, NnError *error)
{
    _cleanup_(entry_freep) NnCustomEntry *entry = NULL;
    int r;

    r = check_names(registry, custom, error);
    if (r >= 0)
        r = check_description(custom, error);
    if (r < 0)
        return r;
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return nn_error_set(error, -ENOMEM, "out of memory");
    entry->custom = *custom;
    entry->domain = strdup(strcmp(custom->domain, "ai.onnx") == 0 ? "" : custom->domain);
    entry->type = strdup(custom->type);
    if (!entry->domain || !entry->type)
        return nn_error_set(error, -ENOMEM, "out of memory");
    describe(entry);
    entry->next = registry->first;
    registry->first = NN_TAKE(entry);
    return 0;
}

void nn_registry_clear(NnRegistry *registry)
{
    while (registry->first) {
        NnCustomEntry *entry = registry->first;

        registry->first = entry->next;
        entry_free(entry);
    }
}

const NnOp *nn_registry_find(const NnRegistry *registry, const char *domain, const char *type)
{
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (const NnCustomEntry *entry = registry->first; entry; entry = entry->next)
        if (strcmp(entry->type, type) == 0 && strcmp(entry->domain, domain) == 0)
            return &entry->op;
    return NULL;
}

void nn_op_parallel(const NnOpCall *call, int64_t n, int64_t grain, NnRangeFunc func,
                    void *argument)
{
    const NnCall *engine = call->engine;

    nn_range_run(engine->pool, n, NN_MAX(grain, 1), func, argument);
}

unsigned nn_op_workers(const NnOpCall *call)
{
    const NnCall *engine = call->engine;

    return nn_range_workers(engine->pool);
}

void nn_op_activate(const NnOpCall *call, const float *x, float *y, int64_t n)
{
    const NnCall *engine = call->engine;

    if (call->activation.kind != NN_ACTIVATION_NONE)
        engine->kernels->f32_activation(&call->activation, x, y, n);
    else if (x != y && n > 0)
        memmove(y, x, (size_t)n * sizeof(*y));
}
