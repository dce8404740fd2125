/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/named_lock.h: locks by name, for processes outside the family, too.
 *
 * Processes of a family do not need it: an mproc_lock has no name, and costs less. This one is for
 * strangers, programs that were started otherwise, and above all for the memory that they share: the
 * lock of the same name as an mproc_shared_memory says whose turn it is. Names of locks and of memory
 * do not get in each other's way.
 *
 *     mproc_named_lock *turn;
 *     mproc_shared_memory *frames;
 *     const mproc_shared_memory_options automatic = {.auto_unlink = true};
 *     mproc_named_lock_open(&turn, "frames", NULL);    // first of all: who has the lock ...
 *     int rc = mproc_named_lock_acquire(turn, MPROC_FOREVER);
 *     if (mproc_shared_memory_open(&frames, "frames", NULL) == MPROC_ENOENT) {
 *         mproc_shared_memory_create(&frames, "frames", SIZE, &automatic); // ... is alone here
 *         fill(mproc_shared_memory_data(frames));
 *     } else if (rc == MPROC_OWNER_DIED) {
 *         repair(mproc_shared_memory_data(frames)); // who had the turn died with it
 *     }
 *     use(mproc_shared_memory_data(frames));
 *     mproc_named_lock_release(turn);
 *     ...
 *     mproc_shared_memory_close(frames);
 *     mproc_named_lock_close(turn); // last: as long as there are frames, it knows whose turn it is
 *
 * What is written before a release is seen after the next acquire, in whichever family that is.
 *
 * Its holder is a thread. When a holder dies, however it dies, the next one gets the lock and is told
 * so: MPROC_OWNER_DIED is a success, with the advice to look at what the lock guards. That is certain as
 * long as another process has it open. When its only user is killed holding it, the next one may be told,
 * or get a new lock; what it guards should go with its last user, too.
 *
 * Its name goes with its last user, as that of automatic shared memory does, and can be used at once,
 * whoever was killed: there is nothing to unlink, and nothing to tidy up.
 *
 * A copy of a process made by fork() has the lock open, but does not hold it: the original does. It is a
 * user until it closes it, or ends.
 */
#ifndef MPROC_NAMED_LOCK_H
#define MPROC_NAMED_LOCK_H

#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A lock with a name: this process's handle of it. */
typedef struct mproc_named_lock mproc_named_lock;

/** What is special about it; zero: nothing. */
typedef struct mproc_named_lock_options {
    /**
     * Who may open it, as chmod has it; 0: 0600. The umask plays no part. Of the one who makes it counts;
     * but without bits for others, another user's lock is refused: who may use it must be trusted, for on
     * Linux he can write where the C library follows pointers. Not on Windows, where it is for this
     * user's processes in this session.
     */
    uint32_t mode;
} mproc_named_lock_options;

/**
 * Open the lock of a name, or make it if there is none.
 *
 * It is there as a whole or not at all: there is no instant at which a maker's death leaves something
 * that others would trip over.
 *
 * Python: none; its locks have names for its own children only
 *
 * @param name     up to 250 bytes; a '/' at its beginning is left away, others are not allowed, nor
 *                 backslashes on Windows. On Linux it is a file "lock.NAME" in /dev/shm
 * @param options  NULL: all defaults
 * @return 0; MPROC_ETYPE (what has its name on this system is no lock, or one of another C library's);
 *         MPROC_EACCES (another user's); MPROC_ENOTSUP (Linux: its users are in another PID namespace,
 *         where the kernel cannot tell threads from those here; or there is no /dev/shm); MPROC_EINVAL;
 *         MPROC_ETOOBIG (the name); MPROC_ENOSPC; MPROC_ENOMEM; MPROC_EMFILE
 * @owner  the caller, until mproc_named_lock_close
 * @blocking for moments, while somebody else is removing the name
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind, or was a user that is gone
 */
MPROC_API MPROC_NODISCARD int mproc_named_lock_open(mproc_named_lock **ret_lock, const char *name,
                                                    const mproc_named_lock_options *options);

/**
 * Acquire the lock for the calling thread.
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_OWNER_DIED (acquired, the last holder died or ended without releasing it: look at
 *         what it guards); MPROC_ETIMEDOUT; MPROC_ESTATE when the calling thread holds it already, by
 *         whichever handle; MPROC_EINVAL for NULL; MPROC_ECORRUPT (Linux: somebody wrote over it);
 *         MPROC_ENOSPC when 65,535 threads of the family use mproc already
 * @blocking  sleeps, and looks again now and then: after 20 ms first, later once a second
 * @safety any thread of any member process
 * @death  of the holder: the lock goes to who waits or comes next. Of who waits: as a rule costs nobody
 *         anything; killed at the very moment when it was woken and a third one got the lock, it may
 *         delay one who waits until that one looks again.
 */
MPROC_API MPROC_NODISCARD int mproc_named_lock_acquire(mproc_named_lock *lock,
                                                       mproc_timeout timeout);

/**
 * Release the lock, by any handle of it.
 *
 * @return 0; MPROC_ESTATE when the calling thread does not hold it; MPROC_EINVAL for NULL
 * @blocking  never
 * @safety any thread of any member process
 * @death  killed in it: it is released, or goes to the next one with MPROC_OWNER_DIED
 */
MPROC_API int mproc_named_lock_release(mproc_named_lock *lock);

/** Its name, without a '/'; valid until it is closed. NULL for NULL. */
MPROC_API const char *mproc_named_lock_name(const mproc_named_lock *lock);

/**
 * Open it once more, as mproc_block_attach does a block. Arguments do so, too: who starts a process
 * with it on Windows does not close it until it is unpacked there.
 *
 * @return 0; MPROC_ENOENT (its name is gone, or another one has it); as mproc_named_lock_open
 */
MPROC_API MPROC_NODISCARD int mproc_named_lock_attach(mproc_named_lock **ret_lock,
                                                      const mproc_named_lock *lock);

/**
 * Close it. The last handle of a process releases the lock if the calling thread holds it. If another
 * thread of the process does, that one goes on holding it until it ends, and the process remains a user.
 *
 * @param lock  NULL is fine. Not one that was unpacked from arguments: those keep it
 * @death  a process killed in it is a user that is gone
 */
MPROC_API void mproc_named_lock_close(mproc_named_lock *lock);

MPROC_END_DECLS

#endif
