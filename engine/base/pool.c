/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/limits.h"
#include "base/util.h"

/* The gate holds a loop's number, whether workers may still join it, and how
 * many have. A worker that wakes too late finds the gate closed and the caller
 * never waits for it. Only when the gate is closed and empty may the caller
 * write the next loop. */
#define GATE_WORKERS UINT64_C(0xffff)
#define GATE_OPEN UINT64_C(0x10000)
#define GATE_LOOP UINT64_C(0x20000)

/* How long a worker spins before it sleeps. Within an inference a wait that ended
 * while it spun doubles the time, one that did not halves it: a network of short
 * steps keeps its workers awake, one with long serial steps lets them sleep. */
#define SPIN_IDLE_NS 20000
#define SPIN_LEAST_NS 20000
#define SPIN_MOST_NS 500000
/* Pauses between two looks at the clock. */
#define SPIN_PAUSES 64
/* Pauses before the caller lets others run while it waits for the last tiles. */
#define SPIN_JOIN 2000

#define CACHE_LINE 64

typedef struct Worker {
    NnPool *pool;
    pthread_t thread;
    unsigned index;
    uint64_t spin_ns;           /* its own, within an inference */
} Worker;

struct NnPool {
    unsigned n_threads;
    unsigned n_started;
    Worker *workers;            /* n_threads - 1; the caller is worker 0 */

    pthread_mutex_t turn;       /* held by the thread whose loops run */
    _Atomic(const bool *) owner;        /* that thread, from begin to end */
    unsigned depth;             /* of begin; written by the owner */

    pthread_mutex_t sleep_lock;
    pthread_cond_t wake;

    /* The loop, written while the gate is closed and empty. */
    NnTileFunc func;
    void *argument;
    size_t n_tiles;

    _Alignas(CACHE_LINE) atomic_uint_fast64_t gate;
    atomic_uint sleepers;
    atomic_bool begun;
    atomic_bool quit;
    _Alignas(CACHE_LINE) atomic_size_t next;
};

/* Whether this thread is within a tile. Its address names the thread. */
static _Thread_local bool inside_tile;

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_tiles(NnPool *pool, unsigned worker)
{
    NnTileFunc func = pool->func;
    void *argument = pool->argument;
    size_t n_tiles = pool->n_tiles;

    inside_tile = true;
    for (;;) {
        size_t tile = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (tile >= n_tiles)
            break;
        func(argument, tile, worker);
    }
    inside_tile = false;
}

