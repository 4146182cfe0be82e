/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "exec/exec.h"
#include "tool.h"

typedef struct Result {
    double load_ms, first_ms, median_ms, p10_ms, p90_ms, cpu_ms;
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

static double cpu_ms(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int timed_run(const Options *options, Loaded *loaded, double *ret_ms)
{
    NnError error;
    uint64_t start;
    int r;

    r = tool_fill_inputs(options, loaded, true);
    if (r < 0)
        return r;
    start = tool_now_ns();
    r = nn_session_run(loaded->session, &error);
    *ret_ms = (double)(tool_now_ns() - start) / 1e6;
    if (r < 0)
        fprintf(stderr, "plated-nn: %s\n", error.message);
    return r;
}

static int measure(const Options *options, Loaded *loaded, Result *result)
{
    _cleanup_free_ double *times = calloc((size_t)options->iterations, sizeof(times[0]));
    struct rusage usage;
    double ignored, rss_sum = 0, cpu;
    int n = options->iterations, r;

    if (!times)
        return -ENOMEM;
    r = timed_run(options, loaded, &result->first_ms);
    for (int i = 0; i < options->warmup && r >= 0; i++)
        r = timed_run(options, loaded, &ignored);
    cpu = cpu_ms();
    for (int i = 0; i < n && r >= 0; i++) {
        r = timed_run(options, loaded, &times[i]);
        rss_sum += (double)rss_kb();
    }
    if (r < 0)
        return r;
    result->cpu_ms = (cpu_ms() - cpu) / n;
    qsort(times, n, sizeof(times[0]), by_value);
    result->median_ms = times[n / 2];
    result->p10_ms = times[n / 10];
    result->p90_ms = times[n - 1 - n / 10];
    result->avg_rss_kb = (long)(rss_sum / n);
    getrusage(RUSAGE_SELF, &usage);
    result->peak_rss_kb = usage.ru_maxrss;
    result->gflops = (double)nn_model_flops(loaded->model) / 1e6 / result->median_ms;
    return 0;
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
    printf(", \"threads\": %d, \"isa\": \"%s\", \"load_ms\": %.3f, \"first_ms\": %.3f, "
           "\"median_ms\": %.3f, \"p10_ms\": %.3f, \"p90_ms\": %.3f, \"cpu_ms\": %.3f, "
           "\"peak_rss_kb\": %ld, \"avg_rss_kb\": %ld, \"gflops\": %.2f}\n",
           nn_context_threads(loaded->context), nn_context_isa(loaded->context), result->load_ms,
           result->first_ms, result->median_ms, result->p10_ms, result->p90_ms, result->cpu_ms,
           result->peak_rss_kb, result->avg_rss_kb, result->gflops);
}

/* One warm inference between the markers of the Cortex-A72 estimator: hints
 * without effect on every ARMv8 processor, nothing elsewhere. */
static int run_marked(const Options *options, Loaded *loaded)
{
    NnError error;
    double ignored;
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
    int r;

    r = tool_load(options, false, &loaded);
    if (r < 0)
        return r;
    result.load_ms = (double)(tool_now_ns() - start) / 1e6;
    if (options->marks)
        return run_marked(options, &loaded);
    r = measure(options, &loaded, &result);
    if (r < 0)
        return r;
    print_result(options, &loaded, &result);
    return 0;
}
