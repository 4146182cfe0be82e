/* SPDX-License-Identifier: Apache-2.0 */

/* The configuration: every kind of value, every refusal with its sentence, and
 * the files that are written from the table. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "check.h"
#include "config.h"
#include "log.h"

typedef struct Warnings {
    unsigned n;
    char last[256];
} Warnings;

static void warn(void *userdata, const char *sentence)
{
    Warnings *warnings = userdata;

    warnings->n++;
    g_strlcpy(warnings->last, sentence, sizeof(warnings->last));
}

static PlatedConfig *parse(const char *text)
{
    PlatedConfig *config = NULL;
    Warnings warnings = {0};
    NnError error = {0};
    int r;

    r = plated_config_parse("t.conf", text, strlen(text), warn, &warnings, &config, &error);
    if (r < 0) {
        fprintf(stderr, "refused: %s\n", error.message);
        exit(1);
    }
    CHECK_EQUAL(warnings.n, 0);
    return config;
}

static void check_refused(const char *text, const char *sentence)
{
    PlatedConfig *config = NULL;
    NnError error = {0};

    CHECK_EQUAL(plated_config_parse("t.conf", text, strlen(text), NULL, NULL, &config, &error),
                -EINVAL);
    CHECK(!config);
    CHECK_TEXT(error.message, sentence);
}

static void test_defaults(void)
{
    PlatedConfig *config = parse("");

    CHECK_TEXT(config->camera.name, "gate");
    CHECK_TEXT(config->camera.source, "v4l2:/dev/video0");
    CHECK_EQUAL(config->camera.silence_us, 10000000);
    CHECK_EQUAL(config->passage.quiet_us, 2000000);
    CHECK_EQUAL(config->passage.rearm_us, 45000000);
    CHECK(config->recognition.detect_threshold == 0.35);
    CHECK_EQUAL(config->mqtt.protocol, PLATED_PROTOCOL_3_1_1);
    CHECK_EQUAL(config->outbox.max_age_us, 7 * 86400 * (int64_t)1000000);
    CHECK_EQUAL(plated_config_log_level(config), PLATED_LOG_INFO);
    CHECK(!plated_config_isa(config));
    plated_config_free(config);
}

static void test_values(void)
{
    PlatedConfig *config =
        parse("# a comment\n"
              "; another\r\n"
              "[camera]\n"
              "  name=north-1  \r\n"
              "source = gst: videotestsrc ! video/x-raw,width=64 # not a comment\n"
              "fps = 12.5\n"
              "loop = YES\n"
              "[passage]\n"
              "quiet = 1500ms\n"
              "longest = 1 min\n"
              "rearm = 0.5h\n"
              "[mqtt]\n"
              "protocol = 5\n"
              "password_file =\n"
              "[camera]\n"
              "realtime = on\n"
              "[engine]\n"
              "isa = neon\n"
              "[log]\n"
              "level = debug");

    CHECK_TEXT(config->camera.name, "north-1");
    CHECK_TEXT(config->camera.source, "gst: videotestsrc ! video/x-raw,width=64 # not a comment");
    CHECK(config->camera.fps == 12.5);
    CHECK(config->camera.loop);
    CHECK(config->camera.realtime);
    CHECK_EQUAL(config->passage.quiet_us, 1500000);
    CHECK_EQUAL(config->passage.longest_us, 60000000);
    CHECK_EQUAL(config->passage.rearm_us, 1800 * (int64_t)1000000);
    CHECK_EQUAL(config->mqtt.protocol, PLATED_PROTOCOL_5);
    CHECK_TEXT(config->mqtt.password_file, "");
    CHECK_TEXT(plated_config_isa(config), "neon");
    CHECK_EQUAL(plated_config_log_level(config), PLATED_LOG_DEBUG);
    plated_config_free(config);
}

static void test_refusals(void)
{
    check_refused("[mqtt]\n\nport = 70000\n",
                  "t.conf:3: [mqtt] port: expected a whole number from 0 to 65535, found '70000'");
    check_refused("[mqtt]\nport = 1883 # the usual\n",
                  "t.conf:2: [mqtt] port: expected a whole number from 0 to 65535, found "
                  "'1883 # the usual'");
    check_refused("[mqtt]\nport =\n",
                  "t.conf:2: [mqtt] port: expected a whole number from 0 to 65535, found ''");
    check_refused("[camera]\nloop = maybe\n",
                  "t.conf:2: [camera] loop: expected yes or no, found 'maybe'");
    check_refused("[camera]\nname = a/b\n",
                  "t.conf:2: [camera] name: expected a name of up to 64 bytes without '/', '+', "
                  "'#', '$' or spaces, found 'a/b'");
    check_refused("[mqtt]\nprefix = plated/\n",
                  "t.conf:2: [mqtt] prefix: expected a topic of up to 128 bytes without '+', '#', "
                  "'$', spaces, or '/' at its ends, found 'plated/'");
    check_refused("[recognition]\ndetect_threshold = 1.5\n",
                  "t.conf:2: [recognition] detect_threshold: expected a number from 0.01 to 1, "
                  "found '1.5'");
    check_refused("[recognition]\ndetect_threshold = nan\n",
                  "t.conf:2: [recognition] detect_threshold: expected a number from 0.01 to 1, "
                  "found 'nan'");
    check_refused("[passage]\nquiet = 2 parsecs\n",
                  "t.conf:2: [passage] quiet: expected a time from 100ms to 10min (units ms, s, "
                  "min, h, d; s when there is none), found '2 parsecs'");
    check_refused("[outbox]\nfile = outbox.db\n",
                  "t.conf:2: [outbox] file: expected an absolute path, or nothing, found "
                  "'outbox.db'");
    check_refused("[mqtt]\nprotocol = 4\n",
                  "t.conf:2: [mqtt] protocol: expected one of 3.1.1, 5, found '4'");
    check_refused("[mqtt]\nhost =\n", "t.conf:2: [mqtt] host: expected text, found ''");
    check_refused("[mqtt]\nhost = a\nhost = b\n", "t.conf:3: [mqtt] host is already set in line 2");
    check_refused("host = a\n", "t.conf:1: host stands before the first [section]");
    check_refused("[mqtt\n", "t.conf:1: expected a section such as [mqtt], found '[mqtt'");
    check_refused("[]\n", "t.conf:1: expected a section such as [mqtt], found '[]'");
    check_refused("[mqtt]\nhost\n", "t.conf:2: expected [section] or key = value, found 'host'");
    check_refused("[mqtt]\nhost = \xff\n", "t.conf:2: not UTF-8 text");
}

static void test_together(void)
{
    check_refused("[mqtt]\nca_file = /ca.pem\n", "t.conf:2: [mqtt] ca_file needs tls = yes");
    check_refused("[mqtt]\ntls = yes\ncert_file = /c.pem\n",
                  "t.conf:3: [mqtt] cert_file needs a key_file");
    check_refused("[mqtt]\npassword_file = /p\n",
                  "t.conf:2: [mqtt] password_file needs a username");
    check_refused(
        "[passage]\nlongest = 1s\n",
        "t.conf:2: [passage] longest does not fit: quiet must not be longer than longest");
    check_refused("[camera]\nwidth = 640\n",
                  "t.conf:2: [camera] width does not fit: width and height must both be set, or "
                  "both be 0");
}

static void test_unknown(void)
{
    static const char text[] = "[mqtt]\nhots = a\n[outbox]\nmax_rows = 5\n[nonsense]\nkey = 1\n";
    PlatedConfig *config = NULL;
    Warnings warnings = {0};

    CHECK_EQUAL(plated_config_parse("t.conf", text, strlen(text), warn, &warnings, &config, NULL),
                0);
    CHECK_EQUAL(warnings.n, 2);
    CHECK_TEXT(warnings.last, "t.conf:5: there is no section [nonsense]; its keys are ignored");
    CHECK_EQUAL(config->outbox.max_rows, 5);
    plated_config_free(config);
}

static void test_zero_byte(void)
{
    PlatedConfig *config = NULL;
    NnError error = {0};

    CHECK_EQUAL(plated_config_parse("t.conf", "[mqtt]\n\0", 8, NULL, NULL, &config, &error),
                -EINVAL);
    CHECK_TEXT(error.message, "t.conf:2: not UTF-8 text");
}

static void test_equal(void)
{
    PlatedConfig *a = parse("[camera]\nname = a\n"), *b = parse("[camera]\nname = b\n");

    CHECK(!plated_config_equal(a, b, "camera", NULL));
    CHECK(plated_config_equal(a, b, "camera", "name"));
    CHECK(plated_config_equal(a, b, "mqtt", NULL));
    plated_config_free(a);
    plated_config_free(b);
}

static char *printed(void (*print)(FILE *stream))
{
    char *text = NULL;
    size_t n = 0;
    FILE *stream = open_memstream(&text, &n);

    print(stream);
    fclose(stream);
    return text;
}

/* What is printed can be read, means the defaults, and is what lies in the tree. */
static void test_printed(const char *root)
{
    char *text = printed(plated_config_print_defaults);
    char *page = printed(plated_config_print_reference);
    g_autofree char *config_path = g_build_filename(root, "config", "plated.conf", NULL);
    g_autofree char *page_path = g_build_filename(root, "docs", "configuration.md", NULL);
    g_autofree char *config_file = NULL, *page_file = NULL;
    PlatedConfig *defaults = parse(""), *read = parse(text);

    for (size_t i = 0; i < plated_config_table_n; i++)
        CHECK(plated_config_equal(defaults, read, plated_config_table[i].section, NULL));
    CHECK(g_file_get_contents(config_path, &config_file, NULL, NULL));
    CHECK(g_file_get_contents(page_path, &page_file, NULL, NULL));
    CHECK_TEXT(config_file, text);
    CHECK_TEXT(page_file, page);
    plated_config_free(defaults);
    plated_config_free(read);
    free(text);
    free(page);
}

