/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sleep.h: no sleep without an end.
 *
 * A wake is a hint: it may be given to a process that is killed before it acts on it. So whoever
 * sleeps looks again after a slice, and after that one whenever somebody has died (watch.h). Both are
 * the safety net, never the mechanism: with slices switched off and nobody killed everything still
 * works, and the tests run it so.
 */
#ifndef MPROC_FAMILY_SLEEP_H
#define MPROC_FAMILY_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/deadline.h"
#include "platform.h"

/** Length of a slice in nanoseconds; tests change it. */
extern int64_t mproc__slice_ns;

/**
 * Before going to sleep: look at a word for some microseconds, if that has paid lately and can pay.
 *
 * @return true when it is no longer `expected`
 */
bool mproc__spin(const uint32_t *word, uint32_t expected);

/** The same for a moment, whatever has paid lately: a fraction of what a sleep and its wake cost. */
bool mproc__glance(const uint32_t *word, uint32_t expected);

/** As mplat_wait, but not for long at a time; the caller looks again and loops. */
int mproc__sleep(uint32_t *word, uint32_t expected, mproc__deadline deadline, mplat_life *owner);

/**
 * For who waits on behalf of somebody who may be gone before anything comes of it. What looks at it, conditions and
 * barriers, ends the wait then as if its time were up.
 */
struct mproc__patience {
    bool (*is_over)(void *arg); /**< asked now and then by the thread itself */
    void *arg;
};

/* How long a thread waits without asking. */
#define MPROC__PATIENCE_NS ((int64_t)100 * 1000000)

/** The calling thread's; NULL, as nearly always: without end. While it has one, mproc__sleep ends after a slice. */
extern MPROC__THREAD_LOCAL const struct mproc__patience *mproc__patience;

bool mproc__patience_is_over(void);

/** Whether there is no point in waiting any more. */
static inline bool mproc__wait_is_over(mproc__deadline deadline)
{
    return mproc__deadline_passed(deadline) ||
           (mproc__patience != NULL && mproc__patience_is_over());
}

/** What one who waits for other processes to come knows of deaths. Begins with {mproc__watch_alarms(), 0}. */
struct mproc__vigil {
    uint64_t alarms; /**< of which it has taken notice */
    int looks;       /**< how often it is still to look around */
};

/**
 * mproc__sleep for who must notice when a process is killed, whose threads die before it is gone.
 *
 * @return true: somebody may have died, bury the processes that are gone and look whether that concerns us
 */
bool mproc__sleep_vigilantly(uint32_t *word, uint32_t expected, mproc__deadline deadline,
                             struct mproc__vigil *vigil);

#endif
