/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.h: messages that were taken out of a ring and come back if their taker dies.
 *
 * Why       A message whose getter is killed would be gone with it.
 * Layout    A lease is a block: in its slots the message's parcel and the object that the ring is in; in its
 *           payload struct mproc__lease_shm. A ring's leases that have come back are a list, by tickets,
 *           from ring.get.returned on; it holds them as a ledger does.
 * Always    E1  a lease without a parcel stands for nothing: not yet, or no more
 *           E2  a lease with one is in the list, or in a ledger and to come back from there
 *           E3  a lease in the list does not hold the object, which would otherwise hold itself
 * Locks     the family lock; what is in the list goes out of it by the holder of get.mutex only
 * Commit    Each step is one transaction: to be taken, to come back, to be dealt with
 * Death     Who buries a process puts its leases back; the last one does, if a fork's copy has it, too
 */
#ifndef MPROC_FAMILY_LEASE_H
#define MPROC_FAMILY_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "family/block.h"
#include "family/ring.h"

enum { MPROC__LEASE_PARCEL, MPROC__LEASE_OBJECT, MPROC__LEASE_SLOTS };

struct mproc__lease_shm {
    uint64_t ring;        /**< offset; constant */
    uint64_t is_returned; /**< it is in the list, or was */
    uint64_t next;        /**< in the list: offset; 0: none */
    uint64_t ticket;  /**< where the message was in the ring, in words; before it has a parcel */
    uint64_t kind;    /**< enum mproc__record of the parcel; likewise */
    uint64_t returns; /**< how often the message has come back */
};

static inline struct mproc__lease_shm *mproc__lease_at(uint64_t lease)
{
    return mproc__block_at(lease);
}

/** The parcel; 0: none. */
static inline uint64_t mproc__lease_parcel(uint64_t lease)
{
    return mproc__load64_acquire(mproc__block_slot(lease, MPROC__LEASE_PARCEL));
}

/** Make one without a parcel, for messages of a ring in `object`, of which it is one of the holders. */
int mproc__lease_create(uint64_t object, const struct mproc__ring_shm *ring,
                        mproc__hold *ret_lease);

/* Under the family lock, in a transaction: */

/** Have a ring's list hold a lease in place of who had it; it has a parcel, and is not in the list. */
void mproc__lease_put_back(mproc__txn *txn, uint64_t lease);

/** Whether a lease that one of its holders gives up, against its will or not, is to be put back. */
bool mproc__lease_comes_back(uint64_t lease);

/** Take one out of its ring's list, and its parcel out of it: that has no holder then. */
void mproc__lease_empty(mproc__txn *txn, uint64_t lease);

#endif
