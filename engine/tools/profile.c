/* SPDX-License-Identifier: Apache-2.0 */

/* plated-nn profile: where the time of an inference goes, layer by layer, beside
 * what the machine's multipliers can do, measured in the same run. */

#include <inttypes.h>
#include <stdio.h>

#include "exec/exec.h"
#include "tool.h"

/* Rounds of the multipliers' loop in one tile, about a millisecond; tries, of which the
 * best counts. */
#define PEAK_ROUNDS 200000
#define PEAK_TRIES 50

/* A layer, or the total of several. */
typedef struct Row {
    const char *type, *algorithm, *name;
    char shape[64];
    size_t layers;
    uint64_t ns, flops, bytes;
} Row;

typedef struct Profile {
    Row *rows;
    size_t n;
    uint64_t *times;        /* of each layer, run after run */
    size_t runs, run;
    size_t at;              /* the next layer of this run */
    uint64_t ns;
    double peak;            /* GFLOP/s */
} Profile;

static void profile_clear(Profile *profile)
{
    free(profile->rows);
    free(profile->times);
}

static uint64_t tensor_bytes(const NnTensor *tensor)
{
    size_t bytes = 0;

    return tensor && nn_tensor_bytes(tensor, &bytes) >= 0 ? bytes : 0;
}

/* Bytes that two tensors have in common. */
static uint64_t common_bytes(const NnTensor *a, const NnTensor *b)
{
    uintptr_t x = a ? (uintptr_t)a->data : 0, y = b ? (uintptr_t)b->data : 0;
    uintptr_t begin = NN_MAX(x, y), end = NN_MIN(x + tensor_bytes(a), y + tensor_bytes(b));

    return x && y && end > begin ? end - begin : 0;
}

/* What a step reads and writes at least once: inputs, outputs, packed weights in the
 * place of those in the graph. What an input shares with an output stays where it is,
 * but for an operator that changes it in place. */
static uint64_t moved_bytes(const NnStep *step, const NnCall *call)
{
    uint64_t bytes = step->state_bytes, shared = 0;

    for (size_t i = 0; i < call->n_in; i++)
        if (!(step->state && i == nn_packed_input(step->node->op)))
            bytes += tensor_bytes(call->in[i]);
    for (size_t j = 0; j < call->n_out; j++) {
        bytes += tensor_bytes(call->out[j]);
        for (size_t i = 0; i < call->n_in; i++)
            shared += 2 * common_bytes(call->in[i], call->out[j]);
    }
    if (step->node->op->flags & NN_OP_IN_PLACE)
        return bytes;
    return bytes > shared ? bytes - shared : 0;
}

static void observe(void *userdata, const NnStep *step, const NnCall *call, uint64_t time_ns)
{
    Profile *profile = userdata;
    size_t layer = profile->at++;
    Row *row = &profile->rows[layer];
    const NnOp *op = step->node->op;

    profile->times[layer * profile->runs + profile->run] = time_ns;
    if (row->type)
        return;
    row->type = step->node->op_type;
    row->name = step->node->name;
    row->algorithm = op->algorithm ? op->algorithm(call) : "";
    row->flops = op->flops ? op->flops(call) : 0;
    row->bytes = moved_bytes(step, call);
    if (call->n_out > 0 && call->out[0])
        nn_tensor_shape_string(call->out[0], row->shape, sizeof(row->shape));
}

static void peak_tile(void *argument, size_t tile, unsigned worker)
{
    const NnF32Fma *fma = argument;
    float sums[NN_F32_FMA_SUMS_MAX] = { 0 };

    fma->func(PEAK_ROUNDS, 1.0f, 1.0f, sums);
}

/* GFLOP/s of all threads together, with nothing but the multipliers at work. */
static double measure_peak(const NnContext *context)
{
    const NnF32Fma *fma = &context->kernels.f32_fma;
    unsigned threads = nn_pool_threads(context->pool);
    double best = 0;

    for (int i = 0; i < PEAK_TRIES; i++) {
        uint64_t start = tool_now_ns();

        nn_pool_run(context->pool, threads, peak_tile, (void *)fma);
        best = NN_MAX(best, 2.0 * PEAK_ROUNDS * fma->sums * threads /
                                (double)(tool_now_ns() - start));
    }
    return best;
}

static double ms(const Row *row)
{
    return (double)row->ns / 1e6;
}

static double gflops(const Row *row)
{
    return row->ns ? (double)row->flops / ms(row) / 1e6 : 0;
}

static void print_row(const Row *row, const Profile *profile, const char *name)
{
    printf("%9.3f ms %5.1f %% %7.1f GFLOP/s %4.0f %% of peak %8.2f MB %6.1f GB/s  %-18s %-12s ",
           ms(row), 100.0 * (double)row->ns / (double)NN_MAX(profile->ns, 1), gflops(row),
           100 * gflops(row) / profile->peak, (double)row->bytes / 1e6,
           row->ns ? (double)row->bytes / ms(row) / 1e6 : 0, row->type, row->algorithm);
    printf("%s\n", name);
}

