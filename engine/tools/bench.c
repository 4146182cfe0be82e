/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "exec/exec.h"
#include "tool.h"

typedef struct Result {
    double ready_ms;        /* when that was, by the monotonic clock */
    double load_ms, load_cpu_ms, first_ms, median_ms, p10_ms, p90_ms, cpu_ms;
    long peak_rss_kb, avg_rss_kb;
    double gflops;
} Result;

/* Resident memory now, from the kernel; 0 when it does not say. */
static long rss_kb(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Processor time of all threads of this process. */
static double cpu_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

typedef struct Times {
    double wall_ms, cpu_ms;
} Times;

static int timed_run(const Options *options, Loaded *loaded, Times *ret)
{
    NnError error;
    uint64_t start;
    double cpu;
    int r;

    r = tool_fill_inputs(options, loaded, true);
    if (r < 0)
        return r;
    cpu = cpu_ms();
    start = tool_now_ns();
    r = nn_session_run(loaded->session, &error);
    ret->wall_ms = (double)(tool_now_ns() - start) / 1e6;
    ret->cpu_ms = cpu_ms() - cpu;
    if (r < 0)
        fprintf(stderr, "plated-nn: %s\n", error.message);
    return r;
}

static int measure(const Options *options, Loaded *loaded, Result *result)
{
    _cleanup_free_ double *wall = calloc((size_t)options->iterations, sizeof(wall[0]));
    _cleanup_free_ double *cpu = calloc((size_t)options->iterations, sizeof(cpu[0]));
    struct rusage usage;
    Times times = { 0 };
    double rss_sum = 0;
    int n = options->iterations, r;

    if (!wall || !cpu)
        return -ENOMEM;
    r = timed_run(options, loaded, &times);
    result->first_ms = times.wall_ms;
    for (int i = 0; i < options->warmup && r >= 0; i++)
        r = timed_run(options, loaded, &times);
    for (int i = 0; i < n && r >= 0; i++) {
        r = timed_run(options, loaded, &times);
        wall[i] = times.wall_ms;
        cpu[i] = times.cpu_ms;
        rss_sum += (double)rss_kb();
    }
    if (r < 0)
        return r;
    qsort(wall, n, sizeof(wall[0]), by_value);
    qsort(cpu, n, sizeof(cpu[0]), by_value);
    result->median_ms = wall[n / 2];
    result->p10_ms = wall[n / 10];
    result->p90_ms = wall[n - 1 - n / 10];
    result->cpu_ms = cpu[n / 2];
    result->avg_rss_kb = (long)(rss_sum / n);
    getrusage(RUSAGE_SELF, &usage);
    result->peak_rss_kb = usage.ru_maxrss;
    result->gflops = (double)nn_model_flops(loaded->model) / 1e6 / result->median_ms;
    return 0;
}

/* Packed weights, and constants that are read as they are. */
static size_t weights_bytes(const NnModel *model)
{
    const NnGraph *graph = nn_model_graph(model);
    size_t sum = 0, bytes;

    for (size_t i = 0; model->program && i < model->program->n_steps; i++)
        sum += model->program->steps[i].state_bytes;
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant && graph->values[i].tensor.data &&
            nn_tensor_bytes(&graph->values[i].tensor, &bytes) >= 0)
            sum += bytes;
    return sum;
}

static void print_result(const Options *options, const Loaded *loaded, const Result *result)
{
    if (!options->json) {
        printf("%s: %d threads, %s\n", options->model, nn_context_threads(loaded->context),
               nn_context_isa(loaded->context));
        printf("load %.2f ms, first %.2f ms, median %.2f ms (p10 %.2f, p90 %.2f), CPU %.2f ms\n",
               result->load_ms, result->first_ms, result->median_ms, result->p10_ms,
               result->p90_ms, result->cpu_ms);
        printf("memory: average %ld kB, peak %ld kB; %.1f GFLOP/s\n", result->avg_rss_kb,
               result->peak_rss_kb, result->gflops);
        return;
    }
    fputs("{\"model\": ", stdout);
    tool_print_json_string(options->model);
    printf(", \"threads\": %d, \"isa\": \"%s\", \"load_ms\": %.3f, "
           "\"load_cpu_ms\": %.3f, \"ready_ms\": %.3f, \"first_ms\": %.3f, \"median_ms\": %.3f, \"p10_ms\": %.3f, \"p90_ms\": %.3f, \"cpu_ms\": %.3f, "
           "\"peak_rss_kb\": %ld, \"avg_rss_kb\": %ld, "
           "\"weights_bytes\": %zu, \"arena_bytes\": %zu, \"gflops\": %.2f}\n",
           nn_context_threads(loaded->context), nn_context_isa(loaded->context), result->load_ms,
           result->load_cpu_ms, result->ready_ms, result->first_ms, result->median_ms,
           result->p10_ms, result->p90_ms, result->cpu_ms, result->peak_rss_kb, result->avg_rss_kb, weights_bytes(loaded->model),
           nn_model_arena_bytes(loaded->model), result->gflops);
}

/* One warm inference between the markers of the Cortex-A72 estimator: hints
 * without effect on every ARMv8 processor, nothing elsewhere. */
static int run_marked(const Options *options, Loaded *loaded)
{
    NnError error;
    Times ignored;
    int r;

    r = timed_run(options, loaded, &ignored);
    if (r >= 0)
        r = tool_fill_inputs(options, loaded, true);
    if (r < 0)
        return r;
#ifdef __aarch64__
    __asm__ volatile("hint #0x70" ::: "memory");
#endif
    r = nn_session_run(loaded->session, &error);
#ifdef __aarch64__
    __asm__ volatile("hint #0x71" ::: "memory");
#endif
    return r;
}

int cmd_bench(const Options *options)
{
    _cleanup_(tool_unload) Loaded loaded = { 0 };
    Result result = { 0 };
    uint64_t start = tool_now_ns();
    double cpu = cpu_ms();
    int r;

    r = tool_load(options, false, &loaded);
    if (r < 0)
        return r;
    result.load_cpu_ms = cpu_ms() - cpu;
    result.ready_ms = (double)tool_now_ns() / 1e6;
    result.load_ms = result.ready_ms - (double)start / 1e6;
    if (options->marks)
        return run_marked(options, &loaded);
    r = measure(options, &loaded, &result);
    if (r < 0)
        return r;
    print_result(options, &loaded, &result);
    return 0;
}
