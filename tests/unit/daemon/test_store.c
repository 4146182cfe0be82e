/* SPDX-License-Identifier: Apache-2.0 */

/* The store: what is asked for, limits, a broken file; and pictures beside it. */

#include <errno.h>
#include <sys/stat.h>
#include <utime.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "check.h"
#include "snapshot.h"
#include "store.h"

#define DAY_MS ((int64_t)86400 * 1000)

static const PlatedStoreLimits roomy = {30 * DAY_MS * 1000, 64 << 20};

typedef struct Fixture {
    char *folder, *path;
    PlatedStore *store;
} Fixture;

static void set_up(Fixture *f, const PlatedStoreLimits *limits)
{
    f->folder = g_dir_make_tmp("plated-store-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "events.db", NULL);
    f->store = plated_store_open(f->path, limits, NULL);
}

static void tear_down(Fixture *f)
{
    g_autofree char *clean = g_strdup_printf("rm -r '%s'", f->folder);

    plated_store_free(f->store);
    CHECK_EQUAL(system(clean), 0);
    g_free(f->folder);
    g_free(f->path);
}

static void add(PlatedStore *store, const char *id, const char *plate, int64_t first_seen_ms,
                bool synchronised)
{
    g_autofree char *payload =
        g_strdup_printf("{\"id\":\"%s\",\"plate\":\"%s\",\"first_seen_ms\":%" G_GINT64_FORMAT
                        ",\"clock_synchronised\":%s}",
                        id, plate, first_seen_ms, synchronised ? "true" : "false");

    plated_store_add(store, payload);
}

/* The ids among the rows. */
static bool collect(void *userdata, const char *payload)
{
    GString *ids = userdata;

    g_string_append_printf(ids, "%s%c", ids->len ? " " : "", payload[7]);
    return true;
}

static void check_read(const Fixture *f, const PlatedStoreQuery *query, const char *expected)
{
    g_autoptr(GString) ids = g_string_new(NULL);

    CHECK_EQUAL(plated_store_read(f->path, query, collect, ids, NULL), 0);
    CHECK_TEXT(ids->str, expected);
}

/* Asked while the store is open, as platectl does. */
static void test_queries(void)
{
    Fixture f;
    struct stat st;

    set_up(&f, &roomy);
    CHECK_EQUAL(stat(f.path, &st), 0);
    CHECK_EQUAL(st.st_mode & 0777, 0600);
    add(f.store, "c", "7ABC123", 3000, true);
    add(f.store, "a", "KDP9989", 1000, true);
    add(f.store, "b", "7ABC128", 2000, true);
    add(f.store, "d", "B0B", 4000, true);
    plated_store_add(f.store, "no message at all");
    check_read(&f, &(PlatedStoreQuery){0}, "a b c d");
    check_read(&f, &(PlatedStoreQuery){.since_ms = 2000}, "b c d");
    check_read(&f, &(PlatedStoreQuery){.since_ms = 2000, .until_ms = 4000}, "b c");
    check_read(&f, &(PlatedStoreQuery){.limit = 2}, "c d");
    check_read(&f, &(PlatedStoreQuery){.plate = "7ABC12?"}, "b c");
    check_read(&f, &(PlatedStoreQuery){.plate = "7ABC123"}, "c");
    check_read(&f, &(PlatedStoreQuery){.plate = "B[0O]B"}, "d");
    /* The same passage again is the same passage. */
    add(f.store, "a", "KDP9990", 1000, true);
    check_read(&f, &(PlatedStoreQuery){.plate = "KDP*"}, "a");
    tear_down(&f);
}

static void test_age(void)
{
    const PlatedStoreLimits day = {DAY_MS * 1000, 64 << 20};
    Fixture f;

    set_up(&f, &day);
    add(f.store, "a", "A1", 10 * DAY_MS, true);
    add(f.store, "b", "B1", 11 * DAY_MS, true);
    add(f.store, "c", "C1", 0, false);
    plated_store_trim(f.store, (PlatedMoment){20 * DAY_MS * 1000, false});
    check_read(&f, &(PlatedStoreQuery){0}, "c a b");
    plated_store_trim(f.store, (PlatedMoment){(11 * DAY_MS + DAY_MS / 2) * 1000, true});
    check_read(&f, &(PlatedStoreQuery){0}, "c b");
    tear_down(&f);
}

/* The file stays within the quota and its journal, and the latest stay in it. */
static void test_quota(void)
{
    const PlatedStoreLimits small = {30 * DAY_MS * 1000, 256 << 10};
    g_autofree char *filler = g_strnfill(2000, 'x');
    g_autofree char *wal = NULL;
    g_autoptr(GString) ids = g_string_new(NULL);
    Fixture f;
    struct stat st;

    set_up(&f, &small);
    for (int i = 0; i < 2000; i++) {
        g_autofree char *payload =
            g_strdup_printf("{\"id\":\"%c-%d\",\"plate\":\"%s\",\"first_seen_ms\":%d}",
                            'a' + i / 100, i, filler, i);

        plated_store_add(f.store, payload);
    }
    CHECK_EQUAL(plated_store_read(f.path, &(PlatedStoreQuery){0}, collect, ids, NULL), 0);
    CHECK_CONTAINS(ids->str, "t t t");
    CHECK(!strchr(ids->str, 'a'));
    CHECK(ids->len / 2 > 40);
    CHECK_EQUAL(stat(f.path, &st), 0);
    CHECK(st.st_size <= (256 << 10) + (16 << 10));
    wal = g_strconcat(f.path, "-wal", NULL);
    CHECK_EQUAL(stat(wal, &st), 0);
    CHECK(st.st_size <= 5 << 20);
    tear_down(&f);
}

static void test_broken(void)
{
    Fixture f;
    NnError error = {0};

    set_up(&f, &roomy);
    plated_store_free(f.store);
    CHECK(
        g_file_set_contents(f.path, "no database, though of some length, is this file", -1, NULL));
    CHECK_EQUAL(plated_store_read(f.path, &(PlatedStoreQuery){0}, collect, NULL, &error), -EBADMSG);
    CHECK_CONTAINS(error.message, "events.db: not a store of passages, or broken");
    f.store = plated_store_open(f.path, &roomy, NULL);
    add(f.store, "a", "A1", 1, true);
    check_read(&f, &(PlatedStoreQuery){0}, "a");
    CHECK_EQUAL(
        plated_store_read("/nonexistent/events.db", &(PlatedStoreQuery){0}, collect, NULL, &error),
        -ENOENT);
    CHECK_TEXT(error.message, "/nonexistent/events.db: No such file or directory");
    tear_down(&f);
}

/* ---- pictures ------------------------------------------------------------ */

static void picture(const Fixture *f, const char *name, size_t n, int64_t age_s)
{
    g_autofree char *path = g_build_filename(f->folder, name, NULL);
    g_autofree uint8_t *bytes = g_malloc0(n);

    CHECK_EQUAL(plated_snapshot_write(f->folder, name, bytes, n, NULL), 0);
    CHECK_EQUAL(g_utime(path, &(struct utimbuf){1000 - age_s, 1000 - age_s}), 0);
}

static void check_pictures(const Fixture *f, const PlatedSnapshotLimits *limits,
                           const char *expected)
{
    static const char *const names[] = {"a.jpg", "b.jpg", "c.jpg", "d.txt"};
    g_autoptr(GString) there = g_string_new(NULL);

    plated_snapshot_trim(f->folder, limits);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(f->folder, names[i], NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS))
            g_string_append_c(there, names[i][0]);
    }
    CHECK_TEXT(there->str, expected);
}

static void test_pictures(void)
{
    Fixture f;

    set_up(&f, &roomy);
    picture(&f, "a.jpg", 1000, 300);
    picture(&f, "b.jpg", 1000, 200);
    picture(&f, "c.jpg", 1000, 100);
    picture(&f, "d.txt", 1000, 900);
    check_pictures(&f, &(PlatedSnapshotLimits){9, 3000, 0}, "abcd");
    check_pictures(&f, &(PlatedSnapshotLimits){9, 3000, 750000000}, "bcd");
    picture(&f, "a.jpg", 1000, 300);
    check_pictures(&f, &(PlatedSnapshotLimits){9, 2999, 0}, "bcd");
    check_pictures(&f, &(PlatedSnapshotLimits){1, 9000, 0}, "cd");
    tear_down(&f);
}

int main(void)
{
    test_queries();
    test_age();
    test_quota();
    test_broken();
    test_pictures();
    return 0;
}
