/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.h: shared memory that somebody holds.
 *
 * Why       Everything shared lies in a block: it has a kind, so that a reference can be checked, and
 *           a count of holders, so that it is freed when the last one is gone, however it went.
 * Holders   Members, each by an entry of its ledger; and blocks, by the references they contain, so
 *           that an object on its way in a message stays alive.
 * Always    B1  a living block's count equals its holds (L1 in ledger.h)
 *           B2  a block whose count has come to 0 is in the graveyard until it is freed
 * Locks     the family lock; a block's payload is its holders' own business
 * Commit    each of the functions is one transaction where a kill could matter
 * Death     killed before the commit nothing was held, after it the ledger tells; the graveyard is
 *           emptied by whoever takes the lock next
 */
#ifndef MPROC_FAMILY_BLOCK_H
#define MPROC_FAMILY_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "family/heap.h"
#include "family/journal.h"
#include "family/member.h"
#include "family/object.h"

/** This process's hold on a block. */
struct mproc__hold {
    uint64_t offset; /**< the block's reference */
    uint32_t entry;  /**< in this process's ledger */
};
typedef struct mproc__hold mproc__hold;

/** A block's payload, aligned to 64; by a holder. */
void *mproc__block_at(uint64_t offset);

/** The reference of a block that can hold no others, by its payload. */
uint64_t mproc__block_of(const void *payload);

/** The size that was asked for; by a holder. */
uint64_t mproc__block_size(uint64_t offset);

/** Whether a living block of this kind is at `offset`; 0: of any kind. Never crashes on a wild one. */
bool mproc__block_is(uint64_t offset, uint32_t kind);

/** The kind of the living block at `offset`, 0 if there is none. */
uint32_t mproc__block_kind(uint64_t offset);

/**
 * Create a block, held by the calling process.
 *
 * @param n_references  how many other blocks it can hold itself
 * @param is_zeroed     whether its bytes must be zero
 * @return 0, MPROC_ENOMEM or MPROC_ENOSPC
 */
int mproc__block_create(uint32_t kind, uint64_t size, uint32_t n_references, bool is_zeroed,
                        mproc__hold *ret_hold);

/** Take one more hold; the block is held by somebody meanwhile. MPROC_ECORRUPT if it is no block. */
int mproc__block_attach(uint64_t offset, mproc__hold *ret_hold);

/** Give a hold up; the last one frees the block and what it alone held. */
void mproc__block_release(mproc__hold hold);

/**
 * Have `container`, which the caller holds, hold the block at `offset`, which the caller can reach.
 *
 * @return 0, MPROC_ECORRUPT (there is no block) or MPROC_ETOOBIG (the container is full)
 */
int mproc__block_embed(uint64_t container, uint64_t offset);

/**
 * Have the word of another block, which the caller holds, hold a block in place of the caller; in the
 * same moment `*other` becomes `value`.
 */
void mproc__block_hand_in(mproc__hold hold, uint64_t *word, uint64_t *other, uint64_t value);

/** Drop the hold that a word of another block has on a block; in the same moment `*word` becomes `value`. */
void mproc__block_drop(uint64_t offset, uint64_t *word, uint64_t value);

/** The block that `container` has come to hold as its index-th one; 0: it holds fewer. */
uint64_t mproc__block_part(uint64_t container, uint32_t index);

/** Have a block, which the caller holds and nobody else looks into, hold no others any more. */
void mproc__block_empty(uint64_t container);

/**
 * Have a block that the caller alone holds, and that holds nothing yet, hold blocks in `count` words of
 * its own, its first ones, which can change: 0, or the offset of a block that they hold.
 */
void mproc__block_open_slots(uint64_t container, uint32_t count);

/** One of these words; whoever holds the block sees to it that only one changes it. */
uint64_t *mproc__block_slot(uint64_t container, uint32_t index);

/** How many processes were killed while they held the block, as far as they have been buried. */
uint64_t mproc__block_losses(uint64_t offset);

/** The process of the last one of these; 0: none, or not known. Takes the family lock. */
int64_t mproc__block_lost_pid(uint64_t offset);

/** Hand a hold over to another living member; it is the start block it finds at member->start. */
int mproc__block_give(mproc__hold hold, mproc__member_id to);

/* For the ledger and the members, under the lock: */

/** Add to a block's count, or take from it; at 0 it goes to the graveyard. */
void mproc__block_count(mproc__txn *txn, uint64_t offset, int change);

/** Make this process's hold a slot's, which has held nothing. */
void mproc__block_put(mproc__txn *txn, uint64_t *slot, mproc__hold hold);

/** Make a slot's hold this process's; mproc__ledger_reserve has succeeded. The slot is to change too. */
mproc__hold mproc__block_take(mproc__txn *txn, uint64_t offset);

/** Note that a holder was killed, the process `pid`. */
void mproc__block_mourn(mproc__txn *txn, uint64_t offset, uint64_t pid);

/** Make a block that is held by nothing but the word it is written to, zeroed; and free such a one. */
int mproc__block_make(uint32_t kind, uint64_t size, uint64_t *word);
void mproc__block_unmake(uint64_t *word);

/** Free what is in the graveyard. */
void mproc__graveyard_empty(void);

#endif
