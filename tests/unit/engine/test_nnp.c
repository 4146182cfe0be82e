/* SPDX-License-Identifier: Apache-2.0 */

/* Compiled files: what comes back is the model that was saved, bit for bit, on
 * every instruction set; what is damaged or made for something else is refused.
 *
 * test_nnp --corpus DIR [MODEL.onnx…] writes the models of this file, and those
 * named, as seeds for fuzz_nnp. */

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "build.h"
#include "nnp/section.h"
#include "test.h"

enum { FLOAT = 1, CHANNELS = 6, SIZE = 9 };

static const char *const isas[] = { "c", "neon", "neondot", "avx2", "avx512" };

static float noise(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return (float)(*state >> 8) / (1 << 23) - 1;
}

static void add_noise(Build *build, const char *name, size_t rank, const int64_t *dims)
{
    static uint32_t state = 1;
    Onnx__Tensor *tensor = build_floats(build, name, rank, dims, NULL);
    float *data = (float *)tensor->raw_data.data;

    for (size_t i = 0; i < tensor->raw_data.len / sizeof(float); i++)
        data[i] = noise(&state);
}

/* Packed convolutions with an activation and a residual fused in, one that is not
 * packed, weights that stay as they are, attributes of all kinds. */
static uint8_t *image_network(size_t *ret_n)
{
    static const int64_t image[] = { 1, CHANNELS, SIZE, SIZE }, channel[] = { CHANNELS };
    static const int64_t w3[] = { CHANNELS, CHANNELS, 3, 3 }, wd[] = { CHANNELS, 1, 3, 3 };
    static const int64_t matrix[] = { CHANNELS, 4 };
    static const int64_t pads[] = { 1, 1, 1, 1 };
    Onnx__Node *node;
    Build build;

    build_start(&build, 13);
    build_metadata(&build, "plated.task", "nothing");
    build_metadata(&build, "empty", "");
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    build_output(&build, "probabilities");
    add_noise(&build, "w1", 4, w3);
    add_noise(&build, "w2", 4, wd);
    add_noise(&build, "w3", 4, w3);
    add_noise(&build, "b1", 1, channel);
    add_noise(&build, "m", 2, matrix);
    build_floats(&build, "sizes", 1, (int64_t[]){ 4 }, (float[]){ 1, 1, 2, 2 });
    build_attribute_ints(build_node(&build, "Conv", "x w1 b1", "c1"), "pads", 4, pads);
    build_node(&build, "Sigmoid", "c1", "s1");
    build_node(&build, "Mul", "s1 c1", "a1");
    node = build_node(&build, "Conv", "a1 w2", "c2");
    build_attribute_ints(node, "pads", 4, pads);
    build_attribute_int(node, "group", CHANNELS);
    build_attribute_ints(build_node(&build, "Conv", "c2 w3", "c3"), "pads", 4, pads);
    build_node(&build, "Add", "c3 a1", "r3");
    build_attribute_float(build_node(&build, "LeakyRelu", "r3", "a3"), "alpha", 0.3f);
    build_attribute_string(build_node(&build, "Resize", "a3  sizes", "y"), "mode", "nearest");
    build_node(&build, "GlobalAveragePool", "a3", "g");
    build_attribute_int(build_node(&build, "Flatten", "g", "f"), "axis", 1);
    build_attribute_float(build_node(&build, "Gemm", "f m", "l"), "alpha", 0.5f);
    build_attribute_int(build_node(&build, "Softmax", "l", "probabilities"), "axis", -1);
    return build_pack(&build, ret_n);
}

/* Dims that are known only while running, and arithmetic with them. */
static uint8_t *dynamic_network(size_t *ret_n)
{
    static const int64_t dims[] = { 2, 3 }, one[] = { 1 }, flat[] = { -1 };
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 2, dims);
    build_output(&build, "y");
    build_ints(&build, "index", 1, one);
    build_ints(&build, "flat", 1, flat);
    build_node(&build, "NonZero", "x", "n");
    build_node(&build, "Shape", "n", "s");
    build_node(&build, "Gather", "s index", "count");
    build_attribute_ints(build_node(&build, "Transpose", "n", "t"), "perm", 2,
                         (int64_t[]){ 1, 0 });
    build_node(&build, "Reshape", "t flat", "r");
    build_node(&build, "Add", "r count", "y");
    return build_pack(&build, ret_n);
}

