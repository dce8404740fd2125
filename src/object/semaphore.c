/* SPDX-License-Identifier: Apache-2.0 */
/*
 * semaphore.c: mproc_semaphore.
 *
 * Layout  The word of a plain one: its permits, and bit 31 when somebody may sleep. Of a robust one,
 *         whose permits are words with their holders' ids: how often one was released, and bit 31.
 * Always  S1  a sleeper's bit is taken away with a wake for one; who was woken puts it back, whether
 *             it gets a permit or gives up, and wakes the next one if there are more permits
 *         S2  a robust one's permits never are more or less: each is free, or a thread's
 * Commit  plain: the compare-and-swap of the word; robust: that of one permit
 * Death   plain: a permit is a message, not property. Robust: who finds no free permit takes a dead
 *         thread's.
 */
#include "mproc/semaphore.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/note.h"
#include "family/object.h"
#include "family/sleep.h"
#include "family/thread.h"

#include <stddef.h>

#define SLEEPERS 0x80000000u
#define COUNT_MASK 0x7fffffffu

struct semaphore_shm {
    uint32_t word;
    uint32_t limit;    /**< the most permits; constant */
    uint32_t n_owned;  /**< robust: how many permits there are; else 0; constant */
    uint32_t hint;     /**< where a free one may be */
    uint64_t permit[]; /**< a thread's id; 0: free */
};

static int no_semaphore(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the semaphore is NULL", verb);
}

int mproc_semaphore_create(mproc_semaphore **ret_semaphore, uint32_t value,
                           const mproc_semaphore_options *options)
{
    static const mproc_semaphore_options none = {false, false};
    options = options != NULL ? options : &none;
    if (ret_semaphore == NULL) {
        return no_semaphore("create");
    }
    if (value > MPROC_SEMAPHORE_MAX) {
        return mproc__fail(MPROC_EINVAL, "a semaphore has at most %u permits, not %u",
                           MPROC_SEMAPHORE_MAX, value);
    }
    if (options->is_robust && (value == 0 || value > MPROC_SEMAPHORE_MAX_ROBUST)) {
        return mproc__fail(MPROC_EINVAL, "a robust semaphore has 1 to %u permits, not %u",
                           MPROC_SEMAPHORE_MAX_ROBUST, value);
    }
    uint32_t n_owned = options->is_robust ? value : 0;
    struct mproc_object *object = NULL;
    int rc =
        mproc__object_create(MPROC__KIND_SEMAPHORE,
                             sizeof(struct semaphore_shm) + n_owned * sizeof(uint64_t), 0, &object);
    if (rc >= 0) {
        struct semaphore_shm *semaphore = object->shm;
        semaphore->word = options->is_robust ? 0 : value;
        semaphore->limit = options->is_bounded ? value : MPROC_SEMAPHORE_MAX;
        semaphore->n_owned = n_owned;
        *ret_semaphore = MPROC__CONTAINER(object, mproc_semaphore, object);
    }
    return rc;
}

int mproc_bounded_semaphore_create(mproc_semaphore **ret_semaphore, uint32_t value)
{
    const mproc_semaphore_options options = {.is_bounded = true};
    return mproc_semaphore_create(ret_semaphore, value, &options);
}

/**
 * One more in the word, which takes the sleepers' bit away and wakes one of them. False: it is `limit`
 * already.
 */
static bool count_up(struct semaphore_shm *semaphore, uint32_t limit)
{
    uint32_t old = mproc__load32_relaxed(&semaphore->word);
    do {
        if ((old & COUNT_MASK) >= limit) {
            return false;
        }
    } while (!mproc__cas32(&semaphore->word, &old, (old + 1) & COUNT_MASK));
    MPROC__KILLPOINT("semaphore.counted");
    if (old & SLEEPERS) {
        (void)mplat_wake(&semaphore->word, 1);
    }
    return true;
}

/* ---- plain ----------------------------------------------------------------------------------- */

static int take_plain(struct semaphore_shm *semaphore)
{
    uint32_t seen = mproc__load32_acquire(&semaphore->word);
    while ((seen & COUNT_MASK) != 0) {
        if (mproc__cas32(&semaphore->word, &seen, seen - 1)) {
            return MPROC_OK;
        }
    }
    return MPROC_ESTATE;
}

static int release_plain(struct semaphore_shm *semaphore)
{
    return count_up(semaphore, semaphore->limit)
               ? MPROC_OK
               : mproc__fail_shortly(semaphore->limit == MPROC_SEMAPHORE_MAX ? MPROC_ERANGE
                                                                             : MPROC_ESTATE,
                                     "release: the semaphore has all its permits already");
}

/* ---- robust ---------------------------------------------------------------------------------- */

static int take_robust(struct semaphore_shm *semaphore)
{
    uint32_t n = semaphore->n_owned;
    mproc__thread_id self = mproc__thread_self();
    uint32_t first = mproc__load32_relaxed(&semaphore->hint) % n;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t holder = 0;
        uint64_t *permit = &semaphore->permit[(first + i) % n];
        if (mproc__load64_relaxed(permit) == 0 && mproc__cas64(permit, &holder, self)) {
            mproc__thread_holds++;
            return MPROC_OK;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t holder = mproc__load64_acquire(&semaphore->permit[i]);
        if ((holder == 0 || mproc__thread_is_dead(holder)) &&
            mproc__cas64(&semaphore->permit[i], &holder, self)) {
            mproc__thread_holds++;
            return holder != 0 ? MPROC_OWNER_DIED : MPROC_OK; /* DEATH: of the permit's holder */
        }
    }
    return MPROC_ESTATE;
}

