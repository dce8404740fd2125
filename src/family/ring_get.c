/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_get.c: a ring's getting end, and what it holds. See ring.h for the protocol.
 */
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/lease.h"
#include "family/ledger.h"
#include "family/ring_part.h"

#include <string.h>

/* ---- the getting end ------------------------------------------------------------------------- */

/** The head, past a parcel that a dead consumer has taken. */
static uint64_t past_taken(const struct mproc__ring_shm *ring)
{
    bool is_taken = ring->get.taken_at == mproc__ring_words_of(ring->head) + 1;
    return is_taken ? mproc__ring_advance(ring->head, ring->get.taken_words, 1) : ring->head;
}

/** Skip what a dead consumer had taken and not got past. */
static void repair_get(struct mproc__ring_shm *ring)
{
    mproc__family_settle();
    mproc__store64_release(&ring->head, past_taken(ring));
    ring->get.taken_at = 0;
    uint64_t head;
    uint64_t sum = mproc__ring_sum_at(&ring->head, &ring->got_sum, &head);
    mproc__store64_release(&ring->got_sum.now, sum);
}

int mproc__ring_get_begin(struct mproc__ring_shm *ring, mproc__deadline deadline,
                          mproc__ring_end *ret_end)
{
    int rc = mproc__ring_lock(&ring->get.mutex, deadline);
    if (rc == MPROC_ETIMEDOUT) {
        mproc__ring_pass_on(ring); // it may have been woken for a message before that
    }
    if (rc < 0) {
        return rc;
    }
    if (rc == MPROC_OWNER_DIED) {
        repair_get(ring);
    }
    mproc__ring_begin(ret_end, ring, ring->head, mproc__ring_segment_at(ring->get.segment));
    ret_end->sum = ring->got_sum.now;
    ret_end->notes = mproc__bell_notes(&ring->putters);
    return MPROC_OK;
}

static void commit_get(mproc__ring_end *end)
{
    struct mproc__ring_shm *ring = end->ring;
    if (ring->max_bytes != 0) {
        mproc__ring_move(&ring->head, end->position, &ring->got_sum, end->sum);
    } else {
        mproc__store64_release(&ring->head, end->position); /* COMMIT */
    }
    end->committed = end->position;
}

/** Go on to the next segment, if this one has been read. There is a message. */
static void follow(mproc__ring_end *end)
{
    struct mproc__ring_shm *ring = end->ring;
    const struct mproc__segment_head *segment = mproc__ring_segment_at(ring->get.segment);
    while (mproc__load64_acquire(&segment->end) == mproc__ring_words_of(end->position)) {
        commit_get(end);
        mproc__block_drop(ring->get.segment, &ring->get.segment, segment->next);
        segment = mproc__ring_segment_at(ring->get.segment);
        mproc__ring_use_segment(end, segment);
    }
}

static int damaged(void)
{
    return mproc__fail_shortly(MPROC_ECORRUPT, "somebody has written over the messages");
}

/** Read a parcel's record. */
static int open_parcel(const void *data, uint64_t size, mproc__ring_item *ret_item)
{
    struct mproc__parcel parcel;
    if (size < sizeof(parcel)) {
        return damaged();
    }
    memcpy(&parcel, data, sizeof(parcel));
    if (!mproc__block_is(parcel.offset, MPROC__KIND_PARCEL)) {
        return damaged();
    }
    *ret_item = (mproc__ring_item){
        .data = mproc__block_at(parcel.offset),
        .size = mproc__block_size(parcel.offset),
        .kind = (enum mproc__record)parcel.kind,
        .parcel = parcel.offset,
    };
    return 1;
}

/** Look at the message at the end's position, which is before the tail; steps over what is none. */
static int look(mproc__ring_end *end, uint64_t tail, mproc__ring_item *ret_item)
{
    for (;;) {
        uint64_t left;
        const uint64_t *record = mproc__ring_record_at(end, &left);
        uint64_t n_used =
            mproc__ring_distance(mproc__ring_words_of(tail), mproc__ring_words_of(end->position));
        uint64_t kind = *record >> MPROC__RING_KIND_SHIFT;
        uint64_t size = *record & MPROC__RING_SIZE_MASK;
        uint64_t words = kind == MPROC__RECORD_PAD ? left : mproc__ring_words_for(size);
        if (words > left || words > n_used || kind > MPROC__RECORD_PARCEL) {
            return damaged();
        }
        end->words = words;
        if (kind == MPROC__RECORD_PARCEL) {
            return open_parcel(record + 1, size, ret_item);
        }
        if (kind != MPROC__RECORD_PAD) {
            *ret_item = (mproc__ring_item){
                .data = record + 1, .size = size, .kind = (enum mproc__record)kind};
            return 1;
        }
        end->position = mproc__ring_advance(end->position, words, 0);
    }
}

