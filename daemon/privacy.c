/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy.h"

#include <errno.h>
#include <string.h>

#include <glib.h>

#include "base/util.h"

#define KEY_BYTES_MIN 16

struct PlatedPrivacy {
    char *key;
};

int plated_privacy_new(const PlatedConfig *config, PlatedPrivacy **ret_privacy, NnError *error)
{
    _cleanup_free_ char *key = NULL;
    int r;

    *ret_privacy = NULL;
    if (!config->privacy.hash)
        return 0;
    r = plated_config_secret("plate-key", config->privacy.key_file, &key, error);
    if (r < 0)
        return plated_config_blame(config, "privacy", "key_file", r, error);
    if (!key || strlen(key) < KEY_BYTES_MIN) {
        r = nn_error_set(error, -EINVAL, "expected a key of %d characters or more, found %s",
                         KEY_BYTES_MIN, key ? "a shorter one" : "none");
        return plated_config_blame(config, "privacy", "hash", r, error);
    }
    *ret_privacy = g_new0(PlatedPrivacy, 1);
    (*ret_privacy)->key = NN_TAKE(key);
    return 0;
}

PlatedPrivacy *plated_privacy_free(PlatedPrivacy *privacy)
{
    if (!privacy)
        return NULL;
    free(privacy->key);
    g_free(privacy);
    return NULL;
}

void plated_privacy_hash(const PlatedPrivacy *privacy, const char *plate,
                         char ret_hash[PLATED_HASH_BYTES])
{
    GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *)privacy->key, strlen(privacy->key));

    for (const char *c = plate; *c; c++) {
        guchar symbol = (guchar)g_ascii_toupper(*c);

        if (symbol == 'O')
            symbol = '0';
        if (g_ascii_isalnum(symbol))
            g_hmac_update(hmac, &symbol, 1);
    }
    g_strlcpy(ret_hash, g_hmac_get_string(hmac), PLATED_HASH_BYTES);
    g_hmac_unref(hmac);
}
