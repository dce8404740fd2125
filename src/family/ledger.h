/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h: the references each member holds.
 *
 * Why       A block lives while somebody holds it; a holder may die. So each hold is written down
 *           where others can read it, in one transaction with the block's count.
 * Layout    Segment s of a member's ledger is a block with 64 << s words. A word in use is the offset
 *           of the block held; one that is free again is (next free entry + 1) << 1 | 1; entries from
 *           ledger_fresh on have never been used and are zero. Offsets are even, so words tell.
 * Always    L1  the count of a block is the number of ledger words that name it, of all members, plus
 *               the number of blocks' own references to it
 * Locks     the family lock
 */
#ifndef MPROC_FAMILY_LEDGER_H
#define MPROC_FAMILY_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "family/journal.h"
#include "family/member.h"

/** Make room for one more entry: mproc__ledger_add succeeds then, unless the lock was released. */
int mproc__ledger_reserve(struct mproc__member_shm *member);

/** Write a hold down; returns the entry's number. */
uint32_t mproc__ledger_add(mproc__txn *txn, struct mproc__member_shm *member, uint64_t offset);

/** Strike an entry out. */
void mproc__ledger_remove(mproc__txn *txn, struct mproc__member_shm *member, uint32_t entry);

/** Whether an entry says that the block at `offset` is held. Any entry may be asked about. */
bool mproc__ledger_says(const struct mproc__member_shm *member, uint32_t entry, uint64_t offset);

/** The word of an entry that has been in use. */
uint64_t *mproc__ledger_word(const struct mproc__member_shm *member, uint32_t entry);

/** The first entry in use at or after `from`; UINT32_MAX: none. */
uint32_t mproc__ledger_next(const struct mproc__member_shm *member, uint32_t from);

/**
 * Have `copy` hold what `member` holds, under the same entry numbers: what a copy of the process
 * needs for its handles to be good. Transactions of its own; `copy` has an empty ledger.
 */
int mproc__ledger_clone(const struct mproc__member_shm *member, struct mproc__member_shm *copy);

/** Free the segments of a member that holds nothing any more. */
void mproc__ledger_fini(struct mproc__member_shm *member);

#endif
