/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/semaphore.h: permits that processes take and give.
 */
#ifndef MPROC_SEMAPHORE_H
#define MPROC_SEMAPHORE_H

#include <stdbool.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A number of permits: this process's handle of it. */
typedef struct mproc_semaphore mproc_semaphore;

/** The most permits a semaphore can have; a robust one, see mproc_semaphore_options. */
#define MPROC_SEMAPHORE_MAX 0x7fffffffu
#define MPROC_SEMAPHORE_MAX_ROBUST 65535u

/** What is special about a semaphore; zero: nothing. */
typedef struct mproc_semaphore_options {
    /** Never more permits than there were in the beginning. Python: BoundedSemaphore. */
    bool is_bounded;
    /**
     * A permit belongs to the thread that acquired it: it alone can release it, and when it dies, or
     * ends, the permit is free again. Such a semaphore is bounded, and acquire and release look
     * through its permits one by one.
     *
     * Otherwise a permit belongs to nobody, as in Python: who dies between acquire and release takes
     * it along.
     */
    bool is_robust;
} mproc_semaphore_options;

/**
 * Create a semaphore with `value` permits.
 *
 * Python: multiprocessing.Semaphore(value), BoundedSemaphore(value); its default is 1
 *
 * @param value    0 to MPROC_SEMAPHORE_MAX; a robust one needs 1 to MPROC_SEMAPHORE_MAX_ROBUST
 * @param options  NULL: all defaults
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_semaphore_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_semaphore_create(mproc_semaphore **ret_semaphore,
                                                     uint32_t value,
                                                     const mproc_semaphore_options *options);

/** mproc_semaphore_create with is_bounded. Python: multiprocessing.BoundedSemaphore(value). */
MPROC_API MPROC_NODISCARD int mproc_bounded_semaphore_create(mproc_semaphore **ret_semaphore,
                                                             uint32_t value);

/**
 * Take a permit.
 *
 * Python: Semaphore.acquire(block, timeout)
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_OWNER_DIED (robust: the permit was a dead thread's); MPROC_ETIMEDOUT; MPROC_EINVAL
 *         for NULL
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process
 * @death  of others who wait: costs nobody anything; of a holder: see mproc_semaphore_options
 */
MPROC_API MPROC_NODISCARD int mproc_semaphore_acquire(mproc_semaphore *semaphore,
                                                      mproc_timeout timeout);

/**
 * Give a permit, back or anew.
 *
 * Python: Semaphore.release()
 *
 * @return 0; MPROC_ESTATE (bounded: all permits are there already, Python: ValueError; robust: the
 *         calling thread has none); MPROC_ERANGE (MPROC_SEMAPHORE_MAX permits are there); MPROC_EINVAL
 * @blocking  never
 * @safety any thread of any member process; safe in signal handlers, unless robust
 */
MPROC_API int mproc_semaphore_release(mproc_semaphore *semaphore);

/** Permits to be had just now, on every system; 0 for NULL. Python: Semaphore.get_value(). */
MPROC_API uint32_t mproc_semaphore_get_value(const mproc_semaphore *semaphore);

/** Take one more hold on a semaphore, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_semaphore_attach(mproc_semaphore **ret_semaphore,
                                                     const mproc_semaphore *semaphore);

/** Give up this process's hold on the semaphore, as mproc_lock_close; permits stay as they are. */
MPROC_API void mproc_semaphore_close(mproc_semaphore *semaphore);

MPROC_END_DECLS

#endif
