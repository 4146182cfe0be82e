/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "base/util.h"
#include "log.h"

#define CONFIG_BYTES_MAX ((size_t)1 << 20)
#define SECRET_BYTES_MAX 4096

NN_DEFINE_CLEANUP(PlatedConfig, plated_config_free)

static void close_fdp(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static void *entry_field(const PlatedConfig *config, const PlatedConfigEntry *entry)
{
    return (char *)config + entry->offset;
}

int plated_config_new(PlatedConfig **ret_config)
{
    _cleanup_(plated_config_freep) PlatedConfig *config = calloc(1, sizeof(*config));

    if (!config)
        return -ENOMEM;
    for (size_t i = 0; i < plated_config_table_n; i++) {
        const PlatedConfigEntry *entry = &plated_config_table[i];
        int r;

        r = entry->type->parse(entry, entry->value, entry_field(config, entry));
        if (r < 0)
            return r;
    }
    *ret_config = NN_TAKE(config);
    return 0;
}

PlatedConfig *plated_config_free(PlatedConfig *config)
{
    if (!config)
        return NULL;
    for (size_t i = 0; i < plated_config_table_n; i++)
        if (plated_config_table[i].type->owns_string)
            free(*(char **)entry_field(config, &plated_config_table[i]));
    g_free(config->file);
    g_free(config->lines);
    free(config);
    return NULL;
}

/* ---- parsing ------------------------------------------------------------- */

typedef struct Parser {
    const char *name;
    unsigned line;
    char *section; /* within the text; NULL before the first */
    bool section_known;
    PlatedConfig *config;
    PlatedConfigWarnFunc warn;
    void *userdata;
    NnError *error;
} Parser;

static void parser_warn(const Parser *parser, const char *format, ...) NN_PRINTF(2, 3);

static void parser_warn(const Parser *parser, const char *format, ...)
{
    g_autofree char *text = NULL, *sentence = NULL;
    va_list args;

    if (!parser->warn)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    sentence = g_strdup_printf("%s:%u: %s", parser->name, parser->line, text);
    parser->warn(parser->userdata, sentence);
}

/* Values may be long or secret-looking; a sentence shows their beginning. */
static const char *shortened(const char *value, char buffer[64])
{
    g_strlcpy(buffer, value, 60);
    if (strlen(value) >= 60) {
        char *end = buffer + 56;

        while (end > buffer && ((unsigned char)*end & 0xc0) == 0x80)
            end--;
        strcpy(end, "…");
    }
    return buffer;
}

static bool section_is_known(const char *section)
{
    for (size_t i = 0; i < plated_config_table_n; i++)
        if (strcmp(plated_config_table[i].section, section) == 0)
            return true;
    return false;
}

static int parse_section(Parser *parser, char *text)
{
    size_t n = strlen(text);
    char found[64];

    if (n < 3 || text[n - 1] != ']')
        return nn_error_set(parser->error, -EINVAL,
                            "%s:%u: expected a section such as [mqtt], found '%s'", parser->name,
                            parser->line, shortened(text, found));
    text[n - 1] = '\0';
    parser->section = g_strstrip(text + 1);
    parser->section_known = section_is_known(parser->section);
    if (!parser->section_known)
        parser_warn(parser, "there is no section [%s]; its keys are ignored",
                    shortened(parser->section, found));
    return 0;
}

static int parse_value(Parser *parser, size_t index, const char *value)
{
    const PlatedConfigEntry *entry = &plated_config_table[index];
    char expected[256], found[64];
    int r;

    if (parser->config->lines[index])
        return nn_error_set(parser->error, -EINVAL, "%s:%u: [%s] %s is already set in line %u",
                            parser->name, parser->line, entry->section, entry->key,
                            parser->config->lines[index]);
    parser->config->lines[index] = parser->line;
    r = entry->type->parse(entry, value, entry_field(parser->config, entry));
    if (r == -EINVAL) {
        entry->type->expected(entry, expected, sizeof(expected));
        return nn_error_set(parser->error, r, "%s:%u: [%s] %s: expected %s, found '%s'",
                            parser->name, parser->line, entry->section, entry->key, expected,
                            shortened(value, found));
    }
    return r < 0 ? nn_error_set(parser->error, r, "out of memory") : 0;
}

static int parse_assignment(Parser *parser, char *text)
{
    char *equals = strchr(text, '='), *key = text, *value;
    char found[64];

    if (!equals)
        return nn_error_set(parser->error, -EINVAL,
                            "%s:%u: expected [section] or key = value, found '%s'", parser->name,
                            parser->line, shortened(text, found));
    *equals = '\0';
    key = g_strstrip(key);
    value = g_strstrip(equals + 1);
    if (!parser->section)
        return nn_error_set(parser->error, -EINVAL, "%s:%u: %s stands before the first [section]",
                            parser->name, parser->line, shortened(key, found));
    for (size_t i = 0; i < plated_config_table_n; i++)
        if (strcmp(plated_config_table[i].section, parser->section) == 0 &&
            strcmp(plated_config_table[i].key, key) == 0)
            return parse_value(parser, i, value);
    if (parser->section_known)
        parser_warn(parser, "[%s] has no key '%s'; it is ignored", parser->section,
                    shortened(key, found));
    return 0;
}

static int parse_lines(Parser *parser, char *text)
{
    for (char *next; text; text = next) {
        char *line;
        int r = 0;

        parser->line++;
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        line = g_strstrip(text);
        if (*line == '\0' || *line == '#' || *line == ';')
            continue;
        r = *line == '[' ? parse_section(parser, line) : parse_assignment(parser, line);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- what must fit together ---------------------------------------------- */

static unsigned line_of(const PlatedConfig *config, const char *section, const char *key)
{
    for (size_t i = 0; i < plated_config_table_n; i++)
        if (strcmp(plated_config_table[i].section, section) == 0 &&
            strcmp(plated_config_table[i].key, key) == 0)
            return config->lines[i];
    return 0;
}

static int refuse(const Parser *parser, const char *section, const char *key, const char *reason)
{
    return nn_error_set(parser->error, -EINVAL, "%s:%u: [%s] %s %s", parser->name,
                        line_of(parser->config, section, key), section, key, reason);
}

int plated_config_blame(const PlatedConfig *config, const char *section, const char *key, int code,
                        NnError *error)
{
    unsigned line = line_of(config, section, key);

    if (line)
        return nn_error_prefix(error, code, "%s:%u: [%s] %s", config->file, line, section, key);
    return nn_error_prefix(error, code, "%s: [%s] %s (by default)", config->file, section, key);
}

static int check_together(const Parser *parser)
{
    const PlatedConfig *c = parser->config;

    if (!c->mqtt.tls && *c->mqtt.ca_file)
        return refuse(parser, "mqtt", "ca_file", "needs tls = yes");
    if (!c->mqtt.tls && *c->mqtt.cert_file)
        return refuse(parser, "mqtt", "cert_file", "needs tls = yes");
    if (*c->mqtt.cert_file && !*c->mqtt.key_file)
        return refuse(parser, "mqtt", "cert_file", "needs a key_file");
    if (*c->mqtt.key_file && !*c->mqtt.cert_file)
        return refuse(parser, "mqtt", "key_file", "needs a cert_file");
    if (*c->mqtt.password_file && !*c->mqtt.username)
        return refuse(parser, "mqtt", "password_file", "needs a username");
    if (c->passage.quiet_us > c->passage.longest_us)
        return refuse(parser, "passage", line_of(c, "passage", "quiet") ? "quiet" : "longest",
                      "does not fit: quiet must not be longer than longest");
    if (c->privacy.hash &&
        (*c->snapshot.directory || c->snapshot.publish || c->snapshot.publish_crop))
        return refuse(parser, "privacy", "hash", "= yes keeps no pictures, but [snapshot] does");
    if ((c->camera.width_px == 0) != (c->camera.height_px == 0))
        return refuse(parser, "camera", c->camera.width_px ? "width" : "height",
                      "does not fit: width and height must both be set, or both be 0");
    return 0;
}

int plated_config_parse(const char *name, const char *text, size_t n, PlatedConfigWarnFunc warn,
                        void *userdata, PlatedConfig **ret_config, NnError *error)
{
    _cleanup_(plated_config_freep) PlatedConfig *config = NULL;
    g_autofree char *copy = NULL;
    Parser parser = {.name = name, .warn = warn, .userdata = userdata, .error = error};
    const char *valid_end;
    int r;

    if (n > CONFIG_BYTES_MAX)
        return nn_error_set(error, -E2BIG, "%s: longer than %zu bytes", name, CONFIG_BYTES_MAX);
    if (!g_utf8_validate(text, (gssize)n, &valid_end)) {
        unsigned line = 1;

        for (const char *c = text; c < valid_end; c++)
            line += *c == '\n';
        return nn_error_set(error, -EINVAL, "%s:%u: not UTF-8 text", name, line);
    }
    r = plated_config_new(&config);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    copy = g_strndup(text, n);
    config->file = g_strdup(name);
    config->lines = g_new0(unsigned, plated_config_table_n);
    parser.config = config;
    r = parse_lines(&parser, copy);
    if (r < 0)
        return r;
    r = check_together(&parser);
    if (r < 0)
        return r;
    *ret_config = NN_TAKE(config);
    return 0;
}

/* ---- files --------------------------------------------------------------- */

/* At most `max` bytes and a zero. */
static int read_file(int fd, size_t max, char **ret_text, size_t *ret_n)
{
    _cleanup_free_ char *text = malloc(max + 2);
    size_t n = 0;

    if (!text)
        return -ENOMEM;
    for (;;) {
        ssize_t got = read(fd, text + n, max + 1 - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max)
            return -E2BIG;
    }
    text[n] = '\0';
    *ret_text = NN_TAKE(text);
    *ret_n = n;
    return 0;
}

int plated_config_load(const char *path, PlatedConfigWarnFunc warn, void *userdata,
                       PlatedConfig **ret_config, NnError *error)
{
    _cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *text = NULL;
    size_t n;
    int r;

    r = fd < 0 ? -errno : read_file(fd, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0)
        return nn_error_set(error, r, "%s: %s", path,
                            r == -E2BIG ? "too long for a configuration" : strerror(-r));
    return plated_config_parse(path, text, n, warn, userdata, ret_config, error);
}

static int check_secret(int fd, const char *path, NnError *error)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return nn_error_set(error, -EINVAL, "%s: expected a regular file", path);
    if (st.st_mode & 077)
        return nn_error_set(error, -EPERM,
                            "%s: mode %04o lets others read the secret, expected 0600", path,
                            (unsigned)st.st_mode & 07777);
    return 0;
}

/* The first line of a file. A credential is guarded by systemd; other files
 * must not be readable by others. */
static int read_secret(const char *path, bool credential, char **ret_secret, NnError *error)
{
    _cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t n;
    int r;

    if (fd < 0)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    r = credential ? 0 : check_secret(fd, path, error);
    if (r < 0)
        return r;
    r = read_file(fd, SECRET_BYTES_MAX, ret_secret, &n);
    if (r < 0)
        return nn_error_set(error, r, "%s: %s", path,
                            r == -E2BIG ? "too long for a secret" : strerror(-r));
    (*ret_secret)[strcspn(*ret_secret, "\r\n")] = '\0';
    return 0;
}

int plated_config_secret(const char *credential, const char *file, char **ret_secret,
                         NnError *error)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");

    if (directory) {
        g_autofree char *path = g_build_filename(directory, credential, NULL);

        if (access(path, F_OK) == 0)
            return read_secret(path, true, ret_secret, error);
    }
    if (*file)
        return read_secret(file, false, ret_secret, error);
    *ret_secret = NULL;
    return 0;
}

int plated_config_password(const PlatedConfig *config, char **ret_password, NnError *error)
{
    return plated_config_secret("mqtt-password", config->mqtt.password_file, ret_password, error);
}

/* ---- looking at it ------------------------------------------------------- */

bool plated_config_equal(const PlatedConfig *a, const PlatedConfig *b, const char *section,
                         const char *except)
{
    for (size_t i = 0; i < plated_config_table_n; i++) {
        const PlatedConfigEntry *entry = &plated_config_table[i];

        if (strcmp(entry->section, section) == 0 && g_strcmp0(entry->key, except) != 0 &&
            !entry->type->equal(entry_field(a, entry), entry_field(b, entry)))
            return false;
    }
    return true;
}

int plated_config_log_level(const PlatedConfig *config)
{
    static const int levels[] = {PLATED_LOG_ERROR, PLATED_LOG_WARNING, PLATED_LOG_INFO,
                                 PLATED_LOG_DEBUG};

    return levels[config->log.level];
}

const char *plated_config_isa(const PlatedConfig *config)
{
    static const char *const names[] = {NULL, "c", "neon", "avx2"};

    return names[config->engine.isa];
}