/* The table's own promises: each default is good, each key has a text and is
 * there once. */
static void test_table(void)
{
    for (size_t i = 0; i < plated_config_table_n; i++) {
        const PlatedConfigEntry *a = &plated_config_table[i];

        CHECK(*a->doc && a->doc[strlen(a->doc) - 1] == '.');
        for (size_t k = 0; k < i; k++) {
            const PlatedConfigEntry *b = &plated_config_table[k];

            CHECK(strcmp(a->section, b->section) != 0 || strcmp(a->key, b->key) != 0);
            CHECK(a->offset != b->offset);
        }
    }
}

static void test_load(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "plated.conf", NULL);
    PlatedConfig *config = NULL;
    NnError error = {0};

    CHECK_EQUAL(plated_config_load(path, NULL, NULL, &config, &error), -ENOENT);
    CHECK_CONTAINS(error.message, "plated.conf: No such file or directory");
    CHECK_EQUAL(plated_config_load(folder, NULL, NULL, &config, &error), -EISDIR);
    CHECK(g_file_set_contents(path, "[mqtt]\nhost = there\n", -1, NULL));
    CHECK_EQUAL(plated_config_load(path, NULL, NULL, &config, &error), 0);
    CHECK_TEXT(config->mqtt.host, "there");
    snprintf(error.message, sizeof(error.message), "gone");
    CHECK_EQUAL(plated_config_blame(config, "mqtt", "host", -EIO, &error), -EIO);
    CHECK_CONTAINS(error.message, "plated.conf:2: [mqtt] host: gone");
    plated_config_free(config);
}

