/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a compiled file holds, loading ends in a model or in a sentence, and
 * what loads runs. Checksums and the names of the machine are mended first, so
 * that the parser behind them is reached; what they do to damage is for test_nnp. */

#include <stdlib.h>
#include <string.h>

#include "feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnModelOptions options = { .verify = true, .check_weights = true };
    NnContext *context = feed_context();
    uint8_t *copy = malloc(n + 1);
    NnModel *model = NULL;
    NnError error = { "" };
    int r;

    if (!copy)
        return 0;
    memcpy(copy, bytes, n);
    feed_mend_nnp(context, copy, n);
    r = nn_model_load_memory(context, "fuzz", copy, n, &options, &model, &error);
    feed_check(r, model, &error);
    free(copy);
    if (model)
        feed_run(model, feed_seed(bytes, n));
    nn_model_free(model);
    return 0;
}
