/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"

#include <stdio.h>

int nn_error_set(NnError *error, int code, const char *format, ...)
{
    if (error) {
        va_list args;

        va_start(args, format);
        vsnprintf(error->message, sizeof(error->message), format, args);
        va_end(args);
    }
    return code;
}

int nn_error_prefix(NnError *error, int code, const char *format, ...)
{
    NnError whole;
    va_list args;
    size_t n;

    if (!error)
        return code;
    va_start(args, format);
    vsnprintf(whole.message, sizeof(whole.message), format, args);
    va_end(args);
    n = strlen(whole.message);
    strncat(whole.message, ": ", sizeof(whole.message) - n - 1);
    n = strlen(whole.message);
    strncat(whole.message, error->message, sizeof(whole.message) - n - 1);
    *error = whole;
    return code;
}

void *nn_aligned_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX - 64)
        return NULL;
    return aligned_alloc(64, nn_align_up(NN_MAX(bytes, 1), 64));
}
