/* SPDX-License-Identifier: Apache-2.0 */

/* Operators of an application: attributes, shapes, threads, scratch, constants,
 * a fused activation, and what is refused. */

#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "build.h"
#include "exec/exec.h"
#include "test.h"

#define DOMAIN "com.example"

enum { FLOAT = 1, FLOAT16 = 10 };

static NnContext *new_context(int threads)
{
    NnContextOptions options = { .threads = threads };
    NnContext *context;
    NnError error;

    if (nn_context_new(&options, &context, &error) < 0)
        TEST_FAIL("%s", error.message);
    return context;
}

static void add(NnContext *context, const NnCustomOp *op)
{
    NnError error;

    if (nn_op_register(context, op, &error) < 0)
        TEST_FAIL("%s", error.message);
}

static int load_code(NnContext *context, const Build *build, const NnModelOptions *options,
                     NnModel **ret_model, NnError *error)
{
    size_t n;
    uint8_t *bytes = build_pack(build, &n);
    int r = nn_model_load_memory(context, "m", bytes, n, options, ret_model, error);

    free(bytes);
    return r;
}

static NnModel *load(NnContext *context, const Build *build, bool keep_graph)
{
    NnModelOptions options = { .verify = true, .keep_graph = keep_graph };
    NnModel *model;
    NnError error;

    if (load_code(context, build, &options, &model, &error) < 0)
        TEST_FAIL("%s", error.message);
    return model;
}

static void refused(NnContext *context, const Build *build, int code, const char *words)
{
    NnModel *model = NULL;
    NnError error = { "" };

    TEST_INT(load_code(context, build, NULL, &model, &error), code);
    TEST_TRUE(model == NULL);
    TEST_WORDS(error.message, words);
}

/* BlockMean: the mean of each factor×factor block of a picture, times a gain; rows
 * left over are dropped. The sums of one output row lie in scratch. */
typedef struct BlockMean {
    int64_t factor;
    float gain;
} BlockMean;

static int block_prepare(const NnNode *node, void *userdata, void *params, NnError *error)
{
    BlockMean *p = params;
    int r;

    (void)userdata;
    r = nn_node_int(node, "factor", 2, &p->factor, error);
    if (r >= 0)
        r = nn_node_float(node, "gain", 1, &p->gain, error);
    if (r < 0)
        return r;
    if (p->factor < 1 || p->factor > 64)
        return nn_error_set(error, -EBADMSG, "a factor of %lld, 1 to 64 were expected",
                            (long long)p->factor);
    return 0;
}

static int block_infer(const NnOpCall *call)
{
    const BlockMean *p = call->params;
    const NnTensor *x = call->inputs[0];

    if (x->dtype != NN_DTYPE_F32)
        return nn_error_set(call->error, -ENOTSUP, "%s pictures", nn_dtype_name(x->dtype));
    if (x->rank != 4)
        return nn_error_set(call->error, -EBADMSG, "input 0 has %d dimensions, not 4", x->rank);
    *call->outputs[0] = *x;
    call->outputs[0]->dims[2] /= p->factor;
    call->outputs[0]->dims[3] /= p->factor;
    return 0;
}

static size_t block_scratch(const NnOpCall *call)
{
    return (size_t)call->outputs[0]->dims[3] * sizeof(float) * nn_op_workers(call);
}

static void block_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnOpCall *call = argument;
    const BlockMean *p = call->params;
    const NnTensor *x = call->inputs[0], *y = call->outputs[0];
    int64_t f = p->factor, width = y->dims[3], from_width = x->dims[3];
    float *sums = (float *)call->scratch + worker * width;
    float scale = p->gain / (float)(f * f);

    for (int64_t row = begin; row < end; row++) {
        int64_t plane = row / y->dims[2], line = row % y->dims[2];
        const float *from = (const float *)x->data + (plane * x->dims[2] + line * f) * from_width;

        memset(sums, 0, (size_t)width * sizeof(float));
        for (int64_t i = 0; i < f; i++)
            for (int64_t j = 0; j < width * f; j++)
                sums[j / f] += from[i * from_width + j];
        for (int64_t j = 0; j < width; j++)
            sums[j] *= scale;
        nn_op_activate(call, sums, (float *)y->data + row * width, width);
    }
}

