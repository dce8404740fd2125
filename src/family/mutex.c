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

static int acquire_slowly(struct mproc__mutex_shm *mutex, uint64_t self, mproc__deadline deadline)
{
    int spins = mplat_get_facts()->is_smp ? SPINS : 0;
    for (;;) {
        uint64_t seen = mproc__load64_relaxed(&mutex->word);
        if (seen == 0) {
            // Others may sleep that were woken with us or whose mark we cannot see: keep theirs.
            if (mproc__cas64(&mutex->word, &seen, self | SLEEPERS)) {
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
                return MPROC_OWNER_DIED; /* DEATH: of the owner; ours from here on is found the same way */
            }
            continue;
        }
        if (mproc__deadline_passed(deadline)) {
            return MPROC_ETIMEDOUT;
        }
        if (!(seen & SLEEPERS)) {
            if (!mproc__cas64(&mutex->word, &seen, seen | SLEEPERS)) {
                continue;
            }
            seen |= SLEEPERS;
        }
        (void)mproc__sleep(mproc__low32(&mutex->word), (uint32_t)seen, deadline,
                           mproc__thread_life(seen));
        MPROC__KILLPOINT("mutex.woken");
    }
}

int mproc__mutex_acquire(struct mproc__mutex_shm *mutex, uint64_t self, mproc__deadline deadline)
{
    uint64_t expected = 0;
    if (mproc__cas64(&mutex->word, &expected, self)) {
        return MPROC_OK;
    }
    return acquire_slowly(mutex, self, deadline);
}

void mproc__mutex_release(struct mproc__mutex_shm *mutex)
{
    uint64_t old = mproc__exchange64(&mutex->word, 0);
    MPROC__KILLPOINT("mutex.released");
    if (old & SLEEPERS) {
        mplat_wake(mproc__low32(&mutex->word), INT32_MAX);
    }
}