static void test_password(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "password", NULL);
    g_autofree char *credential = g_build_filename(folder, "mqtt-password", NULL);
    g_autofree char *text = g_strdup_printf("[mqtt]\nusername = u\npassword_file = %s\n", path);
    PlatedConfig *config = parse(text);
    char *password = NULL;
    NnError error = {0};

    CHECK_EQUAL(plated_config_password(config, &password, &error), -ENOENT);
    CHECK(g_file_set_contents(path, "sesame\nrest\n", -1, NULL));
    CHECK_EQUAL(chmod(path, 0644), 0);
    CHECK_EQUAL(plated_config_password(config, &password, &error), -EPERM);
    CHECK_CONTAINS(error.message, "mode 0644 lets others read the secret, expected 0600");
    CHECK_EQUAL(chmod(path, 0600), 0);
    CHECK_EQUAL(plated_config_password(config, &password, &error), 0);
    CHECK_TEXT(password, "sesame");
    free(password);

    CHECK_EQUAL(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    CHECK(g_file_set_contents(credential, "from systemd", -1, NULL));
    CHECK_EQUAL(plated_config_password(config, &password, &error), 0);
    CHECK_TEXT(password, "from systemd");
    CHECK_EQUAL(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    free(password);
    plated_config_free(config);
}

int main(int argc, char **argv)
{
    g_autofree char *folder = g_dir_make_tmp("plated-config-XXXXXX", NULL);
    g_autofree char *clean = g_strdup_printf("rm -r '%s'", folder);

    test_defaults();
    test_values();
    test_refusals();
    test_together();
    test_unknown();
    test_zero_byte();
    test_equal();
    test_table();
    test_printed(argv[1]);
    test_load(folder);
    test_password(folder);
    CHECK_EQUAL(system(clean), 0);
    return 0;
}
