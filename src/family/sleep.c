/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sleep.c: see sleep.h.
 */
#include "family/sleep.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "family/thread.h"
#include "family/watch.h"

/* Who waits for an owner also watches its life, so a slice only bounds what other deaths cost. */
int64_t mproc__slice_ns = (int64_t)20 * 1000000;

/* The word on which this thread's last sleep came to the end of its slice; else NULL. */
static MPROC__THREAD_LOCAL const uint32_t *patient_for;
static MPROC__THREAD_LOCAL uint64_t seen_alarms;

/*
 * A sleep and its wake cost some 10 us, so that to spin as long costs at most twice as much as to know
 * beforehand. Where spinning does not pay, hardly any is done.
 */
#define SPINS_MOST 400
#define SPINS_LEAST 20

static MPROC__THREAD_LOCAL int spins = SPINS_MOST;

bool mproc__spin(const uint32_t *word, uint32_t expected)
{
    if (!mplat_get_facts()->is_smp) {
        return false;
    }
    for (int i = 0; i < spins; i++) {
        if (mproc__load32_acquire(word) != expected) {
            spins = spins + spins / 4 + 4 < SPINS_MOST ? spins + spins / 4 + 4 : SPINS_MOST;
            return true;
        }
        MPROC__PAUSE();
    }
    spins = spins - spins / 4 > SPINS_LEAST ? spins - spins / 4 : SPINS_LEAST;
    return false;
}

int mproc__sleep(uint32_t *word, uint32_t expected, mproc__deadline deadline, mplat_life *owner)
{
    bool is_long = patient_for == word && mproc__thread_current != 0;
    int rc = is_long ? mproc__watch_sleep(word, expected, deadline, owner, seen_alarms)
                     : mplat_wait(word, expected, mproc__deadline_slice(deadline, mproc__slice_ns),
                                  owner, NULL);
    patient_for = rc < 0 ? word : NULL;
    seen_alarms = mproc__watch_alarms(); // before the caller looks again
    return rc;
}
