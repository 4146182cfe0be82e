/* SPDX-License-Identifier: Apache-2.0 */

/* Hashes of plates, and where their key comes from. */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "check.h"
#include "privacy.h"

static PlatedConfig *config_of(const char *text)
{
    PlatedConfig *config = NULL;

    CHECK_EQUAL(plated_config_parse("test", text, strlen(text), NULL, NULL, &config, NULL), 0);
    return config;
}

static void write_key(const char *path, const char *key)
{
    CHECK(g_file_set_contents(path, key, -1, NULL));
    CHECK_EQUAL(chmod(path, 0600), 0);
}

/* Computed with `openssl dgst -sha256 -hmac 0123456789abcdef`. */
static void test_hash(const char *path)
{
    g_autofree char *text = g_strdup_printf("[privacy]\nhash = yes\nkey_file = %s\n", path);
    PlatedConfig *config = config_of(text);
    PlatedPrivacy *privacy = NULL;
    char hash[PLATED_HASH_BYTES], other[PLATED_HASH_BYTES];

    write_key(path, "0123456789abcdef\n");
    CHECK_EQUAL(plated_privacy_new(config, &privacy, NULL), 0);
    plated_privacy_hash(privacy, "7ABC120", hash);
    CHECK_TEXT(hash, "061b04c33ff28b4691338ffe7eae656f90b3c6e7e699adfc6a8d3e6a7b08460c");
    plated_privacy_hash(privacy, "7abc-12O", other);
    CHECK_TEXT(other, hash);
    plated_privacy_hash(privacy, "7ABC121", other);
    CHECK(strcmp(other, hash) != 0);
    plated_privacy_free(privacy);
    plated_config_free(config);
}

static void check_refused(const char *text, int code, const char *sentence)
{
    PlatedConfig *config = config_of(text);
    PlatedPrivacy *privacy = NULL;
    NnError error = {0};

    CHECK_EQUAL(plated_privacy_new(config, &privacy, &error), code);
    CHECK_CONTAINS(error.message, sentence);
    plated_config_free(config);
}

static void test_keys(const char *path)
{
    g_autofree char *text = g_strdup_printf("[privacy]\nhash = yes\nkey_file = %s\n", path);
    PlatedConfig *config = config_of("[privacy]\nhash = no\n");
    PlatedPrivacy *privacy = NULL;

    CHECK_EQUAL(plated_privacy_new(config, &privacy, NULL), 0);
    CHECK(!privacy);
    plated_config_free(config);
    check_refused("[privacy]\nhash = yes\n", -EINVAL,
                  "test:2: [privacy] hash: expected a key of 16 characters or more, found none");
    write_key(path, "short\n");
    check_refused(text, -EINVAL, "found a shorter one");
    CHECK_EQUAL(chmod(path, 0644), 0);
    check_refused(text, -EPERM, "mode 0644 lets others read the secret, expected 0600");
}

static void test_no_pictures(void)
{
    static const char text[] = "[privacy]\nhash = yes\n[snapshot]\npublish = yes\n";
    PlatedConfig *config = NULL;
    NnError error = {0};

    CHECK_EQUAL(plated_config_parse("test", text, strlen(text), NULL, NULL, &config, &error),
                -EINVAL);
    CHECK_TEXT(error.message,
               "test:2: [privacy] hash = yes keeps no pictures, but [snapshot] does");
}

int main(void)
{
    g_autofree char *folder = g_dir_make_tmp("plated-privacy-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "key", NULL);

    unsetenv("CREDENTIALS_DIRECTORY");
    test_hash(path);
    test_keys(path);
    test_no_pictures();
    unlink(path);
    rmdir(folder);
    return 0;
}
