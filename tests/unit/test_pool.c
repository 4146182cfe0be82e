/* SPDX-License-Identifier: Apache-2.0 */

/* The pool: every tile once, in any nesting and from several threads. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/cpu.h"
#include "base/pool.h"
#include "base/util.h"

#define MAX_TILES 1000

#define CHECK_EQUAL(what, got, expected)                                                     \
    do {                                                                                     \
        long long _got = (long long)(got), _expected = (long long)(expected);                \
        if (_got != _expected) {                                                             \
            fprintf(stderr, "%s:%d: %s: got %lld, expected %lld\n", __FILE__, __LINE__, what, \
                    _got, _expected);                                                        \
            exit(1);                                                                         \
        }                                                                                    \
    } while (0)

typedef struct Loop {
    NnPool *pool;
    unsigned threads;
    atomic_int calls[MAX_TILES];
    atomic_int bad_workers;
    int plain[MAX_TILES];       /* written without atomics: the join must order it */
    atomic_int inside[64];      /* tiles that run at this moment on a worker */
} Loop;

static void count_tile(void *argument, size_t tile, unsigned worker)
{
    Loop *loop = argument;

    if (worker >= loop->threads || atomic_fetch_add(&loop->inside[worker], 1) != 0)
        atomic_fetch_add(&loop->bad_workers, 1);
    atomic_fetch_add(&loop->calls[tile], 1);
    loop->plain[tile] += (int)tile + 1;
    if (worker < loop->threads)
        atomic_fetch_sub(&loop->inside[worker], 1);
}

static void check_loop(NnPool *pool, Loop *loop, size_t n_tiles, int rounds)
{
    memset(loop, 0, sizeof(*loop));
    loop->pool = pool;
    loop->threads = nn_pool_threads(pool);
    for (int round = 0; round < rounds; round++)
        nn_pool_run(pool, n_tiles, count_tile, loop);
    for (size_t i = 0; i < MAX_TILES; i++) {
        CHECK_EQUAL("calls", atomic_load(&loop->calls[i]), i < n_tiles ? rounds : 0);
        CHECK_EQUAL("sum", loop->plain[i], i < n_tiles ? rounds * ((int)i + 1) : 0);
    }
    CHECK_EQUAL("bad workers", atomic_load(&loop->bad_workers), 0);
}

static void test_tiles(NnPool *pool)
{
    static const size_t sizes[] = { 0, 1, 2, 3, 7, 64, MAX_TILES };
    Loop *loop = malloc(sizeof(*loop));

    for (size_t i = 0; i < NN_ARRAY_SIZE(sizes); i++)
        check_loop(pool, loop, sizes[i], 200);
    nn_pool_begin(pool);
    for (size_t i = 0; i < NN_ARRAY_SIZE(sizes); i++)
        check_loop(pool, loop, sizes[i], 200);
    nn_pool_begin(pool);
    check_loop(pool, loop, 10, 3);
    nn_pool_end(pool);
    check_loop(pool, loop, 10, 3);
    nn_pool_end(pool);
    check_loop(pool, loop, 10, 3);
    free(loop);
}

typedef struct Nested {
    NnPool *pool;
    atomic_int inner;
    atomic_int strangers;
} Nested;

typedef struct Inner {
    Nested *nested;
    pthread_t thread;
} Inner;

static void inner_tile(void *argument, size_t tile, unsigned worker)
{
    Inner *inner = argument;

    (void)tile;
    (void)worker;
    if (!pthread_equal(inner->thread, pthread_self()))
        atomic_fetch_add(&inner->nested->strangers, 1);
    atomic_fetch_add(&inner->nested->inner, 1);
}

static void outer_tile(void *argument, size_t tile, unsigned worker)
{
    Nested *nested = argument;
    Inner inner = { .nested = nested, .thread = pthread_self() };

    (void)tile;
    (void)worker;
    nn_pool_begin(nested->pool);
    nn_pool_run(nested->pool, 5, inner_tile, &inner);
    nn_pool_end(nested->pool);
}

static void test_nested(NnPool *pool)
{
    Nested nested = { .pool = pool };

    nn_pool_run(pool, 40, outer_tile, &nested);
    CHECK_EQUAL("inner tiles", atomic_load(&nested.inner), 200);
    CHECK_EQUAL("inner tiles on another thread", atomic_load(&nested.strangers), 0);
}

static void *several_main(void *argument)
{
    NnPool *pool = argument;
    Loop *loop = malloc(sizeof(*loop));

    for (int i = 0; i < 20; i++) {
        check_loop(pool, loop, 50, 3);
        nn_pool_begin(pool);
        check_loop(pool, loop, 20, 3);
        nn_pool_end(pool);
    }
    free(loop);
    return NULL;
}

