/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Allocation as the linker's --wrap puts it in place of libc's: it counts, and it
 * fails when told. One thread at a time. */

#include <stdbool.h>

/* The k-th allocation from now on fails, the first being 0, and where `on` is set
 * all after it. Negative: none fails. */
void fail_alloc_at(long k, bool on);

/* Allocations since then, and blocks that are not freed in all. */
long fail_alloc_count(void);
long fail_alloc_live(void);
