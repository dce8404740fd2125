/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_lease.c: items that come back if their getter dies; and what of a joinable queue has been dealt with.
 *
 * Commit  of a lease: the transaction that takes the message; of its end, the one that empties it; of
 *         task_done the compare-and-swap of `done`
 * Death   leases go back to the ring, see lease.h; who was to tell that all is done and dies leaves the
 *         counts, which joiners look at
 */
#include "object/queue.h"

#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/lease.h"
#include "family/ledger.h"
#include "family/note.h"

#include <string.h>

/* ---- leases ---------------------------------------------------------------------------------- */

/** Where an item on lease goes. */
struct leased {
    uint64_t lease;
    mproc_value *value;
    void *room; /**< a large one is copied to here when the others can go on */
};

static int take_leased(mproc__ring_end *end, const mproc__ring_item *item, void *arg)
{
    struct leased *leased = arg;
    mproc_value value;
    bool is_late = item->parcel != 0 && item->kind == MPROC__RECORD_BYTES;
    int rc = is_late ? mproc__message_make_room(item->size, &value, &leased->room)
                     : mproc__message_open(item, &value);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__ring_get_lease(end, item, leased->lease);
    if (rc < 0) {
        mproc_value_clear(&value);
        return rc;
    }
    *leased->value = value;
    return is_late ? 1 : MPROC_OK;
}

int mproc_queue_get_leased(mproc_queue *queue, mproc_value *ret_item, mproc_lease *ret_lease,
                           mproc_timeout timeout)
{
    size_t n;
    mproc__hold lease;
    if (queue == NULL || ret_item == NULL || ret_lease == NULL) {
        return mproc__fail(MPROC_EINVAL, "get_leased: the queue, the item or the lease is NULL");
    }
    int rc = mproc__family_enter();
    if (rc < 0 ||
        (rc = mproc__lease_create(queue->object.offset, mproc__queue_ring(queue), &lease)) < 0) {
        return rc;
    }
    struct leased leased = {.lease = lease.offset, .value = ret_item};
    rc = mproc__queue_get(queue, take_leased, &leased, 1, &n, mproc__deadline_in(timeout));
    if (rc < 0) {
        mproc__block_release(lease);
        return rc;
    }
    if (leased.room != NULL) {
        memcpy(leased.room, mproc__block_at(mproc__lease_parcel(lease.offset)),
               ret_item->as.bytes.size);
    }
    *ret_lease = (mproc_lease){
        .returns = (size_t)mproc__lease_at(lease.offset)->returns,
        .block = lease.offset,
        .entry = lease.entry,
        .epoch = mproc__handle_epoch(),
    };
    return MPROC_OK;
}

static void tell_joiners(struct mproc__queue_shm *shm, uint32_t notes)
{
    if (mproc__queue_undone(shm) == 0) {
        (void)mproc__add32(&shm->rests, 1);
        mproc__bell_ring(&shm->joiners, &shm->rests, INT32_MAX, notes);
    }
}

/** How a lease ends. */
typedef void (*end_fn)(mproc__txn *txn, struct mproc__queue_shm *shm, uint64_t lease);

/** It has been dealt with. */
static void acknowledge(mproc__txn *txn, struct mproc__queue_shm *shm, uint64_t lease)
{
    mproc__block_count(txn, mproc__lease_parcel(lease), -1);
    mproc__txn_set(txn, mproc__block_slot(lease, MPROC__LEASE_PARCEL), 0);
    if (mproc__queue_undone(shm) != 0) { // else it has been counted by mproc_queue_task_done
        mproc__txn_set(txn, &shm->acknowledged, shm->acknowledged + 1);
    }
    mproc__block_count(txn, lease, -1);
}

/** It goes back to where it was. */
static void put_back(mproc__txn *txn, struct mproc__queue_shm *shm, uint64_t lease)
{
    (void)shm;
    mproc__lease_put_back(txn, lease);
}

