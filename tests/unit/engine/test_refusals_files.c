/* SPDX-License-Identifier: Apache-2.0 */

/* Files that cannot be read, and data beside a model that is not where it may be. */

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "refused.h"
#include "test.h"

enum { FLOAT = 1 };

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "we");

    if (!file || (n && fwrite(bytes, n, 1, file) != 1) || fclose(file) != 0)
        TEST_FAIL("%s cannot be written", path);
}

static void test_paths(void)
{
    static const char text[] = "This is a letter to a friend, not a model.\n";

    refused_path("absent.onnx", -ENOENT, "absent.onnx: No such file or directory");
    TEST_INT(mkdir("folder.onnx", 0700), 0);
    refused_path("folder.onnx", -ENOENT, "folder.onnx/graph.nnef: No such file or directory");
    write_file("empty.onnx", "", 0);
    refused_path("empty.onnx", -EBADMSG, "empty.onnx: the file is empty");
    write_file("letter.onnx", text, sizeof(text));
    refused_path("letter.onnx", -EBADMSG, "letter.onnx: not an ONNX model, or cut short");
    TEST_INT(mkfifo("pipe.onnx", 0600), 0);
    refused_path("pipe.onnx", -EBADMSG, "pipe.onnx: it is not a regular file");
}

/* A model whose weight lies in a file of that name beside it. */
static void write_model(const char *location, const char *offset, const char *length)
{
    static const int64_t image[] = { 1, 1, 4, 4 }, kernel[] = { 2, 1, 3, 3 };
    const char *const pairs[][2] = { { "location", location }, { "offset", offset },
                                     { "length", length } };
    Onnx__StringEntry entries[3], *list[3];
    Onnx__Tensor *w;
    Build build;
    size_t n;
    uint8_t *bytes;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    w = build_floats(&build, "w", 4, kernel, NULL);
    build_node(&build, "Conv", "x w", "y");
    w->has_raw_data = 0;
    w->has_data_location = 1;
    w->data_location = 1;
    w->external_data = list;
    for (size_t i = 0; i < 3; i++) {
        onnx__string_entry__init(&entries[i]);
        entries[i].key = build_string(pairs[i][0]);
        entries[i].value = pairs[i][1] ? build_string(pairs[i][1]) : NULL;
        if (pairs[i][1])
            list[w->n_external_data++] = &entries[i];
    }
    bytes = build_pack(&build, &n);
    write_file("m.onnx", bytes, n);
    free(bytes);
}

static void refused_external(const char *location, const char *offset, const char *length,
                             int code, const char *sentence)
{
    write_model(location, offset, length);
    refused_path("m.onnx", code, sentence);
}

static void test_external(void)
{
    static const uint8_t weights[71]; /* one less than the tensor has */

    TEST_INT(symlink("/etc/passwd", "link"), 0);
    TEST_INT(mkdir("inside", 0700), 0);
    write_file("weights", weights, sizeof(weights));
    refused_external("../weights", NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': external data '../weights' is not a file in the "
                     "model's directory");
    refused_external("/etc/passwd", NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': external data '/etc/passwd' is not a file in the "
                     "model's directory");
    refused_external("inside/../../weights", NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': external data 'inside/../../weights' is not a "
                     "file in the model's directory");
    refused_external("..", NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': external data '..' is not a file in the model's "
                     "directory");
    refused_external("link", NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': external data 'link': it is a symbolic link");
    refused_external("inside", NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': external data 'inside' is not a file in the "
                     "model's directory");
    refused_external("absent", NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': external data 'absent': No such file or directory");
    refused_external("weights", NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': external data 'weights' ends before the tensor, at "
                     "byte 0 to 72");
    refused_external("weights", "18446744073709551600", NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': its external data has an offset or length that is "
                     "no number of bytes");
    refused_external("weights", "9223372036854775800", NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': its external data has an offset or length that is "
                     "no number of bytes");
    refused_external("weights", "-8", NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': its external data has an offset or length that is "
                     "no number of bytes");
    refused_external("weights", NULL, "71", -EBADMSG,
                     "m.onnx: initialiser 'w': its external data has 71 bytes where its shape "
                     "needs 72");
    refused_external(NULL, NULL, NULL, -EBADMSG,
                     "m.onnx: initialiser 'w': its external data has no location");
}

static void test_memory(void)
{
    Onnx__StringEntry entry, *entries[] = { &entry };
    static const int64_t image[] = { 1, 1, 4, 4 };
    Onnx__Tensor *w;
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    w = build_floats(&build, "w", 4, image, NULL);
    build_node(&build, "Add", "x w", "y");
    onnx__string_entry__init(&entry);
    entry.key = build_string("location");
    entry.value = build_string("weights");
    w->has_raw_data = 0;
    w->has_data_location = 1;
    w->data_location = 1;
    w->external_data = entries;
    w->n_external_data = 1;
    refused_build(&build, -ENOTSUP,
                  "m.onnx: initialiser 'w': its external data cannot be found: the model was "
                  "read from memory");
}

int main(void)
{
    char folder[] = "/tmp/test_refusals.XXXXXX";
    char command[64];

    if (!mkdtemp(folder) || chdir(folder) < 0)
        TEST_FAIL("%s cannot be made", folder);
    test_paths();
    test_external();
    test_memory();
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command) != 0;
}