/** Look at the first message that has come back. Only the holder of get.mutex takes it out of the list. */
static int look_at_returned(mproc__ring_end *end, mproc__ring_item *ret_item)
{
    mproc__family_settle(); // nobody has died in the middle of the list
    end->lease = mproc__load64_acquire(&end->ring->get.returned);
    uint64_t parcel = mproc__lease_parcel(end->lease);
    *ret_item = (mproc__ring_item){
        .data = mproc__block_at(parcel),
        .size = mproc__block_size(parcel),
        .kind = (enum mproc__record)mproc__lease_at(end->lease)->kind,
        .parcel = parcel,
    };
    return 1;
}

static bool has_returned(const struct mproc__ring_shm *ring)
{
    return mproc__load64_acquire(&ring->get.returned) != 0;
}

int mproc__ring_get_next(mproc__ring_end *end, mproc__ring_item *ret_item)
{
    struct mproc__ring_shm *ring = end->ring;
    end->lease = 0;
    if (has_returned(ring)) {
        return look_at_returned(end, ret_item);
    }
    if (mproc__ring_is_same(end->position, ring->get.tail_seen)) {
        ring->get.tail_seen = end->other = mproc__load64_acquire(&ring->tail);
        if (mproc__ring_is_same(end->position, end->other)) {
            if (has_returned(ring)) { // who is to call us for it does so after it has come back
                return look_at_returned(end, ret_item);
            }
            return end->other & MPROC__RING_CLOSED ? MPROC_ECLOSED : 0;
        }
    }
    follow(end);
    return look(end, ring->get.tail_seen, ret_item);
}

/** The parcel that is looked at is about to be taken: what its taker's heir needs to know. */
static uint64_t *prepare_taking(mproc__ring_end *end, const mproc__ring_item *item)
{
    struct mproc__ring_shm *ring = end->ring;
    commit_get(end);
    mproc__ring_announce(mproc__ring_advance(end->position, end->words, 1), &ring->got_sum,
                         end->sum + item->size);
    ring->get.taken_words = end->words;
    return &ring->get.taken_at;
}

/** What taken_at becomes in the transaction that takes it. */
static uint64_t mark_of(const mproc__ring_end *end)
{
    return mproc__ring_words_of(end->position) + 1;
}

static void get_past(mproc__ring_end *end, const mproc__ring_item *item)
{
    end->position = mproc__ring_advance(end->position, end->words, 1);
    end->sum += item->size;
}

/** It has been taken. */
static void get_past_taken(mproc__ring_end *end, const mproc__ring_item *item)
{
    struct mproc__ring_shm *ring = end->ring;
    MPROC__KILLPOINT("ring.taken"); /* DEATH: the heir gets past it */
    get_past(end, item);
    mproc__store64_release(&ring->head, end->position);
    mproc__store64_release(&ring->got_sum.now, end->sum);
    end->committed = end->position;
    ring->get.taken_at = 0;
}

void mproc__ring_get_consume(mproc__ring_end *end, const mproc__ring_item *item)
{
    if (end->lease != 0) {
        mproc__family_lock();
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        mproc__lease_empty(&txn, end->lease);
        mproc__block_count(&txn, item->parcel, -1);
        mproc__txn_commit(&txn); /* COMMIT */
        mproc__family_unlock();
    } else if (item->parcel != 0) {
        uint64_t *taken_at = prepare_taking(end, item);
        mproc__block_drop(item->parcel, taken_at, mark_of(end)); /* COMMIT */
        get_past_taken(end, item);
    } else {
        get_past(end, item);
    }
}

int mproc__ring_get_take(mproc__ring_end *end, const mproc__ring_item *item, mproc__hold *ret_hold)
{
    uint64_t *taken_at = end->lease == 0 ? prepare_taking(end, item) : NULL;
    mproc__family_lock();
    int rc = mproc__ledger_reserve(mproc__self_member());
    if (rc >= 0) {
        mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
        *ret_hold = mproc__block_take(&txn, item->parcel);
        if (taken_at != NULL) {
            mproc__txn_set(&txn, taken_at, mark_of(end));
        } else {
            mproc__lease_empty(&txn, end->lease);
        }
        mproc__txn_commit(&txn); /* COMMIT */
    }
    mproc__family_unlock();
    if (rc >= 0 && taken_at != NULL) {
        get_past_taken(end, item);
    }
    return rc;
}

/** A message that is not a parcel is made one. */
static int copy_out(const mproc__ring_item *item, mproc__hold *ret_parcel)
{
    int rc = mproc__block_create(MPROC__KIND_PARCEL, item->size, 0, false, ret_parcel);
    if (rc >= 0 && item->size > 0) {
        memcpy(mproc__block_at(ret_parcel->offset), item->data, (size_t)item->size);
    }
    return rc;
}

