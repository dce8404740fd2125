/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sleep.c: see sleep.h.
 */
#include "family/sleep.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "family/note.h"
#include "family/thread.h"
#include "family/watch.h"

/* Who waits for an owner also watches its life, so a slice only bounds what other deaths cost. */
int64_t mproc__slice_ns = (int64_t)20 * 1000000;

MPROC__THREAD_LOCAL const struct mproc__patience *mproc__patience;

/* The word on which this thread's last sleep came to the end of its slice; else NULL. */
static MPROC__THREAD_LOCAL const uint32_t *patient_for;
static MPROC__THREAD_LOCAL uint64_t seen_alarms;

/*
 * A sleep and its wake cost 5 us on bare metal and 50 us in a virtual machine. A long look takes as
 * much: at most twice as much as to know beforehand. No shorter, for it must outlast the wake of the
 * other one: two who answer each other at once would not get out of sleeping again. When it was in
 * vain, only brief looks are taken for a while, and for longer each time.
 */
#define LOOK_NS ((int64_t)50000)
#define GLANCE_NS ((int64_t)2000)
#define LOOKS_BETWEEN_CLOCKS 32
#define BRIEF_LOOKS 4
#define MOST_FAILURES 9

static MPROC__THREAD_LOCAL uint32_t failures; /* long looks in vain, one after the other */
static MPROC__THREAD_LOCAL uint32_t brief;    /* looks to come that are to be brief */

static bool look(const uint32_t *word, uint32_t expected, int times)
{
    for (int i = 0; i < times; i++) {
        if (mproc__load32_acquire(word) != expected) {
            return true;
        }
        MPROC__PAUSE();
    }
    return false;
}

static bool look_long(const uint32_t *word, uint32_t expected)
{
    int64_t end = mplat_now() + LOOK_NS;
    do {
        if (look(word, expected, LOOKS_BETWEEN_CLOCKS)) {
            return true;
        }
    } while (mplat_now() < end);
    return false;
}

bool mproc__glance(const uint32_t *word, uint32_t expected)
{
    int64_t end = mplat_get_facts()->is_smp ? mplat_now() + GLANCE_NS : 0;
    do {
        if (look(word, expected, LOOKS_BETWEEN_CLOCKS)) {
            return true;
        }
    } while (end != 0 && mplat_now() < end);
    return false;
}

bool mproc__spin(const uint32_t *word, uint32_t expected)
{
    if (!mplat_get_facts()->is_smp) {
        return false;
    }
    bool is_brief = brief > 0;
    if (look(word, expected, BRIEF_LOOKS) || (!is_brief && look_long(word, expected))) {
        failures -= failures > 0 ? 1 : 0;
        brief = 0;
        return true;
    }
    if (is_brief) {
        brief--;
    } else {
        failures += failures < MOST_FAILURES ? 1 : 0;
        brief = (1u << failures) - 1;
    }
    return false;
}

bool mproc__patience_is_over(void)
{
    return mproc__patience != NULL && mproc__patience->is_over(mproc__patience->arg);
}

/** Who has a patience looks after it at each waking, which is to be cheap, and is no matter of microseconds. */
static int64_t slice_ns(void)
{
    return mproc__patience != NULL ? MPROC__PATIENCE_NS : mproc__slice_ns;
}

int mproc__sleep(uint32_t *word, uint32_t expected, mproc__deadline deadline, mplat_life *owner)
{
    mproc__note_show();
    bool is_long = patient_for == word && mproc__thread_current != 0 && mproc__patience == NULL;
    int rc = is_long ? mproc__watch_sleep(word, expected, deadline, owner, seen_alarms)
                     : mplat_wait(word, expected, mproc__deadline_slice(deadline, slice_ns()),
                                  owner, NULL);
    patient_for = rc < 0 ? word : NULL;
    seen_alarms = mproc__watch_alarms(); // before the caller looks again
    return rc;
}

/* How often to look again, in short slices, for a process that is dying but not yet gone. */
#define VIGIL_LOOKS 50

bool mproc__sleep_vigilantly(uint32_t *word, uint32_t expected, mproc__deadline deadline,
                             struct mproc__vigil *vigil)
{
    if (vigil->looks > 0) {
        vigil->looks--;
        mproc__note_show();
        (void)mplat_wait(word, expected, mproc__deadline_slice(deadline, mproc__slice_ns), NULL,
                         NULL);
    } else {
        (void)mproc__sleep(word, expected, deadline, NULL);
    }
    if (mproc__watch_alarms() != vigil->alarms) {
        vigil->alarms = mproc__watch_alarms();
        vigil->looks = VIGIL_LOOKS;
    }
    return vigil->looks > 0;
}