static void add_to(Row *total, const Row *row)
{
    total->layers++;
    total->ns += row->ns;
    total->flops += row->flops;
    total->bytes += row->bytes;
}

static int by_time(const void *a, const void *b)
{
    const Row *x = a, *y = b;

    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : strcmp(x->type, y->type);
}

/* By operator and algorithm, the costliest first. */
static int print_totals(const Profile *profile)
{
    _cleanup_free_ Row *totals = calloc(NN_MAX(profile->n, 1), sizeof(totals[0]));
    Row all = { .type = "all", .algorithm = "" };
    char text[32];
    size_t n = 0;

    if (!totals)
        return -ENOMEM;
    for (size_t i = 0; i < profile->n; i++) {
        const Row *row = &profile->rows[i];
        size_t j = 0;

        while (j < n && (strcmp(totals[j].type, row->type) != 0 ||
                         strcmp(totals[j].algorithm, row->algorithm) != 0))
            j++;
        if (j == n)
            totals[n++] = (Row){ .type = row->type, .algorithm = row->algorithm };
        add_to(&totals[j], row);
        add_to(&all, row);
    }
    qsort(totals, n, sizeof(totals[0]), by_time);
    putchar('\n');
    for (size_t i = 0; i <= n; i++) {
        const Row *row = i < n ? &totals[i] : &all;

        snprintf(text, sizeof(text), "%zu layers", row->layers);
        print_row(row, profile, text);
    }
    return 0;
}

static int print_profile(const Options *options, const Loaded *loaded, const Profile *profile)
{
    char text[160];

    printf("%s: %d threads, %s, peak %.1f GFLOP/s\n", options->model,
           nn_context_threads(loaded->context), nn_context_isa(loaded->context), profile->peak);
    for (size_t i = 0; i < profile->n; i++) {
        const Row *row = &profile->rows[i];

        snprintf(text, sizeof(text), "%-18s %.80s", row->shape, row->name);
        print_row(row, profile, text);
    }
    return print_totals(profile);
}

static void print_json(const Options *options, const Loaded *loaded, const Profile *profile)
{
    fputs("{\"model\": ", stdout);
    tool_print_json_string(options->model);
    printf(", \"threads\": %d, \"isa\": \"%s\", \"peak_gflops\": %.2f, \"layers\": [",
           nn_context_threads(loaded->context), nn_context_isa(loaded->context), profile->peak);
    for (size_t i = 0; i < profile->n; i++) {
        const Row *row = &profile->rows[i];

        printf("%s{\"operator\": ", i ? ", " : "");
        tool_print_json_string(row->type);
        fputs(", \"name\": ", stdout);
        tool_print_json_string(row->name);
        printf(", \"algorithm\": \"%s\", \"shape\": \"%s\", \"ms\": %.5f, \"flops\": %" PRIu64
               ", \"bytes\": %" PRIu64 "}", row->algorithm, row->shape, ms(row), row->flops,
               row->bytes);
    }
    puts("]}");
}

static int run_observed(const Options *options, Loaded *loaded, Profile *profile)
{
    NnError error;
    int r;

    profile->at = 0;
    r = tool_fill_inputs(options, loaded, true);
    if (r < 0)
        return r;
    r = nn_session_run_observed(loaded->session, observe, profile, &error);
    if (r < 0)
        fprintf(stderr, "plated-nn: %s\n", error.message);
    return r;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Medians: whatever else the machine does hits some runs of some layers. */
static void settle(Profile *profile)
{
    for (size_t i = 0; i < profile->n; i++) {
        uint64_t *times = profile->times + i * profile->runs;

        qsort(times, profile->runs, sizeof(times[0]), by_value);
        profile->rows[i].ns = times[profile->runs / 2];
        profile->ns += profile->rows[i].ns;
    }
}

int cmd_profile(const Options *options)
{
    _cleanup_(tool_unload) Loaded loaded = { 0 };
    _cleanup_(profile_clear) Profile profile = { 0 };
    int r;

    r = tool_load(options, false, &loaded);
    if (r < 0)
        return r;
    profile.runs = (size_t)options->iterations;
    profile.n = nn_model_graph(loaded.model)->n_nodes;
    profile.rows = calloc(NN_MAX(profile.n, 1), sizeof(profile.rows[0]));
    profile.times = calloc(NN_MAX(profile.n, 1), profile.runs * sizeof(profile.times[0]));
    if (!profile.rows || !profile.times)
        return -ENOMEM;
    for (int i = -options->warmup; i < options->iterations && r >= 0; i++) {
        profile.run = (size_t)NN_MAX(i, 0);
        r = run_observed(options, &loaded, &profile);
    }
    if (r < 0)
        return r;
    settle(&profile);
    profile.peak = measure_peak(loaded.context);
    if (!options->json)
        return print_profile(options, &loaded, &profile);
    print_json(options, &loaded, &profile);
    return 0;
}
