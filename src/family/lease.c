/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c: see lease.h.
 */
#include "family/lease.h"

#include "base/check.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/ring_part.h"

static struct mproc__ring_shm *ring_of(uint64_t lease)
{
    return mproc__at(mproc__lease_at(lease)->ring);
}

int mproc__lease_create(uint64_t object, const struct mproc__ring_shm *ring, mproc__hold *ret_lease)
{
    int rc = mproc__block_create(MPROC__KIND_LEASE, sizeof(struct mproc__lease_shm),
                                 MPROC__LEASE_SLOTS, true, ret_lease);
    if (rc >= 0) {
        mproc__lease_at(ret_lease->offset)->ring = mproc__offset_of(ring);
        mproc__block_open_slots(ret_lease->offset, MPROC__LEASE_SLOTS);
        mproc__family_lock();
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__block_count(&txn, object, 1);
        mproc__txn_set(&txn, mproc__block_slot(ret_lease->offset, MPROC__LEASE_OBJECT), object);
        mproc__txn_commit(&txn);
        mproc__family_unlock();
    }
    return rc;
}

/** Whether a place in the ring, in words, is before another one. */
static bool is_before(uint64_t a, uint64_t b)
{
    return (int64_t)((a - b) << MPROC__RING_WORDS_SHIFT) < 0;
}

/** The word of the list that names a lease, or the first one behind a ticket, or none. */
static uint64_t *find(uint64_t lease, bool by_ticket)
{
    struct mproc__ring_shm *ring = ring_of(lease);
    uint64_t ticket = mproc__lease_at(lease)->ticket;
    uint64_t *word = &ring->get.returned;
    while (*word != 0 && *word != lease &&
           !(by_ticket && is_before(ticket, mproc__lease_at(*word)->ticket))) {
        word = &mproc__lease_at(*word)->next;
    }
    return word;
}

void mproc__lease_put_back(mproc__txn *txn, uint64_t lease)
{
    struct mproc__lease_shm *shm = mproc__lease_at(lease);
    struct mproc__ring_shm *ring = ring_of(lease);
    uint64_t *object = mproc__block_slot(lease, MPROC__LEASE_OBJECT);
    uint64_t *word = find(lease, true);
    mproc__txn_set(txn, &shm->next, *word);
    mproc__txn_set(txn, word, lease);
    mproc__txn_set(txn, &shm->is_returned, 1);
    mproc__txn_set(txn, &shm->returns, shm->returns + 1);
    mproc__txn_set(txn, &ring->get.n_returned, ring->get.n_returned + 1);
    mproc__block_count(txn, *object, -1);
    mproc__txn_set(txn, object, 0);
}

bool mproc__lease_comes_back(uint64_t lease)
{
    return mproc__lease_parcel(lease) != 0 && !mproc__lease_at(lease)->is_returned &&
           mproc__block_holders(lease) == 1;
}

void mproc__lease_empty(mproc__txn *txn, uint64_t lease)
{
    struct mproc__ring_shm *ring = ring_of(lease);
    uint64_t *word = find(lease, false);
    MPROC__CHECK(*word == lease);
    mproc__txn_set(txn, word, mproc__lease_at(lease)->next);
    mproc__txn_set(txn, &ring->get.n_returned, ring->get.n_returned - 1);
    mproc__txn_set(txn, mproc__block_slot(lease, MPROC__LEASE_PARCEL), 0);
    mproc__block_count(txn, lease, -1);
}