static int block_run(const NnOpCall *call)
{
    const NnTensor *y = call->outputs[0];

    nn_op_parallel(call, y->dims[0] * y->dims[1] * y->dims[2], 1, block_rows, (void *)call);
    return 0;
}

static const NnCustomOp block_mean = {
    .domain = DOMAIN,
    .type = "BlockMean",
    .min_inputs = 1,
    .max_inputs = 1,
    .flags = NN_CUSTOM_OP_ACTIVATION,
    .params_bytes = sizeof(BlockMean),
    .prepare = block_prepare,
    .infer = block_infer,
    .scratch = block_scratch,
    .run = block_run,
};

static Onnx__Node *custom_node(Build *build, const char *type, const char *inputs,
                               const char *outputs)
{
    Onnx__Node *node = build_node(build, type, inputs, outputs);

    node->domain = build_string(DOMAIN);
    return node;
}

/* x → BlockMean → activation → y, or without the activation. */
static void start_block(Build *build, const char *dims, const char *activation)
{
    Onnx__Node *node;

    build_start(build, 14);
    build_domain(build, DOMAIN, 3);
    build_input_named(build, "x", FLOAT, dims);
    build_output(build, "y");
    node = custom_node(build, "BlockMean", "x", activation ? "m" : "y");
    build_attribute_int(node, "factor", 3);
    build_attribute_float(node, "gain", -2);
    if (activation && strcmp(activation, "Clip") == 0) {
        build_floats(build, "low", 0, NULL, (const float[]){ -0.25f });
        build_floats(build, "high", 0, NULL, (const float[]){ 0.5f });
        build_node(build, "Clip", "m low high", "y");
    } else if (activation) {
        build_node(build, activation, "m", "y");
    }
}

static float at(int64_t i)
{
    return (float)((i * 37) % 101) / 50 - 1;
}

static void fill(NnSession *session)
{
    NnTensor *x = nn_session_input(session, 0);

    for (int64_t i = 0; i < nn_tensor_elements(x); i++)
        ((float *)x->data)[i] = at(i);
}

static NnSession *run(NnModel *model)
{
    NnSession *session;
    NnError error;

    if (nn_session_new(model, &session, &error) < 0)
        TEST_FAIL("%s", error.message);
    fill(session);
    if (nn_session_run(session, &error) < 0)
        TEST_FAIL("%s", error.message);
    return session;
}

static float expected_block(int64_t plane, int64_t row, int64_t column, const char *activation)
{
    float sum = 0;

    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 3; j++)
            sum += at((plane * 11 + row * 3 + i) * 10 + column * 3 + j);
    sum *= -2.0f / 9;
    if (!activation)
        return sum;
    if (strcmp(activation, "Relu") == 0)
        return fmaxf(sum, 0);
    if (strcmp(activation, "LeakyRelu") == 0)
        return sum < 0 ? 0.01f * sum : sum;
    return fminf(fmaxf(sum, -0.25f), 0.5f);
}

/* The example, with each activation behind it, fused and not, on 1 to 3 threads. */
static void test_example(void)
{
    static const char *const activations[] = { NULL, "Relu", "LeakyRelu", "Clip" };

    for (int i = 0; i < 4 * 3 * 2; i++) {
        const char *activation = activations[i % 4];
        NnContext *context = new_context(1 + i / 4 % 3);
        bool keep_graph = i >= 12;
        const NnTensor *y;
        NnSession *session;
        NnModel *model;
        Build build;

        add(context, &block_mean);
        start_block(&build, "2 3 11 10", activation);
        model = load(context, &build, keep_graph);
        TEST_INT(nn_model_graph(model)->n_nodes, activation && keep_graph ? 2 : 1);
        session = run(model);
        y = nn_session_output(session, 0);
        TEST_INT(y->rank, 4);
        TEST_INT(y->dims[1], 3);
        TEST_INT(y->dims[2], 3);
        TEST_INT(y->dims[3], 3);
        for (int64_t j = 0; j < 54; j++) {
            float want = expected_block(j / 9, j / 3 % 3, j % 3, activation);
            float got = ((const float *)y->data)[j];

            if (!(fabsf(got - want) <= 1e-6f))
                TEST_FAIL("%s: element %lld is %g, expected %g", activation ? activation : "none",
                          (long long)j, (double)got, (double)want);
        }
        nn_session_free(session);
        nn_model_free(model);
        nn_context_free(context);
    }
}

