/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What reading one document needs: pieces that are freed together. */

#include "base/util.h"

typedef struct NnefChunk NnefChunk;

typedef struct NnefMemory {
    NnefChunk *chunks;
    size_t total;
} NnefMemory;

/* Zeroed. NULL when there is none, or beyond NN_LIMIT_NNEF_BYTES. */
void *nn_nnef_alloc(NnefMemory *memory, size_t n, size_t size);

/* A string of these bytes. */
char *nn_nnef_string(NnefMemory *memory, const char *bytes, size_t n);

void nn_nnef_memory_clear(NnefMemory *memory);

/* Names to pointers. Zero-initialise. */
typedef struct NnefMapEntry {
    const char *name;
    void *value;
} NnefMapEntry;

typedef struct NnefMap {
    NnefMapEntry *entries;
    size_t n, capacity;     /* a power of two */
} NnefMap;

void *nn_nnef_map_get(const NnefMap *map, const char *name);

/* The name must be new and outlive the map. -ENOMEM. */
NN_MUST_CHECK int nn_nnef_map_add(NnefMap *map, NnefMemory *memory, const char *name, void *value);
