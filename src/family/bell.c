/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bell.c: see bell.h.
 */
#include "family/bell.h"

#include "base/check.h"
#include "family/sleep.h"
#include "family/stir.h"

#define ONE MPROC__BELL_ONE
#define SEVERAL MPROC__BELL_SEVERAL
#define WATCHED MPROC__BELL_WATCHED
#define NOTE 8u

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
    if (!mproc__spin(word, expected)) {
        mproc__bell_sleep(bell, word, expected, deadline);
    }
}

void mproc__bell_sleep(struct mproc__bell_shm *bell, uint32_t *word, uint32_t expected,
                       mproc__deadline deadline)
{
    note(bell);
    MPROC__KILLPOINT("bell.noted");
    if (mproc__load32(word) == expected) {
        (void)mproc__sleep(word, expected, deadline, NULL);
    }
}

void mproc__bell_watch(struct mproc__bell_shm *bell)
{
    mproc__stir_mark(&bell->marks);
    MPROC__KILLPOINT("bell.marked"); /* DEATH: the mark goes with the next one's */
    uint32_t old = mproc__load32_acquire(&bell->word);
    while ((old & WATCHED) == 0 && !mproc__cas32(&bell->word, &old, old | WATCHED)) {
    }
}

/** The word has changed, and a full barrier has followed. */
static void stir(struct mproc__bell_shm *bell)
{
    uint32_t old = mproc__load32_relaxed(&bell->word);
    while ((old & WATCHED) != 0 && !mproc__cas32(&bell->word, &old, old & ~WATCHED)) {
    }
    if (old & WATCHED) {
        MPROC__KILLPOINT("bell.unwatched"); /* DEATH: the watchers look again */
        mproc__stir_marked(&bell->marks);
    }
}

void mproc__bell_stir(struct mproc__bell_shm *bell)
{
    mproc__fence();
    stir(bell);
}

/** Take notes away, unless there are others by now. */
static void forget(struct mproc__bell_shm *bell, uint32_t notes)
{
    (void)mproc__cas32(&bell->word, &notes, notes & ~(ONE | SEVERAL));
}

void mproc__bell_wake(struct mproc__bell_shm *bell, uint32_t *word, uint64_t n, uint32_t notes)
{
    int most = n < INT32_MAX ? (int)n : INT32_MAX;
    stir(bell);
    uint32_t now = mproc__load32_acquire(&bell->word);
    if ((now & (ONE | SEVERAL)) == 0) {
        return;
    }
    notes &= ~WATCHED;
    bool are_several = (now & SEVERAL) != 0;
    if (!are_several) {
        forget(bell, notes);
        MPROC__KILLPOINT("bell.forgotten"); /* DEATH: the sleeper looks again */
    }
    if (mplat_wake(word, most) < most && are_several) {
        forget(bell, notes);
    }
}
