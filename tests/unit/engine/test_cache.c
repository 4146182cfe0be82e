/* SPDX-License-Identifier: Apache-2.0 */

/* The directory that keeps compiled models: what is in it is used where it is right,
 * made anew where it is not, and never stands in the way. */

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nnp.h"
#include "test.h"

static char cache[4096];

static void write_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    TEST_TRUE(file);
    TEST_INT(fwrite(bytes, 1, n, file), n);
    TEST_INT(fclose(file), 0);
}

/* image_network() in a file, `variant` in its metadata. */
static void write_network(const char *name, char variant)
{
    size_t n;
    uint8_t *onnx = image_network(&n);
    uint8_t *word = memmem(onnx, n, "nothing", 7);

    TEST_TRUE(word);
    word[6] = (uint8_t)variant;
    write_bytes(in_folder(name), onnx, n);
    free(onnx);
}

/* Loads and says whether that was done by mapping a compiled file. */
static bool is_mapped(NnContext *context, const char *name, NnModelOptions options)
{
    NnModel *model = NULL;
    NnError error;
    bool mapped;

    options.fixed = true;
    if (!options.cache)
        options.cache = cache;
    if (nn_model_load(context, in_folder(name), &options, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    mapped = nn_model_graph(model)->mapped;
    nn_model_free(model);
    return mapped;
}

/* The files of the cache, and the last one's path. */
static size_t count_kept(char *path, size_t size)
{
    DIR *dir = opendir(cache);
    struct dirent *entry;
    size_t n = 0;

    TEST_TRUE(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.') {
            snprintf(path, size, "%s/%s", cache, entry->d_name);
            n++;
        }
    closedir(dir);
    return n;
}

static void test_keeps_one(NnContext *context)
{
    char path[8192], first[8192];
    struct stat before, after;

    write_network("a.onnx", '1');
    TEST_TRUE(is_mapped(context, "a.onnx", (NnModelOptions){ 0 }));
    TEST_INT(count_kept(first, sizeof(first)), 1);
    TEST_WORDS(first, "/a-");
    TEST_INT(stat(first, &before), 0);
    TEST_TRUE(is_mapped(context, "a.onnx", (NnModelOptions){ .check_weights = true }));
    TEST_INT(stat(first, &after), 0);
    TEST_INT(after.st_ino, before.st_ino);

    /* Another file of that name takes its place, one of another name does not. */
    write_network("a.onnx", '2');
    write_network("a-b.onnx", '1');
    TEST_TRUE(is_mapped(context, "a.onnx", (NnModelOptions){ 0 }));
    TEST_INT(count_kept(path, sizeof(path)), 1);
    TEST_TRUE(strcmp(path, first) != 0);
    TEST_TRUE(is_mapped(context, "a-b.onnx", (NnModelOptions){ 0 }));
    TEST_INT(count_kept(path, sizeof(path)), 2);
}

static void test_damaged(NnContext *context)
{
    char path[8192];
    size_t n, again;
    uint8_t *bytes;

    write_network("c.onnx", '1');
    TEST_TRUE(is_mapped(context, "c.onnx", (NnModelOptions){ 0 }));
    while (count_kept(path, sizeof(path)) && !strstr(path, "/c-"))
        TEST_INT(unlink(path), 0);
    bytes = read_file(path, &n);
    bytes[n - NNP_ALIGN] ^= 1;
    write_bytes(path, bytes, n / 2);
    TEST_TRUE(is_mapped(context, "c.onnx", (NnModelOptions){ 0 }));
    free(read_file(path, &again));
    TEST_INT(again, n);
    write_bytes(path, bytes, n);
    TEST_TRUE(is_mapped(context, "c.onnx", (NnModelOptions){ .check_weights = true }));
    free(bytes);
    bytes = read_file(path, &again);
    TEST_INT(again, n);
    write_bytes(path, bytes, 0);
    TEST_TRUE(is_mapped(context, "c.onnx", (NnModelOptions){ 0 }));
    free(bytes);
}

static void test_does_not_serve(NnContext *context)
{
    NnShape shape = { .input = "x", .rank = 4, .dims = { 1, CHANNELS, SIZE, SIZE } };
    char path[8192];
    size_t n = count_kept(path, sizeof(path));

    write_network("d.onnx", '1');
    TEST_TRUE(!is_mapped(context, "d.onnx", (NnModelOptions){ .shapes = &shape, .n_shapes = 1 }));
    TEST_TRUE(!is_mapped(context, "d.onnx", (NnModelOptions){ .keep_graph = true }));
    TEST_INT(count_kept(path, sizeof(path)), n);
    TEST_TRUE(!is_mapped(context, "d.onnx", (NnModelOptions){ .cache = "/nowhere/at all" }));
}

/* A checksum of the file would not see what changes beside it. */
static void test_external(NnContext *context)
{
    char path[8192];
    size_t n_kept = count_kept(path, sizeof(path)), n;
    Onnx__Tensor *weights;
    uint8_t *onnx;
    Build build;
    Onnx__StringEntry location = ONNX__STRING_ENTRY__INIT, *entries[] = { &location };

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 1, (int64_t[]){ 4 });
    build_output(&build, "y");
    weights = build_floats(&build, "w", 1, (int64_t[]){ 4 }, NULL);
    build_node(&build, "Add", "x w", "y");
    write_bytes(in_folder("w.bin"), weights->raw_data.data, weights->raw_data.len);
    weights->has_raw_data = false;
    weights->has_data_location = true;
    weights->data_location = 1;
    location.key = build_string("location");
    location.value = build_string("w.bin");
    weights->n_external_data = 1;
    weights->external_data = entries;
    onnx = build_pack(&build, &n);
    write_bytes(in_folder("e.onnx"), onnx, n);
    free(onnx);
    TEST_TRUE(!is_mapped(context, "e.onnx", (NnModelOptions){ 0 }));
    TEST_INT(count_kept(path, sizeof(path)), n_kept);
}

static void count_warnings(void *userdata, NnLogLevel level, const char *message)
{
    if (level == NN_LOG_WARNING) {
        TEST_WORDS(message, "/nowhere/at all");
        ++*(int *)userdata;
    }
}

int main(void)
{
    static const char *const files[] = { "a.onnx", "a-b.onnx", "c.onnx", "d.onnx", "e.onnx",
                                         "w.bin" };
    int n_warnings = 0;
    NnContextOptions options = {
        .isa = "c",
        .log = count_warnings,
        .log_userdata = &n_warnings,
    };
    NnContext *context;
    NnError error;
    char path[8192];

    if (nn_context_new(&options, &context, &error) < 0)
        TEST_FAIL("%s", error.message);
    snprintf(cache, sizeof(cache), "%s", in_folder("cache"));
    TEST_INT(mkdir(cache, 0700), 0);
    test_keeps_one(context);
    test_damaged(context);
    test_does_not_serve(context);
    test_external(context);
    TEST_INT(n_warnings, 1);
    while (count_kept(path, sizeof(path)))
        TEST_INT(unlink(path), 0);
    TEST_INT(rmdir(cache), 0);
    for (size_t i = 0; i < NN_ARRAY_SIZE(files); i++)
        TEST_INT(unlink(in_folder(files[i])), 0);
    clear_folder();
    nn_context_free(context);
    return 0;
}