/** End a lease; *ret_queue: its queue, held by the calling process in place of the lease. */
static int end_lease(mproc_lease *lease, const char *verb, end_fn end, mproc__hold *ret_queue)
{
    if (lease == NULL) {
        return mproc__fail(MPROC_EINVAL, "%s: the lease is NULL", verb);
    }
    int rc =
        lease->block != 0 && lease->epoch == mproc__handle_epoch()
            ? mproc__family_enter()
            : mproc__fail(MPROC_ESTATE, "%s: the lease has ended, or is another process's", verb);
    if (rc < 0) {
        return rc;
    }
    uint64_t offset = lease->block;
    struct mproc__member_shm *self = mproc__self_member();
    mproc__family_lock();
    bool is_ours = mproc__ledger_says(self, lease->entry, offset) &&
                   mproc__lease_parcel(offset) != 0 && !mproc__lease_at(offset)->is_returned;
    if (is_ours) {
        uint64_t object = *mproc__block_slot(offset, MPROC__LEASE_OBJECT);
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__ledger_remove(&txn, self, lease->entry);
        mproc__block_count(&txn, object, 1); // first, so that it lives on
        *ret_queue = mproc__block_take(&txn, object);
        end(&txn, mproc__at(mproc__lease_at(offset)->ring), offset);
        mproc__txn_commit(&txn); /* COMMIT */
    }
    mproc__family_unlock();
    *lease = (mproc_lease){.block = 0};
    return is_ours
               ? MPROC_OK
               : mproc__fail(MPROC_ESTATE, "%s: a copy of this process has ended the lease", verb);
}

int mproc_lease_acknowledge(mproc_lease *lease)
{
    mproc__hold queue;
    int rc = end_lease(lease, "acknowledge", acknowledge, &queue);
    if (rc >= 0) {
        MPROC__KILLPOINT("queue.acknowledged"); /* DEATH: joiners look again */
        struct mproc__queue_shm *shm = mproc__block_at(queue.offset);
        tell_joiners(shm, mproc__bell_notes(&shm->joiners));
        mproc__block_release(queue);
    }
    return rc;
}

int mproc_lease_return(mproc_lease *lease)
{
    mproc__hold queue;
    int rc = end_lease(lease, "return", put_back, &queue);
    if (rc >= 0) {
        MPROC__KILLPOINT("queue.returned"); /* DEATH: getters look again */
        mproc__ring_call(mproc__block_at(queue.offset));
        mproc__block_release(queue);
    }
    return rc;
}

/* ---- joinable queues ------------------------------------------------------------------------- */

uint32_t mproc__queue_undone(const struct mproc__queue_shm *shm)
{
    // These before what was put: they never get ahead of it.
    uint32_t n = mproc__load32_acquire(&shm->done);
    n += (uint32_t)mproc__load64_acquire(&shm->acknowledged);
    return mproc__ring_undone(&shm->ring, n);
}

static int check_joinable(const mproc_queue *queue, const char *verb)
{
    if (queue == NULL) {
        return mproc__queue_is_null(verb);
    }
    return mproc__queue_shm_of(queue)->is_joinable
               ? MPROC_OK
               : mproc__fail(MPROC_ESTATE, "%s: the queue is not joinable, see its options", verb);
}

int mproc_queue_task_done(mproc_queue *queue)
{
    int rc = check_joinable(queue, "task_done");
    if (rc < 0) {
        return rc;
    }
    struct mproc__queue_shm *shm = mproc__queue_shm_of(queue);
    uint32_t notes = mproc__bell_notes(&shm->joiners);
    uint32_t done = mproc__load32_relaxed(&shm->done);
    do {
        if (mproc__queue_undone(shm) == 0) {
            return mproc__fail_shortly(MPROC_ESTATE,
                                       "task_done: called more often than items were put");
        }
    } while (!mproc__cas32(&shm->done, &done, done + 1)); /* COMMIT */
    MPROC__KILLPOINT("queue.done");                       /* DEATH: joiners look again */
    tell_joiners(shm, notes);
    return MPROC_OK;
}

int mproc_queue_join(mproc_queue *queue, mproc_timeout timeout)
{
    int rc = check_joinable(queue, "join");
    rc = rc < 0 ? rc : mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    struct mproc__queue_shm *shm = mproc__queue_shm_of(queue);
    mproc__deadline deadline = mproc__deadline_in(timeout);
    uint32_t before = mproc__load32_acquire(&shm->rests);
    for (;;) {
        uint32_t rests = mproc__load32_acquire(&shm->rests);
        if (rests != before || mproc__queue_undone(shm) == 0) {
            return MPROC_OK;
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT, "join: timed out; not all is done");
        }
        mproc__note_begin(queue->object.offset, deadline);
        mproc__bell_await(&shm->joiners, &shm->rests, rests, deadline);
        mproc__note_end();
    }
}
