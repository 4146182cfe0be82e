/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers short requests on a listening socket, inside the main loop: one request and one
 * answer a connection. It never waits for a client: one that is slow, silent, says too much
 * or does not read is cut off, and where too many come the oldest goes. */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <glib.h>

#include "nn.h"

typedef struct PlatedServer PlatedServer;

typedef struct PlatedServerOptions {
    const char *end;      /* what a request ends in: "\n" */
    size_t request_max;   /* bytes, the end included */
    unsigned clients_max; /* at once */
    int64_t patience_us;  /* for a connection, from its beginning to its end */
} PlatedServerOptions;

/* `client` is what plated_server_answer() is to name, at once or later. `request` is
 * text without its end. `peer` says who asks: uid -1 where the socket does not know. */
typedef void (*PlatedRequestFunc)(void *userdata, uint64_t client, const char *request,
                                  const struct ucred *peer);

/* Bound to 127.0.0.1. -EADDRINUSE and other errno values. */
NN_MUST_CHECK int plated_server_listen_local_port(int port, int *ret_fd, NnError *error);
/* Makes the socket, for its owner and group alone, in the place of one that nobody listens
 * on. -EADDRINUSE when somebody does, -ENOENT without the directory, other errno values. */
NN_MUST_CHECK int plated_server_listen_path(const char *path, int *ret_fd, NnError *error);

/* Takes over `fd`, which listens. The strings of `options` must outlive the server. */
PlatedServer *plated_server_new(int fd, const PlatedServerOptions *options,
                                PlatedRequestFunc request, void *userdata);
/* NULL is fine. Returns NULL. */
PlatedServer *plated_server_free(PlatedServer *server);

/* Sends it and ends the connection. A client that has gone meanwhile is no error. */
void plated_server_answer(PlatedServer *server, uint64_t client, GBytes *answer);
