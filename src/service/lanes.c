/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes.c: what waits to be done, and who does it next. See tasks.h.
 *
 * Waking   All sleep on the normal lane's tail. Who posts to another lane puts a blank record into the
 *          normal one after it, which is never anybody's.
 * Briskly  To wake somebody costs more than some tasks do. One who has had such tasks lately stands by when it
 *          finds no more: it sleeps for a moment only. Meanwhile nobody is woken for single ones, but by who
 *          is going to wait for a task.
 * Ageing   Every eighth time the lowest lane has its turn first.
 * Hands    A record is in the hand before it leaves its lane; being there twice does no harm.
 */
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "service/tasks.h"

#define LANE_BYTES ((uint64_t)64 << 10)

#define BLANK UINT64_MAX

#define TURNS 8

/* How long, and how many at most, tasks wait that are thought to be short. */
#define STANDBY_NS ((int64_t)250000)
#define PATIENCE 64

int mproc__lane_create(mproc__hold *ret_hold)
{
    int rc =
        mproc__block_create(MPROC__KIND_LANE, sizeof(struct mproc__ring_shm), 0, true, ret_hold);
    if (rc >= 0) {
        rc = mproc__ring_create(mproc__block_at(ret_hold->offset), LANE_BYTES, 0, true);
        if (rc < 0) {
            mproc__block_release(*ret_hold);
        }
    }
    return rc;
}

static uint64_t *lane_word(const mproc__tasks *tasks, uint32_t lane)
{
    return mproc__block_slot(tasks->offset, MPROC__POOL_LANES + lane);
}

/** A lane that there is. */
static struct mproc__ring_shm *lane_at(const mproc__tasks *tasks, uint32_t lane)
{
    return lane == MPROC__LANE_NORMAL
               ? tasks->normal
               : mproc__block_at(mproc__load64_acquire(lane_word(tasks, lane)));
}

/** Make a lane if it is not there yet. */
static int open_lane(mproc__tasks *tasks, uint32_t lane)
{
    uint32_t *lanes = &tasks->shm->lanes;
    if (lane == MPROC__LANE_NORMAL || (mproc__load32_acquire(lanes) & 1u << lane) != 0) {
        return MPROC_OK;
    }
    int rc = MPROC_OK;
    mproc__tasks_lock(tasks);
    uint64_t *word = lane_word(tasks, lane);
    if (mproc__load64_acquire(word) == 0) {
        mproc__hold hold;
        rc = mproc__lane_create(&hold);
        if (rc >= 0) {
            mproc__block_hand_in(hold, word, word, hold.offset);
        }
    }
    if (rc >= 0) {
        mproc__store32_release(lanes, mproc__load32_relaxed(lanes) | 1u << lane);
    }
    mproc__tasks_unlock(tasks);
    return rc;
}

/* ---- waking ---------------------------------------------------------------------------------- */

/** Whether those who sleep can be left alone for now, though so many records wait: see Briskly. */
static bool can_wait(const mproc__tasks *tasks, uint64_t n_waiting)
{
    return n_waiting < PATIENCE && mproc__load32_relaxed(&tasks->shm->standby) != 0;
}

/**
 * Something has been put: up to n of the sleepers wake up. With somebody on the lookout there is no need: who
 * finds something there wakes the next one, if there is more.
 */
static void ring_bell(mproc__tasks *tasks, uint64_t n, uint64_t n_waiting, uint32_t notes)
{
    struct mproc__pool_shm *shm = tasks->shm;
    if (mproc__load32_relaxed(&shm->lookout) == 0 && !can_wait(tasks, n_waiting)) {
        mproc__bell_ring(&shm->bell, mproc__low32(&tasks->normal->tail), n, notes);
    }
}

/** Wake one, if anybody sleeps. */
static void call_one(mproc__tasks *tasks)
{
    mproc__fence();
    if (mproc__load32_relaxed(&tasks->shm->bell.word) & MPROC__BELL_ALL) {
        (void)mplat_wake(mproc__low32(&tasks->normal->tail), 1);
    }
}

void mproc__lanes_hurry(mproc__tasks *tasks)
{
    if (mproc__load32_relaxed(&tasks->shm->standby) != 0 &&
        mproc__load32_relaxed(&tasks->shm->lookout) == 0 && mproc__ring_count(tasks->normal) > 0) {
        call_one(tasks);
    }
}

/** Take a place among those of the pool, or give it up. */
static bool take_place(uint32_t *place, uint32_t w)
{
    uint32_t nobody = 0;
    return mproc__load32_relaxed(place) == 0 && mproc__cas32(place, &nobody, w + 1);
}

static bool give_up(uint32_t *place, uint32_t w)
{
    uint32_t its = w + 1;
    return mproc__cas32(place, &its, 0);
}

