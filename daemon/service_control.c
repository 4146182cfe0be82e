/* SPDX-License-Identifier: Apache-2.0 */

/* What is told on this machine alone: the control socket of platectl, and the metrics.
 * docs/operations.md describes both. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "json.h"
#include "metrics.h"
#include "payload.h"
#include "server.h"
#include "service_private.h"

#define PATIENCE_US ((int64_t)10 * 1000000)
#define CLIENTS_MAX 16

struct PlatedControl {
    PlatedService *service;
    char *path; /* of the socket; NULL: none */
    int port;   /* of the metrics; 0: none */
    PlatedServer *commands, *metrics;
    uint64_t waiting[CLIENTS_MAX]; /* for a snapshot */
    unsigned n_waiting;
};

/* ---- metrics ------------------------------------------------------------- */

static void on_scrape(void *userdata, uint64_t client, const char *request,
                      const struct ucred *peer)
{
    PlatedControl *control = userdata;
    PlatedService *service = control->service;
    PlatedMetrics metrics = {
        .camera_up = service->camera_state == LPR_SOURCE_PLAYING,
        .broker_connected = plated_mqtt_is_connected(service->mqtt),
        .camera_losses = service->camera_losses,
        .broker_connections = service->broker_connections,
        .provisionals = atomic_load(&service->passages[0]),
        .finals = atomic_load(&service->passages[1]),
        .granted = service->decisions[PLATED_DECISION_GRANTED],
        .denied = service->decisions[PLATED_DECISION_DENIED],
        .unknown = service->decisions[PLATED_DECISION_UNKNOWN],
    };
    g_autoptr(GBytes) answer = NULL;

    plated_service_state(service, &metrics.state);
    answer = plated_metrics_answer(request, &metrics);
    plated_server_answer(control->metrics, client, answer);
}

/* ---- commands ------------------------------------------------------------ */

static void answer_text(PlatedControl *control, uint64_t client, char *text)
{
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    g_autoptr(GBytes) bytes = g_bytes_new(line, strlen(line));

    g_free(text);
    plated_server_answer(control->commands, client, bytes);
}

static void refuse(PlatedControl *control, uint64_t client, const char *sentence)
{
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    plated_json_bool(b, "ok", false);
    plated_json_string(b, "error", sentence);
    json_builder_end_object(b);
    answer_text(control, client, plated_json_build(b));
}

static void answer_status(PlatedControl *control, uint64_t client)
{
    PlatedService *service = control->service;
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autofree char *text = NULL;
    PlatedState state;

    plated_service_state(service, &state);
    text = plated_payload_state(&state);
    json_builder_begin_object(b);
    plated_json_bool(b, "ok", true);
    plated_json_bool(b, "ready", service->ready);
    plated_json_bool(b, "stopping", service->stopping);
    plated_json_int(b, "pid", getpid());
    plated_json_string(b, "config", service->path);
    plated_json_string(b, "broker", service->config->mqtt.host);
    plated_json_bool(b, "broker_connected", plated_mqtt_is_connected(service->mqtt));
    json_builder_set_member_name(b, "state");
    json_builder_add_value(b, json_from_string(text, NULL));
    json_builder_end_object(b);
    answer_text(control, client, plated_json_build(b));
}

/* The next frame: a camera that is away has none. */
static void answer_snapshot(PlatedControl *control, uint64_t client, const struct ucred *peer)
{
    PlatedService *service = control->service;

    if (service->camera_state != LPR_SOURCE_PLAYING || service->stopping) {
        g_autofree char *why =
            g_strdup_printf("the camera is %s%s%s", plated_camera_state_name(service->camera_state),
                            service->camera_reason ? ": " : "",
                            service->camera_reason ? service->camera_reason : "");

        refuse(control, client, why);
        return;
    }
    /* Somebody must be able to aim the camera; the group is for looking at figures then. */
    if (service->privacy && peer->uid != 0 && peer->uid != geteuid()) {
        refuse(control, client, "with [privacy] hash only root may take a picture");
        return;
    }
    plated_log(service->log, PLATED_LOG_INFO, "a snapshot for user %u, process %d",
               (unsigned)peer->uid, (int)peer->pid);
    /* Only so many connections are open; those before have gone. */
    if (control->n_waiting == CLIENTS_MAX)
        memmove(control->waiting, control->waiting + 1,
                --control->n_waiting * sizeof(control->waiting[0]));
    control->waiting[control->n_waiting++] = client;
    plated_worker_snapshot(service->worker);
}

