/* SPDX-License-Identifier: Apache-2.0 */

/* Feeds every file of a folder to a fuzz target: what was once found stays found
 * without libFuzzer. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int replay(const char *folder, const char *name)
{
    char path[4096];
    FILE *file;
    uint8_t *bytes;
    long n;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rbe");
    if (!file || fseek(file, 0, SEEK_END) < 0 || (n = ftell(file)) < 0) {
        perror(path);
        return 1;
    }
    rewind(file);
    bytes = malloc((size_t)n + 1);
    if (!bytes || fread(bytes, 1, (size_t)n, file) != (size_t)n) {
        perror(path);
        return 1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, (size_t)n);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int failed = 0, n = 0;

    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 1;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_type != DT_REG)
            continue;
        failed |= replay(argv[1], entry->d_name);
        n++;
    }
    closedir(folder);
    printf("%d files\n", n);
    return failed || n == 0;
}
