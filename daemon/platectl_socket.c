/* SPDX-License-Identifier: Apache-2.0 */

/* The service's control socket, from the other side. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "platectl.h"

/* A little more than the service gives itself. */
#define PATIENCE_S 15
#define ANSWER_MAX ((size_t)64 << 20)

static void fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static int connect_to(const char *path, int *ret_fd, NnError *error)
{
    _cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_S};

    if (fd < 0)
        return nn_error_set(error, -errno, "no socket: %s", strerror(errno));
    if (strlen(path) >= sizeof(address.sun_path))
        return nn_error_set(error, -ENAMETOOLONG, "%s: longer than the path of a socket may be",
                            path);
    strcpy(address.sun_path, path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return nn_error_set(error, -errno, "%s: %s", path,
                            errno == ENOENT || errno == ECONNREFUSED ? "the service does not run"
                            : errno == EACCES
                                ? "only root and the members of the service's group may ask"
                                : strerror(errno));
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int receive(int fd, const char *path, GByteArray *answer, NnError *error)
{
    for (;;) {
        uint8_t bytes[16384];
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return nn_error_set(error, -errno, "%s: %s", path,
                                errno == EAGAIN ? "the service does not answer" : strerror(errno));
        if (answer->len + (size_t)n > ANSWER_MAX)
            return nn_error_set(error, -E2BIG, "%s: the answer has no end", path);
        g_byte_array_append(answer, bytes, (guint)n);
    }
}

/* The first line is an object that says whether all is well; what follows is `rest`. */
static int take_apart(GByteArray *answer, const char *path, JsonNode **ret_head, GBytes **ret_rest,
                      NnError *error)
{
    const uint8_t *end = answer->len ? memchr(answer->data, '\n', answer->len) : NULL;
    g_autofree char *line =
        end ? g_strndup((const char *)answer->data, (gsize)(end - answer->data)) : NULL;
    g_autoptr(JsonNode) head =
        line && g_utf8_validate(line, -1, NULL) ? json_from_string(line, NULL) : NULL;
    JsonObject *object = head && JSON_NODE_HOLDS_OBJECT(head) ? json_node_get_object(head) : NULL;

    if (!object)
        return nn_error_set(error, -EBADMSG, "%s: the service gave no answer", path);
    if (!json_object_get_boolean_member_with_default(object, "ok", FALSE))
        return nn_error_set(error, -EREMOTEIO, "%s",
                            json_object_get_string_member_with_default(object, "error", "refused"));
    if (ret_rest)
        *ret_rest = g_bytes_new(end + 1, answer->len - (gsize)(end + 1 - answer->data));
    *ret_head = g_steal_pointer(&head);
    return 0;
}

int platectl_ask(const PlatedConfig *config, const char *request, JsonNode **ret_head,
                 GBytes **ret_rest, NnError *error)
{
    const char *path = config->control.socket;
    g_autofree char *line = g_strconcat(request, "\n", NULL);
    g_autoptr(GByteArray) answer = g_byte_array_new();
    _cleanup_(fd_closep) int fd = -1;
    int r;

    if (!*path)
        return nn_error_set(error, -ENOENT, "the configuration gives no [control] socket");
    r = connect_to(path, &fd, error);
    if (r < 0)
        return r;
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    r = receive(fd, path, answer, error);
    return r < 0 ? r : take_apart(answer, path, ret_head, ret_rest, error);
}
