/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/condition.h: waiting, under a lock, until somebody says that something has changed.
 *
 *     mproc_condition_acquire(condition, MPROC_FOREVER);
 *     while (!is_ready(shared)) {
 *         mproc_condition_wait(condition, MPROC_FOREVER);
 *     }
 *     mproc_condition_release(condition);
 */
#ifndef MPROC_CONDITION_H
#define MPROC_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/lock.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A condition with its lock: this process's handle of it. */
typedef struct mproc_condition mproc_condition;

/** Whose lock; at most one. With neither, the condition makes an rlock of its own. */
typedef struct mproc_condition_options {
    mproc_lock *lock;
    mproc_rlock *rlock;
} mproc_condition_options;

/**
 * Create a condition.
 *
 * Python: multiprocessing.Condition(lock)
 *
 * @param options  NULL: an rlock of its own. A lock of the caller's is held by the condition, too:
 *                 its handle may be closed
 * @return 0, MPROC_EINVAL (two locks), MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_condition_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_condition_create(mproc_condition **ret_condition,
                                                     const mproc_condition_options *options);

/** Acquire and release the condition's lock: as mproc_lock_acquire or mproc_rlock_acquire. */
MPROC_API MPROC_NODISCARD int mproc_condition_acquire(mproc_condition *condition,
                                                      mproc_timeout timeout);
MPROC_API int mproc_condition_release(mproc_condition *condition);

/**
 * Release the lock, wait until notified, and acquire the lock again, as often as it was held. As
 * everywhere, look again at what is waited for: it may have changed back, and a wake may come for no
 * reason after somebody has died.
 *
 * Python: Condition.wait(timeout)
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER; how long to wait for the notice. The
 *                 lock is then waited for without a limit
 * @return 0 (notified); MPROC_ETIMEDOUT (Python: False); MPROC_OWNER_DIED (notified or not, and the
 *         lock's last holder died); MPROC_ESTATE (the calling thread does not hold the lock;
 *         Python: RuntimeError); MPROC_ENOMEM, MPROC_ENOSPC (no room for one more waiter);
 *         MPROC_EINVAL for NULL; each with the lock held as before. MPROC_EPOISONED: the lock was
 *         poisoned, and is not held
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process
 * @death  of another one who waits: costs nobody anything, a notice that came to it goes to the next
 */
MPROC_API MPROC_NODISCARD int mproc_condition_wait(mproc_condition *condition,
                                                   mproc_timeout timeout);

/** Whether what is waited for is there; called with the lock held. Nonzero: yes; negative: an error. */
typedef int (*mproc_predicate)(void *context);

/**
 * Wait until a predicate holds, looking again at each notice.
 *
 * Python: Condition.wait_for(predicate, timeout)
 *
 * @param context  passed on to `predicate`
 * @param timeout  for all of it
 * @return what `predicate` returned, positive as a rule; MPROC_ETIMEDOUT when it did not hold in time;
 *         negative as mproc_condition_wait. That a holder of the lock died is not told; over a strict
 *         lock, which wants to hear of that, MPROC_ENOTSUP.
 */
MPROC_API MPROC_NODISCARD int mproc_condition_wait_for(mproc_condition *condition,
                                                       mproc_predicate predicate, void *context,
                                                       mproc_timeout timeout);

/**
 * Wake up to `n` of those who wait, oldest first. The dead are passed over.
 *
 * Python: Condition.notify(n)
 *
 * @return how many were woken; MPROC_ESTATE (the lock is not held; Python: RuntimeError); MPROC_EINVAL
 *         for NULL
 * @blocking  never for those who wait, whatever has become of them
 * @safety any thread of any member process
 * @death  killed in it, some were woken and others not; nobody hangs who was to be woken by others
 */
MPROC_API int mproc_condition_notify(mproc_condition *condition, uint32_t n);

/**
 * Wake all of those who wait. They come out one after the other, as they get the lock: there is no
 * stampede.
 *
 * Python: Condition.notify_all(). As mproc_condition_notify otherwise.
 */
MPROC_API int mproc_condition_notify_all(mproc_condition *condition);

/** Take one more hold on a condition, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_condition_attach(mproc_condition **ret_condition,
                                                     const mproc_condition *condition);

/** Give up this process's hold on the condition, as mproc_lock_close. */
MPROC_API void mproc_condition_close(mproc_condition *condition);

MPROC_END_DECLS

#endif
