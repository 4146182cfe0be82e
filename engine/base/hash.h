/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* XXH64 with seed 0, after the published specification of xxHash: against
 * damage, not against intent. */

#include <stddef.h>
#include <stdint.h>

typedef struct NnHash {
    uint64_t lanes[4];
    uint64_t n_bytes;
    uint8_t rest[32];   /* n_bytes % 32 bytes that no stripe has taken yet */
} NnHash;

void nn_hash_start(NnHash *hash);
void nn_hash_add(NnHash *hash, const void *bytes, size_t n_bytes);
uint64_t nn_hash_end(const NnHash *hash);

uint64_t nn_hash_bytes(const void *bytes, size_t n_bytes);