/* A value that others read too is not given away, and a second activation stays. */
static void test_fused_only_where_right(void)
{
    NnContext *context = new_context(1);
    NnModel *model;
    Build build;

    add(context, &block_mean);
    start_block(&build, "1 1 9 9", "Relu");
    build_output(&build, "m");
    model = load(context, &build, false);
    TEST_INT(nn_model_graph(model)->n_nodes, 2);
    nn_model_free(model);

    start_block(&build, "1 1 9 9", "Relu");
    build_output(&build, "z");
    build_node(&build, "Sigmoid", "y", "z");
    build.graph.output++;
    build.graph.n_output--;
    model = load(context, &build, false);
    TEST_INT(nn_model_graph(model)->n_nodes, 2);
    nn_session_free(run(model));
    nn_model_free(model);
    nn_context_free(context);
}

/* float16 goes in as float32, open dimensions are bound like those of any network. */
static void test_float16_and_open_dims(void)
{
    NnContext *context = new_context(1);
    NnShape shape = { "x", 4, { 1, 1, 6, 9 } };
    NnSession *session;
    NnModel *model;
    NnError error;
    Build build;

    add(context, &block_mean);
    start_block(&build, "1 1 h w", "Relu");
    model = load(context, &build, false);
    TEST_INT(nn_session_new(model, &session, &error), 0);
    for (int64_t i = 6; i < 12; i += 3) {
        shape.dims[2] = i;
        TEST_INT(nn_session_bind(session, &shape, 1, NULL, 0, &error), 0);
        memset(nn_session_input(session, 0)->data, 0, (size_t)(i * 9) * sizeof(float));
        TEST_INT(nn_session_run(session, &error), 0);
        TEST_INT(nn_session_output(session, 0)->dims[2], i / 3);
    }
    nn_session_free(session);
    nn_model_free(model);

    build_start(&build, 14);
    build_input_named(&build, "x", FLOAT16, "1 1 4 4");
    build_output(&build, "y");
    custom_node(&build, "BlockMean", "x", "y");
    model = load(context, &build, false);
    TEST_INT(nn_model_output(model, 0)->dtype, NN_DTYPE_F16);
    nn_model_free(model);
    nn_context_free(context);
}

/* A compiled file names the operator; its attributes and what was fused are there. */
static void test_compiled(void)
{
    char path[] = "/tmp/test_custom_op.XXXXXX";
    NnContext *context = new_context(1);
    NnModel *model = NULL;
    NnSession *session;
    NnError error;
    Build build;
    int fd = mkstemp(path);

    TEST_TRUE(fd >= 0);
    close(fd);
    add(context, &block_mean);
    start_block(&build, "2 3 11 10", "Relu");
    model = load(context, &build, false);
    TEST_INT(nn_model_save(model, path, &error), 0);
    nn_model_free(model);
    TEST_INT(nn_model_load(context, path, NULL, &model, &error), 0);
    TEST_INT(nn_model_graph(model)->n_nodes, 1);
    session = run(model);
    for (int64_t j = 0; j < 54; j++)
        TEST_TRUE(fabsf(((const float *)nn_session_output(session, 0)->data)[j] -
                        expected_block(j / 9, j / 3 % 3, j % 3, "Relu")) <= 1e-6f);
    nn_session_free(session);
    nn_model_free(model);
    nn_context_free(context);

    context = new_context(1);
    model = NULL;
    TEST_INT(nn_model_load(context, path, NULL, &model, &error), -ENOTSUP);
    TEST_WORDS(error.message, "operator com.example.BlockMean is not known");
    nn_context_free(context);
    unlink(path);
}

/* Counts its runs in what the application gave it. */
static int count_infer(const NnOpCall *call)
{
    *call->outputs[0] = *call->inputs[0];
    return 0;
}

