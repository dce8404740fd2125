/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bag.h: kernel objects that are kept for the family: descriptors and handles on their way.
 *
 * Why       Who passes one may be gone before it is received, and who is to receive it may never come.
 *           So it is the family that has it, for as long as somebody holds the block that names it.
 * Layout    the payload of a block of kind HANDLE or TICKET begins with an mplat_bagged; the bag is the platform's.
 * Always    K1  what a living block names, with a serial that is not 0, is in the bag
 *           K2  n_gone counts the blocks that had something in the bag and are gone. When nobody is at
 *               work and n_swept is n_gone, nothing else is in it, unless is_unswept says so.
 * Locks     the bag's own, around all but mproc__bag_end, and the creation of the blocks: so nobody looks at
 *           one that is yet to be zeroed. Of the others only the family lock is taken under it.
 * Commit    put: the system's own, see mplat_bag_put. The end: in the transaction that frees the block.
 * Death     The heir of the bag's lock looks for what is in it twice. What is in the bag for a block that is
 *           gone is taken out by the next one to release the family lock: as a rule the one who freed it.
 */
#ifndef MPROC_FAMILY_BAG_H
#define MPROC_FAMILY_BAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "family/journal.h"
#include "family/layout.h"

/** Take the bag's lock, and release it. A block of kind HANDLE or TICKET is created under it. */
void mproc__bag_lock(void);
void mproc__bag_unlock(void);

/**
 * Put a copy of a kernel object into the bag, for the block at `owner`, whose payload is an
 * mplat_bagged; under the lock. See mplat_bag_put.
 */
int mproc__bag_put(uint64_t owner, intptr_t native);

/** Have what is in the bag, as mplat_bag_get; under the lock. */
int mproc__bag_get(const mplat_bagged *entry, bool is_private, intptr_t *ret_native);

/** Whether there is a living block at `owner`, a HANDLE or TICKET, with that serial. */
bool mproc__bag_is_wanted(uint64_t owner, uint64_t serial);

/** The block is being freed, by this transaction. */
void mproc__bag_end(mproc__txn *txn, mplat_bagged *entry);

/** Whether something is in the bag that is to be taken out. */
static inline bool mproc__bag_is_dirty(void)
{
    const struct mproc__bag_shm *bag = &mproc__shm()->bag;
    return mproc__load64_relaxed(&bag->n_gone) != mproc__load64_relaxed(&bag->n_swept);
}

/** Take it out, unless somebody is at it. Without the family lock. */
void mproc__bag_sweep(void);

#endif
