/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Plates as keyed hashes: the same plate gives the same hash, and only who has the key
 * can tell which. HMAC-SHA-256 (RFC 2104) of the characters without separators, capital,
 * O as 0. A hash without a key would hide nothing: all plates of a state are tried in
 * seconds. */

#include "config.h"

typedef struct PlatedPrivacy PlatedPrivacy;

/* 64 hexadecimal digits and a zero. */
#define PLATED_HASH_BYTES 65

/* *ret_privacy is NULL when plates are told as they are. The key comes from
 * $CREDENTIALS_DIRECTORY/plate-key or `[privacy] key_file`, which others must not be able
 * to read. -EINVAL without one or with a short one. */
NN_MUST_CHECK int plated_privacy_new(const PlatedConfig *config, PlatedPrivacy **ret_privacy,
                                     NnError *error);
/* NULL is fine. Returns NULL. */
PlatedPrivacy *plated_privacy_free(PlatedPrivacy *privacy);

/* Any thread. */
void plated_privacy_hash(const PlatedPrivacy *privacy, const char *plate,
                         char ret_hash[PLATED_HASH_BYTES]);