/* More weights than are checked at every load. */
static uint8_t *large_network(size_t *ret_n)
{
    static const int64_t image[] = { 1, 600, 2, 2 }, w[] = { 512, 600, 1, 1 };
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_noise(&build, "w", 4, w);
    build_node(&build, "Conv", "x w", "y");
    return build_pack(&build, ret_n);
}

static char folder[] = "/tmp/test_nnp.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static NnContext *new_context(const char *isa)
{
    NnContextOptions options = { .threads = 1, .isa = isa };
    NnContext *context = NULL;
    NnError error;

    return nn_context_new(&options, &context, &error) < 0 ? NULL : context;
}

static NnModel *load_bytes(NnContext *context, const uint8_t *bytes, size_t n)
{
    NnModelOptions options = { .verify = true };
    NnModel *model = NULL;
    NnError error;

    if (nn_model_load_memory(context, "m", bytes, n, &options, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    return model;
}

static NnModel *load_file(NnContext *context, const char *path)
{
    NnModel *model = NULL;
    NnError error;

    if (nn_model_load(context, path, NULL, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    return model;
}

static void save(const NnModel *model, const char *path)
{
    NnError error;

    if (nn_model_save(model, path, &error) < 0)
        TEST_FAIL("%s", error.message);
}

static uint8_t *read_file(const char *path, size_t *ret_n)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes;

    if (!file)
        TEST_FAIL("%s cannot be read", path);
    fseek(file, 0, SEEK_END);
    *ret_n = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*ret_n + 1);
    TEST_INT(fread(bytes, 1, *ret_n, file), *ret_n);
    fclose(file);
    return bytes;
}

/* The compiled file of an ONNX model, sections at every line. */
static uint8_t *compile(NnContext *context, uint8_t *onnx, size_t n_onnx, size_t *ret_n)
{
    NnModel *model = load_bytes(context, onnx, n_onnx);
    NnError error;

    if (nn_nnp_write(model->program, in_folder("small.nnp"), NNP_ALIGN, &error) < 0)
        TEST_FAIL("%s", error.message);
    nn_model_free(model);
    free(onnx);
    return read_file(in_folder("small.nnp"), ret_n);
}

static NnSession *run(NnModel *model)
{
    NnSession *session;
    NnError error;
    uint32_t seed = 5;
    NnTensor *in;

    if (nn_session_new(model, &session, &error) < 0)
        TEST_FAIL("%s", error.message);
    in = nn_session_input(session, 0);
    for (int64_t i = 0; i < nn_tensor_elements(in); i++)
        ((float *)in->data)[i] = i % 3 ? noise(&seed) : 0;
    if (nn_session_run(session, &error) < 0)
        TEST_FAIL("%s", error.message);
    return session;
}

static void same_tensor(const NnTensor *a, const NnTensor *b)
{
    TEST_INT(a->dtype, b->dtype);
    TEST_TRUE(nn_tensor_same_shape(a, b));
    if (a->data)
        TEST_INT(memcmp(a->data, b->data, (size_t)nn_tensor_elements(a) * nn_dtype_size(a->dtype)),
                 0);
}

/* In what it says of itself and in what it computes. */
static void same_model(NnModel *a, NnModel *b)
{
    NnSession *of_a = run(a), *of_b = run(b);

    TEST_INT(nn_model_graph(b)->n_nodes, nn_model_graph(a)->n_nodes);
    TEST_INT(nn_model_flops(b), nn_model_flops(a));
    TEST_INT(nn_model_arena_bytes(b), nn_model_arena_bytes(a));
    TEST_INT(nn_model_opset(b), nn_model_opset(a));
    TEST_INT(!nn_model_producer(b), !nn_model_producer(a));
    TEST_INT(nn_model_n_metadata(b), nn_model_n_metadata(a));
    TEST_INT(nn_model_n_inputs(b), nn_model_n_inputs(a));
    TEST_INT(nn_model_n_outputs(b), nn_model_n_outputs(a));
    for (size_t i = 0; i < nn_model_n_inputs(a); i++) {
        TEST_INT(strcmp(nn_model_input_name(b, i), nn_model_input_name(a, i)), 0);
        same_tensor(nn_model_input(a, i), nn_model_input(b, i));
    }
    for (size_t i = 0; i < nn_model_n_outputs(a); i++) {
        TEST_INT(strcmp(nn_model_output_name(b, i), nn_model_output_name(a, i)), 0);
        same_tensor(nn_model_output(a, i), nn_model_output(b, i));
        same_tensor(nn_session_output(of_a, i), nn_session_output(of_b, i));
    }
    nn_session_free(of_a);
    nn_session_free(of_b);
}

static bool lies_in(const NnGraph *graph, const void *p)
{
    const char *storage = graph->storage;

    return (const char *)p >= storage && (const char *)p < storage + graph->storage_bytes;
}

/* Constants and packed weights are used where the file is mapped. */
static void nothing_copied(const NnModel *model, size_t n_packed)
{
    const NnGraph *graph = nn_model_graph(model);

    TEST_TRUE(graph->mapped);
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant && graph->values[i].tensor.data)
            TEST_TRUE(lies_in(graph, graph->values[i].tensor.data));
    for (size_t i = 0; i < model->program->n_steps; i++)
        if (model->program->steps[i].state) {
            TEST_TRUE(lies_in(graph, model->program->steps[i].state));
            n_packed--;
        }
    TEST_INT(n_packed, 0);
}

static void round_trip(NnContext *context, uint8_t *onnx, size_t n_onnx, size_t n_packed)
{
    NnModel *source = load_bytes(context, onnx, n_onnx), *mapped, *copied, *again;
    uint8_t *bytes, *more;
    size_t n, n_more;

    save(source, in_folder("a.nnp"));
    mapped = load_file(context, in_folder("a.nnp"));
    same_model(source, mapped);
    nothing_copied(mapped, n_packed);
    bytes = read_file(in_folder("a.nnp"), &n);
    TEST_INT(n % NNP_ALIGN, 0);

    /* From memory, not aligned and gone afterwards. */
    more = malloc(n + 1);
    memcpy(more + 1, bytes, n);
    copied = load_bytes(context, more + 1, n);
    memset(more, 0xff, n + 1);
    free(more);
    same_model(source, copied);

    /* Saving what was loaded gives the same file; over the one in use. */
    save(mapped, in_folder("a.nnp"));
    more = read_file(in_folder("a.nnp"), &n_more);
    TEST_INT(n_more, n);
    TEST_INT(memcmp(more, bytes, n), 0);
    again = load_file(context, in_folder("a.nnp"));
    same_model(mapped, again);
    free(bytes);
    free(more);
    nn_model_free(source);
    nn_model_free(mapped);
    nn_model_free(copied);
    nn_model_free(again);
    free(onnx);
}

static void test_round_trip(void)
{
    for (size_t i = 0; i < NN_ARRAY_SIZE(isas); i++) {
        NnContext *context = new_context(isas[i]);
        uint8_t *onnx;
        size_t n;

        if (!context)
            continue;
        onnx = image_network(&n);
        round_trip(context, onnx, n, 2);
        onnx = dynamic_network(&n);
        round_trip(context, onnx, n, 0);
        nn_context_free(context);
    }
}

static void test_metadata_and_shapes(void)
{
    NnContext *context = new_context("c");
    NnShape shape = { .input = "x", .rank = 4, .dims = { 1, CHANNELS, SIZE, SIZE + 1 } };
    NnModelOptions options = { .shapes = &shape, .n_shapes = 1 };
    size_t n;
    uint8_t *onnx = image_network(&n), *bytes = compile(context, onnx, n, &n);
    NnModel *model = load_bytes(context, bytes, n);
    NnError error;

    TEST_INT(strcmp(nn_model_metadata(model, "plated.task"), "nothing"), 0);
    TEST_INT(strcmp(nn_model_metadata(model, "empty"), ""), 0);
    TEST_TRUE(!nn_model_metadata(model, "task"));
    nn_model_free(model);
    TEST_INT(nn_model_load_memory(context, "m", bytes, n, &options, &model, &error), -EINVAL);
    TEST_WORDS(error.message, "dimension 3 cannot be 10");
    free(bytes);
    nn_context_free(context);
}

/* A model whose weights are lent to several programs is saved for one shape, and
 * as small as if that were its only one. */
static void test_open_dims(void)
{
    static const int64_t w[] = { 5, 3, 3, 3 };
    NnContext *context = new_context("c");
    NnShape shape = { .input = "x", .rank = 4, .dims = { 1, 3, 8, 7 } };
    NnModelOptions options = { .shapes = &shape, .n_shapes = 1 };
    size_t sizes[2], n;

    for (size_t i = 0; i < 2; i++) {
        int64_t dims[] = { 1, 3, i ? -1 : 8, i ? -1 : 7 };
        NnModel *model, *loaded;
        NnSession *session;
        NnError error;
        uint8_t *onnx;
        Build build;

        build_start(&build, 13);
        build_input(&build, "x", FLOAT, 4, dims);
        build_output(&build, "y");
        add_noise(&build, "w", 4, w);
        build_node(&build, "Conv", "x w", "y");
        onnx = build_pack(&build, &n);
        if (nn_model_load_memory(context, "m", onnx, n, &options, &model, &error) < 0)
            TEST_FAIL("%s", error.message);
        save(model, in_folder("a.nnp"));
        loaded = load_file(context, in_folder("a.nnp"));
        same_model(model, loaded);
        free(read_file(in_folder("a.nnp"), &sizes[i]));
        session = run(loaded);
        TEST_INT(nn_session_bind(session, &(NnShape){ "x", 4, { 1, 3, 9, 9 } }, 1, NULL, 0, &error),
                 -EINVAL);
        nn_session_free(session);
        nn_model_free(model);
        nn_model_free(loaded);
        if (i == 1) {
            if (nn_model_load_memory(context, "m", onnx, n, NULL, &model, &error) < 0)
                TEST_FAIL("%s", error.message);
            TEST_INT(nn_model_save(model, in_folder("a.nnp"), &error), -EINVAL);
            TEST_WORDS(error.message, "a.nnp: the shapes of the model's inputs are open");
            nn_model_free(model);
        }
        free(onnx);
    }
    TEST_INT(sizes[1], sizes[0]);
    nn_context_free(context);
}

/* Loads and expects this; a sentence begins with the name. */
static void refused(NnContext *context, const uint8_t *bytes, size_t n, int code,
                    const char *words)
{
    NnModelOptions options = { .check_weights = true };
    NnModel *model = NULL;
    NnError error = { "" };

    TEST_INT(nn_model_load_memory(context, "m.nnp", bytes, n, &options, &model, &error), code);
    TEST_WORDS(error.message, "m.nnp: ");
    TEST_WORDS(error.message, words);
    TEST_TRUE(!model);
}

static void seal_header(uint8_t *bytes)
{
    NnpHeader header;

    memcpy(&header, bytes, sizeof(header));
    header.checksum = nn_hash_bytes(&header, offsetof(NnpHeader, checksum));
    memcpy(bytes, &header, sizeof(header));
}

/* One field changed by someone who knows the checksum. */
static void refused_field(NnContext *context, const uint8_t *bytes, size_t n, size_t at,
                          const void *field, size_t n_field, int code, const char *words)
{
    uint8_t *copy = malloc(n);

    memcpy(copy, bytes, n);
    memcpy(copy + at, field, n_field);
    seal_header(copy);
    refused(context, copy, n, code, words);
    free(copy);
}

#define REFUSED_FIELD(field, type, value, code, words)                                         \
    refused_field(context, bytes, n, offsetof(NnpHeader, field), &(type){ value }, sizeof(type), \
                  code, words)

static void test_header(void)
{
    NnContext *context = new_context("c");
    size_t n;
    uint8_t *onnx = image_network(&n), *bytes = compile(context, onnx, n, &n);

    REFUSED_FIELD(byte_order, uint32_t, 0x04030201, -ENOTSUP, "the other byte order");
    REFUSED_FIELD(byte_order, uint32_t, 0x01020305, -EBADMSG, "header is damaged");
    REFUSED_FIELD(format, uint32_t, 99, -ENOTSUP, "version 99 of the compiled format");
    refused_field(context, bytes, n, offsetof(NnpHeader, engine), "99.1", 5, -ENOTSUP,
                  "compiled by version 99.1 of the engine");
    refused_field(context, bytes, n, offsetof(NnpHeader, isa), "avx512", 7, -ENOTSUP,
                  "it was compiled for avx512, this machine runs c: compile it again from the "
                  "ONNX file");
    refused_field(context, bytes, n, offsetof(NnpHeader, tile), "nn_3x3", 7, -ENOTSUP,
                  "the kernel nn_3x3, this machine runs nn_f32_gemm_4x8__c");
    REFUSED_FIELD(file_bytes, uint64_t, n + 64, -EBADMSG, "cut short");
    REFUSED_FIELD(file_bytes, uint64_t, n - 64, -EBADMSG, "its header says");
    REFUSED_FIELD(sections[0].offset, uint64_t, 1, -EBADMSG, "section of graph does not lie");
    REFUSED_FIELD(sections[0].offset, uint64_t, 0, -EBADMSG, "section of graph does not lie");
    REFUSED_FIELD(sections[1].offset, uint64_t, UINT64_MAX - 63, -EBADMSG, "section of constants");
    REFUSED_FIELD(sections[2].bytes, uint64_t, UINT64_MAX, -EBADMSG, "section of packed weights");
    REFUSED_FIELD(sections[0].bytes, uint64_t, 8, -EBADMSG, "graph is damaged");
    REFUSED_FIELD(sections[1].checksum, uint64_t, 0, -EBADMSG, "constants is damaged");
    for (size_t i = 0; i < sizeof(NnpHeader); i++) {
        bool is_format = i >= offsetof(NnpHeader, format) && i < offsetof(NnpHeader, engine);

        bytes[i] ^= 0x10;
        refused(context, bytes, n, is_format ? -ENOTSUP : -EBADMSG, "");
        bytes[i] ^= 0x10;
    }
    free(bytes);
    nn_context_free(context);
}

static void test_damage(void)
{
    NnContext *context = new_context("c");
    size_t n;
    uint8_t *onnx = image_network(&n), *bytes = compile(context, onnx, n, &n);
    NnpHeader header;

    for (size_t i = 8; i < n; i += i < 300 ? 1 : 61) {
        uint8_t *cut = malloc(i); /* so that a sanitizer sees what is read behind it */

        memcpy(cut, bytes, i);
        refused(context, cut, i, -EBADMSG, "cut short");
        free(cut);
    }
    memcpy(&header, bytes, sizeof(header));
    for (size_t s = 0; s < _NNP_SECTION_MAX; s++)
        for (size_t i = 0; i < header.sections[s].bytes; i += s == NNP_GRAPH ? 1 : 37) {
            uint8_t *at = bytes + header.sections[s].offset + i;

            *at ^= 1;
            refused(context, bytes, n, -EBADMSG, "is damaged: the checksum is wrong");
            *at ^= 1;
        }
    nn_model_free(load_bytes(context, bytes, n));
    free(bytes);
    nn_context_free(context);
}

/* Bytes changed by someone who mends the checksum: refused, or it runs. */
static void test_hostile(void)
{
    NnContext *context = new_context("c");
    size_t n, n_refused = 0;
    uint8_t *onnx = image_network(&n), *bytes = compile(context, onnx, n, &n);
    NnpHeader header;

    memcpy(&header, bytes, sizeof(header));
    for (size_t i = 0; i < header.sections[NNP_GRAPH].bytes; i++) {
        static const uint8_t flips[] = { 0x01, 0x80, 0xff };
        NnpSection *graph = &header.sections[NNP_GRAPH];
        uint8_t *at = bytes + graph->offset + i, was = *at;
        NnModel *model = NULL;
        NnSession *session = NULL;
        NnError error;

        *at ^= flips[i % 3];
        graph->checksum = nn_hash_bytes(bytes + graph->offset, graph->bytes);
        memcpy(bytes, &header, sizeof(header));
        seal_header(bytes);
        if (nn_model_load_memory(context, "m", bytes, n, NULL, &model, &error) < 0) {
            TEST_WORDS(error.message, "m: ");
            n_refused++;
        } else if (nn_model_arena_bytes(model) < 1 << 24 &&
                   nn_session_new(model, &session, &error) >= 0 &&
                   nn_session_run(session, &error) < 0) {
            n_refused++;
        }
        nn_session_free(session);
        nn_model_free(model);
        *at = was;
    }
    TEST_TRUE(n_refused > header.sections[NNP_GRAPH].bytes / 2);
    free(bytes);
    nn_context_free(context);
}

static void test_other_isa(void)
{
    NnContext *context = new_context("c"), *best = new_context(NULL);
    size_t n;
    uint8_t *onnx = image_network(&n), *bytes = compile(context, onnx, n, &n);

    if (strcmp(nn_context_isa(best), "c") != 0)
        refused(best, bytes, n, -ENOTSUP, "it was compiled for c, this machine runs ");
    free(bytes);
    nn_context_free(context);
    nn_context_free(best);
}

/* Large weights are read for their checksum only when that is asked for. */
static void test_large_weights(void)
{
    NnContext *context = new_context("c");
    size_t n;
    uint8_t *onnx = large_network(&n), *bytes = compile(context, onnx, n, &n);
    NnpHeader header;

    memcpy(&header, bytes, sizeof(header));
    TEST_TRUE(header.sections[NNP_PACKED].bytes > NNP_CHECKED_BYTES);
    bytes[header.sections[NNP_PACKED].offset + 5000] ^= 1;
    nn_model_free(load_bytes(context, bytes, n));
    refused(context, bytes, n, -EBADMSG, "packed weights is damaged");
    free(bytes);
    nn_context_free(context);
}

static size_t count_files(const char *path)
{
    DIR *dir = opendir(path);
    size_t n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void test_save_fails(void)
{
    NnContext *context = new_context("c");
    NnError error;
    size_t n, n_files;
    uint8_t *onnx = image_network(&n);
    NnModel *model = load_bytes(context, onnx, n);

    TEST_INT(nn_model_save(model, in_folder("nowhere/a.nnp"), &error), -ENOENT);
    TEST_WORDS(error.message, "nowhere/a.nnp: No such file");
    TEST_INT(mkdir(in_folder("taken"), 0700), 0);
    n_files = count_files(folder);
    TEST_TRUE(nn_model_save(model, in_folder("taken"), &error) < 0);
    TEST_INT(count_files(folder), n_files);
    rmdir(in_folder("taken"));
    nn_model_free(model);
    nn_context_free(context);
    free(onnx);
}

/* The test vectors of the specification's reference implementation. */
static void test_hash(void)
{
    static const char text[] = "Nobody inspects the spammish repetition";
    NnHash hash;

    TEST_INT(nn_hash_bytes("", 0), 0xef46db3751d8e999);
    TEST_INT(nn_hash_bytes("a", 1), 0xd24ec4f1a98c6e5b);
    TEST_INT(nn_hash_bytes("abc", 3), 0x44bc2cf5ad770999);
    TEST_INT(nn_hash_bytes(text, sizeof(text) - 1), 0xfbcea83c8a378bf1);
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        nn_hash_start(&hash);
        nn_hash_add(&hash, text, cut);
        nn_hash_add(&hash, text + cut, sizeof(text) - 1 - cut);
        TEST_INT(nn_hash_end(&hash), 0xfbcea83c8a378bf1);
    }
}

static void write_seed(NnContext *context, NnModel *model, const char *to, const char *name)
{
    char path[4096];
    NnError error;

    snprintf(path, sizeof(path), "%s/%s.nnp", to, name);
    if (nn_nnp_write(model->program, path, NNP_ALIGN, &error) < 0)
        fprintf(stderr, "%s\n", error.message);
    nn_model_free(model);
}

static int write_corpus(const char *to, char **models, int n_models)
{
    NnContext *context = new_context("c");
    size_t n;
    uint8_t *onnx;

    onnx = image_network(&n);
    write_seed(context, load_bytes(context, onnx, n), to, "image");
    free(onnx);
    onnx = dynamic_network(&n);
    write_seed(context, load_bytes(context, onnx, n), to, "dynamic");
    free(onnx);
    for (int i = 0; i < n_models; i++) {
        NnModel *model;
        NnError error;
        char name[16];

        snprintf(name, sizeof(name), "%d", i);
        if (nn_model_load(context, models[i], NULL, &model, &error) >= 0)
            write_seed(context, model, to, name);
    }
    nn_context_free(context);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--corpus") == 0)
        return write_corpus(argv[2], argv + 3, argc - 3);
    if (!mkdtemp(folder))
        TEST_FAIL("no folder for files");
    test_hash();
    test_round_trip();
    test_metadata_and_shapes();
    test_open_dims();
    test_header();
    test_damage();
    test_hostile();
    test_other_isa();
    test_large_weights();
    test_save_fails();
    unlink(in_folder("a.nnp"));
    unlink(in_folder("small.nnp"));
    TEST_INT(rmdir(folder), 0);
    return 0;
}
