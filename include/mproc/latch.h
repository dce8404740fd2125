/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/latch.h: a count that goes down to zero once, and lets go who waits for that.
 *
 *     mproc_latch_create(&ready, N_WORKERS);
 *     ... each worker, when it has got ready:
 *     mproc_latch_count_down(ready, 1);
 *     ... and who needs all of them:
 *     mproc_latch_wait(ready, MPROC_FOREVER);
 */
#ifndef MPROC_LATCH_H
#define MPROC_LATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A count that goes down to zero once: this process's handle of it. */
typedef struct mproc_latch mproc_latch;

/** The highest count there can be. */
#define MPROC_LATCH_MAX 0x7fffffffu

/**
 * Create a latch with this count; it opens at zero, for good.
 *
 * Python: nothing like it. C++: std::latch
 *
 * @param count  0 to MPROC_LATCH_MAX; 0: it is open
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_latch_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_latch_create(mproc_latch **ret_latch, uint32_t count);

/**
 * Take `n` from the count, and let go who waits if nothing is left.
 *
 * C++: count_down(n)
 *
 * @return 0; MPROC_ERANGE (there is less: nothing has changed); MPROC_EINVAL for NULL
 * @blocking  never
 * @safety any thread of any member process; safe in signal handlers
 * @death  killed in it, it has taken all or nothing; those who wait find out either way
 */
MPROC_API int mproc_latch_count_down(mproc_latch *latch, uint32_t n);

/** Whether the count is zero; false for NULL. C++: try_wait(). */
MPROC_API bool mproc_latch_is_open(const mproc_latch *latch);

/** What is left of the count just now; 0 for NULL. */
MPROC_API uint32_t mproc_latch_get_count(const mproc_latch *latch);

/**
 * Wait until the count is zero.
 *
 * C++: wait()
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_ETIMEDOUT; MPROC_EBROKEN (see below); MPROC_EINVAL for NULL
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process
 * @death  When a process is killed that has the latch open as a handle, while the latch is still closed,
 *         it may have been one who was to count, and nobody waits in vain: all get MPROC_EBROKEN, and
 *         who comes later, too. If others bring the count to zero nevertheless, the latch opens. (A copy
 *         made by fork has all handles of its original.) One that ends of its own accord breaks nothing.
 */
MPROC_API MPROC_NODISCARD int mproc_latch_wait(mproc_latch *latch, mproc_timeout timeout);

/**
 * mproc_latch_count_down, and then mproc_latch_wait.
 *
 * C++: arrive_and_wait(n)
 *
 * @return as both; after MPROC_ETIMEDOUT and MPROC_EBROKEN the count has been taken
 */
MPROC_API MPROC_NODISCARD int mproc_latch_arrive_and_wait(mproc_latch *latch, uint32_t n,
                                                          mproc_timeout timeout);

/** Take one more hold on a latch, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_latch_attach(mproc_latch **ret_latch, const mproc_latch *latch);

/** Give up this process's hold on the latch, as mproc_lock_close. */
MPROC_API void mproc_latch_close(mproc_latch *latch);

MPROC_END_DECLS

#endif
