/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/lock.h: locks between the processes of a family, and their threads.
 *
 * A lock is an argument like any other: whoever unpacks it uses the same one. Its holder is a thread.
 * When a holder dies, however it dies, the next one gets the lock and is told so: MPROC_OWNER_DIED is
 * a success, with the advice to look at what the lock guards.
 *
 *     mproc_lock *lock;
 *     mproc_lock_create(&lock, NULL);
 *     mproc_process_start(&child, work, MPROC_ARGS(lock), NULL);
 *     ...
 *     int rc = mproc_lock_acquire(lock, MPROC_FOREVER);
 *     if (rc == MPROC_OWNER_DIED) { repair(); }
 *     mproc_lock_release(lock);
 */
#ifndef MPROC_LOCK_H
#define MPROC_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A lock that is taken once: this process's handle of it. */
typedef struct mproc_lock mproc_lock;

/** A lock that its holder may take again. */
typedef struct mproc_rlock mproc_rlock;

/** What is special about a lock; zero: nothing. */
typedef struct mproc_lock_options {
    /**
     * Who gets MPROC_OWNER_DIED must say that what the lock guards is whole again, by
     * mproc_lock_consistent, before releasing it. Released without, the lock is poisoned: from then
     * on acquiring it fails with MPROC_EPOISONED. As a robust pthread mutex.
     */
    bool is_strict;
} mproc_lock_options;

/** How a lock stands just now; others may change it meanwhile. */
typedef struct mproc_lock_info {
    bool is_locked;
    bool is_poisoned;
    uint32_t depth;     /**< times its holder has acquired it; 0 when it is free */
    uint64_t deaths;    /**< holders that died holding it, so far */
    int64_t holder_pid; /**< the process whose thread holds it; 0: free, or just changing */
    int64_t dead_pid;   /**< the process of the last holder that died; 0: none, or not known */
} mproc_lock_info;

/**
 * Create a lock, which nobody holds.
 *
 * Python: multiprocessing.Lock()
 *
 * @param ret_lock  the new lock; close it with mproc_lock_close
 * @param options   NULL: all defaults
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_lock_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_lock_create(mproc_lock **ret_lock,
                                                const mproc_lock_options *options);

/**
 * Acquire the lock for the calling thread. It is no rlock: the thread that holds it waits for itself,
 * unless another thread releases it.
 *
 * Python: Lock.acquire(block, timeout); as a with statement's beginning
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_OWNER_DIED (acquired, the last holder died or ended without releasing it: look at
 *         what it guards); MPROC_ETIMEDOUT; MPROC_EPOISONED (see mproc_lock_options); MPROC_EINVAL for
 *         NULL; MPROC_ENOSPC when 65,535 threads of the family use mproc already
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process
 * @death  of the holder: the lock goes to who waits or comes next, within a few milliseconds as a
 *         rule. Of who waits: costs nobody anything.
 */
MPROC_API MPROC_NODISCARD int mproc_lock_acquire(mproc_lock *lock, mproc_timeout timeout);

/**
 * Release the lock; as in Python any thread of any process may do that.
 *
 * @return 0; MPROC_ESTATE when it is not locked (Python: ValueError); MPROC_EINVAL for NULL
 * @blocking  never
 * @safety any thread of any member process; safe in signal handlers
 */
MPROC_API int mproc_lock_release(mproc_lock *lock);

/** Whether somebody holds it; false for NULL. Python: Lock.locked(), since 3.14. */
MPROC_API bool mproc_lock_is_locked(const mproc_lock *lock);

/**
 * Say that what a strict lock guards is whole again; by the thread that got MPROC_OWNER_DIED, before
 * it releases the lock. By anybody, of a poisoned lock: it can be acquired again.
 *
 * @return 0, MPROC_ESTATE when there is nothing to say, MPROC_EINVAL for NULL
 */
MPROC_API int mproc_lock_consistent(mproc_lock *lock);

/** Read how a lock stands. 0, or MPROC_EINVAL for NULL. */
MPROC_API int mproc_lock_get_info(const mproc_lock *lock, mproc_lock_info *ret_info);

/** Take one more hold on a lock, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_lock_attach(mproc_lock **ret_lock, const mproc_lock *lock);

/**
 * Give up this process's hold on the lock, which it does not release. The last one frees it.
 *
 * @param lock  NULL is fine. Not one that was unpacked from arguments: those keep it
 */
MPROC_API void mproc_lock_close(mproc_lock *lock);

/** Create an rlock, which nobody holds. Python: multiprocessing.RLock(). As mproc_lock_create. */
MPROC_API MPROC_NODISCARD int mproc_rlock_create(mproc_rlock **ret_rlock,
                                                 const mproc_lock_options *options);

/**
 * Acquire the rlock for the calling thread, or once more if it holds it already.
 *
 * Python: RLock.acquire(block, timeout)
 *
 * @return as mproc_lock_acquire; MPROC_ERANGE when it has been acquired 4,294,967,295 times
 * @death  as mproc_lock_acquire: the next holder gets it once, however often the dead one had it
 */
MPROC_API MPROC_NODISCARD int mproc_rlock_acquire(mproc_rlock *rlock, mproc_timeout timeout);

/**
 * Take back one acquisition; the last one releases the rlock.
 *
 * @return 0; MPROC_ESTATE when the calling thread does not hold it (Python: AssertionError);
 *         MPROC_EINVAL for NULL
 */
MPROC_API int mproc_rlock_release(mproc_rlock *rlock);

/** Whether somebody holds it; false for NULL. */
MPROC_API bool mproc_rlock_is_locked(const mproc_rlock *rlock);

/** As mproc_lock_consistent. */
MPROC_API int mproc_rlock_consistent(mproc_rlock *rlock);

/** As mproc_lock_get_info. */
MPROC_API int mproc_rlock_get_info(const mproc_rlock *rlock, mproc_lock_info *ret_info);

/** As mproc_lock_attach. */
MPROC_API MPROC_NODISCARD int mproc_rlock_attach(mproc_rlock **ret_rlock, const mproc_rlock *rlock);

/** As mproc_lock_close. */
MPROC_API void mproc_rlock_close(mproc_rlock *rlock);

MPROC_END_DECLS

#endif
