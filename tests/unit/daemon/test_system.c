/* SPDX-License-Identifier: Apache-2.0 */

/* Readings of the machine, and pictures in a directory. */

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <glib.h>

#include "check.h"
#include "log.h"
#include "snapshot.h"
#include "system.h"

static void put(const char *root, const char *path, const char *text)
{
    g_autofree char *whole = g_build_filename(root, path, NULL);
    g_autofree char *folder = g_path_get_dirname(whole);

    CHECK_EQUAL(g_mkdir_with_parents(folder, 0700), 0);
    CHECK(g_file_set_contents(whole, text, -1, NULL));
}

static void test_readings(const char *root)
{
    CHECK(isnan(plated_system_temperature(root)));
    CHECK_EQUAL(plated_system_throttled(root), -1);
    put(root, "sys/class/thermal/thermal_zone0/temp", "48312\n");
    put(root, "sys/class/thermal/thermal_zone1/temp", "61000\n");
    put(root, "sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n");
    CHECK(fabs(plated_system_temperature(root) - 61.0) < 1e-9);
    /* 0x50000: it happened since boot, but does not now. */
    CHECK_EQUAL(plated_system_throttled(root), 0);
    put(root, "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
    CHECK_EQUAL(plated_system_throttled(root), 1);
}

static void test_snapshots(const char *root)
{
    g_autofree char *folder = g_build_filename(root, "a", "b", NULL);
    g_autofree char *bad = g_build_filename(root, "file", "b", NULL);
    const char *names[] = {"one.jpg", "two.jpg", "three.jpg", "notes.txt"};
    NnError error = {0};

    for (int i = 0; i < 4; i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        const struct timeval times[2] = {{1000 + i, 0}, {1000 + i, 0}};

        CHECK_EQUAL(plated_snapshot_write(folder, names[i], (const uint8_t *)"old", 3, &error), 0);
        CHECK_EQUAL(plated_snapshot_write(folder, names[i], (const uint8_t *)"new!", 4, &error), 0);
        CHECK_EQUAL(utimes(path, times), 0);
    }
    plated_snapshot_trim(folder, &(PlatedSnapshotLimits){.keep = 2, .quota_bytes = 1 << 20});
    for (int i = 0; i < 4; i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        g_autofree char *text = NULL;

        CHECK_EQUAL(g_file_get_contents(path, &text, NULL, NULL), i != 0);
        if (i != 0)
            CHECK_TEXT(text, "new!");
    }
    put(root, "file", "in the way");
    CHECK_EQUAL(plated_snapshot_write(bad, "x.jpg", (const uint8_t *)"x", 1, &error), -ENOTDIR);
    CHECK_CONTAINS(error.message, "file/b: Not a directory");
}

static void test_clock(const char *root)
{
    put(root, "run/systemd/timesync/synchronized", "");
    CHECK(plated_system_clock_synchronised(root));
}

static void test_log(void)
{
    PlatedLog log;
    char *text = NULL;
    size_t n;

    plated_log_init(&log, PLATED_LOG_INFO);
    log.stream = open_memstream(&text, &n);
    log.journal = true;
    plated_log(&log, PLATED_LOG_WARNING, "one\ntwo %d", 3);
    plated_log(&log, PLATED_LOG_DEBUG, "never");
    log.journal = false;
    plated_log(&log, PLATED_LOG_ERROR, "bad");
    fclose(log.stream);
    CHECK_TEXT(text, "<4>one?two 3\nplated: bad\n");
    free(text);
}

int main(void)
{
    g_autofree char *root = g_dir_make_tmp("plated-system-XXXXXX", NULL);
    g_autofree char *clean = g_strdup_printf("rm -r '%s'", root);

    test_readings(root);
    test_snapshots(root);
    test_clock(root);
    test_log();
    CHECK_EQUAL(system(clean), 0);
    return 0;
}
