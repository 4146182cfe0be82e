/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

static void add(GString *out, const char *name, const char *type, const char *help, double value)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    /* What is not known is left out: absent() finds it, and no sum is wrong. */
    if (isfinite(value))
        g_string_append_printf(out, "%s %s\n", name,
                               g_ascii_formatd(number, sizeof(number), "%.10g", value));
}

static void gauge(GString *out, const char *name, const char *help, double value)
{
    add(out, name, "gauge", help, value);
}

static void counter(GString *out, const char *name, const char *help, double value)
{
    add(out, name, "counter", help, value);
}

/* One counter with a sample for each of three values of a label, NULL for fewer. */
static void counters(GString *out, const char *name, const char *help, const char *label,
                     const char *const values[3], const uint64_t counts[3])
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
    for (int i = 0; i < 3 && values[i]; i++)
        g_string_append_printf(out, "%s{%s=\"%s\"} %" G_GUINT64_FORMAT "\n", name, label, values[i],
                               counts[i]);
}

/* A label's value: backslash, quote and newline are escaped. */
static void label(GString *out, const char *name, const char *value)
{
    g_string_append_printf(out, "%s=\"", name);
    for (const char *c = value ? value : ""; *c; c++) {
        if (*c == '\\' || *c == '"')
            g_string_append_c(out, '\\');
        if (*c == '\n')
            g_string_append(out, "\\n");
        else
            g_string_append_c(out, *c);
    }
    g_string_append_c(out, '"');
}

static void add_build(GString *out, const PlatedState *state)
{
    g_string_append(out, "# HELP plated_build_info Versions of the service and its models.\n"
                         "# TYPE plated_build_info gauge\nplated_build_info{");
    label(out, "version", state->software);
    g_string_append_c(out, ',');
    label(out, "camera", state->camera);
    g_string_append_c(out, ',');
    label(out, "detector", state->detector);
    g_string_append_c(out, ',');
    label(out, "reader", state->reader);
    g_string_append_c(out, ',');
    label(out, "region", state->region);
    g_string_append(out, "} 1\n");
}

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = -1;

    if (!file)
        return NAN;
    if (fscanf(file, "%*d %ld", &pages) != 1)
        pages = -1;
    fclose(file);
    return pages < 0 ? NAN : (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    int n = 0;

    if (!dir)
        return NAN;
    while (g_dir_read_name(dir))
        n++;
    return n - 1; /* that of the directory */
}

static double processor_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_process(GString *out)
{
    counter(out, "process_cpu_seconds_total", "Processor time used.", processor_seconds());
    gauge(out, "process_resident_memory_bytes", "Memory in use.", resident_bytes());
    gauge(out, "process_open_fds", "Open file descriptors.", open_descriptors());
}

static void add_camera(GString *out, const PlatedMetrics *m)
{
    const PlatedState *s = &m->state;

    gauge(out, "plated_camera_up", "Whether the camera gives pictures.", m->camera_up);
    counter(out, "plated_camera_losses_total", "How often the camera was lost.",
            (double)m->camera_losses);
    counter(out, "plated_frames_total", "Frames looked at.", (double)s->frames);
    counter(out, "plated_frames_dropped_total", "Frames dropped for a newer one.",
            (double)s->frames_dropped);
    counter(out, "plated_frames_passed_total",
            "Frames passed over because nothing moved or for heat.", (double)s->frames_passed);
    gauge(out, "plated_frames_per_second", "Frames looked at in a second, over the last ten.",
          s->fps);
    gauge(out, "plated_frame_latency_seconds", "From the capture of a frame to its result.",
          s->latency_ms < 0 ? NAN : s->latency_ms / 1e3);
}

static void add_delivery(GString *out, const PlatedMetrics *m)
{
    static const char *const types[3] = {"provisional", "final", NULL};
    static const char *const decisions[3] = {"granted", "denied", "unknown"};

    counters(out, "plated_passages_total", "Messages about passages that were made.", "type", types,
             (const uint64_t[3]){m->provisionals, m->finals});
    counters(out, "plated_access_decisions_total", "Decisions about who is let through.",
             "decision", decisions, (const uint64_t[3]){m->granted, m->denied, m->unknown});
    gauge(out, "plated_outbox_messages", "Messages that the broker has not acknowledged.",
          (double)m->state.backlog);
    counter(out, "plated_outbox_dropped_total", "Messages dropped because of the limits.",
            (double)m->state.passages_dropped);
    gauge(out, "plated_broker_connected", "Whether there is a connection to the broker.",
          m->broker_connected);
    counter(out, "plated_broker_connections_total", "Connections that the broker accepted.",
            (double)m->broker_connections);
}

char *plated_metrics_text(const PlatedMetrics *m)
{
    GString *out = g_string_new(NULL);
    const PlatedState *s = &m->state;

    add_build(out, s);
    gauge(out, "plated_uptime_seconds", "Time since the start.", (double)s->uptime_us / 1e6);
    add_camera(out, m);
    add_delivery(out, m);
    gauge(out, "plated_clock_synchronised", "Whether a time server has set the clock.",
          s->clock_synchronised);
    gauge(out, "plated_temperature_celsius", "Of the hottest sensor of the processor.",
          s->temperature_c);
    gauge(out, "plated_throttled", "Whether heat or power supply slow the processor down now.",
          s->throttled < 0 ? NAN : s->throttled);
    gauge(out, "plated_slowed", "Whether fewer frames are looked at because of heat.", s->slowed);
    add_process(out);
    return g_string_free(out, FALSE);
}

static GBytes *http(const char *status, const char *more, const char *type, const char *body)
{
    char *text = g_strdup_printf("HTTP/1.1 %s\r\n%sContent-Type: %s\r\nContent-Length: %zu\r\n"
                                 "Connection: close\r\n\r\n%s",
                                 status, more, type, strlen(body), body);

    return g_bytes_new_take(text, strlen(text));
}

GBytes *plated_metrics_answer(const char *request, const PlatedMetrics *metrics)
{
    g_auto(GStrv) words = g_strsplit(request, " ", 3);
    g_autofree char *body = NULL;

    if (g_strv_length(words) < 3 || !g_str_has_prefix(words[2], "HTTP/1."))
        return http("400 Bad Request", "", "text/plain", "not HTTP/1.x\n");
    if (strcmp(words[0], "GET") != 0)
        return http("405 Method Not Allowed", "Allow: GET\r\n", "text/plain", "only GET\n");
    if (strcmp(words[1], "/metrics") != 0)
        return http("404 Not Found", "", "text/plain", "there is only /metrics\n");
    body = plated_metrics_text(metrics);
    return http("200 OK", "", "text/plain; version=0.0.4; charset=utf-8", body);
}
