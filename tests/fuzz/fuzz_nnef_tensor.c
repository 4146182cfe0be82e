/* SPDX-License-Identifier: Apache-2.0 */

/* Tensor files of NNEF. */

#include <stdlib.h>

#include "feed.h"
#include "nnef/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    NnTensor tensor = { 0 };
    NnError error = { "" };
    size_t size;
    int r;

    r = nn_nnef_tensor_parse("fuzz", bytes, n, &tensor, &error);
    feed_check(r, tensor.data, &error);
    if (r >= 0 && nn_tensor_bytes(&tensor, &size) < 0)
        abort();
    free(tensor.data);
    return 0;
}
