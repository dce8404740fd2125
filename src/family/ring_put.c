/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_put.c: a ring's putting end, and what concerns both. See ring.h for the protocol.
 */
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/ring_part.h"
#include "family/thread.h"

/* A ring that may grow does so up to segments of this size. */
#define LARGEST_SEGMENT ((uint64_t)4 << 20)

int mproc__ring_lock(struct mproc__mutex_shm *mutex, mproc__deadline deadline)
{
    mproc__thread_id self = mproc__thread_current;
    if (self != 0 && mproc__mutex_try(mutex, self)) {
        return MPROC_OK;
    }
    int rc = mproc__family_enter();
    return rc < 0 ? rc
                  : mproc__mutex_acquire(mutex, mproc__thread_self(),
                                         deadline != 0 ? deadline : MPROC__NEVER, NULL);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

void mproc__ring_announce(uint64_t to, struct mproc__ring_sum *sum, uint64_t sum_there)
{
    // Each store is seen after those before it, by the other end and by the heir.
    mproc__store64_release(&sum->next_at, MPROC__RING_NOWHERE);
    mproc__store64_release(&sum->next, sum_there);
    mproc__store64_release(&sum->next_at, mproc__ring_words_of(to));
}

void mproc__ring_move(uint64_t *place, uint64_t to, struct mproc__ring_sum *sum, uint64_t sum_there)
{
    mproc__ring_announce(to, sum, sum_there);
    mproc__store64_release(place, to);            /* COMMIT */
    mproc__store64_release(&sum->now, sum_there); /* DEATH: until now it was `next` */
}

uint64_t mproc__ring_sum_at(const uint64_t *place, const struct mproc__ring_sum *sum,
                            uint64_t *ret_place)
{
    for (;;) {
        uint64_t at = mproc__load64_acquire(place);
        uint64_t next_at = mproc__load64_acquire(&sum->next_at);
        uint64_t next = mproc__load64_acquire(&sum->next);
        uint64_t now = mproc__load64_acquire(&sum->now);
        // Else its owner goes on meanwhile.
        if (mproc__load64_acquire(&sum->next_at) == next_at && mproc__load64_acquire(place) == at) {
            *ret_place = at;
            return next_at == mproc__ring_words_of(at) ? next : now;
        }
    }
}

uint64_t mproc__ring_bytes(const struct mproc__ring_shm *ring)
{
    uint64_t unused;
    uint64_t got = mproc__ring_sum_at(&ring->head, &ring->got_sum, &unused);
    return mproc__ring_sum_at(&ring->tail, &ring->put_sum, &unused) - got;
}

/* ---- create ---------------------------------------------------------------------------------- */

/** A segment that nothing holds but this process, without a place yet. */
static int make_segment(uint64_t size, uint64_t start, mproc__hold *ret_hold)
{
    int rc = mproc__block_create(MPROC__KIND_SEGMENT, sizeof(struct mproc__segment_head) + size, 0,
                                 false, ret_hold);
    if (rc >= 0) {
        *mproc__ring_segment_at(ret_hold->offset) = (struct mproc__segment_head){
            .start = start, .mask = size / 8 - 1, .end = MPROC__RING_NO_END};
    }
    return rc;
}

int mproc__ring_create(struct mproc__ring_shm *ring, uint64_t size, uint64_t max_items,
                       bool may_grow)
{
    mproc__hold hold;
    int rc = make_segment(size, 0, &hold);
    if (rc >= 0) {
        ring->max_items = max_items != 0 && max_items < MPROC__RING_MOST_ITEMS
                              ? max_items
                              : MPROC__RING_MOST_ITEMS;
        ring->may_grow = may_grow;
        mproc__block_hand_in(hold, &ring->get.segment, &ring->put.segment, hold.offset);
    }
    return rc;
}

uint64_t mproc__ring_count(const struct mproc__ring_shm *ring)
{
    // The head first: it never overtakes the tail.
    uint64_t head = mproc__load64_acquire(&ring->head);
    return mproc__ring_items(mproc__load64_acquire(&ring->tail), head);
}

uint32_t mproc__ring_undone(const struct mproc__ring_shm *ring, uint32_t count)
{
    uint64_t tail = mproc__load64_acquire(&ring->tail);
    return (uint32_t)mproc__ring_items(tail, (uint64_t)count * MPROC__RING_ITEM);
}

bool mproc__ring_is_closed(const struct mproc__ring_shm *ring)
{
    return (mproc__load64_acquire(&ring->tail) & MPROC__RING_CLOSED) != 0;
}

/* ---- the putting end ------------------------------------------------------------------------- */

/** Drop what a dead producer had handed in and not committed; find the last segment. */
static void repair_put(struct mproc__ring_shm *ring)
{
    mproc__family_settle();
    if (mproc__ring_has_pending(ring)) {
        mproc__block_drop(ring->put.parcel, &ring->put.parcel, 0);
    }
    ring->put.parcel = 0;
    uint64_t tail;
    uint64_t sum = mproc__ring_sum_at(&ring->tail, &ring->put_sum, &tail);
    mproc__store64_release(&ring->put_sum.now, sum);
    for (uint64_t next; (next = mproc__ring_segment_at(ring->put.segment)->next) != 0;) {
        ring->put.segment = next;
    }
}

int mproc__ring_put_begin(struct mproc__ring_shm *ring, mproc__deadline deadline,
                          mproc__ring_end *ret_end)
{
    int rc = mproc__ring_lock(&ring->put.mutex, deadline);
    if (rc == MPROC_ETIMEDOUT) {
        mproc__ring_pass_room_on(ring); // it may have been woken for room before that
    }
    if (rc < 0) {
        return rc;
    }
    if (rc == MPROC_OWNER_DIED) {
        repair_put(ring);
    }
    uint64_t tail = mproc__load64_relaxed(&ring->tail); // who loses the putters has no lock
    if (tail & MPROC__RING_CLOSED) {
        (void)mproc__mutex_release(&ring->put.mutex);
        return MPROC_ECLOSED;
    }
    mproc__ring_begin(ret_end, ring, tail, mproc__ring_segment_at(ring->put.segment));
    ret_end->sum = ring->put_sum.now;
    ret_end->notes = mproc__bell_notes(&ring->getters);
    return MPROC_OK;
}

/** Whether the limits allow a message of so many bytes more, as far as is known. */
static bool is_allowed(const mproc__ring_end *end, uint64_t size)
{
    const struct mproc__ring_shm *ring = end->ring;
    return mproc__ring_items(end->position, ring->put.head_seen) < ring->max_items &&
           (ring->max_bytes == 0 || end->sum - ring->got_seen + size <= ring->max_bytes);
}

/** Whether so many words are free behind the end's position, likewise. */
static bool has_room(const mproc__ring_end *end, uint64_t words)
{
    uint64_t head = end->ring->put.head_seen;
    uint64_t at = mproc__ring_words_of(end->position);
    uint64_t from = mproc__ring_words_of(head);
    if (mproc__ring_distance(from, end->start) > MPROC__RING_WORDS_MASK / 2) {
        from = end->start; // they still read an earlier segment
    }
    return end->mask + 1 - mproc__ring_distance(at, from) >= words;
}

static bool find_room(mproc__ring_end *end, uint64_t words, uint64_t size)
{
    struct mproc__ring_shm *ring = end->ring;
    if (is_allowed(end, size) && has_room(end, words)) {
        return true;
    }
    if (ring->max_bytes != 0) {
        ring->got_seen = mproc__ring_sum_at(&ring->head, &ring->got_sum, &ring->put.head_seen);
    } else {
        ring->put.head_seen = mproc__load64_acquire(&ring->head);
    }
    end->other = ring->put.head_seen;
    return is_allowed(end, size) && has_room(end, words);
}

/** Go on in a new segment. 1; 0: there is to be none; or an error. */
static int grow(mproc__ring_end *end)
{
    struct mproc__ring_shm *ring = end->ring;
    if (!ring->may_grow) {
        return 0;
    }
    mproc__ring_put_commit(end); // a segment ends where the tail is
    uint64_t size = (end->mask + 1) * 8;
    mproc__hold hold;
    int rc = make_segment(size < LARGEST_SEGMENT ? size * 2 : size,
                          mproc__ring_words_of(end->position), &hold);
    if (rc < 0) {
        return rc;
    }
    struct mproc__segment_head *full = mproc__ring_segment_at(ring->put.segment);
    mproc__block_hand_in(hold, &full->next, &full->end, mproc__ring_words_of(end->position));
    MPROC__KILLPOINT("ring.grown"); /* DEATH: the heir finds the last one */
    mproc__store64_release(&ring->put.segment, hold.offset);
    mproc__ring_use_segment(end, mproc__ring_segment_at(hold.offset));
    return 1;
}

/** Make room for a record of `size` bytes, which stands for `weight`. See mproc__ring_put_reserve. */
static bool reserve(mproc__ring_end *end, uint64_t size, uint64_t weight, enum mproc__record kind,
                    void **ret_place, int *ret_status)
{
    uint64_t words = mproc__ring_words_for(size);
    *ret_status = MPROC_OK;
    for (;;) {
        uint64_t left;
        uint64_t *record = mproc__ring_record_at(end, &left);
        uint64_t pad = words <= left ? 0 : left;
        if (find_room(end, words + pad, weight)) {
            if (pad != 0) {
                *record = (uint64_t)MPROC__RECORD_PAD << MPROC__RING_KIND_SHIFT;
                record = (uint64_t *)(void *)end->bytes;
            }
            *record = (uint64_t)kind << MPROC__RING_KIND_SHIFT | size;
            *ret_place = record + 1;
            end->position = mproc__ring_advance(end->position, words + pad, 1);
            end->sum += weight;
            return true;
        }
        int rc = is_allowed(end, weight) ? grow(end) : 0;
        if (rc <= 0) {
            *ret_status = rc;
            return false;
        }
    }
}

/**
 * How much of the ring a parcel's record takes: in one that does not grow, as much as the parcel, up to a
 * quarter of the segment. So it is a bound for parcels, too, and costs nothing: the rest is not touched.
 */
static uint64_t room_for_parcel(const mproc__ring_end *end, uint64_t size)
{
    uint64_t quarter = (end->mask + 1) * 8 / 4 - 8;
    uint64_t room = size < quarter ? size : quarter;
    return end->ring->may_grow || room < sizeof(struct mproc__parcel) ? sizeof(struct mproc__parcel)
                                                                      : room;
}

bool mproc__ring_put_reserve(mproc__ring_end *end, uint64_t size, enum mproc__record kind,
                             void **ret_place, int *ret_status)
{
    return reserve(end, size, size, kind, ret_place, ret_status);
}

bool mproc__ring_put_parcel(mproc__ring_end *end, mproc__hold hold, enum mproc__record kind,
                            int *ret_status)
{
    struct mproc__ring_shm *ring = end->ring;
    void *place;
    mproc__ring_put_commit(end);
    uint64_t size = mproc__block_size(hold.offset);
    if (!reserve(end, room_for_parcel(end, size), size, MPROC__RECORD_PARCEL, &place, ret_status)) {
        return false;
    }
    mproc__ring_segment_at(ring->put.segment)->has_parcels = 1;
    mproc__block_hand_in(hold, &ring->put.parcel, &ring->put.parcel_at,
                         mproc__ring_words_of(end->committed));
    MPROC__KILLPOINT("ring.handed_in"); /* DEATH: the heir drops it */
    *(struct mproc__parcel *)place = (struct mproc__parcel){.offset = hold.offset, .kind = kind};
    mproc__ring_put_commit(end);
    MPROC__KILLPOINT("ring.committed");
    mproc__store64_relaxed(&ring->put.parcel, 0);
    return true;
}

uint64_t mproc__ring_put_count(mproc__ring_end *end, uint64_t most)
{
    struct mproc__ring_shm *ring = end->ring;
    uint64_t n = mproc__ring_items(end->committed, ring->put.head_seen);
    if (n >= most && ring->max_bytes == 0) { // else it goes with the sum there
        ring->put.head_seen = mproc__load64_acquire(&ring->head);
        n = mproc__ring_items(end->committed, ring->put.head_seen);
    }
    return n;
}

void mproc__ring_put_end(mproc__ring_end *end)
{
    struct mproc__ring_shm *ring = end->ring;
    uint64_t n = mproc__ring_items(end->committed, end->begun);
    (void)mproc__mutex_release(&ring->put.mutex);
    MPROC__KILLPOINT("ring.put");
    if (n > 0) {
        mproc__bell_ring(&ring->getters, mproc__low32(&ring->tail), n, end->notes);
        mproc__gathering_count(&mproc__gathering_puts, &mproc__gathering_gets, n);
    }
}

/* ---- waiting, and closing --------------------------------------------------------------------- */

/* Less than a sleep and its wake cost. */
#define LONGEST_PAUSE_NS 2000

/* So few in a row are not worth the way of the cache lines; of so many it takes none. */
#define FEW 32
#define MANY 256

#define MOST_FAILURES 10

MPROC__THREAD_LOCAL struct mproc__gathering mproc__gathering_puts, mproc__gathering_gets;

/** How long to pause after n messages. */
static int64_t find_pause(struct mproc__gathering *these, uint64_t n)
{
    if (these->pause_ns == 0) {
        these->skips -= these->skips > 0 ? 1 : 0;
        if (these->skips > 0 || n >= FEW) {
            return 0;
        }
        these->n_without = n;
        return LONGEST_PAUSE_NS;
    }
    if (n < 2 * these->n_without) {
        these->failures += these->failures < MOST_FAILURES ? 1 : 0;
        these->skips = 1u << these->failures;
        return 0;
    }
    these->failures = 0;
    return n > MANY ? these->pause_ns / 2 : these->pause_ns;
}

/** Before a look at the other side. */
static void let_gather(struct mproc__gathering *these)
{
    uint64_t n = these->n;
    these->n = 0;
    if (n == 0 || !mplat_get_facts()->is_smp) {
        return; // it looks again already
    }
    these->pause_ns = find_pause(these, n);
    if (these->pause_ns > 0) {
        for (int64_t end = mplat_now() + these->pause_ns; mplat_now() < end;) {
            MPROC__PAUSE();
        }
    }
}

void mproc__ring_await_room(const mproc__ring_end *seen, mproc__deadline deadline)
{
    struct mproc__ring_shm *ring = seen->ring;
    let_gather(&mproc__gathering_puts);
    mproc__bell_await(&ring->putters, mproc__low32(&ring->head), (uint32_t)seen->other, deadline);
}

void mproc__ring_let_gather(void)
{
    let_gather(&mproc__gathering_gets);
}

void mproc__ring_await_item(const mproc__ring_end *seen, mproc__deadline deadline)
{
    struct mproc__ring_shm *ring = seen->ring;
    mproc__ring_let_gather();
    mproc__bell_await(&ring->getters, mproc__low32(&ring->tail), (uint32_t)seen->other, deadline);
}

static void pass_on(const struct mproc__bell_shm *bell, uint64_t *place)
{
    mproc__fence(); // the place has been looked at, by us or by a sleeper who has noted himself since
    if (mproc__load32_relaxed(&bell->word) != 0) {
        (void)mplat_wake(mproc__low32(place), 1);
    }
}

void mproc__ring_pass_on(struct mproc__ring_shm *ring)
{
    pass_on(&ring->getters, &ring->tail);
}

void mproc__ring_pass_room_on(struct mproc__ring_shm *ring)
{
    pass_on(&ring->putters, &ring->head);
}

void mproc__ring_call(struct mproc__ring_shm *ring)
{
    int rc = mproc__ring_lock(&ring->put.mutex, MPROC__NEVER);
    if (rc == MPROC_OWNER_DIED) {
        repair_put(ring);
    }
    if (rc >= 0) {
        uint32_t notes = mproc__bell_notes(&ring->getters);
        mproc__store64_release(&ring->tail, ring->tail ^ MPROC__RING_CALL);
        (void)mproc__mutex_release(&ring->put.mutex);
        MPROC__KILLPOINT("ring.called"); /* DEATH: the sleeper looks again */
        mproc__bell_ring(&ring->getters, mproc__low32(&ring->tail), 1, notes);
    }
}

int mproc__ring_close(struct mproc__ring_shm *ring)
{
    mproc__ring_end end;
    int rc = mproc__ring_put_begin(ring, MPROC__NEVER, &end);
    if (rc >= 0) {
        mproc__store64_release(&ring->tail, ring->tail | MPROC__RING_CLOSED); /* COMMIT */
        MPROC__KILLPOINT("ring.closed"); /* DEATH: who sleeps looks again, at the tail, too */
        mproc__ring_put_end(&end);
        rc = mproc__ring_get_begin(ring, MPROC__NEVER, &end);
    }
    if (rc >= 0) {
        mproc__store64_release(&ring->head,
                               ring->head | MPROC__RING_CLOSED); // so that putters wake up
        mproc__ring_get_end(&end);
        (void)mplat_wake(mproc__low32(&ring->tail), INT32_MAX);
        (void)mplat_wake(mproc__low32(&ring->head), INT32_MAX);
        mproc__bell_stir(&ring->getters);
    }
    return rc;
}

/** Set the mark at a position that nobody else changes any more. */
static void lose(uint64_t *position)
{
    mproc__store64_release(position, mproc__load64_relaxed(position) | MPROC__RING_CLOSED);
    MPROC__KILLPOINT("ring.lost"); /* DEATH: who sleeps looks again */
    (void)mplat_wake(mproc__low32(position), INT32_MAX);
}

void mproc__ring_lose_putters(struct mproc__ring_shm *ring)
{
    lose(&ring->tail);
    mproc__bell_stir(&ring->getters);
}

void mproc__ring_lose_getters(struct mproc__ring_shm *ring)
{
    lose(&ring->head);
}
