/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The configuration: one table names every key; the parser, --print-defaults,
 * the reference page and the comparison on reload all read it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nn.h"

/* Index into the names that `[mqtt] protocol` takes. */
typedef enum PlatedProtocol {
    PLATED_PROTOCOL_3_1_1,
    PLATED_PROTOCOL_5,
} PlatedProtocol;

typedef struct PlatedConfig {
    struct {
        char *name, *source;
        int width_px, height_px;
        double fps;
        bool loop, realtime, exit_at_end;
        int64_t silence_us, frozen_us;
    } camera;
    struct {
        char *directory, *detector, *reader, *region, *cache;
    } models;
    struct {
        int threads;
        bool pin;
        int isa; /* 0: the best; see plated_config_isa() */
        double hot_c;
    } engine;
    struct {
        bool gate;
        int threshold;
        int64_t hold_us, look_us;
    } motion;
    struct {
        double detect_threshold, read_threshold;
        int min_plate_width_px, max_plate_width_px, max_plates;
    } recognition;
    struct {
        char *include, *exclude;
    } zones;
    struct {
        int64_t quiet_us, longest_us, rearm_us;
        double provisional, final, region;
        int provisional_reads, min_characters, legible_width_px;
        char *formats;
    } passage;
    struct {
        char *lists;
        int tolerance;
        double confidence;
        int64_t expiry_us;
        char *gpio_chip;
        int gpio_line;
        bool active_low;
        int64_t pulse_us, cooldown_us;
    } access;
    struct {
        char *host;
        int port;
        int protocol;
        char *client_id, *username, *password_file, *prefix;
        int64_t keepalive_us;
        bool tls, commands, protobuf;
        char *ca_file, *cert_file, *key_file;
        int64_t state_interval_us;
    } mqtt;
    struct {
        bool discovery;
        char *prefix;
    } homeassistant;
    struct {
        char *file;
        int max_rows;
        int64_t max_age_us;
    } outbox;
    struct {
        char *file;
        int64_t max_age_us;
        int quota_mib;
    } store;
    struct {
        char *directory;
        int keep, quality, quota_mib;
        int64_t max_age_us;
        bool crop, publish, publish_crop;
    } snapshot;
    struct {
        char *socket;
    } control;
    struct {
        int port;
    } metrics;
    struct {
        bool hash;
        char *key_file;
    } privacy;
    struct {
        int level;
    } log;

    char *file;      /* where it was read */
    unsigned *lines; /* of each entry of the table; 0: not set there */
} PlatedConfig;

typedef struct PlatedConfigEntry PlatedConfigEntry;

/* How values of one kind are read, compared and described. */
typedef struct PlatedConfigType {
    /* 0, -EINVAL or -ENOMEM. `field` holds the old value, which is replaced. */
    int (*parse)(const PlatedConfigEntry *entry, const char *value, void *field);
    bool (*equal)(const void *a, const void *b);
    /* What a good value is: "a whole number from 1 to 9". */
    void (*expected)(const PlatedConfigEntry *entry, char *ret_text, size_t n);
    bool owns_string;
} PlatedConfigType;

struct PlatedConfigEntry {
    const char *section, *key;
    const PlatedConfigType *type;
    size_t offset;
    double min, max;          /* of numbers; durations in seconds */
    const char *const *names; /* of choices, ended by NULL */
    const char *value;        /* the default */
    const char *doc;
};

extern const PlatedConfigEntry plated_config_table[];
extern const size_t plated_config_table_n;

typedef void (*PlatedConfigWarnFunc)(void *userdata, const char *sentence);

/* Every key at its default. -ENOMEM. */
NN_MUST_CHECK int plated_config_new(PlatedConfig **ret_config);
/* NULL is fine. Returns NULL. */
PlatedConfig *plated_config_free(PlatedConfig *config);

/* Reads a file. An unknown key is told through `warn` (may be NULL); anything
 * else that is wrong is refused with a sentence that begins with "file:line: ".
 * -ENOENT and other errors of open, -EINVAL, -E2BIG, -ENOMEM. */
NN_MUST_CHECK int plated_config_load(const char *path, PlatedConfigWarnFunc warn, void *userdata,
                                     PlatedConfig **ret_config, NnError *error);
/* The same from memory; `name` stands in sentences. */
NN_MUST_CHECK int plated_config_parse(const char *name, const char *text, size_t n,
                                      PlatedConfigWarnFunc warn, void *userdata,
                                      PlatedConfig **ret_config, NnError *error);

/* Whether all keys of a section have the same values in both, but for one key,
 * which may be NULL. */
bool plated_config_equal(const PlatedConfig *a, const PlatedConfig *b, const char *section,
                         const char *except);

/* Puts "file:line: [section] key: " before a sentence about a value; returns `code`. */
int plated_config_blame(const PlatedConfig *config, const char *section, const char *key, int code,
                        NnError *error);

/* The file with every key at its default, and the page that describes them. */
void plated_config_print_defaults(FILE *stream);
void plated_config_print_reference(FILE *stream);

/* Numeric index of `[log] level` as a PlatedLogLevel. */
int plated_config_log_level(const PlatedConfig *config);

/* "neon" and so on; NULL for the best of this processor. */
const char *plated_config_isa(const PlatedConfig *config);

/* A secret: from $CREDENTIALS_DIRECTORY/CREDENTIAL when systemd gave one, else the first
 * line of `file`, which others must not be able to read. *ret_secret is NULL when there is
 * neither, else malloc'd. */
NN_MUST_CHECK int plated_config_secret(const char *credential, const char *file,
                                       char **ret_secret, NnError *error);
/* The broker's password: credential mqtt-password, or `[mqtt] password_file`. */
NN_MUST_CHECK int plated_config_password(const PlatedConfig *config, char **ret_password,
                                         NnError *error);