static void test_several_threads(NnPool *pool)
{
    pthread_t threads[3];

    for (size_t i = 0; i < NN_ARRAY_SIZE(threads); i++)
        CHECK_EQUAL("pthread_create", pthread_create(&threads[i], NULL, several_main, pool), 0);
    for (size_t i = 0; i < NN_ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
}

typedef struct Meeting {
    atomic_int arrived;
    int expected;
} Meeting;

/* Ends only when another worker runs the other tile at the same time. */
static void meet_tile(void *argument, size_t tile, unsigned worker)
{
    Meeting *meeting = argument;

    (void)tile;
    (void)worker;
    atomic_fetch_add(&meeting->arrived, 1);
    while (atomic_load(&meeting->arrived) < meeting->expected)
        sched_yield();
}

static void test_really_parallel(NnPool *pool)
{
    Meeting meeting = { .expected = (int)nn_pool_threads(pool) };

    nn_pool_run(pool, nn_pool_threads(pool), meet_tile, &meeting);
    CHECK_EQUAL("tiles that met", atomic_load(&meeting.arrived), meeting.expected);
}

static void test_two_pools(NnPool *a)
{
    NnPool *b = NULL;
    Loop *loop = malloc(sizeof(*loop));

    CHECK_EQUAL("nn_pool_new", nn_pool_new(2, &b), 0);
    nn_pool_begin(a);
    nn_pool_begin(b);
    check_loop(b, loop, 10, 3);
    check_loop(a, loop, 10, 3);
    nn_pool_end(b);
    check_loop(a, loop, 10, 3);
    check_loop(b, loop, 10, 3);
    nn_pool_end(a);
    nn_pool_free(b);
    free(loop);
}

static void short_tile(void *argument, size_t tile, unsigned worker)
{
    atomic_fetch_add((atomic_int *)argument, 1);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Pauses as between the frames of a camera: after each inference the workers have to
 * find their sleep. Processor time, so that a busy machine does not matter; a worker
 * that spun on would need all of the pauses. */
static void test_idle(NnPool *pool)
{
    const struct timespec pause = { .tv_nsec = 20000000 };
    uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), wall = clock_ns(CLOCK_MONOTONIC);
    atomic_int calls = 0;

    for (int i = 0; i < 20; i++) {
        nn_pool_begin(pool);
        for (int j = 0; j < 10; j++)
            nn_pool_run(pool, 8, short_tile, &calls);
        nn_pool_end(pool);
        nanosleep(&pause, NULL);
    }
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    CHECK_EQUAL("calls", atomic_load(&calls), 20 * 10 * 8);
    if (cpu * 10 > wall) {
        fprintf(stderr, "%u threads: %llu us of processor time in %llu us of pauses\n",
                nn_pool_threads(pool), (unsigned long long)cpu / 1000,
                (unsigned long long)wall / 1000);
        exit(1);
    }
}

static atomic_int astray;

static void pinned_tile(void *argument, size_t tile, unsigned worker)
{
    cpu_set_t set;

    if (worker > 0 && (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) != 1))
        atomic_fetch_add(&astray, 1);
    meet_tile(argument, tile, worker);
}

static void test_pinned(unsigned threads)
{
    Meeting meeting = { .expected = (int)threads };
    cpu_set_t before, after;
    NnPool *pool = NULL;

    CHECK_EQUAL("nn_pool_new", nn_pool_new(threads, &pool), 0);
    sched_getaffinity(0, sizeof(before), &before);
    CHECK_EQUAL("nn_pool_pin", nn_pool_pin(pool), 0);
    sched_getaffinity(0, sizeof(after), &after);
    CHECK_EQUAL("the caller stays", CPU_EQUAL(&before, &after), 1);
    nn_pool_run(pool, threads, pinned_tile, &meeting);
    CHECK_EQUAL("workers astray", atomic_load(&astray), 0);
    nn_pool_free(pool);
}

int main(void)
{
    static const unsigned counts[] = { 1, 2, 3, 5 };
    NnPool *pool = NULL;

    CHECK_EQUAL("no threads", nn_pool_new(0, &pool), -EINVAL);
    CHECK_EQUAL("too many threads", nn_pool_new(65, &pool), -EINVAL);
    CHECK_EQUAL("untouched", pool != NULL, 0);
    CHECK_EQUAL("at least one processor", nn_cpu_count() >= 1, 1);
    for (size_t i = 0; i < NN_ARRAY_SIZE(counts); i++) {
        CHECK_EQUAL("nn_pool_new", nn_pool_new(counts[i], &pool), 0);
        CHECK_EQUAL("threads", nn_pool_threads(pool), counts[i]);
        test_tiles(pool);
        test_nested(pool);
        test_several_threads(pool);
        test_really_parallel(pool);
        test_two_pools(pool);
        test_idle(pool);
        test_pinned(counts[i]);
        pool = nn_pool_free(pool);
    }
    /* Threads that start and stop at once must not be lost or waited for. */
    for (int i = 0; i < 200; i++) {
        CHECK_EQUAL("nn_pool_new", nn_pool_new(4, &pool), 0);
        pool = nn_pool_free(pool);
    }
    test_tiles(NULL);
    test_nested(NULL);
    return 0;
}
