/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The header of a compiled model: who may use it, and where its sections are. */

#include "nnp/format.h"
#include "nnp/nnp.h"

typedef struct NnpBytes {
    const uint8_t *at;
    size_t n;
} NnpBytes;

/* What a file must have been made for to be used by this context: fills all but
 * file_bytes, sections and checksum. */
void nn_nnp_identify(const NnContext *context, NnpHeader *ret_header);

/* Checks header, checksums and sections. `bytes` is 64-byte aligned. -ENOTSUP for
 * a file that was made for something else, -EBADMSG for a damaged one. */
NN_MUST_CHECK int nn_nnp_open(const NnContext *context, const void *bytes, size_t n_bytes,
                              bool check_all, NnpBytes ret_sections[_NNP_SECTION_MAX],
                              NnError *error);
