/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "base/util.h"

static int write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

/* No fsync: the gate waits for this, and a picture lost with the power is no
 * passage lost. */
int plated_snapshot_write(const char *directory, const char *name, const uint8_t *bytes, size_t n,
                          NnError *error)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *temporary = g_strdup_printf("%s/.%s.tmp", directory, name);
    int fd, r;

    if (g_mkdir_with_parents(directory, 0750) < 0)
        return nn_error_set(error, -errno, "%s: %s", directory, strerror(errno));
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return nn_error_set(error, -errno, "%s: %s", temporary, strerror(errno));
    r = write_all(fd, bytes, n);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(temporary);
        return nn_error_set(error, r, "%s: %s", path, strerror(-r));
    }
    return 0;
}

typedef struct Picture {
    char *path;
    int64_t time_ns, bytes;
} Picture;

static void picture_clear(gpointer pointer)
{
    g_free(((Picture *)pointer)->path);
}

static gint by_age(gconstpointer a, gconstpointer b)
{
    int64_t x = ((const Picture *)a)->time_ns, y = ((const Picture *)b)->time_ns;

    return (x > y) - (x < y);
}

/* Each .jpg file, the oldest first. */
static GArray *list_pictures(const char *directory, GDir *dir)
{
    GArray *pictures = g_array_new(FALSE, FALSE, sizeof(Picture));
    const char *name;

    g_array_set_clear_func(pictures, picture_clear);
    while ((name = g_dir_read_name(dir))) {
        Picture picture;
        struct stat st;

        if (!g_str_has_suffix(name, ".jpg"))
            continue;
        picture.path = g_build_filename(directory, name, NULL);
        if (lstat(picture.path, &st) < 0 || !S_ISREG(st.st_mode)) {
            g_free(picture.path);
            continue;
        }
        picture.bytes = st.st_size;
        picture.time_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        g_array_append_val(pictures, picture);
    }
    g_array_sort(pictures, by_age);
    return pictures;
}

void plated_snapshot_trim(const char *directory, const PlatedSnapshotLimits *limits)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    g_autoptr(GArray) pictures = dir ? list_pictures(directory, dir) : NULL;
    int64_t bytes = 0;

    for (size_t i = 0; pictures && i < pictures->len; i++)
        bytes += g_array_index(pictures, Picture, i).bytes;
    for (size_t i = 0; pictures && i < pictures->len; i++) {
        const Picture *picture = &g_array_index(pictures, Picture, i);

        if (i + limits->keep >= pictures->len && bytes <= limits->quota_bytes &&
            picture->time_ns / 1000 >= limits->oldest_us)
            break;
        unlink(picture->path);
        bytes -= picture->bytes;
    }
}
