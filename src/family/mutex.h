/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutex.h: a lock in the arena that outlives its owner.
 *
 * Why       Everything that several words of the arena guard needs one; the public locks stand on it.
 * Layout    one 64-bit word: 0 free, else the owner's thread id (thread.h), bit 0 set if somebody
 *           may sleep on its low half.
 * Death     A thread id is never given twice, so an owner that has died can be told for certain; who
 *           waits watches the owner's life token and takes the word over by one CAS.
 * Waking    Released with the sleeping bit set, one sleeper is woken, and puts the bit back whether it
 *           gets the lock or gives up. The others go on watching an owner that is gone, and the one
 *           woken may be killed before it acts on it: both end with a death, after which all sleepers
 *           look again (watch.h). To wake all of them each time would cost more the more there are.
 */
#ifndef MPROC_FAMILY_MUTEX_H
#define MPROC_FAMILY_MUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/deadline.h"

struct mproc__mutex_shm {
    uint64_t word; /**< see above; whoever wants it, by CAS */
};

/** Take the lock if it is free. `self` is the calling thread's id. */
static inline bool mproc__mutex_try(struct mproc__mutex_shm *mutex, uint64_t self)
{
    uint64_t expected = 0;
    return mproc__cas64(&mutex->word, &expected, self);
}

/** Who holds the lock just now; 0: nobody. */
static inline uint64_t mproc__mutex_owner(const struct mproc__mutex_shm *mutex)
{
    return mproc__load64_acquire(&mutex->word) & ~(uint64_t)1;
}

/**
 * Take the lock.
 *
 * @param self      the calling thread's id
 * @param ret_dead  with MPROC_OWNER_DIED: who it was; may be NULL
 * @return 0, MPROC_OWNER_DIED (taken, the last owner died holding it), or MPROC_ETIMEDOUT
 */
int mproc__mutex_acquire(struct mproc__mutex_shm *mutex, uint64_t self, mproc__deadline deadline,
                         uint64_t *ret_dead);

/** Release it, whoever holds it: the id of who did; 0: nobody. */
uint64_t mproc__mutex_release(struct mproc__mutex_shm *mutex);

#endif
