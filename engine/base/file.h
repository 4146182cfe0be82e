/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Files that a model names: read, and never outside its directory. */

#include "base/util.h"

/* Opens a file below `directory` by a relative path, which a model states and
 * nobody has checked. No component may be empty, "." or "..", no link is
 * followed, and it is a regular file. Returns the descriptor, -EBADMSG for a path
 * that would leave the directory, or the error of opening. */
NN_MUST_CHECK int nn_file_open_inside(const char *directory, const char *path);

/* Reads exactly so many bytes. -EBADMSG when the file ends before. */
NN_MUST_CHECK int nn_file_read(int fd, uint64_t offset, void *data, size_t bytes);

/* A file in memory, read only. */
typedef struct NnFileMap {
    void *bytes;    /* NULL when empty */
    size_t n;
} NnFileMap;

/* Maps a regular file. -EBADMSG when it is none, -E2BIG over `limit`. */
NN_MUST_CHECK int nn_file_map(int fd, size_t limit, NnFileMap *ret_map);
void nn_file_unmap(NnFileMap *map);

/* For cleanup variables. */
void nn_file_closep(int *fd);
