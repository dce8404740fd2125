/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bell.c: see bell.h.
 */
#include "family/bell.h"

#include "base/check.h"
#include "family/sleep.h"

#define ONE 1u
#define SEVERAL 2u
#define NOTE 4u

static void note(struct mproc__bell_shm *bell)
{
    uint32_t old = mproc__load32_relaxed(&bell->word);
    uint32_t noted;
    do {
        noted = (old | (old & ONE ? SEVERAL : ONE)) + NOTE;
    } while (!mproc__cas32(&bell->word, &old, noted));
}

void mproc__bell_await(struct mproc__bell_shm *bell, uint32_t *word, uint32_t expected,
                       mproc__deadline deadline)
{
    if (mproc__spin(word, expected)) {
        return;
    }
    note(bell);
    MPROC__KILLPOINT("bell.noted");
    if (mproc__load32(word) == expected) {
        (void)mproc__sleep(word, expected, deadline, NULL);
    }
}

/** Take notes away, unless there are others by now. */
static void forget(struct mproc__bell_shm *bell, uint32_t notes)
{
    (void)mproc__cas32(&bell->word, &notes, notes & ~(ONE | SEVERAL));
}

void mproc__bell_wake(struct mproc__bell_shm *bell, uint32_t *word, uint64_t n, uint32_t notes)
{
    int most = n < INT32_MAX ? (int)n : INT32_MAX;
    bool are_several = (mproc__load32_acquire(&bell->word) & SEVERAL) != 0;
    if (!are_several) {
        forget(bell, notes);
        MPROC__KILLPOINT("bell.forgotten"); /* DEATH: the sleeper looks again */
    }
    if (mplat_wake(word, most) < most && are_several) {
        forget(bell, notes);
    }
}
