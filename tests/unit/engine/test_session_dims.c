/* SPDX-License-Identifier: Apache-2.0 */

/* Dimensions that a file leaves open: by name, by whole shape, at load, at the
 * first run, and again to others, in several sessions at once. */

#include <errno.h>
#include <pthread.h>

#include "build.h"
#include "exec/exec.h"
#include "test.h"

enum { FLOAT = 1, CHANNELS = 3 };

static NnContext *context;

static float noise(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return (float)(*state >> 8) / (1 << 23) - 1;
}

static void add_noise(Build *build, const char *name, size_t rank, const int64_t *dims,
                      float offset)
{
    uint32_t state = (uint8_t)name[0];
    Onnx__Tensor *tensor = build_floats(build, name, rank, dims, NULL);
    float *data = (float *)tensor->raw_data.data;

    for (size_t i = 0; i < tensor->raw_data.len / sizeof(float); i++)
        data[i] = noise(&state) + offset;
}

/* Conv with a BatchNormalization that a pass folds into it, then a mean of each
 * picture. */
static NnModel *network(const char *dims, const NnModelOptions *options)
{
    static const int64_t w[] = { 8, CHANNELS, 3, 3 }, c[] = { 8 };
    static const char *const norm[] = { "scale", "shift", "mean" };
    NnModel *model;
    NnError error;
    Build build;
    uint8_t *bytes;
    size_t n;

    build_start(&build, 13);
    build_input_named(&build, "x", FLOAT, dims);
    build_output(&build, "y");
    add_noise(&build, "w", 4, w, 0);
    for (size_t i = 0; i < 3; i++)
        add_noise(&build, norm[i], 1, c, 0);
    add_noise(&build, "var", 1, c, 2);
    build_node(&build, "Conv", "x w", "a");
    build_node(&build, "BatchNormalization", "a scale shift mean var", "b");
    build_node(&build, "GlobalAveragePool", "b", "y");
    bytes = build_pack(&build, &n);
    if (nn_model_load_memory(context, "net", bytes, n, options, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    free(bytes);
    return model;
}

static NnSession *session_of(NnModel *model)
{
    NnSession *session;
    NnError error;

    if (nn_session_new(model, &session, &error) < 0)
        TEST_FAIL("%s", error.message);
    return session;
}

/* Runs on noise and gives the first output of the result. */
static float run(NnSession *session, uint32_t seed)
{
    NnTensor *in = nn_session_input(session, 0);
    NnError error;

    for (int64_t i = 0; i < nn_tensor_elements(in); i++)
        ((float *)in->data)[i] = noise(&seed);
    if (nn_session_run(session, &error) < 0)
        TEST_FAIL("%s", error.message);
    return *(const float *)nn_session_output(session, 0)->data;
}

static int bind(NnSession *session, int64_t n, int64_t height, int64_t width, NnError *error)
{
    NnShape shape = { "x", 4, { n, CHANNELS, height, width } };

    return nn_session_bind(session, &shape, 1, NULL, 0, error);
}

static void refused(int r, const NnError *error, const char *words)
{
    TEST_INT(r, -EINVAL);
    TEST_WORDS(error->message, words);
}

/* What the file leaves open can be read; an open batch alone counts as 1. */
static void test_batch(void)
{
    NnModel *model = network("batch 3 9 9", NULL);
    NnSession *session = session_of(model);
    NnDim two = { "batch", 2 };
    NnError error;
    float first;

    TEST_INT(nn_model_declared_input(model, 0)->dims[0], -1);
    TEST_INT(strcmp(nn_model_dim_name(model, 0, 0), "batch"), 0);
    TEST_TRUE(nn_model_dim_name(model, 0, 1) == NULL);
    TEST_INT(nn_model_input(model, 0)->dims[0], 1);
    TEST_INT(nn_model_output(model, 0)->dims[0], 1);
    first = run(session, 5);
    TEST_INT(nn_session_bind(session, NULL, 0, &two, 1, &error), 0);
    TEST_INT(nn_session_input(session, 0)->dims[0], 2);
    TEST_INT(nn_session_output(session, 0)->dims[0], 2);
    TEST_TRUE(run(session, 5) == first);
    TEST_INT(nn_session_bind(session, NULL, 0, NULL, 0, &error), 0);
    TEST_INT(nn_session_input(session, 0)->dims[0], 1);
    TEST_TRUE(run(session, 5) == first);
    nn_session_free(session);
    nn_model_free(model);
}

static void test_first_run(void)
{
    NnModelOptions options = { .verify = true };
    NnModel *model = network("batch 3 height ?", &options);
    NnSession *session = session_of(model);
    NnDim dims[] = { { "height", 11 }, { "depth", 1 } };
    NnShape shape = { "x", 4, { 2, CHANNELS, 12, 7 } };
    NnError error;

    TEST_INT(nn_model_input(model, 0)->dims[0], -1);
    TEST_INT(nn_model_input(model, 0)->dims[1], 3);
    TEST_INT(nn_model_input(model, 0)->dims[3], -1);
    TEST_TRUE(nn_model_dim_name(model, 0, 3) == NULL);
    TEST_INT(nn_model_output(model, 0)->dtype, NN_DTYPE_F32);
    TEST_TRUE(nn_session_input(session, 0) == NULL);
    TEST_TRUE(nn_session_output(session, 0) == NULL);
    refused(nn_session_run(session, &error), &error,
            "nn_session_bind() comes before the first run: input 'x' leaves dimension 2 ('height') "
            "open (the model says batch×3×height×?): state the whole shape or the dimension by "
            "its name");
    refused(nn_session_bind(session, NULL, 0, dims, 1, &error), &error,
            "net: input 'x' leaves dimension 3 open (the model says batch×3×height×?)");
    refused(nn_session_bind(session, &shape, 1, dims, 2, &error), &error,
            "input 'x': dimension 2 ('height') is given as 12 and as 11");
    shape.dims[2] = 11;
    refused(nn_session_bind(session, &shape, 1, dims, 2, &error), &error,
            "no input of the model has a dimension 'depth'");
    dims[0].size = 0;
    refused(nn_session_bind(session, &shape, 1, dims, 1, &error), &error,
            "dimension 'height' cannot be 0");
    shape.dims[1] = 4;
    refused(nn_session_bind(session, &shape, 1, NULL, 0, &error), &error,
            "input 'x': dimension 1 cannot be 4, the model's shape is batch×3×height×?");
    shape.rank = 3;
    refused(nn_session_bind(session, &shape, 1, NULL, 0, &error), &error,
            "input 'x' has 4 dimensions (batch×3×height×?), 3 were given");
    shape.input = "z";
    refused(nn_session_bind(session, &shape, 1, NULL, 0, &error), &error, "no input 'z'");

    TEST_INT(bind(session, 2, 11, 7, &error), 0);
    /* A network too small for its kernel: the session stays as it is. */
    TEST_INT(bind(session, 2, 1, 7, &error), -EBADMSG);
    TEST_WORDS(error.message, "(Conv, opset 13)");
    TEST_INT(nn_session_input(session, 0)->dims[2], 11);
    (void)run(session, 3);
    nn_session_free(session);
    nn_model_free(model);
}

/* The whole result on noise; malloc'd. */
static float *whole(NnSession *session, uint32_t seed, size_t *ret_bytes)
{
    const NnTensor *out;
    float *copy;

    (void)run(session, seed);
    out = nn_session_output(session, 0);
    TEST_INT(nn_tensor_bytes(out, ret_bytes), 0);
    copy = malloc(*ret_bytes);
    memcpy(copy, out->data, *ret_bytes);
    return copy;
}

/* A bound session computes what a model of these very shapes does, bit by bit. */
static void test_same_as_fixed(void)
{
    static const int64_t sizes[][3] = { { 1, 9, 9 }, { 3, 5, 17 }, { 1, 33, 8 }, { 1, 9, 9 } };
    NnModel *open = network("n 3 h w", NULL);
    NnSession *session = session_of(open);
    NnError error;

    for (size_t i = 0; i < NN_ARRAY_SIZE(sizes); i++) {
        NnShape shape = { "x", 4, { sizes[i][0], CHANNELS, sizes[i][1], sizes[i][2] } };
        NnModelOptions options = { .shapes = &shape, .n_shapes = 1, .fixed = true };
        NnModel *fixed = network("n 3 h w", &options);
        NnSession *other = session_of(fixed);
        size_t n_bound, n_fixed;
        float *bound, *expected = whole(other, 9, &n_fixed);

        TEST_INT(bind(session, sizes[i][0], sizes[i][1], sizes[i][2], &error), 0);
        bound = whole(session, 9, &n_bound);
        TEST_INT(n_bound, n_fixed);
        TEST_INT(memcmp(bound, expected, n_fixed), 0);
        free(bound);
        free(expected);
        nn_session_free(other);
        nn_model_free(fixed);
    }
    nn_session_free(session);
    nn_model_free(open);
}

/* What was said at load is the default; `fixed` makes it final. */
static void test_at_load(void)
{
    NnDim dims[] = { { "h", 8 }, { "w", 6 } };
    NnModelOptions options = { .dims = dims, .n_dims = 2 };
    NnModel *model = network("n 3 h w", &options);
    NnSession *session = session_of(model);
    NnError error;

    TEST_INT(nn_model_input(model, 0)->dims[0], 1);
    TEST_INT(nn_model_input(model, 0)->dims[3], 6);
    TEST_INT(nn_session_input(session, 0)->dims[2], 8);
    TEST_INT(bind(session, 1, 20, 20, &error), 0);
    TEST_INT(nn_session_input(session, 0)->dims[2], 20);
    nn_session_free(session);
    nn_model_free(model);

    options.fixed = true;
    model = network("n 3 h w", &options);
    TEST_INT(nn_model_declared_input(model, 0)->dims[2], -1);
    TEST_INT(strcmp(nn_model_dim_name(model, 0, 2), "h"), 0);
    session = session_of(model);
    TEST_INT(bind(session, 1, 8, 6, &error), 0);
    refused(bind(session, 1, 20, 20, &error), &error,
            "input 'x': dimension 2 cannot be 20, the model's shape is 1×3×8×6");
    (void)run(session, 1);
    nn_session_free(session);
    nn_model_free(model);
}

static NnModel *two_inputs(const char *a, const char *b)
{
    NnModel *model;
    NnError error;
    Build build;
    uint8_t *bytes;
    size_t n;

    build_start(&build, 13);
    build_input_named(&build, "a", FLOAT, a);
    build_input_named(&build, "b", FLOAT, b);
    build_output(&build, "y");
    build_node(&build, "MatMul", "a b", "y");
    bytes = build_pack(&build, &n);
    if (nn_model_load_memory(context, "two", bytes, n, NULL, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    free(bytes);
    return model;
}

/* A whole shape says what its names are in the inputs for which nothing is said,
 * unless it uses a name for two sizes. */
static void test_names_across_inputs(void)
{
    NnShape a = { "a", 2, { 2, 5 } };
    NnModel *model = two_inputs("rows inner", "inner columns");
    NnSession *session = session_of(model);
    NnDim columns = { "columns", 4 };
    NnError error;

    refused(nn_session_bind(session, &a, 1, NULL, 0, &error), &error,
            "input 'b' leaves dimension 1 ('columns') open");
    TEST_INT(nn_session_bind(session, &a, 1, &columns, 1, &error), 0);
    TEST_INT(nn_session_input(session, 1)->dims[0], 5);
    TEST_INT(nn_session_output(session, 0)->dims[0], 2);
    TEST_INT(nn_session_output(session, 0)->dims[1], 4);
    nn_session_free(session);
    nn_model_free(model);

    model = two_inputs("None None", "5 None");
    session = session_of(model);
    refused(nn_session_bind(session, &a, 1, NULL, 0, &error), &error,
            "input 'b' leaves dimension 1 ('None') open (the model says 5×None)");
    nn_session_free(session);
    nn_model_free(model);
}

/* Programs for other shapes share the packed weights, and few are kept. */
static void test_sharing(void)
{
    NnModel *model = network("n 3 h w", NULL);
    NnSession *first = session_of(model), *session = session_of(model);
    NnProgram *one, *two;
    NnError error;
    float before;

    for (int64_t i = 0; i < 2; i++) {
        NnShape shape = { "x", 4, { 1, CHANNELS, 9 + i, 9 } };
        NnBinding binding = { .shapes = &shape, .n_shapes = 1 };

        TEST_INT(nn_model_bind(model, &binding, i ? &two : &one, &error), 0);
    }
    TEST_TRUE(one != two);
    TEST_INT(one->n_steps, 3);
    TEST_TRUE(one->steps[0].state != NULL);
    TEST_TRUE(one->steps[0].state == two->steps[0].state);
    nn_model_unref(model, one);
    nn_model_unref(model, two);

    TEST_INT(bind(first, 1, 9, 9, &error), 0);
    before = run(first, 4);
    for (int64_t round = 0; round < 3; round++)
        for (int64_t h = 5; h < 20; h++) {
            TEST_INT(bind(session, 1, h, 7, &error), 0);
            (void)run(session, 1);
        }
    TEST_TRUE(one != model->recent[0] && one != model->recent[NN_RECENT_PROGRAMS - 1]);
    TEST_TRUE(run(first, 4) == before);
    nn_session_free(first);
    nn_session_free(session);
    nn_model_free(model);
}

/* The operators of a model without shapes are looked at when it is loaded. */
static void test_unknown_operator(void)
{
    NnModel *model = NULL;
    NnError error;
    Build build;
    uint8_t *bytes;
    size_t n;

    build_start(&build, 13);
    build_input_named(&build, "x", FLOAT, "n m");
    build_output(&build, "y");
    build_node(&build, "Frobnicate", "x", "y");
    bytes = build_pack(&build, &n);
    TEST_INT(nn_model_load_memory(context, "m", bytes, n, NULL, &model, &error), -ENOTSUP);
    TEST_WORDS(error.message, "Frobnicate");
    free(bytes);
}

typedef struct Runner {
    NnModel *model;
    int64_t height;
    float expected[4];
} Runner;

static void *bind_often(void *userdata)
{
    Runner *runner = userdata;
    NnSession *session = session_of(runner->model);
    NnError error;

    for (int i = 0; i < 12; i++) {
        if (bind(session, 1, runner->height + i % 4, 8, &error) < 0)
            TEST_FAIL("%s", error.message);
        TEST_TRUE(run(session, (uint32_t)runner->height) == runner->expected[i % 4]);
    }
    nn_session_free(session);
    return NULL;
}

static void test_threads(void)
{
    NnModel *model = network("n 3 h w", NULL);
    NnSession *session = session_of(model);
    Runner runners[4];
    pthread_t threads[4];
    NnError error;

    for (int64_t i = 0; i < 4; i++) {
        runners[i] = (Runner){ .model = model, .height = 6 + 2 * i };
        for (int64_t j = 0; j < 4; j++) {
            TEST_INT(bind(session, 1, runners[i].height + j, 8, &error), 0);
            runners[i].expected[j] = run(session, (uint32_t)runners[i].height);
        }
    }
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, bind_often, &runners[i]) != 0)
            TEST_FAIL("no thread");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    nn_session_free(session);
    nn_model_free(model);
}

int main(void)
{
    NnContextOptions options = { .threads = 2 };
    NnError error;

    TEST_INT(nn_context_new(&options, &context, &error), 0);
    test_batch();
    test_first_run();
    test_same_as_fixed();
    test_at_load();
    test_names_across_inputs();
    test_sharing();
    test_unknown_operator();
    test_threads();
    nn_context_free(context);
    return 0;
}
