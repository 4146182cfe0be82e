/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <endian.h>

#include "base/util.h"

#define PRIME_1 0x9e3779b185ebca87u
#define PRIME_2 0xc2b2ae3d27d4eb4fu
#define PRIME_3 0x165667b19e3779f9u
#define PRIME_4 0x85ebca77c2b2ae63u
#define PRIME_5 0x27d4eb2f165667c5u

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof(x));
    return le64toh(x);
}

static uint64_t load32(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof(x));
    return le32toh(x);
}

static uint64_t mix(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * PRIME_2, 31) * PRIME_1;
}

static void add_stripes(uint64_t lanes[4], const uint8_t *p, size_t n)
{
    uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];

    for (; n > 0; n--, p += 32) {
        a = mix(a, load64(p));
        b = mix(b, load64(p + 8));
        c = mix(c, load64(p + 16));
        d = mix(d, load64(p + 24));
    }
    lanes[0] = a;
    lanes[1] = b;
    lanes[2] = c;
    lanes[3] = d;
}

void nn_hash_start(NnHash *hash)
{
    *hash = (NnHash){ .lanes = { PRIME_1 + PRIME_2, PRIME_2, 0, 0 - PRIME_1 } };
}

void nn_hash_add(NnHash *hash, const void *bytes, size_t n_bytes)
{
    const uint8_t *p = bytes;
    size_t waiting = hash->n_bytes % 32;

    if (n_bytes == 0)
        return;
    hash->n_bytes += n_bytes;
    if (waiting > 0) {
        size_t n = NN_MIN(n_bytes, 32 - waiting);

        memcpy(hash->rest + waiting, p, n);
        p += n;
        n_bytes -= n;
        if (waiting + n < 32)
            return;
        add_stripes(hash->lanes, hash->rest, 1);
    }
    add_stripes(hash->lanes, p, n_bytes / 32);
    memcpy(hash->rest, p + n_bytes / 32 * 32, n_bytes % 32);
}

static uint64_t merge_lanes(const uint64_t lanes[4])
{
    uint64_t h = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) +
                 rotate(lanes[3], 18);

    for (int i = 0; i < 4; i++)
        h = (h ^ mix(0, lanes[i])) * PRIME_1 + PRIME_4;
    return h;
}

uint64_t nn_hash_end(const NnHash *hash)
{
    const uint8_t *p = hash->rest;
    size_t n = hash->n_bytes % 32;
    uint64_t h = hash->n_bytes < 32 ? PRIME_5 : merge_lanes(hash->lanes);

    h += hash->n_bytes;
    for (; n >= 8; n -= 8, p += 8)
        h = rotate(h ^ mix(0, load64(p)), 27) * PRIME_1 + PRIME_4;
    for (; n >= 4; n -= 4, p += 4)
        h = rotate(h ^ load32(p) * PRIME_1, 23) * PRIME_2 + PRIME_3;
    for (; n > 0; n--, p++)
        h = rotate(h ^ *p * PRIME_5, 11) * PRIME_1;
    h = (h ^ h >> 33) * PRIME_2;
    h = (h ^ h >> 29) * PRIME_3;
    return h ^ h >> 32;
}

uint64_t nn_hash_bytes(const void *bytes, size_t n_bytes)
{
    NnHash hash;

    nn_hash_start(&hash);
    nn_hash_add(&hash, bytes, n_bytes);
    return nn_hash_end(&hash);
}