void plated_control_snapshot(PlatedControl *control, const void *jpeg, size_t n)
{
    g_autofree char *head = NULL;
    g_autoptr(GByteArray) array = NULL;
    g_autoptr(GBytes) bytes = NULL;

    if (!control || control->n_waiting == 0)
        return;
    head = g_strdup_printf("{\"ok\":true,\"bytes\":%zu}\n", n);
    array = g_byte_array_sized_new((guint)(strlen(head) + n));
    g_byte_array_append(array, (const guint8 *)head, (guint)strlen(head));
    g_byte_array_append(array, jpeg, (guint)n);
    bytes = g_byte_array_free_to_bytes(g_steal_pointer(&array));
    for (unsigned i = 0; control->commands && i < control->n_waiting; i++)
        plated_server_answer(control->commands, control->waiting[i], bytes);
    control->n_waiting = 0;
}

static void on_request(void *userdata, uint64_t client, const char *request,
                       const struct ucred *peer)
{
    PlatedControl *control = userdata;

    if (strcmp(request, "status") == 0)
        answer_status(control, client);
    else if (strcmp(request, "snapshot") == 0)
        answer_snapshot(control, client, peer);
    else
        refuse(control, client, "the request is neither status nor snapshot");
}

/* ---- listening ----------------------------------------------------------- */

static void stop_commands(PlatedControl *control)
{
    if (!control->path)
        return;
    control->commands = plated_server_free(control->commands);
    control->n_waiting = 0;
    unlink(control->path);
    g_clear_pointer(&control->path, g_free);
}

static void listen_for_commands(PlatedControl *control, const char *path)
{
    static const PlatedServerOptions options = {
        .end = "\n", .request_max = 256, .clients_max = CLIENTS_MAX, .patience_us = PATIENCE_US};
    NnError error = {0};
    int fd;

    if (g_strcmp0(control->path, *path ? path : NULL) == 0)
        return;
    stop_commands(control);
    if (!*path)
        return;
    if (plated_server_listen_path(path, &fd, &error) < 0) {
        plated_log(control->service->log, PLATED_LOG_WARNING,
                   "no control socket, platectl will not reach the service: %s", error.message);
        return;
    }
    control->path = g_strdup(path);
    control->commands = plated_server_new(fd, &options, on_request, control);
}

static void listen_for_scrapes(PlatedControl *control, int port)
{
    static const PlatedServerOptions options = {.end = "\r\n\r\n",
                                                .request_max = 8192,
                                                .clients_max = CLIENTS_MAX,
                                                .patience_us = PATIENCE_US};
    NnError error = {0};
    int fd;

    if (port == control->port)
        return;
    control->metrics = plated_server_free(control->metrics);
    control->port = 0;
    if (port == 0)
        return;
    if (plated_server_listen_local_port(port, &fd, &error) < 0) {
        plated_log(control->service->log, PLATED_LOG_WARNING, "no metrics: %s", error.message);
        return;
    }
    control->port = port;
    control->metrics = plated_server_new(fd, &options, on_scrape, control);
}

void plated_control_configure(PlatedControl *control)
{
    listen_for_commands(control, control->service->config->control.socket);
    listen_for_scrapes(control, control->service->config->metrics.port);
}

PlatedControl *plated_control_new(PlatedService *service)
{
    PlatedControl *control = g_new0(PlatedControl, 1);

    control->service = service;
    plated_control_configure(control);
    return control;
}

PlatedControl *plated_control_free(PlatedControl *control)
{
    if (!control)
        return NULL;
    stop_commands(control);
    plated_server_free(control->metrics);
    g_free(control);
    return NULL;
}
