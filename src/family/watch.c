/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c: see watch.h for the protocol.
 */
#include "family/watch.h"

#include "base/check.h"
#include "family/layout.h"
#include "family/member.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "mproc/error.h"

#include <stdbool.h>

/* Threads are looked at for nothing; for processes the system must be asked. */
#define ROUNDS_TO_MEMBERS 10

/* ... but after a death at each look: its process may still be dying. */
#define VIGILANCE 50

/* How much longer each watch's slices are than those of the one before it: the first one does the
 * work, the others stand in for it should it be stopped. */
#define SLICE_STEP_NS ((int64_t)40 * 1000000)

int64_t mproc__long_slice_ns = (int64_t)10 * 1000000000;

uint64_t mproc__watch_alarms(void)
{
    return mproc__load64_acquire(&mproc__shm()->alarms);
}

/** The word a slot's thread has long been sleeping on; NULL: none. */
static uint32_t *bed_of(const struct mproc__thread_shm *slot)
{
    uint64_t offset = mproc__load64_acquire(&slot->asleep);
    bool is_one = offset != 0 && offset % 4 == 0 && offset < mproc__arena.size;
    return is_one ? mproc__at(offset) : NULL;
}

void mproc__watch_alarm(void)
{
    mproc__store32_relaxed(&mproc__shm()->vigilance, VIGILANCE);
    mproc__add64(&mproc__shm()->alarms, 1); /* COMMIT: who goes to sleep from here on looks again */
    mproc__fence();
    MPROC__KILLPOINT("watch.alarm");
    uint32_t n;
    const struct mproc__thread_shm *slots = mproc__thread_slots(&n);
    const uint32_t *last = NULL;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *word = bed_of(&slots[i]);
        if (word != NULL && word != last) {
            (void)mplat_wake(word, INT32_MAX);
            last = word;
        }
    }
}

/**
 * Wake those who noted what they sleep on, but were not asleep yet when the alarm was raised; and those
 * whose word has changed: whoever was to wake them may be stopped.
 */
static void wake_stragglers(void)
{
    uint32_t n;
    const struct mproc__thread_shm *slots = mproc__thread_slots(&n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *word = bed_of(&slots[i]);
        if (word == NULL) {
            continue;
        }
        uint32_t expected = mproc__load32_acquire(&slots[i].expected);
        bool has_changed = mproc__load32_acquire(word) != expected;
        uint32_t alarms = (uint32_t)mproc__watch_alarms();
        if (has_changed || mproc__load32_acquire(&slots[i].noted) != alarms) {
            (void)mplat_wake(word, INT32_MAX);
        }
    }
}

/** Wake one of those who sleep long, and live: it will take the watch that is free now. */
static void find_successor(const struct mproc__thread_shm *self)
{
    uint32_t n;
    const struct mproc__thread_shm *slots = mproc__thread_slots(&n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *word = &slots[i] != self ? bed_of(&slots[i]) : NULL;
        if (word != NULL && mplat_life_next_dead(&slots[i].life, 1, sizeof(slots[i]), 0) != 0) {
            (void)mplat_wake(word, 1);
            return;
        }
    }
}

/** Whether somebody has died lately. Several may count down at a time: then it is for less long. */
static bool is_vigilant(void)
{
    uint32_t *vigilance = &mproc__shm()->vigilance;
    uint32_t left = mproc__load32_relaxed(vigilance);
    if (left > 0) {
        mproc__store32_relaxed(vigilance, left - 1);
    }
    return left > 0;
}

/**
 * With the watch taken: sleep in short slices, and look for dead threads after each; from time to time
 * for dead processes, too, of which a copy that has never called us has no thread here.
 */
