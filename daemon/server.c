/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib-unix.h>

#include "base/util.h"

#define BACKLOG 16

typedef struct Client {
    PlatedServer *server;
    uint64_t id;
    int fd;
    struct ucred peer;
    GString *request;
    GBytes *answer; /* NULL: none yet */
    size_t sent;
    guint io, patience;
} Client;

struct PlatedServer {
    int fd;
    PlatedServerOptions options;
    PlatedRequestFunc request;
    void *userdata;
    GQueue clients; /* the oldest first */
    uint64_t last_id;
    guint io;
};

/* ---- sockets ------------------------------------------------------------- */

static int listen_on(int fd, const struct sockaddr *address, socklen_t n)
{
    if (bind(fd, address, n) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    return 0;
}

int plated_server_listen_local_port(int port, int *ret_fd, NnError *error)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, r;

    if (fd < 0)
        return nn_error_set(error, -errno, "no socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    r = listen_on(fd, (const struct sockaddr *)&address, sizeof(address));
    if (r < 0) {
        close(fd);
        return nn_error_set(error, r, "127.0.0.1:%d: %s", port, strerror(-r));
    }
    *ret_fd = fd;
    return 0;
}

/* A socket that a dead process left behind refuses connections. */
static bool is_abandoned(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return refused;
}

int plated_server_listen_path(const char *path, int *ret_fd, NnError *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, r;

    if (strlen(path) >= sizeof(address.sun_path))
        return nn_error_set(error, -ENAMETOOLONG, "%s: longer than the path of a socket may be",
                            path);
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return nn_error_set(error, -errno, "no socket: %s", strerror(errno));
    if (is_abandoned(&address))
        unlink(path);
    /* bind(2) makes the path no more open than this, whatever the umask; chmod(2) then makes
     * it as open. */
    fchmod(fd, 0660);
    r = listen_on(fd, (const struct sockaddr *)&address, sizeof(address));
    if (r == 0 && chmod(path, 0660) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return nn_error_set(error, r, "%s: %s", path, strerror(-r));
    }
    *ret_fd = fd;
    return 0;
}

/* ---- clients ------------------------------------------------------------- */

static void client_end(Client *client)
{
    g_queue_remove(&client->server->clients, client);
    g_source_remove(client->patience);
    if (client->io)
        g_source_remove(client->io);
    close(client->fd);
    g_string_free(client->request, TRUE);
    g_clear_pointer(&client->answer, g_bytes_unref);
    g_free(client);
}

static gboolean out_of_patience(gpointer userdata)
{
    client_end(userdata);
    /* It has removed this source already. */
    return G_SOURCE_CONTINUE;
}

static gboolean can_write(gint fd, GIOCondition condition, gpointer userdata)
{
    Client *client = userdata;
    gsize n;
    const uint8_t *bytes = g_bytes_get_data(client->answer, &n);
    ssize_t sent = send(fd, bytes + client->sent, n - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    client->sent += sent > 0 ? (size_t)sent : 0;
    if (sent < 0 || client->sent == n)
        client_end(client);
    return G_SOURCE_CONTINUE;
}

/* Whether the request is whole now; the function may end the client. */
static void take(Client *client, const char *bytes, size_t n)
{
    PlatedServer *server = client->server;
    char *end;

    if (memchr(bytes, '\0', n) || client->request->len + n > server->options.request_max) {
        client_end(client);
        return;
    }
    g_string_append_len(client->request, bytes, (gssize)n);
    end = strstr(client->request->str, server->options.end);
    if (!end)
        return;
    g_string_truncate(client->request, (gsize)(end - client->request->str));
    g_source_remove(client->io);
    client->io = 0;
    server->request(server->userdata, client->id, client->request->str, &client->peer);
}

static gboolean can_read(gint fd, GIOCondition condition, gpointer userdata)
{
    char bytes[1024];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n > 0)
        take(userdata, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        client_end(userdata);
    return G_SOURCE_CONTINUE;
}

static void client_new(PlatedServer *server, int fd)
{
    Client *client = g_new0(Client, 1);
    socklen_t n = sizeof(client->peer);

    client->server = server;
    client->id = ++server->last_id;
    client->fd = fd;
    client->request = g_string_new(NULL);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &n) < 0)
        client->peer = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    client->io = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, can_read, client);
    client->patience =
        g_timeout_add((guint)(server->options.patience_us / 1000), out_of_patience, client);
    g_queue_push_tail(&server->clients, client);
}

/* The oldest goes where there are too many: it had its time, and silent ones must not keep
 * others out. */
static gboolean can_accept(gint fd, GIOCondition condition, gpointer userdata)
{
    PlatedServer *server = userdata;
    int taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (taken < 0)
        return G_SOURCE_CONTINUE;
    if (g_queue_get_length(&server->clients) >= server->options.clients_max)
        client_end(g_queue_peek_head(&server->clients));
    client_new(server, taken);
    return G_SOURCE_CONTINUE;
}

/* ---- the server ---------------------------------------------------------- */

PlatedServer *plated_server_new(int fd, const PlatedServerOptions *options,
                                PlatedRequestFunc request, void *userdata)
{
    PlatedServer *server = g_new0(PlatedServer, 1);

    server->fd = fd;
    server->options = *options;
    server->request = request;
    server->userdata = userdata;
    g_queue_init(&server->clients);
    server->io = g_unix_fd_add(fd, G_IO_IN, can_accept, server);
    return server;
}

PlatedServer *plated_server_free(PlatedServer *server)
{
    if (!server)
        return NULL;
    while (!g_queue_is_empty(&server->clients))
        client_end(g_queue_peek_head(&server->clients));
    g_source_remove(server->io);
    close(server->fd);
    g_free(server);
    return NULL;
}

void plated_server_answer(PlatedServer *server, uint64_t id, GBytes *answer)
{
    for (GList *l = server->clients.head; l; l = l->next) {
        Client *client = l->data;

        if (client->id != id || client->answer)
            continue;
        client->answer = g_bytes_ref(answer);
        client->io = g_unix_fd_add(client->fd, G_IO_OUT | G_IO_HUP | G_IO_ERR, can_write, client);
        return;
    }
}
