/* SPDX-License-Identifier: Apache-2.0 */

/* Compiled files: what comes back is the model that was saved, bit for bit, on
 * every instruction set.
 *
 * test_nnp --corpus DIR [MODEL.onnx…] writes the models of this file, and those
 * named, as seeds for fuzz_nnp. */

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "nnp.h"
#include "test.h"

static const char *const isas[] = { "c", "neon", "neondot", "avx2", "avx512" };

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
        round_trip(context, onnx, n, 3);
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
    n_files = count_files(in_folder(""));
    TEST_TRUE(nn_model_save(model, in_folder("taken"), &error) < 0);
    TEST_INT(count_files(in_folder("")), n_files);
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
    test_hash();
    test_round_trip();
    test_metadata_and_shapes();
    test_open_dims();
    test_save_fails();
    clear_folder();
    return 0;
}