static int count_run(const NnOpCall *call)
{
    int *runs = call->userdata;

    ++*runs;
    for (int64_t i = 0; i < nn_tensor_elements(call->inputs[0]); i++)
        ((float *)call->outputs[0]->data)[i] = 2 * ((const float *)call->inputs[0]->data)[i];
    return 0;
}

static void test_constants(void)
{
    static const float values[] = { 1, 2, 3, 4 };

    for (int fold = 0; fold < 2; fold++) {
        NnContext *context = new_context(1);
        int runs = 0;
        NnCustomOp op = {
            .domain = DOMAIN, .type = "Twice", .min_inputs = 1, .max_inputs = 1,
            .flags = NN_CUSTOM_OP_IN_PLACE | (fold ? 0 : NN_CUSTOM_OP_NO_FOLD),
            .userdata = &runs, .infer = count_infer, .run = count_run,
        };
        NnSession *session;
        NnModel *model;
        Build build;

        add(context, &op);
        build_start(&build, 13);
        build_input_named(&build, "x", FLOAT, "4");
        build_output(&build, "y");
        build_floats(&build, "c", 1, (const int64_t[]){ 4 }, values);
        custom_node(&build, "Twice", "c", "d");
        custom_node(&build, "Twice", "d", "e");
        build_node(&build, "Add", "x e", "y");
        model = load(context, &build, false);
        TEST_INT(runs, fold ? 2 : 0);
        session = run(model);
        TEST_INT(runs, 2);
        for (int i = 0; i < 4; i++)
            TEST_TRUE(((const float *)nn_session_output(session, 0)->data)[i] ==
                      at(i) + 4 * values[i]);
        nn_session_free(session);
        nn_model_free(model);
        nn_context_free(context);
    }
}

/* Looks at every kind of attribute. */
static int probe_prepare(const NnNode *node, void *userdata, void *params, NnError *error)
{
    int *seen = userdata;
    const NnTensor *tensor;
    const char *s;
    int64_t i, ints[3];
    float f, floats[2];
    size_t n = 9;

    (void)params;
    TEST_INT(strcmp(nn_node_name(node), "y"), 0);
    TEST_INT(nn_node_opset(node), 5);
    TEST_TRUE(nn_node_has(node, "i") && !nn_node_has(node, "j"));
    TEST_INT(nn_node_int(node, "i", 1, &i, error), 0);
    TEST_INT(i, 42);
    TEST_INT(nn_node_int(node, "j", 7, &i, error), 0);
    TEST_INT(i, 7);
    TEST_INT(nn_node_float(node, "f", 1, &f, error), 0);
    TEST_TRUE(f == 1.5f);
    TEST_INT(nn_node_string(node, "s", "", &s, error), 0);
    TEST_INT(strcmp(s, "words"), 0);
    TEST_INT(nn_node_ints(node, "is", ints, 3, &n, error), 0);
    TEST_INT(n, 3);
    TEST_INT(ints[2], -3);
    TEST_INT(nn_node_floats(node, "fs", floats, 2, &n, error), 0);
    TEST_INT(n, 2);
    TEST_TRUE(floats[1] == 0.25f);
    TEST_INT(nn_node_floats(node, "gs", floats, 2, &n, error), 0);
    TEST_INT(n, 0);
    TEST_INT(nn_node_tensor(node, "t", &tensor, error), 0);
    TEST_INT(tensor->dims[0], 2);
    TEST_INT(((const int64_t *)tensor->data)[1], 6);
    TEST_INT(nn_node_tensor(node, "u", &tensor, error), 0);
    TEST_TRUE(tensor == NULL);
    ++*seen;
    TEST_INT(nn_node_tensor(node, "i", &tensor, error), -EBADMSG);
    TEST_WORDS(error->message, "attribute 'i' is not a tensor");
    TEST_INT(nn_node_ints(node, "is", ints, 2, &n, error), -E2BIG);
    return nn_node_floats(node, "is", floats, 2, &n, error);
}

