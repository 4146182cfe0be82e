/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/memory.h"

#include "base/limits.h"

#define CHUNK_BYTES ((size_t)64 << 10)

struct NnefChunk {
    NnefChunk *next;
    size_t used, size;
    max_align_t bytes[];
};

static NnefChunk *new_chunk(NnefMemory *memory, size_t bytes)
{
    NnefChunk *chunk;

    if (bytes > NN_LIMIT_NNEF_BYTES - memory->total)
        return NULL;
    chunk = calloc(1, sizeof(*chunk) + bytes);
    if (!chunk)
        return NULL;
    memory->total += bytes;
    chunk->size = bytes;
    chunk->next = memory->chunks;
    memory->chunks = chunk;
    return chunk;
}

void *nn_nnef_alloc(NnefMemory *memory, size_t n, size_t size)
{
    NnefChunk *chunk = memory->chunks;
    size_t bytes;

    if (nn_mul_size(n, size, &bytes) < 0 || bytes > NN_LIMIT_NNEF_BYTES)
        return NULL;
    bytes = nn_align_up(NN_MAX(bytes, 1), sizeof(max_align_t));
    if (!chunk || chunk->size - chunk->used < bytes)
        chunk = new_chunk(memory, NN_MAX(bytes, CHUNK_BYTES));
    if (!chunk)
        return NULL;
    chunk->used += bytes;
    return (char *)chunk->bytes + chunk->used - bytes;
}

char *nn_nnef_string(NnefMemory *memory, const char *bytes, size_t n)
{
    char *s = nn_nnef_alloc(memory, n + 1, 1);

    if (s && n)
        memcpy(s, bytes, n);
    return s;
}

void nn_nnef_memory_clear(NnefMemory *memory)
{
    while (memory->chunks) {
        NnefChunk *next = memory->chunks->next;

        free(memory->chunks);
        memory->chunks = next;
    }
    memory->total = 0;
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
static uint64_t hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325;

    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3;
    return h;
}

/* The entry of that name, or the free one where it belongs. */
static NnefMapEntry *find(const NnefMap *map, const char *name)
{
    size_t i = hash(name) & (map->capacity - 1);

    while (map->entries[i].name && strcmp(map->entries[i].name, name) != 0)
        i = (i + 1) & (map->capacity - 1);
    return &map->entries[i];
}

void *nn_nnef_map_get(const NnefMap *map, const char *name)
{
    return map->capacity ? find(map, name)->value : NULL;
}

int nn_nnef_map_add(NnefMap *map, NnefMemory *memory, const char *name, void *value)
{
    if (2 * (map->n + 1) > map->capacity) {
        NnefMap bigger = { .n = map->n, .capacity = NN_MAX(2 * map->capacity, 16) };

        bigger.entries = nn_nnef_alloc(memory, bigger.capacity, sizeof(bigger.entries[0]));
        if (!bigger.entries)
            return -ENOMEM;
        for (size_t i = 0; i < map->capacity; i++)
            if (map->entries[i].name)
                *find(&bigger, map->entries[i].name) = map->entries[i];
        *map = bigger;
    }
    *find(map, name) = (NnefMapEntry){ .name = name, .value = value };
    map->n++;
    return 0;
}
