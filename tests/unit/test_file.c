/* SPDX-License-Identifier: Apache-2.0 */

/* Files that a model names stay below its directory. */

#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/test.h"

static void write_file(int at, const char *name, const char *text)
{
    int fd = openat(at, name, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    TEST_TRUE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void opens(const char *directory, const char *path, const char *text)
{
    char buffer[16] = "";
    int fd = nn_file_open_inside(directory, path);

    if (fd < 0)
        TEST_FAIL("%s: %s", path, strerror(-fd));
    TEST_INT(nn_file_read(fd, 0, buffer, strlen(text)), 0);
    TEST_TRUE(strcmp(buffer, text) == 0);
    TEST_INT(nn_file_read(fd, 1, buffer, strlen(text)), -EBADMSG);
    close(fd);
}

static void refused(const char *directory, const char *path, int code)
{
    int r = nn_file_open_inside(directory, path);

    if (r != code)
        TEST_FAIL("'%s' gives %d, expected %d", path, r, code);
}

static void test_map(const char *directory)
{
    NnFileMap map = { 0 };
    int fd = nn_file_open_inside(directory, "sub/inner");

    TEST_INT(nn_file_map(fd, 4, &map), -E2BIG);
    TEST_INT(nn_file_map(fd, 5, &map), 0);
    TEST_INT(map.n, 5);
    TEST_TRUE(memcmp(map.bytes, "inner", 5) == 0);
    nn_file_unmap(&map);
    TEST_TRUE(map.bytes == NULL);
    close(fd);
}

int main(void)
{
    char top[] = "/tmp/test_file.XXXXXX", directory[64];
    int at;

    TEST_TRUE(mkdtemp(top) != NULL);
    snprintf(directory, sizeof(directory), "%s/model", top);
    TEST_INT(mkdir(directory, 0700), 0);
    at = open(directory, O_RDONLY | O_DIRECTORY);
    TEST_INT(mkdirat(at, "sub", 0700), 0);
    write_file(at, "near", "near");
    write_file(at, "sub/inner", "inner");
    write_file(at, "../secret", "secret");
    TEST_INT(symlinkat("../secret", at, "link"), 0);
    TEST_INT(symlinkat("..", at, "up"), 0);
    TEST_INT(mkfifoat(at, "pipe", 0600), 0);

    opens(directory, "near", "near");
    opens(directory, "sub/inner", "inner");
    refused(directory, "", -EBADMSG);
    refused(directory, ".", -EBADMSG);
    refused(directory, "sub", -EBADMSG);
    refused(directory, "pipe", -EBADMSG);
    refused(directory, "../secret", -EBADMSG);
    refused(directory, "sub/../near", -EBADMSG);
    refused(directory, "sub/../../secret", -EBADMSG);
    refused(directory, "./near", -EBADMSG);
    refused(directory, "/etc/passwd", -EBADMSG);
    refused(directory, "sub//inner", -EBADMSG);
    refused(directory, "none/../near", -EBADMSG);
    refused(directory, "near/", -EBADMSG);
    refused(directory, "near/x", -ENOTDIR);
    refused(directory, "link", -ELOOP);
    refused(directory, "up/secret", -ENOTDIR);
    refused(directory, "none", -ENOENT);
    test_map(directory);

    unlinkat(at, "near", 0);
    unlinkat(at, "sub/inner", 0);
    unlinkat(at, "link", 0);
    unlinkat(at, "up", 0);
    unlinkat(at, "pipe", 0);
    unlinkat(at, "../secret", 0);
    unlinkat(at, "sub", AT_REMOVEDIR);
    close(at);
    rmdir(directory);
    rmdir(top);
    return 0;
}
