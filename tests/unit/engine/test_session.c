/* SPDX-License-Identifier: Apache-2.0 */

/* Running: the passes change no result, threads change no bit, sessions of one
 * model do not disturb each other, dims that depend on data are the true ones. */

#include <math.h>
#include <pthread.h>

#include "build.h"
#include "exec/exec.h"
#include "test.h"

enum { FLOAT = 1, CHANNELS = 6, SIZE = 9 };

static float noise(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return (float)(*state >> 8) / (1 << 23) - 1;
}

static const char *add_noise(Build *build, const char *name, size_t rank, const int64_t *dims,
                             float offset)
{
    static uint32_t state = 1;
    Onnx__Tensor *tensor = build_floats(build, name, rank, dims, NULL);
    float *data = (float *)tensor->raw_data.data;

    for (size_t i = 0; i < tensor->raw_data.len / sizeof(float); i++)
        data[i] = noise(&state) + offset;
    return name;
}

/* Every pattern that a pass rewrites, one after the other. */
static uint8_t *all_patterns(size_t *ret_n)
{
    static const int64_t image[] = { 1, CHANNELS, SIZE, SIZE }, channel[] = { CHANNELS };
    static const int64_t w3[] = { CHANNELS, CHANNELS, 3, 3 }, w1[] = { CHANNELS, CHANNELS, 1, 1 };
    static const int64_t planes[] = { 1, CHANNELS, 1, 1 };
    static const int64_t pads[] = { 1, 1, 1, 1 };
    static const char *const norm[] = { "scale", "shift", "mean" };
    Build build;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_noise(&build, "w1", 4, w3, 0);
    add_noise(&build, "w2", 4, w1, 0);
    add_noise(&build, "w3", 4, w3, 0);
    add_noise(&build, "b1", 1, channel, 0);
    for (size_t i = 0; i < 3; i++)
        add_noise(&build, norm[i], 1, channel, 0);
    add_noise(&build, "var", 1, channel, 2);
    add_noise(&build, "implicit_a", 4, planes, 0);
    add_noise(&build, "implicit_m", 4, planes, 0);
    build_attribute_ints(build_node(&build, "Conv", "x w1 b1", "c1"), "pads", 4, pads);
    build_node(&build, "BatchNormalization", "c1 scale shift mean var", "n1");
    build_node(&build, "Sigmoid", "n1", "s1");
    build_node(&build, "Mul", "s1 n1", "a1");
    build_node(&build, "Identity", "a1", "i1");
    build_node(&build, "Add", "i1 implicit_a", "p2");
    build_node(&build, "Conv", "p2 w2", "c2");
    build_node(&build, "Mul", "implicit_m c2", "m2");
    build_node(&build, "Relu", "m2", "a2");
    build_attribute_ints(build_node(&build, "Conv", "a2 w3", "c3"), "pads", 4, pads);
    build_node(&build, "Add", "c3 a1", "r3");
    build_node(&build, "LeakyRelu", "r3", "y");
    return build_pack(&build, ret_n);
}

typedef struct Net {
    NnContext *context;
    NnModel *model;
} Net;

static Net load(const uint8_t *bytes, size_t n, int threads, bool keep_graph)
{
    NnContextOptions context_options = { .threads = threads };
    NnModelOptions options = { .verify = true, .keep_graph = keep_graph };
    NnError error;
    Net net;

    if (nn_context_new(&context_options, &net.context, &error) < 0 ||
        nn_model_load_memory(net.context, "m", bytes, n, &options, &net.model, &error) < 0)
        TEST_FAIL("%s", error.message);
    return net;
}

static void unload(Net *net)
{
    nn_model_free(net->model);
    nn_context_free(net->context);
}

/* Runs on noise of this seed. The result is malloc'd. */
static float *run(NnModel *model, uint32_t seed, int64_t *ret_n)
{
    NnSession *session;
    NnError error;
    const NnTensor *out;
    NnTensor *in;
    float *copy;

    if (nn_session_new(model, &session, &error) < 0)
        TEST_FAIL("%s", error.message);
    in = nn_session_input(session, 0);
    for (int64_t i = 0; i < nn_tensor_elements(in); i++)
        ((float *)in->data)[i] = noise(&seed);
    if (nn_session_run(session, &error) < 0)
        TEST_FAIL("%s", error.message);
    out = nn_session_output(session, 0);
    *ret_n = nn_tensor_elements(out);
    copy = malloc((size_t)*ret_n * sizeof(float));
    memcpy(copy, out->data, (size_t)*ret_n * sizeof(float));
    nn_session_free(session);
    return copy;
}