static bool join_loop(NnPool *pool, uint64_t gate)
{
    while (gate & GATE_OPEN)
        if (atomic_compare_exchange_weak_explicit(&pool->gate, &gate, gate + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Whether another loop than `seen` came, or the end. */
static bool spin_for_loop(Worker *worker, uint64_t seen, uint64_t *ret_gate)
{
    NnPool *pool = worker->pool;
    uint64_t start = now_ns(), gate;

    for (;;) {
        uint64_t waited;
        bool begun;

        for (int i = 0; i < SPIN_PAUSES; i++) {
            gate = atomic_load_explicit(&pool->gate, memory_order_relaxed);
            if (gate / GATE_LOOP != seen ||
                atomic_load_explicit(&pool->quit, memory_order_relaxed)) {
                *ret_gate = gate;
                return true;
            }
            cpu_pause();
        }
        begun = atomic_load_explicit(&pool->begun, memory_order_relaxed);
        waited = now_ns() - start;
        if (waited < (begun ? worker->spin_ns : SPIN_IDLE_NS))
            continue;
        if (begun)
            worker->spin_ns = NN_MAX(worker->spin_ns / 2, SPIN_LEAST_NS);
        return false;
    }
}

/* Waits until there is another loop than `seen`. Returns the gate. */
static uint64_t wait_for_loop(Worker *worker, uint64_t seen)
{
    NnPool *pool = worker->pool;
    uint64_t gate;

    if (spin_for_loop(worker, seen, &gate)) {
        worker->spin_ns = NN_MIN(worker->spin_ns * 2, SPIN_MOST_NS);
        return gate;
    }
    /* The sleeper is counted before it looks at the gate, the caller writes the
     * gate before it looks at the count: one of the two sees the other. */
    pthread_mutex_lock(&pool->sleep_lock);
    atomic_fetch_add(&pool->sleepers, 1);
    for (;;) {
        gate = atomic_load(&pool->gate);
        if (gate / GATE_LOOP != seen || atomic_load(&pool->quit))
            break;
        pthread_cond_wait(&pool->wake, &pool->sleep_lock);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->sleep_lock);
    return gate;
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    NnPool *pool = worker->pool;
    uint64_t seen = 0;

    for (;;) {
        uint64_t gate = wait_for_loop(worker, seen);
        if (atomic_load_explicit(&pool->quit, memory_order_relaxed))
            return NULL;
        seen = gate / GATE_LOOP;
        if (!join_loop(pool, gate))
            continue;
        take_tiles(pool, worker->index);
        atomic_fetch_sub_explicit(&pool->gate, 1, memory_order_release);
    }
}

static void wake_sleepers(NnPool *pool)
{
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->sleep_lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->sleep_lock);
}

/* Workers take no signals: those belong to the application's threads. */
static int start_workers(NnPool *pool)
{
    sigset_t all, old;
    int r = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool->n_started < pool->n_threads - 1 && r == 0) {
        Worker *worker = &pool->workers[pool->n_started];
        *worker = (Worker){ .pool = pool, .index = pool->n_started + 1,
                            .spin_ns = SPIN_MOST_NS };
        r = -pthread_create(&worker->thread, NULL, worker_main, worker);
        if (r == 0)
            pool->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

NN_DEFINE_CLEANUP(NnPool, nn_pool_free)

int nn_pool_new(unsigned threads, NnPool **ret_pool)
{
    _cleanup_(nn_pool_freep) NnPool *pool = NULL;
    int r;

    if (threads < 1 || threads > NN_LIMIT_THREADS)
        return -EINVAL;
    pool = nn_aligned_alloc(sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    memset(pool, 0, sizeof(*pool));
    pool->n_threads = threads;
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->sleep_lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    if (threads > 1) {
        pool->workers = calloc(threads - 1, sizeof(*pool->workers));
        if (!pool->workers)
            return -ENOMEM;
    }
    r = start_workers(pool);
    if (r < 0)
        return r;
    *ret_pool = NN_TAKE(pool);
    return 0;
}

NnPool *nn_pool_free(NnPool *pool)
{
    if (!pool)
        return NULL;
    atomic_store(&pool->quit, true);
    wake_sleepers(pool);
    for (unsigned i = 0; i < pool->n_started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->sleep_lock);
    pthread_mutex_destroy(&pool->turn);
    free(pool->workers);
    free(pool);
    return NULL;
}

/* The index-th processor of the set, counted round. */
static int nth_processor(const cpu_set_t *set, unsigned index)
{
    int left = (int)index % NN_MAX(CPU_COUNT(set), 1);

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, set) && left-- == 0)
            return cpu;
    return 0;
}

int nn_pool_pin(NnPool *pool)
{
    cpu_set_t allowed, one;
    int r = 0;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        return -errno;
    for (unsigned i = 0; i < pool->n_started && r == 0; i++) {
        CPU_ZERO(&one);
        CPU_SET(nth_processor(&allowed, pool->workers[i].index), &one);
        r = -pthread_setaffinity_np(pool->workers[i].thread, sizeof(one), &one);
    }
    return r;
}

unsigned nn_pool_threads(const NnPool *pool)
{
    return pool ? pool->n_threads : 1;
}

/* Only the owner itself can read its own name here, so no order is needed. */
static bool is_owner(const NnPool *pool)
{
    return atomic_load_explicit(&pool->owner, memory_order_relaxed) == &inside_tile;
}

void nn_pool_begin(NnPool *pool)
{
    if (!pool || inside_tile)
        return;
    if (!is_owner(pool)) {
        pthread_mutex_lock(&pool->turn);
        atomic_store_explicit(&pool->owner, &inside_tile, memory_order_relaxed);
        atomic_store_explicit(&pool->begun, true, memory_order_relaxed);
    }
    pool->depth++;
}

void nn_pool_end(NnPool *pool)
{
    if (!pool || inside_tile || --pool->depth > 0)
        return;
    atomic_store_explicit(&pool->begun, false, memory_order_relaxed);
    atomic_store_explicit(&pool->owner, NULL, memory_order_relaxed);
    pthread_mutex_unlock(&pool->turn);
}

static void run_shared(NnPool *pool, size_t n_tiles, NnTileFunc func, void *argument)
{
    uint64_t gate;

    pool->func = func;
    pool->argument = argument;
    pool->n_tiles = n_tiles;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    gate = atomic_load_explicit(&pool->gate, memory_order_relaxed);
    /* Sequentially consistent: see wait_for_loop(). */
    atomic_store(&pool->gate, (gate + GATE_LOOP) | GATE_OPEN);
    wake_sleepers(pool);

    take_tiles(pool, 0);

    atomic_fetch_and_explicit(&pool->gate, ~GATE_OPEN, memory_order_relaxed);
    for (unsigned i = 0;; i++) {
        gate = atomic_load_explicit(&pool->gate, memory_order_acquire);
        if ((gate & GATE_WORKERS) == 0)
            return;
        if (i < SPIN_JOIN)
            cpu_pause();
        else
            sched_yield();
    }
}

static void run_alone(size_t n_tiles, NnTileFunc func, void *argument)
{
    bool nested = inside_tile;

    inside_tile = true;
    for (size_t tile = 0; tile < n_tiles; tile++)
        func(argument, tile, 0);
    inside_tile = nested;
}

void nn_pool_run(NnPool *pool, size_t n_tiles, NnTileFunc func, void *argument)
{
    bool ours;

    if (!pool || pool->n_threads == 1 || n_tiles <= 1 || inside_tile) {
        run_alone(n_tiles, func, argument);
        return;
    }
    ours = is_owner(pool);
    if (!ours)
        pthread_mutex_lock(&pool->turn);
    run_shared(pool, n_tiles, func, argument);
    if (!ours)
        pthread_mutex_unlock(&pool->turn);
}
