/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutex.h: a lock in the arena that outlives its owner.
 *
 * Why       Everything that several words of the arena guard needs one; the public locks stand on it.
 * Layout    one 64-bit word: 0 free, else the owner's thread id (thread.h), bit 0 set if somebody
 *           may sleep on its low half.
 * Death     A thread id is never given twice, so an owner that has died can be told for certain; who
 *           waits watches the owner's life token and takes the word over by one CAS. Released with
 *           the sleeping bit set, all sleepers are woken: each must watch the new owner, and a wake
 *           may be given to one that is killed before it acts on it.
 */
#ifndef MPROC_FAMILY_MUTEX_H
#define MPROC_FAMILY_MUTEX_H

#include <stdint.h>

#include "base/deadline.h"

struct mproc__mutex_shm {
    uint64_t word; /**< see above; whoever wants it, by CAS */
};

/**
 * Take the lock.
 *
 * @param self  the calling thread's id; it does not hold the lock
 * @return 0, MPROC_OWNER_DIED (taken, the last owner died holding it), or MPROC_ETIMEDOUT
 */
int mproc__mutex_acquire(struct mproc__mutex_shm *mutex, uint64_t self, mproc__deadline deadline);

/** Release it; by the thread that holds it. */
void mproc__mutex_release(struct mproc__mutex_shm *mutex);

#endif
