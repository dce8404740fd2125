/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/rwlock.h: a lock that many may have for reading, or one for writing.
 *
 * Its holders are threads of any process. Readers do not disturb each other: each leaves its mark in a
 * cache line of its own. Readers and writers take turns: a writer that waits holds up the readers who
 * come after it, and who waited for one writer goes before the next one.
 *
 *     mproc_rwlock_acquire_read(rwlock, MPROC_FOREVER);
 *     look_up(table);
 *     mproc_rwlock_release(rwlock);
 */
#ifndef MPROC_RWLOCK_H
#define MPROC_RWLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A lock for readers and writers: this process's handle of it. */
typedef struct mproc_rwlock mproc_rwlock;

/** How a lock stands just now; others may change it meanwhile. */
typedef struct mproc_rwlock_info {
    uint32_t n_readers; /**< threads that have it for reading */
    bool is_suspect;    /**< a writer has died, and no other one has released it since */
    uint64_t deaths;    /**< writers that died holding it, so far */
    int64_t writer_pid; /**< the process whose thread has it for writing; 0: none */
    int64_t dead_pid;   /**< the process of the last writer that died; 0: none, or not known */
} mproc_rwlock_info;

/**
 * Create a lock, which nobody holds.
 *
 * Python: nothing like it. C++: std::shared_timed_mutex
 *
 * @param ret_rwlock  the new lock; close it with mproc_rwlock_close
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_rwlock_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_rwlock_create(mproc_rwlock **ret_rwlock);

/**
 * Acquire the lock for reading, with others who read. A thread that reads already acquires it once more,
 * whoever waits, and releases it as often.
 *
 * C++: lock_shared(), try_lock_shared_for()
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_OWNER_DIED (acquired, but a writer has died: what the lock guards may be half
 *         written. Every reader gets this until a writer has been here, for no reader can repair it);
 *         MPROC_ETIMEDOUT (a writer has it, or waits for it); MPROC_ESTATE (the calling thread has it for
 *         writing); MPROC_EINVAL for NULL; MPROC_ENOMEM, MPROC_ENOSPC (no room for one more reader)
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process
 * @death  of a reader, or of one who waits: costs nobody anything. Of the writer: who waits or comes next
 *         gets the lock, within a few milliseconds as a rule.
 */
MPROC_API MPROC_NODISCARD int mproc_rwlock_acquire_read(mproc_rwlock *rwlock,
                                                        mproc_timeout timeout);

/**
 * Acquire the lock for writing, alone. Who waits for it lets no new readers in.
 *
 * C++: lock(), try_lock_for()
 *
 * @return 0; MPROC_OWNER_DIED (acquired, and the writer before died or ended without releasing it: look
 *         at what the lock guards. Once released, the lock is as good as new); MPROC_ETIMEDOUT;
 *         MPROC_ESTATE (the calling thread has it already; one that reads must release it first);
 *         MPROC_EINVAL for NULL
 * @blocking, @safety, @death  as mproc_rwlock_acquire_read
 */
MPROC_API MPROC_NODISCARD int mproc_rwlock_acquire_write(mproc_rwlock *rwlock,
                                                         mproc_timeout timeout);

/**
 * Release what the calling thread has acquired, for reading or for writing.
 *
 * @return 0; MPROC_ESTATE when it does not hold the lock; MPROC_EINVAL for NULL
 * @blocking  never
 * @safety any thread of any member process; not in signal handlers
 */
MPROC_API int mproc_rwlock_release(mproc_rwlock *rwlock);

/** Read how a lock stands. 0, or MPROC_EINVAL for NULL. */
MPROC_API int mproc_rwlock_get_info(const mproc_rwlock *rwlock, mproc_rwlock_info *ret_info);

/** Take one more hold on a lock, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_rwlock_attach(mproc_rwlock **ret_rwlock,
                                                  const mproc_rwlock *rwlock);

/** Give up this process's hold on the lock, as mproc_lock_close; it is not released. */
MPROC_API void mproc_rwlock_close(mproc_rwlock *rwlock);

MPROC_END_DECLS

#endif
