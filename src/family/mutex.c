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

static int acquire_slowly(struct mproc__mutex_shm *mutex, uint64_t self, mproc__deadline deadline,
                          uint64_t *ret_dead)
{
    int spins = mplat_get_facts()->is_smp && deadline != 0 ? SPINS : 0;
    bool has_slept = false;
    for (;;) {
        uint64_t seen = mproc__load64_relaxed(&mutex->word);
        if (seen == 0) {
            // Others may sleep, whose mark was taken away with the wake that came to us: keep theirs.
            if (mproc__cas64(&mutex->word, &seen, has_slept ? self | SLEEPERS : self)) {
                return MPROC_OK;
            }
            continue;
        }
        if (spins > 0) {
            spins--;
            MPROC__PAUSE();
            continue;
        }
        // Before the first sleep: its slot may be another thread's by now, whose life we would watch.
        if (mproc__thread_is_dead(seen)) {
            if (mproc__cas64(&mutex->word, &seen, self | SLEEPERS)) {
                if (ret_dead != NULL) {
                    *ret_dead = seen & ~SLEEPERS;
                }
                return MPROC_OWNER_DIED; /* DEATH: of the owner; ours from here on is found the same way */
            }
            continue;
        }
        bool has_passed = mproc__deadline_passed(deadline);
        // Also by who gives up after a sleep: the wake that came to us was for others, too.
        if (!(seen & SLEEPERS) && (has_slept || !has_passed)) {
            if (!mproc__cas64(&mutex->word, &seen, seen | SLEEPERS)) {
                continue;
            }
            seen |= SLEEPERS;
        }
        if (has_passed) {
            return MPROC_ETIMEDOUT;
        }
        (void)mproc__sleep(mproc__low32(&mutex->word), (uint32_t)seen, deadline,
                           mproc__thread_life(seen));
        has_slept = true;
        MPROC__KILLPOINT("mutex.woken");
    }
}

int mproc__mutex_acquire(struct mproc__mutex_shm *mutex, uint64_t self, mproc__deadline deadline,
                         uint64_t *ret_dead)
{
    return mproc__mutex_try(mutex, self) ? MPROC_OK
                                         : acquire_slowly(mutex, self, deadline, ret_dead);
}

bool mproc__mutex_release(struct mproc__mutex_shm *mutex)
{
    uint64_t old = mproc__exchange64(&mutex->word, 0);
    MPROC__KILLPOINT("mutex.released");
    if (old & SLEEPERS) {
        mplat_wake(mproc__low32(&mutex->word), 1);
    }
    return old != 0;
}