static int release_robust(struct semaphore_shm *semaphore)
{
    mproc__thread_id self = mproc__thread_current;
    for (uint32_t i = 0; self != 0 && i < semaphore->n_owned; i++) {
        uint64_t holder = self;
        if (mproc__load64_relaxed(&semaphore->permit[i]) == self &&
            mproc__cas64(&semaphore->permit[i], &holder, 0)) {
            mproc__thread_holds--;
            MPROC__KILLPOINT("semaphore.freed"); /* DEATH: the sleepers look again */
            mproc__store32_release(&semaphore->hint, i);
            (void)count_up(semaphore, UINT32_MAX); // it goes round
            return MPROC_OK;
        }
    }
    return mproc__fail_shortly(MPROC_ESTATE,
                               "release: the calling thread has no permit of the semaphore");
}

/* ---- both ------------------------------------------------------------------------------------ */

static bool is_robust(const struct semaphore_shm *semaphore)
{
    return semaphore->n_owned != 0;
}

/** 0, MPROC_OWNER_DIED, or MPROC_ESTATE: no permit is free. */
static int take(struct semaphore_shm *semaphore)
{
    return is_robust(semaphore) ? take_robust(semaphore) : take_plain(semaphore);
}

/** Permits to be had. */
static uint32_t value_of(const struct semaphore_shm *semaphore)
{
    if (!is_robust(semaphore)) {
        return mproc__load32_acquire(&semaphore->word) & COUNT_MASK;
    }
    uint32_t value = 0;
    for (uint32_t i = 0; i < semaphore->n_owned; i++) {
        uint64_t holder = mproc__load64_acquire(&semaphore->permit[i]);
        value += holder == 0 || mproc__thread_is_dead(holder) ? 1 : 0;
    }
    return value;
}

/** S1, by one who has slept and has got a permit or gives up. */
static void pass_wake_on(struct semaphore_shm *semaphore)
{
    uint32_t seen = mproc__load32_relaxed(&semaphore->word);
    while ((seen & SLEEPERS) == 0 && !mproc__cas32(&semaphore->word, &seen, seen | SLEEPERS)) {
    }
    if (value_of(semaphore) > 0) {
        (void)mplat_wake(&semaphore->word, 1);
    }
}

/** Sleep while the word is what was seen. False: it has changed before. */
static bool sleep_on(struct semaphore_shm *semaphore, uint32_t seen, mproc__deadline deadline)
{
    // The permits that were seen went to others; they may be back, and the word what it was.
    bool had_permits = !is_robust(semaphore) && (seen & COUNT_MASK) != 0;
    bool is_same = !had_permits && ((seen & SLEEPERS) != 0 ||
                                    mproc__cas32(&semaphore->word, &seen, seen | SLEEPERS));
    if (is_same) {
        (void)mproc__sleep(&semaphore->word, seen | SLEEPERS, deadline, NULL);
    }
    return is_same;
}

static int acquire_slowly(struct semaphore_shm *semaphore, mproc__deadline deadline)
{
    bool has_slept = false;
    for (;;) {
        uint32_t seen = mproc__load32_acquire(&semaphore->word);
        MPROC__KILLPOINT("semaphore.seen");
        int rc = take(semaphore);
        MPROC__KILLPOINT("semaphore.tried");
        bool has_passed = rc < 0 && mproc__deadline_passed(deadline);
        if (has_slept && (rc >= 0 || has_passed)) {
            pass_wake_on(semaphore);
        }
        if (rc >= 0) {
            return rc;
        }
        if (has_passed) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT,
                                       "acquire: timed out; the semaphore has no permit");
        }
        if (has_slept || !mproc__spin(&semaphore->word, seen)) {
            has_slept = sleep_on(semaphore, seen, deadline) || has_slept;
        }
    }
}

int mproc_semaphore_acquire(mproc_semaphore *semaphore, mproc_timeout timeout)
{
    if (semaphore == NULL) {
        return no_semaphore("acquire");
    }
    struct semaphore_shm *shm = semaphore->object.shm;
    if (!is_robust(shm) && take_plain(shm) >= 0) {
        return MPROC_OK;
    }
    int rc = mproc__family_enter();
    if (rc >= 0) {
        mproc__deadline deadline = mproc__deadline_in(timeout);
        mproc__note_begin(semaphore->object.offset, deadline);
        rc = acquire_slowly(shm, deadline);
        mproc__note_end();
    }
    return rc;
}

int mproc_semaphore_release(mproc_semaphore *semaphore)
{
    if (semaphore == NULL) {
        return no_semaphore("release");
    }
    struct semaphore_shm *shm = semaphore->object.shm;
    return is_robust(shm) ? release_robust(shm) : release_plain(shm);
}

uint32_t mproc_semaphore_get_value(const mproc_semaphore *semaphore)
{
    return semaphore != NULL ? value_of(semaphore->object.shm) : 0;
}
