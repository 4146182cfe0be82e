/* SPDX-License-Identifier: Apache-2.0 */

/* The outbox: order, restart, kill, limits, a broken file, a full disk. */

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#include "check.h"
#include "outbox.h"

#define DAY_US ((int64_t)86400 * 1000000)

static const PlatedOutboxLimits roomy = {1000, 7 * DAY_US};
static const PlatedMoment noon = {100 * DAY_US, true};

typedef struct Fixture {
    char *folder, *path;
    PlatedLog log;
    char *log_text;
    size_t log_n;
} Fixture;

static void set_up(Fixture *f)
{
    f->folder = g_dir_make_tmp("plated-outbox-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "outbox.db", NULL);
    plated_log_init(&f->log, PLATED_LOG_INFO);
    f->log.journal = false;
    f->log.stream = open_memstream(&f->log_text, &f->log_n);
}

static void tear_down(Fixture *f)
{
    g_autofree char *clean = g_strdup_printf("rm -r '%s'", f->folder);

    CHECK_EQUAL(system(clean), 0);
    fclose(f->log.stream);
    free(f->log_text);
    g_free(f->folder);
    g_free(f->path);
}

static PlatedOutbox *open_outbox(Fixture *f, const PlatedOutboxLimits *limits)
{
    PlatedOutbox *outbox = NULL;
    NnError error = {0};

    if (plated_outbox_open(f->path, limits, &f->log, &outbox, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    return outbox;
}

static void push_at(PlatedOutbox *outbox, PlatedOutboxKind kind, const char *id,
                    const char *payload, PlatedMoment now)
{
    PlatedOutboxMessage message = {kind, id, "plated/gate/passage", payload};

    plated_outbox_push(outbox, &message, now);
}

static void push(PlatedOutbox *outbox, const char *payload)
{
    push_at(outbox, PLATED_OUTBOX_FINAL, payload, payload, noon);
}

/* Everything after a sequence number, joined by spaces. */
static char *contents_after(PlatedOutbox *outbox, int64_t after)
{
    GString *all = g_string_new(NULL);
    char *topic, *payload;

    while (plated_outbox_next(outbox, after, &after, &topic, &payload) == 0) {
        CHECK_TEXT(topic, "plated/gate/passage");
        g_string_append_printf(all, "%s%s", all->len ? " " : "", payload);
        free(topic);
        free(payload);
    }
    return g_string_free(all, FALSE);
}

static void check_contents(PlatedOutbox *outbox, const char *expected)
{
    g_autofree char *all = contents_after(outbox, 0);

    CHECK_TEXT(all, expected);
}

static int64_t first_sequence(PlatedOutbox *outbox)
{
    char *topic, *payload;
    int64_t sequence;

    CHECK_EQUAL(plated_outbox_next(outbox, 0, &sequence, &topic, &payload), 0);
    free(topic);
    free(payload);
    return sequence;
}

static void test_order_and_restart(void)
{
    Fixture f;
    PlatedOutbox *outbox;
    struct stat st;

    set_up(&f);
    outbox = open_outbox(&f, &roomy);
    check_contents(outbox, "");
    push(outbox, "a");
    push(outbox, "b");
    push(outbox, "c");
    CHECK_EQUAL(stat(f.path, &st), 0);
    CHECK_EQUAL(st.st_mode & 0777, 0600);
    plated_outbox_acknowledge(outbox, first_sequence(outbox));
    check_contents(outbox, "b c");
    plated_outbox_free(outbox);

    outbox = open_outbox(&f, &roomy);
    push(outbox, "d");
    check_contents(outbox, "b c d");
    CHECK_EQUAL(plated_outbox_count(outbox), 3);
    CHECK_EQUAL(plated_outbox_dropped(outbox), 0);
    plated_outbox_free(outbox);
    tear_down(&f);
}

/* What push() has returned from is there after a kill. */
static void test_kill(void)
{
    Fixture f;
    PlatedOutbox *outbox;
    pid_t child;
    int status;

    set_up(&f);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        outbox = open_outbox(&f, &roomy);
        push(outbox, "a");
        push_at(outbox, PLATED_OUTBOX_PROVISIONAL, "id", "b", noon);
        kill(getpid(), SIGKILL);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    outbox = open_outbox(&f, &roomy);
    check_contents(outbox, "a b");
    plated_outbox_free(outbox);
    tear_down(&f);
}

static char *finish(void *userdata, const char *provisional)
{
    return strcmp(provisional, "bad") == 0 ? NULL : g_strconcat(provisional, "-final", NULL);
}

static void test_owed_finals(void)
{
    Fixture f;
    PlatedOutbox *outbox;

    set_up(&f);
    outbox = open_outbox(&f, &roomy);
    push_at(outbox, PLATED_OUTBOX_PROVISIONAL, "1", "one", noon);
    push_at(outbox, PLATED_OUTBOX_PROVISIONAL, "2", "two", noon);
    push_at(outbox, PLATED_OUTBOX_PROVISIONAL, "3", "bad", noon);
    push_at(outbox, PLATED_OUTBOX_FINAL, "1", "one-done", noon);
    plated_outbox_free(outbox);

    outbox = open_outbox(&f, &roomy);
    plated_outbox_finish(outbox, finish, NULL, noon);
    check_contents(outbox, "one two bad one-done two-final");
    plated_outbox_finish(outbox, finish, NULL, noon);
    check_contents(outbox, "one two bad one-done two-final");
    plated_outbox_free(outbox);
    tear_down(&f);
}

static void test_limits(void)
{
    static const PlatedOutboxLimits three = {3, DAY_US};
    PlatedMoment late = {noon.realtime_us + 2 * DAY_US, true};
    PlatedMoment unsure = {late.realtime_us, false};
    Fixture f;
    PlatedOutbox *outbox;

    set_up(&f);
    outbox = open_outbox(&f, &three);
    for (int i = 0; i < 5; i++) {
        char payload[2] = {(char)('a' + i), '\0'};

        push(outbox, payload);
    }
    check_contents(outbox, "c d e");
    CHECK_EQUAL(plated_outbox_dropped(outbox), 2);
    /* A clock that nobody has set says nothing about ages. */
    push_at(outbox, PLATED_OUTBOX_FINAL, "f", "f", unsure);
    check_contents(outbox, "d e f");
    plated_outbox_trim(outbox, unsure);
    check_contents(outbox, "d e f");
    plated_outbox_trim(outbox, late);
    check_contents(outbox, "f");
    CHECK_EQUAL(plated_outbox_dropped(outbox), 5);
    plated_outbox_free(outbox);
    tear_down(&f);
}

static void overwrite(const char *path, const char *bytes, size_t n)
{
    CHECK(g_file_set_contents(path, bytes, (gssize)n, NULL));
}

static void test_broken(void)
{
    Fixture f;
    PlatedOutbox *outbox;
    g_autofree char *broken = NULL, *kept = NULL;

    set_up(&f);
    broken = g_strconcat(f.path, ".broken", NULL);
    overwrite(f.path, "this is no database, however long one looks at it", 49);
    outbox = open_outbox(&f, &roomy);
    push(outbox, "a");
    check_contents(outbox, "a");
    plated_outbox_free(outbox);
    fflush(f.log.stream);
    CHECK_CONTAINS(f.log_text, "outbox.db is broken; it was set aside as ");
    CHECK(g_file_get_contents(broken, &kept, NULL, NULL));
    CHECK_TEXT(kept, "this is no database, however long one looks at it");
    tear_down(&f);
}

/* Pages overwritten in the middle of a good file are found on opening. */
static void test_damaged(void)
{
    Fixture f;
    PlatedOutbox *outbox;
    FILE *file;

    set_up(&f);
    outbox = open_outbox(&f, &roomy);
    for (int i = 0; i < 200; i++)
        push(outbox, "something that takes its room in a page of the database file");
    plated_outbox_free(outbox);
    file = fopen(f.path, "r+");
    fseek(file, 4096, SEEK_SET);
    for (int i = 0; i < 8192; i++)
        fputc(0x5a, file);
    fclose(file);
    outbox = open_outbox(&f, &roomy);
    check_contents(outbox, "");
    push(outbox, "a");
    check_contents(outbox, "a");
    plated_outbox_free(outbox);
    tear_down(&f);
}

static void test_two_processes(void)
{
    Fixture f;
    PlatedOutbox *outbox;
    pid_t child;
    int status;

    set_up(&f);
    outbox = open_outbox(&f, &roomy);
    push(outbox, "a");
    fflush(NULL);
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test", "open", f.path, NULL);
        _exit(99);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 7);
    plated_outbox_free(outbox);
    tear_down(&f);
}

/* The child of test_two_processes(). */
static int open_only(const char *path)
{
    PlatedOutbox *outbox = NULL;
    NnError error = {0};
    int r;

    r = plated_outbox_open(path, &roomy, NULL, &outbox, &error);
    if (r == -EBUSY && strstr(error.message, "is in use by another process"))
        return 7;
    fprintf(stderr, "got %d, %s\n", r, error.message);
    return 1;
}

/* The first message after `after`, sent and acknowledged. */
static int64_t deliver(PlatedOutbox *outbox, int64_t after, const char *expected)
{
    int64_t sequence;
    char *topic, *payload;

    CHECK_EQUAL(plated_outbox_next(outbox, after, &sequence, &topic, &payload), 0);
    CHECK_TEXT(payload, expected);
    plated_outbox_acknowledge(outbox, sequence);
    free(topic);
    free(payload);
    return sequence;
}

/* A file size limit stands for a full disk: messages stay in memory, in order, behind
 * those on disk, and go to disk before later ones once there is room again. */
static void test_full_disk(void)
{
    Fixture f;
    PlatedOutbox *outbox;
    struct rlimit before, small = {0};
    int64_t after;

    set_up(&f);
    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    outbox = open_outbox(&f, &roomy);
    push(outbox, "a");
    small.rlim_max = before.rlim_max;
    CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    push(outbox, "b");
    push_at(outbox, PLATED_OUTBOX_PROVISIONAL, "1", "c", noon);
    push(outbox, "d");
    plated_outbox_settle(outbox);
    check_contents(outbox, "a b c d");
    CHECK_EQUAL(plated_outbox_count(outbox), 4);
    after = deliver(outbox, deliver(outbox, 0, "a"), "b");
    CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    push(outbox, "e");
    after = deliver(outbox, after, "c");
    plated_outbox_free(outbox);

    outbox = open_outbox(&f, &roomy);
    plated_outbox_finish(outbox, finish, NULL, noon);
    /* Nothing could say on the full disk that "a" was acknowledged. */
    check_contents(outbox, "a d e c-final");
    fflush(f.log.stream);
    CHECK_CONTAINS(f.log_text, "passages are kept in memory");
    CHECK_CONTAINS(f.log_text, "takes passages again");
    plated_outbox_free(outbox);
    tear_down(&f);
}

static void test_memory(void)
{
    PlatedOutbox *outbox = NULL;

    CHECK_EQUAL(plated_outbox_open("", &roomy, NULL, &outbox, NULL), 0);
    push(outbox, "a");
    check_contents(outbox, "a");
    plated_outbox_free(outbox);
}

/* A disk that comes later: what it held and owed goes out, and memory's comes behind it. */
static void test_late_disk(void)
{
    Fixture f;
    PlatedOutbox *outbox;
    g_autofree char *away = NULL;
    unsigned generation;

    set_up(&f);
    away = g_strconcat(f.folder, "-away", NULL);
    outbox = open_outbox(&f, &roomy);
    push(outbox, "a");
    push_at(outbox, PLATED_OUTBOX_PROVISIONAL, "1", "b", noon);
    plated_outbox_free(outbox);
    CHECK_EQUAL(rename(f.folder, away), 0);

    outbox = open_outbox(&f, &roomy);
    plated_outbox_finish(outbox, finish, NULL, noon);
    generation = plated_outbox_generation(outbox);
    push(outbox, "c");
    check_contents(outbox, "c");
    CHECK_EQUAL(rename(away, f.folder), 0);
    push(outbox, "d");
    CHECK(plated_outbox_generation(outbox) != generation);
    check_contents(outbox, "a b c d b-final");
    plated_outbox_free(outbox);

    outbox = open_outbox(&f, &roomy);
    check_contents(outbox, "a b c d b-final");
    fflush(f.log.stream);
    CHECK_CONTAINS(f.log_text, "outbox.db: No such file or directory; passages are kept in memory");
    CHECK_CONTAINS(f.log_text, "takes passages again");
    plated_outbox_free(outbox);
    tear_down(&f);
}

/* Memory is not a place without bounds either. */
static void test_no_disk(void)
{
    static const PlatedOutboxLimits two = {2, DAY_US};
    PlatedOutbox *outbox = NULL;

    CHECK_EQUAL(plated_outbox_open("/nonexistent/outbox.db", &two, NULL, &outbox, NULL), 0);
    push(outbox, "a");
    push(outbox, "b");
    push(outbox, "c");
    check_contents(outbox, "b c");
    CHECK_EQUAL(plated_outbox_dropped(outbox), 1);
    CHECK_EQUAL(plated_outbox_count(outbox), 2);
    plated_outbox_free(outbox);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "open") == 0)
        return open_only(argv[2]);
    test_order_and_restart();
    test_kill();
    test_owed_finals();
    test_limits();
    test_broken();
    test_damaged();
    test_two_processes();
    test_full_disk();
    test_memory();
    test_late_disk();
    test_no_disk();
    return 0;
}