int mproc__ring_get_lease(mproc__ring_end *end, const mproc__ring_item *item, uint64_t lease)
{
    struct mproc__lease_shm *shm = mproc__lease_at(lease);
    const struct mproc__lease_shm *last = end->lease != 0 ? mproc__lease_at(end->lease) : NULL;
    mproc__hold copy = {0, 0};
    int rc = item->parcel == 0 ? copy_out(item, &copy) : MPROC_OK;
    if (rc < 0) {
        return rc;
    }
    shm->kind = (uint64_t)item->kind;
    uint64_t *taken_at = last == NULL ? prepare_taking(end, item) : NULL;
    uint64_t *parcel = mproc__block_slot(lease, MPROC__LEASE_PARCEL);
    mproc__family_lock();
    // Under the lock: who has put the last one back may have been about to count that.
    shm->ticket = last != NULL ? last->ticket : mproc__ring_words_of(end->position);
    shm->returns = last != NULL ? last->returns : 0;
    mproc__txn txn = mproc__txn_begin(&mproc__shm()->journal);
    if (taken_at != NULL) {
        mproc__txn_set(&txn, taken_at, mark_of(end));
    } else {
        mproc__lease_empty(&txn, end->lease);
    }
    if (copy.offset != 0) {
        mproc__block_put(&txn, parcel, copy);
    } else {
        mproc__txn_set(&txn, parcel, item->parcel);
    }
    mproc__txn_commit(&txn); /* COMMIT */
    mproc__family_unlock();
    if (taken_at != NULL) {
        get_past_taken(end, item);
    }
    return MPROC_OK;
}

void mproc__ring_get_end(mproc__ring_end *end)
{
    struct mproc__ring_shm *ring = end->ring;
    uint64_t n = mproc__ring_items(end->position, end->begun);
    if (n > 0) {
        commit_get(end);
    }
    (void)mproc__mutex_release(&ring->get.mutex);
    MPROC__KILLPOINT("ring.got");
    if (n > 0) {
        // One large message may make room for many, or for others than the first one woken.
        bool is_by_size = ring->max_bytes != 0 || !ring->may_grow;
        uint64_t n_woken = is_by_size ? UINT64_MAX : n;
        mproc__bell_ring(&ring->putters, mproc__low32(&ring->head), n_woken, end->notes);
        mproc__gathering_count(&mproc__gathering_gets, &mproc__gathering_puts, n);
    }
}

/* ---- what it holds --------------------------------------------------------------------------- */

/** The next parcel of a segment; 0: no more. */
static uint64_t next_parcel(struct mproc__ring_shm *ring, mproc__ring_walk *walk)
{
    const struct mproc__segment_head *segment = mproc__ring_segment_at(walk->segment);
    mproc__ring_end end = {.ring = ring, .position = walk->position};
    mproc__ring_item item = {.parcel = 0};
    mproc__ring_use_segment(&end, segment);
    while (segment->has_parcels && item.parcel == 0 &&
           mproc__ring_words_of(end.position) != mproc__ring_words_of(ring->tail) &&
           mproc__ring_words_of(end.position) != segment->end &&
           look(&end, ring->tail, &item) > 0) {
        end.position = mproc__ring_advance(end.position, end.words, 1);
    }
    walk->position = end.position;
    return item.parcel;
}

uint64_t mproc__ring_walk_next(struct mproc__ring_shm *ring, mproc__ring_walk *walk)
{
    if (!walk->has_begun) {
        *walk = (mproc__ring_walk){.has_begun = true,
                                   .lease = ring->get.returned,
                                   .segment = ring->get.segment,
                                   .position = past_taken(ring)};
        if (mproc__ring_has_pending(ring)) {
            return ring->put.parcel;
        }
    }
    uint64_t found = walk->lease;
    if (found != 0) {
        walk->lease = mproc__lease_at(found)->next;
        return found;
    }
    if (walk->segment != 0 && (found = next_parcel(ring, walk)) == 0) {
        found = walk->segment;
        const struct mproc__segment_head *segment = mproc__ring_segment_at(found);
        walk->segment = segment->next;
        walk->position = segment->end << MPROC__RING_WORDS_SHIFT;
    }
    return found;
}

bool mproc__ring_drop_one(struct mproc__ring_shm *ring, mproc__txn *txn)
{
    mproc__ring_walk walk = {.has_begun = false};
    uint64_t first = mproc__ring_walk_next(ring, &walk);
    if (first == 0) {
        return false;
    }
    mproc__block_count(txn, first, -1);
    if (mproc__ring_has_pending(ring)) {
        mproc__txn_set(txn, &ring->put.parcel, 0);
    } else if (ring->get.returned != 0) {
        mproc__txn_set(txn, &ring->get.returned, walk.lease);
    } else {
        mproc__txn_set(txn, &ring->get.segment, walk.segment);
        mproc__txn_set(txn, &ring->head, walk.position);
    }
    return true;
}