/** Look for a while, as the only one: two would take the processor from who has the work to give. */
static bool look_out(mproc__tasks *tasks, uint32_t w, uint32_t seen, bool is_brisk)
{
    const uint32_t *word = mproc__low32(&tasks->normal->tail);
    if (!take_place(&tasks->shm->lookout, w)) {
        return false;
    }
    MPROC__KILLPOINT("lanes.lookout"); /* DEATH: who buries it takes its place away */
    (void)((is_brisk && mproc__glance(word, seen)) || mproc__spin(word, seen));
    (void)give_up(&tasks->shm->lookout, w);
    mproc__fence_after_rmw(); // who has put meanwhile has not rung
    return mproc__load32_relaxed(word) != seen;
}

static void rest(mproc__tasks *tasks, uint32_t w, uint32_t seen, bool is_brisk,
                 mproc__deadline deadline)
{
    struct mproc__pool_shm *shm = tasks->shm;
    bool stands_by = is_brisk && take_place(&shm->standby, w);
    MPROC__KILLPOINT("lanes.standby"); /* DEATH: as above */
    deadline = stands_by ? mproc__deadline_slice(deadline, STANDBY_NS) : deadline;
    mproc__bell_sleep(&shm->bell, mproc__low32(&tasks->normal->tail), seen, deadline);
    if (stands_by) {
        (void)give_up(&shm->standby, w);
    }
}

void mproc__lanes_await(mproc__tasks *tasks, uint32_t w, uint32_t seen, bool is_brisk,
                        mproc__deadline deadline)
{
    mproc__ring_let_gather();
    if (!look_out(tasks, w, seen, is_brisk)) {
        rest(tasks, w, seen, is_brisk, deadline);
    }
    uint64_t n_waiting = mproc__ring_count(tasks->normal);
    if (n_waiting > 1 && !can_wait(tasks, n_waiting)) {
        call_one(tasks); // one is ours
    }
}

void mproc__lanes_bury(mproc__tasks *tasks, uint32_t w)
{
    bool was_lookout = give_up(&tasks->shm->lookout, w);
    if (give_up(&tasks->shm->standby, w) || was_lookout) {
        mproc__lanes_call(tasks);
    }
}

/* ---- posting --------------------------------------------------------------------------------- */

static int put(mproc__tasks *tasks, struct mproc__ring_shm *ring, const uint64_t *records, size_t n)
{
    uint32_t notes = mproc__bell_notes(&tasks->shm->bell);
    mproc__ring_end end;
    int rc = mproc__ring_put_begin(ring, MPROC__NEVER, &end);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        void *place;
        if (!mproc__ring_put_reserve(&end, sizeof(*records), MPROC__RECORD_BYTES, &place, &rc)) {
            rc = rc < 0 ? rc : mproc__fail(MPROC_ENOSPC, "too many tasks wait in the pool");
            mproc__ring_put_end(&end);
            return rc;
        }
        mproc__store64_relaxed(place, records[i]);
    }
    if (rc >= 0) {
        mproc__ring_put_commit(&end);
        uint64_t n_waiting = mproc__ring_put_count(&end, PATIENCE);
        mproc__ring_put_end(&end);
        if (ring == tasks->normal) {
            mproc__fence_after_rmw();
            ring_bell(tasks, n, n_waiting, notes);
        }
    }
    return rc;
}

static void put_blank(mproc__tasks *tasks)
{
    static const uint64_t blank = BLANK;
    (void)put(tasks, tasks->normal, &blank, 1);
}

int mproc__lane_post(mproc__tasks *tasks, uint32_t lane, const uint64_t *records, size_t n)
{
    int rc = open_lane(tasks, lane);
    if (rc >= 0) {
        rc = put(tasks, lane_at(tasks, lane), records, n);
    }
    if (rc >= 0 && lane != MPROC__LANE_NORMAL) {
        MPROC__KILLPOINT("lanes.put"); /* DEATH: who sleeps looks again */
        for (size_t i = 0; i < n && i < tasks->shm->n_workers; i++) {
            put_blank(tasks);
        }
    }
    return rc;
}

void mproc__lanes_call(mproc__tasks *tasks)
{
    put_blank(tasks);
    (void)mplat_wake(mproc__low32(&tasks->normal->tail), INT32_MAX);
}

uint64_t mproc__lanes_count(mproc__tasks *tasks)
{
    uint64_t count = 0;
    uint32_t lanes = mproc__load32_acquire(&tasks->shm->lanes) | 1u << MPROC__LANE_NORMAL;
    for (uint32_t i = 0; i < MPROC__LANES; i++) {
        count += lanes & 1u << i ? mproc__ring_count(lane_at(tasks, i)) : 0;
    }
    return count;
}

/* ---- taking ---------------------------------------------------------------------------------- */

bool mproc__task_take(mproc__tasks *tasks, uint32_t w, uint32_t index, uint64_t record)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint64_t old = mproc__load64_acquire(&slot->state);
    if (mproc__record_of(old, index) != record || mproc__task_state(old) != MPROC__TASK_PENDING) {
        return false;
    }
    if (tasks->workers[w].n_nested == 0) {
        mproc__store32_release(&tasks->workers[w].current, index + 1); // T3
    }
    MPROC__KILLPOINT("lanes.noted");
    while (mproc__record_of(old, index) == record &&
           mproc__task_state(old) == MPROC__TASK_PENDING) {
        uint64_t mark = ((old & ~(uint64_t)(MPROC__TASK_STATE | MPROC__TASK_WORKER)) |
                         (uint64_t)w << MPROC__TASK_WORKER_SHIFT) +
                        MPROC__TASK_TAKEN;
        if (mproc__cas64(&slot->state, &old, mark)) { /* COMMIT */
            MPROC__KILLPOINT("lanes.taken");          /* DEATH: it is posted again */
            return true;
        }
    }
    return false;
}