static int keep_watch(const mplat_life *watch, uint32_t *word, uint32_t expected,
                      mproc__deadline deadline, mplat_life *owner, uint64_t seen_alarms)
{
    mproc__deadline end = mproc__deadline_slice(deadline, mproc__long_slice_ns);
    int64_t slice = mproc__slice_ns + (watch - mproc__shm()->watch) * SLICE_STEP_NS;
    bool may_lock = word != mproc__low32(&mproc__shm()->lock.word);
    for (int round = 1;; round++) {
        mproc__thread_bury_dead();
        mproc__add64(&mproc__shm()->looks, 1);
        if (may_lock && (is_vigilant() || round % ROUNDS_TO_MEMBERS == 0)) {
            mproc__member_bury_gone();
        }
        if (mproc__watch_alarms() != seen_alarms) {
            return MPROC_OK;
        }
        wake_stragglers();
        int rc = mplat_wait(word, expected, mproc__deadline_slice(end, slice), owner, NULL);
        if (rc >= 0 || mproc__deadline_passed(end)) {
            return rc;
        }
    }
}

/** Take a watch; NULL: there are enough. */
static mplat_life *take_watch(void)
{
    mplat_life *watches = mproc__shm()->watch;
    for (size_t i = 0; i < MPROC__WATCHES; i++) {
        if (mplat_life_claim(&watches[i]) >= 0) {
            return &watches[i];
        }
    }
    return NULL;
}

/** Sleep long, watched over by others. */
static int sleep_long(uint32_t *word, uint32_t expected, mproc__deadline deadline,
                      mplat_life *owner)
{
    // The system wakes one of those who sleep on a token whose holder dies: not all on the same.
    struct mproc__family_shm *shm = mproc__shm();
    mplat_life *watch = &shm->watch[mproc__thread_current / 2 % MPROC__WATCHES];
    uint64_t looks = mproc__load64_relaxed(&shm->looks);
    int rc = mplat_wait(word, expected, mproc__deadline_slice(deadline, mproc__long_slice_ns),
                        owner, watch);
    // A thousand sleepers that each look at a thousand slots would be too many.
    if (rc < 0 && mproc__load64_relaxed(&shm->looks) == looks) {
        mproc__thread_bury_dead(); // the watches are stopped
    }
    return rc;
}

int mproc__watch_sleep(uint32_t *word, uint32_t expected, mproc__deadline deadline,
                       mplat_life *owner, uint64_t seen_alarms)
{
    struct mproc__thread_shm *slot = mproc__thread_slot();
    mplat_life *watch = NULL;
    int rc = MPROC_OK;
    mproc__store32_release(&slot->noted, (uint32_t)seen_alarms);
    mproc__store32_release(&slot->expected, expected);
    mproc__store64_release(&slot->asleep, mproc__offset_of(word));
    mproc__fence();                             // see Commit
    if (mproc__watch_alarms() == seen_alarms) { // nobody has died since the caller looked
        MPROC__KILLPOINT("watch.noted");
        watch = take_watch();
        if (watch == NULL) {
            rc = sleep_long(word, expected, deadline, owner);
            // Perhaps woken to take it; with no need to sleep any more, it then wakes the next.
            watch = take_watch();
        }
    }
    if (watch != NULL) {
        rc = keep_watch(watch, word, expected, deadline, owner, seen_alarms);
        mplat_life_release(watch);
        MPROC__KILLPOINT("watch.released");
        find_successor(slot);
    }
    mproc__store64_release(&slot->asleep, 0);
    return rc;
}

void mproc__watch_look(void)
{
    struct mproc__family_shm *shm = mproc__shm();
    uint64_t now = (uint64_t)mplat_now();
    uint64_t last = mproc__load64_relaxed(&shm->looked_at);
    uint64_t slice = (uint64_t)mproc__slice_ns;
    if (now - last < slice || !mproc__cas64(&shm->looked_at, &last, now)) {
        return;
    }
    mproc__thread_bury_dead();
    bool is_rare = now - last > slice * ROUNDS_TO_MEMBERS;
    if (is_vigilant() || is_rare || now / slice % ROUNDS_TO_MEMBERS == 0) {
        mproc__member_bury_gone();
    }
}
