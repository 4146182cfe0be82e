/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hash.h"

#define SUFFIX ".nnp"
#define CHECKSUM_CHARS 16
/* What follows the stem: a dash, the checksum, the suffix. */
#define TAIL_CHARS (1 + CHECKSUM_CHARS + sizeof(SUFFIX) - 1)

bool nn_cache_serves(const NnModelOptions *options)
{
    return options->cache && options->fixed && !options->keep_graph && !options->exact &&
           options->n_shapes == 0 && options->n_dims == 0;
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int nn_cache_path(const char *directory, const char *model, const void *bytes, size_t n_bytes,
                  char **ret_path)
{
    const char *name = last_component(model), *dot = strrchr(name, '.');
    int stem = (int)(dot ? dot - name : (ptrdiff_t)strlen(name));
    char *path;

    if (asprintf(&path, "%s/%.*s-%0*" PRIx64 SUFFIX, directory, stem, name, CHECKSUM_CHARS,
                 nn_hash_bytes(bytes, n_bytes)) < 0)
        return -ENOMEM;
    *ret_path = path;
    return 0;
}

/* Another file of the same stem: equal but for the checksum. */
static bool is_earlier(const char *name, const char *kept)
{
    size_t n = strlen(kept), stem = n - TAIL_CHARS;
    const char *checksum = name + stem + 1;

    return strlen(name) == n && strcmp(name, kept) != 0 && strncmp(name, kept, stem + 1) == 0 &&
           strspn(checksum, "0123456789abcdef") == CHECKSUM_CHARS &&
           strcmp(checksum + CHECKSUM_CHARS, SUFFIX) == 0;
}

void nn_cache_prune(const char *path)
{
    const char *name = last_component(path);
    _cleanup_free_ char *directory = strndup(path, (size_t)(name - path));
    DIR *dir = directory ? opendir(directory) : NULL;
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (is_earlier(entry->d_name, name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}
