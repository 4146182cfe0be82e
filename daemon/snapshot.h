/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Pictures of passages in a directory. */

#include <stddef.h>
#include <stdint.h>

#include "nn.h"

/* Writes DIRECTORY/NAME so that a reader sees the whole file or none, with mode
 * 0640. Makes the directory. Errors of open, write and rename. */
NN_MUST_CHECK int plated_snapshot_write(const char *directory, const char *name,
                                        const uint8_t *bytes, size_t n, NnError *error);

typedef struct PlatedSnapshotLimits {
    size_t keep; /* files */
    int64_t quota_bytes;
    int64_t oldest_us; /* wall clock; 0: any age */
} PlatedSnapshotLimits;

/* Deletes the oldest .jpg files beyond the limits. */
void plated_snapshot_trim(const char *directory, const PlatedSnapshotLimits *limits);
