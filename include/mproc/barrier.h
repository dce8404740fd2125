/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/barrier.h: a point that a number of threads or processes pass together.
 */
#ifndef MPROC_BARRIER_H
#define MPROC_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A barrier: this process's handle of it. */
typedef struct mproc_barrier mproc_barrier;

/** The most parties there can be. */
#define MPROC_BARRIER_MAX 65535u

/** What is special about a barrier; zero: nothing. */
typedef struct mproc_barrier_options {
    /**
     * Run by the last one to arrive, before any passes. Negative: the barrier breaks. A function of
     * the program or of a library, like a process's.
     */
    int (*action)(void);
} mproc_barrier_options;

/** How a barrier stands just now; others may change it meanwhile. */
typedef struct mproc_barrier_info {
    uint32_t parties;   /**< how many it takes */
    uint32_t n_waiting; /**< how many wait */
    bool is_broken;
    int64_t
        dead_pid; /**< the process whose death has broken it; 0: it was no death, or not known */
} mproc_barrier_info;

/**
 * Create a barrier for so many parties.
 *
 * Python: multiprocessing.Barrier(parties, action)
 *
 * @param parties  1 to MPROC_BARRIER_MAX
 * @param options  NULL: all defaults
 * @return 0, MPROC_EINVAL, MPROC_ENOENT (the action is in no module), MPROC_ENOMEM or MPROC_ENOSPC
 * @owner  the caller, until mproc_barrier_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_barrier_create(mproc_barrier **ret_barrier, uint32_t parties,
                                                   const mproc_barrier_options *options);

/**
 * Wait until all parties have come, and pass.
 *
 * Python: Barrier.wait(timeout)
 *
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return in which place the caller came, from 0; each place once, and no status: place 1 is not
 *         MPROC_OWNER_DIED. MPROC_EBROKEN: it is broken, or breaks now (Python: BrokenBarrierError).
 *         MPROC_ETIMEDOUT: the caller's time is up, which has broken it, unless it has only waited for
 *         the action of the round before. MPROC_EINVAL for NULL; MPROC_ENOMEM, MPROC_ENOSPC (no room for one more)
 * @blocking  spins for some microseconds, then sleeps
 * @safety any thread of any member process
 * @death  When a process that has the barrier open is killed, be it that it waits here, has been here
 *         before, or was yet to come, the barrier breaks, and nobody waits for it in vain. (A copy made
 *         by fork has open whatever its original has.) One that ends of its own accord breaks nothing.
 *         mproc_last_error() names the dead process by its pid, mproc_barrier_get_info does too.
 */
MPROC_API MPROC_NODISCARD int mproc_barrier_wait(mproc_barrier *barrier, mproc_timeout timeout);

/**
 * Make the barrier as good as new: those who wait get MPROC_EBROKEN, who comes from now on waits for
 * all parties. Python: Barrier.reset().
 *
 * @return 0, or MPROC_EINVAL for NULL
 */
MPROC_API int mproc_barrier_reset(mproc_barrier *barrier);

/** Break the barrier, for those who wait and those who come, until it is reset. Python: Barrier.abort(). */
MPROC_API int mproc_barrier_abort(mproc_barrier *barrier);

/** How many parties it takes; 0 for NULL. Python: Barrier.parties. */
MPROC_API uint32_t mproc_barrier_parties(const mproc_barrier *barrier);

/** How many wait just now; 0 for NULL. Python: Barrier.n_waiting. */
MPROC_API uint32_t mproc_barrier_n_waiting(const mproc_barrier *barrier);

/** Whether it is broken; false for NULL. Python: Barrier.broken. */
MPROC_API bool mproc_barrier_is_broken(const mproc_barrier *barrier);

/**
 * Read how a barrier stands, and if it is broken, whose death did that. Of several that died it is one.
 * A process that is dead but not yet found dead does not show.
 *
 * @return 0; MPROC_EINVAL for NULL; MPROC_ENOSPC as mproc_lock_acquire
 * @blocking  for moments, while others enter or leave the barrier
 */
MPROC_API int mproc_barrier_get_info(const mproc_barrier *barrier, mproc_barrier_info *ret_info);

/** Take one more hold on a barrier, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_barrier_attach(mproc_barrier **ret_barrier,
                                                   const mproc_barrier *barrier);

/** Give up this process's hold on the barrier, as mproc_lock_close. */
MPROC_API void mproc_barrier_close(mproc_barrier *barrier);

MPROC_END_DECLS

#endif
