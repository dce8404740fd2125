/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.c: see journal.h for the protocol.
 */
#include "family/journal.h"

#include "base/check.h"
#include "family/layout.h"

mproc__txn mproc__txn_begin(struct mproc__journal_shm *journal)
{
    MPROC__CHECK(mproc__load64_relaxed(&journal->count) == 0);
    return (mproc__txn){.journal = journal};
}

/** Where the newest store to a word is among the collected ones; or txn->count. */
static uint64_t find_entry(const mproc__txn *txn, uint64_t offset)
{
    for (uint64_t i = 0; i < txn->count; i++) {
        if (txn->journal->entry[i].offset == offset) {
            return i;
        }
    }
    return txn->count;
}

uint64_t mproc__txn_get(const mproc__txn *txn, const uint64_t *word)
{
    uint64_t i = find_entry(txn, mproc__offset_of(word));
    return i < txn->count ? txn->journal->entry[i].value : mproc__load64_relaxed(word);
}

void mproc__txn_set(mproc__txn *txn, uint64_t *word, uint64_t value)
{
    uint64_t i = find_entry(txn, mproc__offset_of(word));
    if (i == txn->count) {
        MPROC__CHECK(txn->count < MPROC__JOURNAL_ENTRIES);
        txn->count++;
        mproc__store64_relaxed(&txn->journal->entry[i].offset, mproc__offset_of(word));
    }
    mproc__store64_relaxed(&txn->journal->entry[i].value, value);
}

static void carry_out(struct mproc__journal_shm *journal, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = mproc__load64_relaxed(&journal->entry[i].offset);
        MPROC__KILLPOINT("journal.store");
        mproc__store64_relaxed(mproc__at(offset), mproc__load64_relaxed(&journal->entry[i].value));
    }
    // Release: the stores above are seen before the journal is seen empty.
    mproc__store64_release(&journal->count, 0);
    mproc__compiler_fence(); // the next transaction's entries must not be written before that
}

void mproc__txn_commit(mproc__txn *txn)
{
    MPROC__KILLPOINT("journal.before");
    // Release: the entries above are seen before the count that makes them valid.
    mproc__store64_release(&txn->journal->count, txn->count); /* COMMIT: the whole transaction */
    mproc__compiler_fence(); // a release holds back what came before it, not what comes after
    MPROC__KILLPOINT("journal.after");
    carry_out(txn->journal, txn->count);
    txn->count = 0;
}

void mproc__journal_recover(struct mproc__journal_shm *journal)
{
    uint64_t count = mproc__load64_acquire(&journal->count);
    if (count != 0) {
        MPROC__CHECK(count <= MPROC__JOURNAL_ENTRIES);
        carry_out(journal, count); /* DEATH: the last owner died between commit and end */
    }
}
