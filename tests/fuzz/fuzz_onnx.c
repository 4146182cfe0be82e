/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a file holds, loading ends in a model or in a sentence, and what
 * loads runs. */

#include "feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnModelOptions options = { .verify = true };
    NnModel *model = NULL;
    NnError error = { "" };
    int r;

    r = nn_model_load_memory(feed_context(), "fuzz", bytes, n, &options, &model, &error);
    feed_check(r, model, &error);
    if (model)
        feed_run(model, feed_seed(bytes, n));
    nn_model_free(model);
    return 0;
}
