/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latch.c: mproc_latch: a count in one word.
 *
 * Layout  one word: the count, and below it bit 0: somebody may sleep on it, or has left a mark beside it,
 *         waiting for other things, too (stir.h). 0: open, for good.
 * Commit  the compare-and-swap of the word
 * Death   Killed between the word and the wake, who counted is found dead, and the sleepers look again.
 *         Of one that was yet to count: its process had the latch open, and the block's count of losses
 *         tells.
 */
#include "mproc/latch.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/note.h"
#include "family/object.h"
#include "family/sleep.h"
#include "family/stir.h"
#include "family/watch.h"
#include "object/waitable.h"

#include <stddef.h>

#define SLEEPERS 1u
#define COUNT_SHIFT 1

struct latch_shm {
    uint32_t word;
    uint32_t reserved;
    uint64_t marks;
};

static uint32_t *word_of(const mproc_latch *latch)
{
    struct latch_shm *shm = latch->object.shm;
    return &shm->word;
}

static uint64_t *marks_of(const mproc_latch *latch)
{
    struct latch_shm *shm = latch->object.shm;
    return &shm->marks;
}

static int no_latch(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the latch is NULL", verb);
}

int mproc_latch_create(mproc_latch **ret_latch, uint32_t count)
{
    if (ret_latch == NULL) {
        return no_latch("create");
    }
    if (count > MPROC_LATCH_MAX) {
        return mproc__fail(MPROC_EINVAL, "a latch counts from %u at most, not from %u",
                           MPROC_LATCH_MAX, count);
    }
    struct mproc_object *object = NULL;
    int rc = mproc__object_create(MPROC__KIND_LATCH, sizeof(struct latch_shm), 0, &object);
    if (rc >= 0) {
        *ret_latch = MPROC__CONTAINER(object, mproc_latch, object);
        *word_of(*ret_latch) = count << COUNT_SHIFT;
    }
    return rc;
}

int mproc_latch_count_down(mproc_latch *latch, uint32_t n)
{
    if (latch == NULL) {
        return no_latch("count_down");
    }
    uint32_t *word = word_of(latch);
    uint32_t old = mproc__load32_relaxed(word);
    uint32_t next;
    do {
        if (n > old >> COUNT_SHIFT) {
            return mproc__fail_shortly(MPROC_ERANGE,
                                       "count_down: less than that is left of the latch's count");
        }
        next = old - (n << COUNT_SHIFT);
        next = next == SLEEPERS ? 0 : next;
    } while (!mproc__cas32(word, &old, next));
    MPROC__KILLPOINT("latch.counted");
    if (next == 0 && (old & SLEEPERS)) {
        (void)mplat_wake(word, INT32_MAX);
        mproc__stir_marked(marks_of(latch));
    }
    return MPROC_OK;
}

bool mproc_latch_is_open(const mproc_latch *latch)
{
    return latch != NULL && mproc__load32_acquire(word_of(latch)) == 0;
}

uint32_t mproc_latch_get_count(const mproc_latch *latch)
{
    return latch != NULL ? mproc__load32_acquire(word_of(latch)) >> COUNT_SHIFT : 0;
}

static bool has_losses(const mproc_latch *latch)
{
    return mproc__block_losses(latch->object.offset) != 0;
}

static int wait_until(const mproc_latch *latch, mproc__deadline deadline)
{
    uint32_t *word = word_of(latch);
    struct mproc__vigil vigil = {mproc__watch_alarms(), 0};
    if (deadline != 0) {
        (void)mproc__spin(word, mproc__load32_acquire(word));
    }
    for (;;) {
        bool is_broken = has_losses(latch); // before the look at the word: of a closed latch
        uint32_t seen = mproc__load32_acquire(word);
        if (seen == 0) {
            return MPROC_OK;
        }
        if (is_broken) {
            return mproc__fail_shortly(MPROC_EBROKEN,
                                       "wait: a process that had the latch was killed");
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT, "wait: timed out; the latch is closed");
        }
        if ((seen & SLEEPERS) == 0 && !mproc__cas32(word, &seen, seen | SLEEPERS)) {
            continue;
        }
        if (mproc__sleep_vigilantly(word, seen | SLEEPERS, deadline, &vigil)) {
            mproc__member_bury_gone();
        }
    }
}

static int wait_slowly(const mproc_latch *latch, mproc_timeout timeout)
{
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc = mproc__family_enter();
    if (rc >= 0) {
        mproc__note_begin(latch->object.offset, deadline);
        rc = wait_until(latch, deadline);
        mproc__note_end();
    }
    return rc;
}

int mproc_latch_wait(mproc_latch *latch, mproc_timeout timeout)
{
    if (latch == NULL) {
        return no_latch("wait");
    }
    return mproc_latch_is_open(latch) ? MPROC_OK : wait_slowly(latch, timeout);
}

int mproc_latch_arrive_and_wait(mproc_latch *latch, uint32_t n, mproc_timeout timeout)
{
    int rc = mproc_latch_count_down(latch, n);
    return rc < 0 ? rc : mproc_latch_wait(latch, timeout);
}

/* ---- for who waits for other things, too ------------------------------------------------------ */

static uint32_t look(const struct mproc_object *object)
{
    (void)object;
    return 0; // once ready it is for good
}

static bool is_ready(const struct mproc_object *object, uint32_t before)
{
    const mproc_latch *latch = (const mproc_latch *)(const void *)object;
    (void)before;
    return has_losses(latch) || mproc_latch_is_open(latch);
}

static void watch(struct mproc_object *object)
{
    const mproc_latch *latch = (const mproc_latch *)(const void *)object;
    uint32_t *word = word_of(latch);
    mproc__stir_mark(marks_of(latch));
    uint32_t old = mproc__load32_acquire(word);
    while (old != 0 && (old & SLEEPERS) == 0 && !mproc__cas32(word, &old, old | SLEEPERS)) {
    }
}

const struct mproc__waitable mproc__latch_waitable = {
    .look = look, .is_ready = is_ready, .watch = watch, .needs_peers = true};