static void test_attributes(void)
{
    NnContext *context = new_context(1);
    int seen = 0;
    NnCustomOp op = {
        .domain = DOMAIN, .type = "Probe", .max_inputs = 1, .userdata = &seen,
        .prepare = probe_prepare, .infer = count_infer, .run = count_run,
    };
    Onnx__Node *node;
    Build build;

    add(context, &op);
    build_start(&build, 13);
    build_domain(&build, DOMAIN, 5);
    build_input_named(&build, "x", FLOAT, "4");
    build_output(&build, "y");
    node = custom_node(&build, "Probe", "x", "y");
    build_attribute_int(node, "i", 42);
    build_attribute_float(node, "f", 1.5f);
    build_attribute_string(node, "s", "words");
    build_attribute_ints(node, "is", 3, (const int64_t[]){ 1, 2, -3 });
    build_attribute_floats(node, "fs", 2, (const float[]){ 1, 0.25f });
    build_attribute_tensor(node, "t", 2, (const int64_t[]){ 5, 6 });
    refused(context, &build, -EBADMSG,
            "m: node 'y' (Probe, opset 5): attribute 'is' is not a list of numbers");
    TEST_INT(seen, 1);
    nn_context_free(context);
}

/* Keeps what is positive: dims that depend on values. Misbehaves when told to. */
static int keep_infer(const NnOpCall *call)
{
    *call->outputs[0] = (NnTensor){
        .dtype = NN_DTYPE_F32, .rank = 1, .dims = { nn_tensor_elements(call->inputs[0]) }
    };
    return 0;
}

static int keep_run(const NnOpCall *call)
{
    const int64_t *extra = call->userdata;
    const float *from = call->inputs[0]->data;
    float *to = call->outputs[0]->data;
    int64_t n = 0, all = nn_tensor_elements(call->inputs[0]);

    TEST_INT(call->outputs[0]->dims[0], all);
    for (int64_t i = 0; i < all; i++)
        if (from[i] > 0)
            to[n++] = from[i];
    call->outputs[0]->dims[0] = n + *extra;
    return 0;
}

static void test_dynamic(void)
{
    NnContext *context = new_context(1);
    int64_t extra = 0, kept = 0;
    NnCustomOp op = {
        .domain = DOMAIN, .type = "Keep", .min_inputs = 1, .max_inputs = 1,
        .flags = NN_CUSTOM_OP_DYNAMIC, .userdata = &extra, .infer = keep_infer, .run = keep_run,
    };
    NnSession *session;
    NnModel *model;
    NnError error;
    Build build;

    add(context, &op);
    build_start(&build, 13);
    build_input_named(&build, "x", FLOAT, "3 4");
    build_output(&build, "y");
    custom_node(&build, "Keep", "x", "k");
    build_node(&build, "Neg", "k", "y");
    model = load(context, &build, false);
    TEST_INT(nn_model_output(model, 0)->dims[0], -1);
    session = run(model);
    for (int64_t i = 0; i < 12; i++)
        kept += at(i) > 0;
    TEST_INT(nn_session_output(session, 0)->dims[0], kept);
    fill(session);
    TEST_INT(nn_session_run(session, &error), 0);
    TEST_INT(nn_session_output(session, 0)->dims[0], kept);
    extra = 100;
    TEST_INT(nn_session_run(session, &error), -EINVAL);
    TEST_WORDS(error.message, "(Keep, opset 1): its run made output 0 larger than its infer said");
    nn_session_free(session);
    nn_model_free(model);
    nn_context_free(context);
}

static int fail_silently(const NnOpCall *call)
{
    return -EDOM;
}

static int infer_nothing(const NnOpCall *call)
{
    return 0;
}

static int infer_negative(const NnOpCall *call)
{
    *call->outputs[0] = *call->inputs[0];
    call->outputs[0]->dims[0] = -5;
    return 0;
}