static void test_passes(void)
{
    size_t n;
    uint8_t *bytes = all_patterns(&n);
    Net plain = load(bytes, n, 1, true), fused = load(bytes, n, 1, false);
    int64_t n_plain, n_fused;
    float *a = run(plain.model, 7, &n_plain), *b = run(fused.model, 7, &n_fused);
    float largest = 0;

    TEST_INT(nn_model_graph(plain.model)->n_nodes, 12);
    TEST_INT(nn_model_graph(fused.model)->n_nodes, 5); /* Transposes at both ends */
    TEST_INT(n_fused, n_plain);
    for (int64_t i = 0; i < n_plain; i++)
        largest = fmaxf(largest, fabsf(a[i]));
    for (int64_t i = 0; i < n_plain; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-5f * largest))
            TEST_FAIL("element %lld is %g, unfused %g", (long long)i, (double)b[i], (double)a[i]);
    free(a);
    free(b);
    unload(&plain);
    unload(&fused);
    free(bytes);
}

/* Conv, then Clip with bounds as attributes or as inputs, or with bounds that are
 * not known: the last stays a node of its own. */
static uint8_t *conv_and_clip(int64_t opset, bool constant, size_t *ret_n)
{
    static const int64_t image[] = { 1, CHANNELS, SIZE, SIZE }, w3[] = { 2, CHANNELS, 3, 3 };
    Onnx__Node *clip;
    Build build;

    build_start(&build, opset);
    build_input(&build, "x", FLOAT, 4, image);
    build_output(&build, "y");
    add_noise(&build, "w", 4, w3, 0);
    build_node(&build, "Conv", "x w", "c");
    if (constant && opset >= 11)
        build_floats(&build, "low", 0, NULL, (const float[]){ -0.5f });
    else if (opset >= 11)
        build_input(&build, "low", FLOAT, 0, NULL);
    clip = build_node(&build, "Clip", opset < 11 ? "c" : "c low", "y");
    if (opset < 11)
        build_attribute_float(clip, "max", 0.5f);
    return build_pack(&build, ret_n);
}

static void test_clip(void)
{
    static const struct {
        int64_t opset;
        bool constant;
        float low, high;
    } cases[] = {
        { 7, true, -INFINITY, 0.5f }, { 13, true, -0.5f, INFINITY }, { 13, false, 0, 0 }
    };

    for (size_t c = 0; c < NN_ARRAY_SIZE(cases); c++) {
        size_t n;
        uint8_t *bytes = conv_and_clip(cases[c].opset, cases[c].constant, &n);
        Net fused = load(bytes, n, 1, false), plain = load(bytes, n, 1, true);
        int64_t n_out, n_cut = 0;
        float *a, *b;

        TEST_INT(nn_model_graph(fused.model)->n_nodes, cases[c].constant ? 3 : 4);
        if (cases[c].constant) {
            a = run(plain.model, 5, &n_out);
            b = run(fused.model, 5, &n_out);
            for (int64_t i = 0; i < n_out; i++) {
                if (fabsf(a[i] - b[i]) > 1e-5f || b[i] < cases[c].low || b[i] > cases[c].high)
                    TEST_FAIL("element %lld is %g, unfused %g", (long long)i, (double)b[i],
                              (double)a[i]);
                n_cut += b[i] == cases[c].low || b[i] == cases[c].high;
            }
            TEST_TRUE(n_cut > 0);
            free(a);
            free(b);
        }
        unload(&fused);
        unload(&plain);
        free(bytes);
    }
}

static void test_threads_change_nothing(void)
{
    size_t n;
    uint8_t *bytes = all_patterns(&n);
    Net one = load(bytes, n, 1, false);
    int64_t n_one, n_many;
    float *a = run(one.model, 3, &n_one);

    for (int threads = 2; threads <= 5; threads++) {
        Net many = load(bytes, n, threads, false);
        float *b = run(many.model, 3, &n_many);

        TEST_INT(n_many, n_one);
        TEST_INT(memcmp(a, b, (size_t)n_one * sizeof(float)), 0);
        free(b);
        unload(&many);
    }
    free(a);
    unload(&one);
    free(bytes);
}

typedef struct Runner {
    NnModel *model;
    uint32_t seed;
    const float *expected;
} Runner;

static void *run_often(void *userdata)
{
    Runner *runner = userdata;

    for (int i = 0; i < 20; i++) {
        int64_t n;
        float *got = run(runner->model, runner->seed, &n);

        TEST_INT(memcmp(got, runner->expected, (size_t)n * sizeof(float)), 0);
        free(got);
    }
    return NULL;
}

