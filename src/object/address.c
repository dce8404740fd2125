/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.c: mproc_atomic_wait and its kin: the platform's wait, for words of the application's.
 *
 * Death   a wake that a dead process owed or took along is made up for by the alarm: the sleepers look again
 */
#include "mproc/address.h"

#include "base/atomic.h"
#include "base/status.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/sleep.h"

#include <stddef.h>

/** A word of what the family has handed out; NULL: it is none. */
static uint32_t *find(const uint32_t *word)
{
    uintptr_t base = (uintptr_t)mproc__arena.base;
    uintptr_t at = (uintptr_t)word;
    if (base == 0 || at < base || at - base >= mproc__arena.size) {
        return NULL;
    }
    uint64_t offset = at - base;
    bool is_one = offset >= mproc__shm()->heap_at && offset % sizeof(uint32_t) == 0;
    return is_one ? mproc__at(offset) : NULL;
}

static int no_word(const char *verb)
{
    return mproc__fail_shortly(MPROC_EINVAL, verb);
}

int mproc_atomic_wait(const uint32_t *word, uint32_t expected, mproc_timeout timeout)
{
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    uint32_t *there = find(word);
    if (there == NULL) {
        return no_word("wait: not a word of the family's memory");
    }
    if (deadline != 0) {
        (void)mproc__spin(there, expected);
    }
    while (mproc__load32(there) == expected) {
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT,
                                       "wait: timed out; the word has not changed");
        }
        (void)mproc__sleep(there, expected, deadline, NULL);
    }
    return MPROC_OK;
}

static int notify(const uint32_t *word, int n)
{
    uint32_t *there = find(word);
    if (there == NULL) {
        return no_word("notify: not a word of the family's memory");
    }
    (void)mplat_wake(there, n);
    return MPROC_OK;
}

int mproc_atomic_notify_one(const uint32_t *word)
{
    return notify(word, 1);
}

int mproc_atomic_notify_all(const uint32_t *word)
{
    return notify(word, INT32_MAX);
}
