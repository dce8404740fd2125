/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/address.h: wait until a word of shared memory changes: what an application builds its own
 * synchronisation of, between processes and on every system.
 *
 * The word lies in the family's arena: in a block, an array or a shared value. (Not in a shared memory with
 * a name, which strangers can have, too.) Each process passes the address that the word has for itself.
 * Reading and changing the word is the application's business, with C11's atomics say; a change comes
 * before the call that tells of it.
 *
 *     while (atomic_load(word) == 0) {
 *         mproc_atomic_wait((uint32_t *)word, 0, MPROC_FOREVER);
 *     }
 *     ... and in another process:
 *     atomic_store(word, 1);
 *     mproc_atomic_notify_one((uint32_t *)word);
 */
#ifndef MPROC_ADDRESS_H
#define MPROC_ADDRESS_H

#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/**
 * Wait until a word is another than `expected`. Who changes it calls mproc_atomic_notify_one or _all.
 *
 * C++: std::atomic<uint32_t>::wait(expected). Linux: futex. Windows: WaitOnAddress, but between processes
 *
 * @param word     in the arena, aligned to 4
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0: the word was seen to differ, never without reason; a change that was taken back meanwhile may
 *         be missed. MPROC_ETIMEDOUT: it is `expected` still. MPROC_EINVAL (not a word of the arena)
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process; the word's memory stays held by it meanwhile
 * @death  of any process of the family: all who wait look at their words again. So nobody misses a change
 *         because the process died that was to tell of it, or the one that was told.
 */
MPROC_API MPROC_NODISCARD int mproc_atomic_wait(const uint32_t *word, uint32_t expected,
                                                mproc_timeout timeout);

/**
 * Wake one of those who wait for a change of the word, or all; they look at it again.
 *
 * C++: notify_one(), notify_all()
 *
 * @return 0, or MPROC_EINVAL (not a word of the arena)
 * @blocking  never
 * @safety any thread of any member process; safe in signal handlers
 */
MPROC_API int mproc_atomic_notify_one(const uint32_t *word);
MPROC_API int mproc_atomic_notify_all(const uint32_t *word);

MPROC_END_DECLS

#endif
