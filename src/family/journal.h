/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h: several words of the arena change together, or not at all.
 *
 * Why       An allocator's free, a reference's move from one holder to another, a member's birth
 *           touch several words. A process killed between two of them must not leave half of it.
 * How       Under the lock that guards the words, a transaction collects the stores it wants in the
 *           journal; setting `count` commits it; then they are carried out, and count is cleared.
 *           Who takes the lock over from a dead owner carries a committed journal out again.
 * Always    J1  count == 0, or entries [0, count) are complete and those stores are all that
 *               separates the guarded words from their next state
 *           J2  carrying them out twice is the same as once: they hold values, not changes
 * Locks     the lock that guards the words guards the journal
 * Commit    the release store of count
 * Death     before the commit nothing has happened, after it everything has
 */
#ifndef MPROC_FAMILY_JOURNAL_H
#define MPROC_FAMILY_JOURNAL_H

#include <stdint.h>

#define MPROC__JOURNAL_ENTRIES 48

struct mproc__journal_shm {
    uint64_t count;
    struct {
        uint64_t offset; /**< of a 64-bit word in the arena */
        uint64_t value;
    } entry[MPROC__JOURNAL_ENTRIES];
};

/** A transaction under way, in the memory of who holds the lock. */
typedef struct mproc__txn {
    struct mproc__journal_shm *journal;
    uint64_t count;
} mproc__txn;

/** Begin; the caller holds the lock, and no other transaction is under way. */
mproc__txn mproc__txn_begin(struct mproc__journal_shm *journal);

/** What a word will hold after the stores collected so far. */
uint64_t mproc__txn_get(const mproc__txn *txn, const uint64_t *word);

/** Collect a store. */
void mproc__txn_set(mproc__txn *txn, uint64_t *word, uint64_t value);

/** Let all of it happen. The transaction is empty again and can be used for the next one. */
void mproc__txn_commit(mproc__txn *txn);

/** After taking the lock over from a dead owner: finish what it had committed. */
void mproc__journal_recover(struct mproc__journal_shm *journal);

#endif
