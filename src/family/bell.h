/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bell.h: who waits for a word to change is woken; nobody waits: no system call.
 *
 * Why       Those who put messages into a queue must not ask the system each time who sleeps.
 * Layout    one word: bit 0 somebody may sleep, bit 1 several may, bit 2 somebody watches who waits for
 *           other things, too (stir.h); above them how often a sleeper was noted. Beside it the marks of
 *           those who watch
 * Always    B1  who sleeps has noted it, and then looked at what it waits for; who changes that then
 *               looks at the bell, with a full barrier in between: so one of them sees the other
 *           B2  who changes the word takes away only notes that it has seen before the change: who
 *               noted them has looked before the change, too, and cannot fall asleep after it. And of
 *               several notes only when the system knows of no more sleepers
 *           B3  who watches has left its mark, and then noted that somebody does; the two are taken away
 *               in the other order, and then the watchers are stirred
 * Death     of who was woken, or was about to wake somebody: all look again, see watch.h
 */
#ifndef MPROC_FAMILY_BELL_H
#define MPROC_FAMILY_BELL_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/deadline.h"

struct mproc__bell_shm {
    uint32_t word;
    uint32_t reserved;
    uint64_t marks;
};

/* What can be noted in the word. */
#define MPROC__BELL_ONE 1u
#define MPROC__BELL_SEVERAL 2u
#define MPROC__BELL_WATCHED 4u
#define MPROC__BELL_ALL 7u

/**
 * Wait for a word to change: look at it for a while, then sleep until woken, or for a slice. The
 * calling thread has entered the family; it looks again and loops.
 */
void mproc__bell_await(struct mproc__bell_shm *bell, uint32_t *word, uint32_t expected,
                       mproc__deadline deadline);

/** The same for who has looked long enough. */
void mproc__bell_sleep(struct mproc__bell_shm *bell, uint32_t *word, uint32_t expected,
                       mproc__deadline deadline);

/** From here on the calling thread's stir changes when the bell is rung, once: see stir.h. */
void mproc__bell_watch(struct mproc__bell_shm *bell);

/** Stir those who watch a word, which has changed. */
void mproc__bell_stir(struct mproc__bell_shm *bell);

/** What has been noted so far: to be read before the word is changed. */
static inline uint32_t mproc__bell_notes(const struct mproc__bell_shm *bell)
{
    return mproc__load32_acquire(&bell->word);
}

/** Wake up to n of those who wait for a word, which has changed, and all who watch. */
void mproc__bell_wake(struct mproc__bell_shm *bell, uint32_t *word, uint64_t n, uint32_t notes);

/** The same; since the change the calling thread has done an atomic read-modify-write. */
static inline void mproc__bell_ring(struct mproc__bell_shm *bell, uint32_t *word, uint64_t n,
                                    uint32_t notes)
{
    mproc__fence_after_rmw();
    if (mproc__load32_relaxed(&bell->word) & MPROC__BELL_ALL) {
        mproc__bell_wake(bell, word, n, notes);
    }
}

#endif
