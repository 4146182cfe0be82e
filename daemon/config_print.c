/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#define COLUMNS 96

/* Breaks at spaces so that a line with its prefix stays within the columns. */
static void print_wrapped(FILE *stream, const char *prefix, const char *text)
{
    size_t column = strlen(prefix);

    fputs(prefix, stream);
    for (bool first = true; *text; first = false) {
        size_t n = strcspn(text, " ");

        if (!first && column + 1 + n > COLUMNS) {
            fprintf(stream, "\n%s", prefix);
            column = strlen(prefix);
        } else if (!first) {
            fputc(' ', stream);
            column++;
        }
        fprintf(stream, "%.*s", (int)n, text);
        column += n;
        text += n + (text[n] == ' ');
    }
    fputc('\n', stream);
}

void plated_config_print_defaults(FILE *stream)
{
    const char *section = "";

    fputs(
        "# Configuration of plated. Every key stands here with its default; what is left out keeps it.\n"
        "# A line is [section] or key = value; lines that begin with # are ignored.\n"
        "# Check with: plated --check-config. Apply with: systemctl reload plated.\n",
        stream);
    for (size_t i = 0; i < plated_config_table_n; i++) {
        const PlatedConfigEntry *entry = &plated_config_table[i];
        char expected[256];

        if (strcmp(section, entry->section) != 0)
            fprintf(stream, "\n[%s]\n", entry->section);
        section = entry->section;
        entry->type->expected(entry, expected, sizeof(expected));
        fputc('\n', stream);
        print_wrapped(stream, "# ", entry->doc);
        fprintf(stream, "# Expected: %s.\n", expected);
        fprintf(stream, "%s =%s%s\n", entry->key, *entry->value ? " " : "", entry->value);
    }
}

void plated_config_print_reference(FILE *stream)
{
    const char *section = "";

    fputs(
        "# Configuration\n\n"
        "This page is written by `plated --print-reference` from the table that the parser reads.\n\n"
        "`plated` reads `/etc/plated/plated.conf`, or the file given with `--config`. A line is\n"
        "`[section]` or `key = value`; lines that begin with `#` or `;` are ignored, and a comment\n"
        "cannot follow a value on its line. An unknown key is a warning, a bad value or a key\n"
        "that is set twice an error that names file and line. `plated --check-config` tells both\n"
        "without starting, `plated --print-defaults` prints the file with every key. On\n"
        "`systemctl reload plated` (SIGHUP) a good file is applied without losing a frame, a bad\n"
        "one leaves the running configuration as it is.\n",
        stream);
    for (size_t i = 0; i < plated_config_table_n; i++) {
        const PlatedConfigEntry *entry = &plated_config_table[i];
        char expected[256];

        if (strcmp(section, entry->section) != 0)
            fprintf(stream, "\n## [%s]\n\n| key | default | meaning |\n| --- | --- | --- |\n",
                    entry->section);
        section = entry->section;
        entry->type->expected(entry, expected, sizeof(expected));
        fprintf(stream, "| `%s` | %s%s%s | %s Expected: %s. |\n", entry->key,
                *entry->value ? "`" : "", entry->value, *entry->value ? "`" : "", entry->doc,
                expected);
    }
}
