/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_win32.c: Windows has nothing to wait on between processes that a child would find without a
 * name, so mproc and Python stand alone there.
 */
#include "sync.h"

const struct sync_lock_way sync_system_locks[] = {{0}};
const struct bench_pair_way sync_system_pairs[] = {{0}};
const struct sync_barrier_way sync_system_barriers[] = {{0}};
