/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a compiled file holds, loading ends in a model or in a sentence, and
 * what loads runs. Checksums and the names of the machine are mended first, so
 * that the parser behind them is reached; what they do to damage is for test_nnp. */

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "feed.h"
#include "nnp/section.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void quiet(void *userdata, NnLogLevel level, const char *message)
{
}

/* Files fit one tile of the kernels: that of the instruction set all machines have. */
static NnContext *portable_context(void)
{
    static NnContext *context;
    NnContextOptions options = { .threads = 1, .isa = "c", .log = quiet };

    if (!context && nn_context_new(&options, &context, NULL) < 0)
        abort();
    return context;
}

static void mend(const NnContext *context, uint8_t *bytes, size_t n)
{
    NnpHeader header, was;

    memcpy(&was, bytes, sizeof(was));
    nn_nnp_identify(context, &header);
    header.file_bytes = n;
    memcpy(header.sections, was.sections, sizeof(header.sections));
    for (size_t i = 0; i < _NNP_SECTION_MAX; i++) {
        NnpSection *s = &header.sections[i];

        if (s->offset <= n && s->bytes <= n - s->offset)
            s->checksum = nn_hash_bytes(bytes + s->offset, s->bytes);
    }
    header.checksum = nn_hash_bytes(&header, offsetof(NnpHeader, checksum));
    memcpy(bytes, &header, sizeof(header));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnModelOptions options = { .verify = true, .check_weights = true };
    NnContext *context = portable_context();
    uint8_t *copy = malloc(n + 1);
    NnModel *model = NULL;
    NnError error = { "" };
    int r;

    if (!copy)
        return 0;
    memcpy(copy, bytes, n);
    if (n >= sizeof(NnpHeader))
        mend(context, copy, n);
    r = nn_model_load_memory(context, "fuzz", copy, n, &options, &model, &error);
    feed_check(r, model, &error);
    free(copy);
    if (model)
        feed_run(model, feed_seed(bytes, n));
    nn_model_free(model);
    return 0;
}
