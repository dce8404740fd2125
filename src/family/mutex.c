/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutex.c: see mutex.h for the protocol.
 */
#include "family/mutex.h"

#include "base/atomic.h"
#include "base/check.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "mproc/error.h"

#define SLEEPERS ((uint64_t)1)

/* A hold lasts some hundred nanoseconds; a sleep and a wake cost tens of microseconds. */
#define SPINS 200

/** Whether a word was still what was seen, and is the mark's now. */
static bool swap(struct mproc__mutex_shm *mutex, uint64_t seen, uint64_t mark)
{
    return mproc__cas64(&mutex->word, &seen, mark);
}

/**
 * Take the lock if it is free, or its owner dead.
 *
 * @return 0, MPROC_OWNER_DIED, MPROC_ESTATE (it has changed: look again), or MPROC_ETIMEDOUT (a living
 *         owner has it)
 */
static int take(struct mproc__mutex_shm *mutex, uint64_t seen, uint64_t mine, uint64_t *ret_dead)
{
    if (seen == 0) {
        return swap(mutex, seen, mine) ? MPROC_OK : MPROC_ESTATE;
    }
    if (!mproc__thread_is_dead(seen)) {
        return MPROC_ETIMEDOUT;
    }
    if (!swap(mutex, seen, mine | SLEEPERS)) {
        return MPROC_ESTATE;
    }
    if (ret_dead != NULL) {
        *ret_dead = seen & ~SLEEPERS;
    }
    return MPROC_OWNER_DIED; /* DEATH: of the owner; ours from here on is found the same way */
}

static int acquire_slowly(struct mproc__mutex_shm *mutex, uint64_t self, mproc__deadline deadline,
                          uint64_t *ret_dead)
{
    uint64_t mine = self;
    for (int spins = mplat_get_facts()->is_smp && deadline != 0 ? SPINS : 0;;) {
        uint64_t seen = mproc__load64_relaxed(&mutex->word);
        if (seen != 0 && spins > 0) {
            spins--;
            MPROC__PAUSE();
            continue;
        }
        // Before the first sleep: its slot may be another thread's by now, whose life we would watch.
        int rc = take(mutex, seen, mine, ret_dead);
        if (rc >= 0) {
            return rc;
        }
        bool has_passed = mproc__deadline_passed(deadline);
        // Also by who gives up after a sleep: the wake that came to us was for others, too.
        bool must_mark = !(seen & SLEEPERS) && (mine != self || !has_passed);
        if (rc == MPROC_ESTATE || (must_mark && !swap(mutex, seen, seen | SLEEPERS))) {
            continue;
        }
        if (has_passed) {
            return MPROC_ETIMEDOUT;
        }
        (void)mproc__sleep(mproc__low32(&mutex->word), (uint32_t)(seen | SLEEPERS), deadline,
                           mproc__thread_life(seen));
        // Others may sleep, whose mark was taken away with the wake that came to us.
        mine = self | SLEEPERS;
        MPROC__KILLPOINT("mutex.woken");
    }
}

int mproc__mutex_acquire(struct mproc__mutex_shm *mutex, uint64_t self, mproc__deadline deadline,
                         uint64_t *ret_dead)
{
    return mproc__mutex_try(mutex, self) ? MPROC_OK
                                         : acquire_slowly(mutex, self, deadline, ret_dead);
}

uint64_t mproc__mutex_release(struct mproc__mutex_shm *mutex)
{
    uint64_t old = mproc__exchange64(&mutex->word, 0);
    MPROC__KILLPOINT("mutex.released");
    if (old & SLEEPERS) {
        (void)mplat_wake(mproc__low32(&mutex->word), 1);
    }
    return old & ~SLEEPERS;
}
