/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync_test.h: what the tests of locks and their kin share.
 */
#ifndef TESTS_OBJECT_SYNC_TEST_H
#define TESTS_OBJECT_SYNC_TEST_H

#include "family/sleep.h"
#include "family/thread.h"
#include "object/process_test.h"

#include <apr_thread_proc.h>

/** For calls that are to time out. */
#define BRIEF mproc_milliseconds(20)

/** From here on this process looks again only when it is woken: nothing may rest on slices. */
static inline void switch_slices_off(void)
{
    mproc__slice_ns = INT64_MAX / 4;
}

/** In a child: go on when `count` have come here, so that all are at work at once. */
static inline void meet(mproc_block *block, uint32_t count)
{
    add_word(words_of(block));
    CHILD_CHECK(await_word(words_of(block), count));
}

/** Living threads of the family that have been asleep for more than a slice. */
static inline uint32_t count_asleep(void)
{
    uint32_t n;
    uint32_t count = 0;
    const struct mproc__thread_shm *slots = mproc__thread_slots(&n);
    for (uint32_t i = 0; i < n; i++) {
        bool is_dead = mplat_life_next_dead(&slots[i].life, 1, sizeof(slots[i]), 0) == 0;
        count += mproc__load64_acquire(&slots[i].asleep) != 0 && !is_dead ? 1 : 0;
    }
    return count;
}

/** Wait until so many have been seen at once: they may stir again, if only to bury others. Slices are on. */
static inline bool await_asleep(uint32_t count)
{
    mproc_block *block = make_words(1);
    int64_t deadline = mplat_now() + LIMIT;
    bool have_been = count_asleep() == count;
    while (!have_been && mplat_now() < deadline) {
        (void)mplat_wait(words_of(block), 0, mplat_now() + mproc_milliseconds(2), NULL, NULL);
        have_been = count_asleep() == count;
    }
    mproc_block_close(block);
    return have_been;
}

#endif
