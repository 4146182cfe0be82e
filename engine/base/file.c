/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void nn_file_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Is each component the name of an entry? Whether it is there does not matter. */
static bool stays_inside(const char *path)
{
    for (;;) {
        size_t n = strcspn(path, "/");

        if (n == 0 || n > NAME_MAX || (n == 1 && path[0] == '.') ||
            (n == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (!path[n])
            return true;
        path += n + 1;
    }
}

/* One step down. */
static int open_component(int directory, const char *path, size_t n, bool last)
{
    char name[NAME_MAX + 1];
    int fd;

    memcpy(name, path, n);
    name[n] = '\0';
    fd = openat(directory, name,
                O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (last ? O_NONBLOCK : O_DIRECTORY));
    return fd < 0 ? -errno : fd;
}

int nn_file_open_inside(const char *directory, const char *path)
{
    _cleanup_(nn_file_closep) int at = open(directory, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    struct stat st;
    int fd;

    if (at < 0)
        return -errno;
    if (!stays_inside(path))
        return -EBADMSG;
    for (;;) {
        size_t n = strcspn(path, "/");
        bool last = path[n] == '\0';

        fd = open_component(at, path, n, last);
        if (fd < 0)
            return fd;
        close(at);
        at = fd;
        if (last)
            break;
        path += n + 1;
    }
    if (fstat(at, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADMSG;
    at = -1; /* the caller's now */
    return fd;
}

int nn_file_read(int fd, uint64_t offset, void *data, size_t bytes)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t got = pread(fd, (char *)data + done, bytes - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EBADMSG;
        done += (size_t)got;
    }
    return 0;
}

int nn_file_map(int fd, size_t limit, NnFileMap *ret_map)
{
    struct stat st;
    void *bytes = NULL;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADMSG;
    if ((uint64_t)st.st_size > limit)
        return -E2BIG;
    if (st.st_size > 0) {
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            return -errno;
    }
    *ret_map = (NnFileMap){ .bytes = bytes, .n = (size_t)st.st_size };
    return 0;
}

void nn_file_unmap(NnFileMap *map)
{
    if (map->bytes)
        munmap(map->bytes, map->n);
    *map = (NnFileMap){ 0 };
}
