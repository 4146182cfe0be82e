/* SPDX-License-Identifier: Apache-2.0 */
#include "refused.h"

#include "nn.h"
#include "test.h"

static void check(int r, const NnModel *model, const NnError *error, int code,
                  const char *sentence)
{
    TEST_STRING(error->message, sentence);
    TEST_INT(r, code);
    TEST_TRUE(model == NULL);
}

static NnContext *context_new(void)
{
    NnContextOptions options = { .threads = 1 };
    NnContext *context = NULL;

    TEST_INT(nn_context_new(&options, &context, NULL), 0);
    return context;
}

void refused(const uint8_t *bytes, size_t n, int code, const char *sentence)
{
    NnContext *context = context_new();
    NnModel *model = NULL;
    NnError error = { "" };
    int r = nn_model_load_memory(context, "m.onnx", bytes, n, NULL, &model, &error);

    check(r, model, &error, code, sentence);
    nn_context_free(context);
}

void refused_build(const Build *build, int code, const char *sentence)
{
    size_t n;
    uint8_t *bytes = build_pack(build, &n);

    refused(bytes, n, code, sentence);
    free(bytes);
}

void refused_path(const char *path, int code, const char *sentence)
{
    NnContext *context = context_new();
    NnModel *model = NULL;
    NnError error = { "" };
    int r = nn_model_load(context, path, NULL, &model, &error);

    check(r, model, &error, code, sentence);
    nn_context_free(context);
}
