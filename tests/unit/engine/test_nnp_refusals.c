/* SPDX-License-Identifier: Apache-2.0 */

/* Compiled files that are damaged, made for something else, or lie, are refused
 * with a sentence, or run. */

#include "base/hash.h"
#include "nnp.h"
#include "ops/nhwc.h"
#include "test.h"

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

/* Writes a model that says something wrong, and expects the sentence. */
static void lie(NnContext *context, const NnModel *model, const char *words)
{
    size_t n;
    uint8_t *bytes = write_compact(model, &n);

    refused(context, bytes, n, -EBADMSG, words);
    free(bytes);
}

/* Well-formed files that do not fit together. The model is mended after each. */
static void test_lies(void)
{
    NnContext *context = new_context("c");
    size_t n;
    uint8_t *onnx = image_network(&n);
    NnModel *model = load_bytes(context, onnx, n);
    NnGraph *graph = model->program->graph;
    NnStep *step = &model->program->steps[1]; /* behind the one that makes x channels-last */
    NnNode *node = &graph->nodes[1];
    NnConvParams *params = node->params, was = *params;
    NnValueId first = node->inputs[0];
    const NnOp *op = node->op;
    void *state = step->state;

    TEST_TRUE(op == &nn_op_nhwc_conv && state && step->node == node);
    step->state_bytes -= sizeof(float);
    lie(context, model, "(Conv, opset 13): its weights were packed for another shape");
    step->state_bytes += sizeof(float);
    step->state = NULL;
    lie(context, model, "(Conv, opset 13): the file does not hold its input 'w1'");
    step->state = state;
    params->residual = true;
    lie(context, model, "what is added has another shape");
    *params = was;
    params->activation.kind = _NN_ACTIVATION_MAX;
    lie(context, model, "its graph section is cut short or malformed");
    *params = was;
    step->state = NULL;
    node->op = nn_op_find("", "If");
    lie(context, model, "(If, opset 13): attribute 'then_branch' is missing");
    node->op = op;
    step->state = state;
    node->inputs[0] = graph->outputs[0];
    lie(context, model, "is made by a later node");
    node->inputs[0] = first;
    graph->values[graph->inputs[0]].tensor.dtype = _NN_DTYPE_MAX;
    lie(context, model, "its graph section is cut short or malformed");
    graph->values[graph->inputs[0]].tensor.dtype = NN_DTYPE_F32;
    graph->values[graph->inputs[0]].tensor.dims[1]++;
    lie(context, model, "the weights expect");
    graph->values[graph->inputs[0]].tensor.dims[1]--;
    graph->n_outputs = 0;
    lie(context, model, "its graph section is cut short or malformed");
    graph->n_outputs = 2;
    nn_model_free(model);
    nn_context_free(context);
    free(onnx);
}

int main(void)
{
    test_header();
    test_damage();
    test_lies();
    test_hostile();
    test_other_isa();
    test_large_weights();
    clear_folder();
    return 0;
}