static void test_failures_of_the_application(void)
{
    static const struct {
        int (*infer)(const NnOpCall *call);
        int code;
        const char *words;
    } cases[] = {
        { infer_nothing, -EINVAL, "its infer gave output 0 no type" },
        { infer_negative, -EINVAL, "its infer gave output 0 a negative dim" },
        { fail_silently, -EDOM, "its infer failed" },
    };
    NnCustomOp op = { .domain = DOMAIN, .type = "Bad", .max_inputs = 1, .run = fail_silently };
    NnContext *context;
    NnSession *session;
    NnModel *model;
    NnError error;
    Build build;

    build_start(&build, 13);
    build_input_named(&build, "x", FLOAT, "4");
    build_output(&build, "y");
    custom_node(&build, "Bad", "x", "y");
    for (size_t i = 0; i < NN_ARRAY_SIZE(cases); i++) {
        context = new_context(1);
        op.infer = cases[i].infer;
        add(context, &op);
        refused(context, &build, cases[i].code, cases[i].words);
        nn_context_free(context);
    }
    context = new_context(1);
    op.infer = count_infer;
    add(context, &op);
    model = load(context, &build, false);
    TEST_INT(nn_session_new(model, &session, &error), 0);
    TEST_INT(nn_session_run(session, &error), -EDOM);
    TEST_WORDS(error.message, "node 'y' (Bad, opset 1): its run failed");
    nn_session_free(session);
    nn_model_free(model);
    nn_context_free(context);
}

static void test_missing(void)
{
    NnContext *context = new_context(1);
    NnCustomOp old = block_mean;
    Build build;

    start_block(&build, "1 1 9 9", NULL);
    refused(context, &build, -ENOTSUP,
            "m: node 'y' (BlockMean, opset 3): operator com.example.BlockMean is not known; "
            "nn_op_register() can supply it");
    nn_context_free(context);

    context = new_context(1);
    old.since = 4;
    add(context, &old);
    refused(context, &build, -ENOTSUP, "supported from opset 4 on");
    nn_context_free(context);

    context = new_context(1);
    add(context, &block_mean);
    build.graph.node[0]->attribute[0]->i = 65;
    refused(context, &build, -EBADMSG, "a factor of 65, 1 to 64 were expected");
    build.graph.node[0]->n_input = 0;
    refused(context, &build, -EBADMSG, "it has 0 inputs, at least 1 were expected");
    nn_context_free(context);
}

static void not_registered(NnContext *context, const NnCustomOp *op, int code, const char *words)
{
    NnError error = { "" };

    TEST_INT(nn_op_register(context, op, &error), code);
    TEST_WORDS(error.message, words);
}

static void test_registration(void)
{
    NnContext *context = new_context(1), *other = new_context(1);
    NnCustomOp op = block_mean;
    NnModel *model;
    Build build;

    add(context, &op);
    not_registered(context, &op, -EEXIST, "'BlockMean' in domain 'com.example' is registered");
    add(other, &op);
    op.domain = "";
    add(context, &op);
    op.domain = "ai.onnx";
    not_registered(context, &op, -EEXIST, "is registered already");
    op.type = "Conv";
    not_registered(context, &op, -EEXIST, "the engine has an operator 'Conv'");
    op.type = "";
    not_registered(context, &op, -EINVAL, "needs a domain and a type");
    op.type = "New";
    op.domain = NULL;
    not_registered(context, &op, -EINVAL, "needs a domain and a type");
    op.domain = "d";
    op.run = NULL;
    not_registered(context, &op, -EINVAL, "'New' needs infer and run");
    op.run = block_run;
    op.min_inputs = 2;
    not_registered(context, &op, -EINVAL, "2 to 1 inputs");
    op.max_inputs = 1 << 20;
    not_registered(context, &op, -EINVAL, "2 to 1048576 inputs");
    op.max_inputs = 2;
    op.max_outputs = 65;
    not_registered(context, &op, -EINVAL, "65 outputs");
    op.max_outputs = 1;
    op.flags = 1 << 9;
    not_registered(context, &op, -EINVAL, "flags 0x200");
    op.flags = 0;
    op.since = -1;
    not_registered(context, &op, -EINVAL, "a version of -1");
    op.since = 0;
    op.params_bytes = SIZE_MAX;
    not_registered(context, &op, -EINVAL, "bytes of params");
    op.params_bytes = 0;

    start_block(&build, "1 1 9 9", NULL);
    model = load(context, &build, false);
    not_registered(context, &op, -EBUSY, "before the first model");
    nn_model_free(model);
    nn_context_free(context);
    nn_context_free(other);
}

int main(void)
{
    test_example();
    test_fused_only_where_right();
    test_float16_and_open_dims();
    test_compiled();
    test_constants();
    test_attributes();
    test_dynamic();
    test_failures_of_the_application();
    test_missing();
    test_registration();
    return 0;
}
