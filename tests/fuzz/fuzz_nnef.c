/* SPDX-License-Identifier: Apache-2.0 */

/* NNEF from a directory to a run: the parts of the input, between NULs, are
 * graph.nnef, graph.quant and the tensor file a.dat; b.dat is right. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feed.h"
#include "nnef/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char directory[64];

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void remove_directory(void)
{
    static const char *const names[] = { "graph.nnef", "graph.quant", "a.dat", "b.dat" };

    for (size_t i = 0; i < 4; i++)
        unlink(path_of(names[i]));
    rmdir(directory);
}

static void make_directory(void)
{
    static float elements[4] = { 0.5f, -1, 2, 0.25f };
    NnTensor tensor = { .dtype = NN_DTYPE_F32, .rank = 4, .dims = { 2, 2, 1, 1 },
                        .data = elements };

    snprintf(directory, sizeof(directory), "%s/fuzz_nnef.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(directory) || nn_nnef_tensor_write(path_of("b.dat"), &tensor, NULL) < 0)
        abort();
    atexit(remove_directory);
}

static void write_part(const char *name, const uint8_t *bytes, size_t n)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || (n && write(fd, bytes, n) != (ssize_t)n))
        abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnModelOptions options = { .verify = true };
    size_t n_text = strnlen((const char *)bytes, n), n_quant = 0;
    NnModel *model = NULL;
    NnError error = { "" };
    int r;

    if (!*directory)
        make_directory();
    write_part("graph.nnef", bytes, n_text);
    if (n_text < n)
        n_quant = strnlen((const char *)bytes + n_text + 1, n - n_text - 1);
    if (n_quant)
        write_part("graph.quant", bytes + n_text + 1, n_quant);
    else
        unlink(path_of("graph.quant"));
    if (n_text + 1 + n_quant < n)
        write_part("a.dat", bytes + n_text + 1 + n_quant + 1, n - n_text - n_quant - 2);
    else
        unlink(path_of("a.dat"));
    r = nn_model_load(feed_context(), directory, &options, &model, &error);
    feed_check(r, model, &error);
    if (model)
        feed_run(model, feed_seed(bytes, n));
    nn_model_free(model);
    return 0;
}