static bool take_record(mproc__tasks *tasks, uint32_t w, uint64_t record, uint32_t *ret_index)
{
    *ret_index = mproc__record_index(record);
    return record != BLANK && mproc__task_take(tasks, w, *ret_index, record);
}

/** Take the first of those in its own hand that nobody else has taken. */
static bool take_from_hand(mproc__tasks *tasks, uint32_t w, uint32_t *ret_index)
{
    struct mproc__worker_shm *worker = &tasks->workers[w];
    for (uint32_t n = mproc__load32_relaxed(&worker->n_hand); n > 0;) {
        uint64_t record = mproc__load64_relaxed(&worker->hand[MPROC__HAND - n]);
        bool is_taken = take_record(tasks, w, record, ret_index);
        mproc__store32_release(&worker->n_hand, --n);
        if (is_taken) {
            return true;
        }
    }
    return false;
}

/** With lanes of other priorities there is always something that may have to go first: hands stay empty. */
static bool has_priorities(const mproc__tasks *tasks)
{
    return mproc__load32_acquire(&tasks->shm->lanes) != 0;
}

/** Fill its hand, which is empty, with a fair part of what waits in a lane; never is it less than one. */
static bool fill_hand(mproc__tasks *tasks, uint32_t w, struct mproc__ring_shm *ring)
{
    struct mproc__worker_shm *worker = &tasks->workers[w];
    uint64_t records[MPROC__HAND];
    mproc__ring_end end;
    mproc__ring_item item;
    uint32_t n = 0;
    uint64_t fair = has_priorities(tasks) ? 1 : mproc__ring_count(ring) / tasks->shm->n_workers;
    uint32_t most = fair >= MPROC__HAND ? MPROC__HAND : fair > 1 ? (uint32_t)fair : 1;
    if (mproc__ring_get_begin(ring, MPROC__NEVER, &end) < 0) {
        return false;
    }
    while (n < most && mproc__ring_get_next(&end, &item) > 0) {
        records[n++] = mproc__load64_relaxed(item.data);
        mproc__ring_get_consume(&end, &item);
    }
    for (uint32_t i = 0; i < n; i++) {
        mproc__store64_relaxed(&worker->hand[MPROC__HAND - n + i], records[i]);
    }
    mproc__store32_release(&worker->n_hand, n);
    MPROC__KILLPOINT("lanes.in_hand"); /* DEATH: they are in the lane still, and in the hand */
    mproc__ring_get_end(&end);         /* COMMIT */
    return n > 0;
}

/** Take from the lanes, the highest first or the lowest. */
static bool take_from_lanes(mproc__tasks *tasks, uint32_t w, bool lowest_first, uint32_t *ret_index)
{
    uint32_t lanes = mproc__load32_acquire(&tasks->shm->lanes) | 1u << MPROC__LANE_NORMAL;
    for (uint32_t i = 0; i < MPROC__LANES; i++) {
        uint32_t lane = lowest_first ? i : MPROC__LANES - 1 - i;
        if ((lanes & 1u << lane) == 0) {
            continue;
        }
        struct mproc__ring_shm *ring = lane_at(tasks, lane);
        while (mproc__ring_count(ring) > 0 && fill_hand(tasks, w, ring)) {
            if (take_from_hand(tasks, w, ret_index)) {
                return true;
            }
        }
    }
    return false;
}

/** Take what is in others' hands, what would be their last one first. */
static bool take_from_others(mproc__tasks *tasks, uint32_t w, uint32_t *ret_index)
{
    uint32_t n_workers = tasks->shm->n_workers;
    for (uint32_t i = 1; i < n_workers; i++) {
        uint32_t other = w + i < n_workers ? w + i : w + i - n_workers;
        const struct mproc__worker_shm *worker = &tasks->workers[other];
        uint32_t n = mproc__load32_acquire(&worker->n_hand);
        for (uint32_t at = MPROC__HAND; n > 0 && n <= MPROC__HAND; n--) {
            uint64_t record = mproc__load64_relaxed(&worker->hand[--at]);
            if (take_record(tasks, w, record, ret_index)) {
                return true;
            }
        }
    }
    return false;
}

int mproc__task_next(mproc__tasks *tasks, uint32_t w, uint32_t *ret_index)
{
    struct mproc__worker_shm *worker = &tasks->workers[w];
    bool is_lowest = has_priorities(tasks) && ++worker->turn % TURNS == 0;
    return take_from_hand(tasks, w, ret_index) || take_from_lanes(tasks, w, is_lowest, ret_index) ||
                   take_from_others(tasks, w, ret_index)
               ? 1
               : 0;
}