static void test_sessions_in_threads(void)
{
    size_t n;
    uint8_t *bytes = all_patterns(&n);
    Net net = load(bytes, n, 3, false);
    Runner runners[4];
    pthread_t threads[4];
    int64_t ignored;

    for (uint32_t i = 0; i < 4; i++)
        runners[i] = (Runner){ net.model, i + 1, run(net.model, i + 1, &ignored) };
    for (size_t i = 0; i < 4; i++)
        TEST_INT(pthread_create(&threads[i], NULL, run_often, &runners[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        free((void *)runners[i].expected);
    }
    unload(&net);
    free(bytes);
}

enum { MODELS = 3, THREADS = 4 };

/* Three networks of one context, and what each gives for one input. */
typedef struct Crowd {
    Net nets[MODELS];
    const uint8_t *bytes[MODELS];
    size_t n_bytes[MODELS];
    float *expected[MODELS];
} Crowd;

typedef struct Member {
    Crowd *crowd;
    size_t number;
} Member;

static void check_run(NnModel *model, const float *expected)
{
    int64_t n;
    float *got = run(model, 11, &n);

    TEST_INT(memcmp(got, expected, (size_t)n * sizeof(float)), 0);
    free(got);
}

/* Sessions of all the models, made and freed at each turn; every third turn a model
 * of its own is loaded, run and freed while others run. */
static void *come_and_go(void *userdata)
{
    const Member *member = userdata;
    Crowd *crowd = member->crowd;

    for (size_t turn = 0; turn < 12; turn++) {
        size_t i = (turn + member->number) % MODELS;
        NnModel *own = NULL;
        NnError error;

        check_run(crowd->nets[i].model, crowd->expected[i]);
        if (turn % 3 != member->number % 3)
            continue;
        if (nn_model_load_memory(crowd->nets[0].context, "m", crowd->bytes[i], crowd->n_bytes[i],
                                 NULL, &own, &error) < 0)
            TEST_FAIL("%s", error.message);
        check_run(own, crowd->expected[i]);
        nn_model_free(own);
    }
    return NULL;
}

static void test_models_in_threads(void)
{
    Crowd crowd = { 0 };
    Member members[THREADS];
    pthread_t threads[THREADS];
    int64_t n;

    for (size_t i = 0; i < MODELS; i++) {
        NnError error;

        crowd.bytes[i] = all_patterns(&crowd.n_bytes[i]);
        if (i == 0)
            crowd.nets[0] = load(crowd.bytes[0], crowd.n_bytes[0], 3, false);
        else if (nn_model_load_memory(crowd.nets[0].context, "m", crowd.bytes[i], crowd.n_bytes[i],
                                      NULL, &crowd.nets[i].model, &error) < 0)
            TEST_FAIL("%s", error.message);
        crowd.expected[i] = run(crowd.nets[i].model, 11, &n);
    }
    /* Their weights differ, and so do their results. */
    TEST_TRUE(memcmp(crowd.expected[0], crowd.expected[1], (size_t)n * sizeof(float)) != 0);
    for (size_t i = 0; i < THREADS; i++) {
        members[i] = (Member){ &crowd, i };
        TEST_INT(pthread_create(&threads[i], NULL, come_and_go, &members[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = MODELS; i-- > 0;) {
        free(crowd.expected[i]);
        free((void *)crowd.bytes[i]);
        nn_model_free(crowd.nets[i].model);
    }
    nn_context_free(crowd.nets[0].context);
}

/* NonZero: as many columns as there are elements that are not zero. */
static void test_dynamic(void)
{
    static const int64_t dims[] = { 2, 3 };
    static const float values[][6] = { { 0, 1, 0, 2, 0, 3 }, { 0 }, { 1, 1, 1, 1, 1, 1 } };
    static const int64_t counts[] = { 3, 0, 6 };
    Build build;
    size_t n;
    uint8_t *bytes;
    Net net;
    NnSession *session;
    NnError error;

    build_start(&build, 13);
    build_input(&build, "x", FLOAT, 2, dims);
    build_output(&build, "y");
    build_node(&build, "NonZero", "x", "i");
    build_node(&build, "Transpose", "i", "y");
    bytes = build_pack(&build, &n);
    net = load(bytes, n, 1, false);
    TEST_INT(nn_session_new(net.model, &session, &error), 0);
    for (size_t i = 0; i < 3; i++) {
        const NnTensor *y = nn_session_output(session, 0);

        memcpy(nn_session_input(session, 0)->data, values[i], sizeof(values[i]));
        TEST_INT(nn_session_run(session, &error), 0);
        TEST_INT(y->rank, 2);
        TEST_INT(y->dims[0], counts[i]);
        TEST_INT(y->dims[1], 2);
        if (i == 0) {
            TEST_INT(((const int64_t *)y->data)[0], 0);
            TEST_INT(((const int64_t *)y->data)[1], 1);
            TEST_INT(((const int64_t *)y->data)[4], 1);
            TEST_INT(((const int64_t *)y->data)[5], 2);
        }
    }
    nn_session_free(session);
    unload(&net);
    free(bytes);
}

int main(void)
{
    test_passes();
    test_clip();
    test_threads_change_nothing();
    test_sessions_in_threads();
    test_models_in_threads();
    test_dynamic();
    return 0;
}
