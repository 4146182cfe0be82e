/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The thread pool: fork-join over tiles that workers take one by one. */

#include "nn.h"

typedef struct NnPool NnPool;

/* Called once for each tile, on some worker (0 is the caller). */
typedef void (*NnTileFunc)(void *argument, size_t tile, unsigned worker);

/* `threads` counts the caller: 1 starts no thread. -EINVAL, -ENOMEM, -EAGAIN. */
NN_MUST_CHECK int nn_pool_new(unsigned threads, NnPool **ret_pool);
NnPool *nn_pool_free(NnPool *pool);
unsigned nn_pool_threads(const NnPool *pool);

/* Keeps worker i on the i-th processor that this process may run on, counted round.
 * The caller, worker 0, stays where the application puts it. Negative errno. */
NN_MUST_CHECK int nn_pool_pin(NnPool *pool);

/* Calls `func` for tile 0…n_tiles-1 and returns when all are done. Neither
 * allocates nor fails. With a NULL pool, or from inside a tile, the caller does
 * them all. */
void nn_pool_run(NnPool *pool, size_t n_tiles, NnTileFunc func, void *argument);

/* Between begin and end workers expect another loop and spin for it as long as that
 * has paid lately, and no other thread's loops run: one inference. */
void nn_pool_begin(NnPool *pool);
void nn_pool_end(NnPool *pool);
