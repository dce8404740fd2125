/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks_bury.c: what the supervisor does with the tasks of the dead, and at the end. See tasks.h.
 *
 * Only one thread of all does any of this, and if it dies the pool is no more.
 */
#include "base/check.h"
#include "base/status.h"
#include "family/member.h"
#include "mproc/error.h"
#include "service/payload.h"
#include "service/tasks_part.h"

/* ---- a worker's ------------------------------------------------------------------------------ */

static void post_again(mproc__tasks *tasks, uint32_t index, uint32_t *count)
{
    int rc = mproc__task_repost(tasks, index, true);
    if (rc >= 0) {
        (*count)++;
        return;
    }
    // No memory for the lane: it is told so.
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    slot->status = rc;
    (void)mproc__task_conclude(tasks, index, true);
}

static void report(mproc__tasks *tasks, uint32_t index, int status, const char *story)
{
    mproc__slot_at(tasks, index)->status = status;
    mproc__task_set_story(tasks, index, story);
    (void)mproc__task_conclude(tasks, index, true);
}

/** A chunk of a map goes on behind the item at which its worker died. */
static void note_death(mproc__tasks *tasks, uint32_t index, int status, const mproc__death *death)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    bool has_parcel = mproc__task_parcel(tasks, index, MPROC__PARCEL_RESULT) != 0;
    mproc__task_set_death(tasks, index, &death->how);
    slot->result |= has_parcel ? MPROC__FORM_PARCEL : 0;
    slot->status = status;
}

/** A task that was running when its worker died. */
static void bury_started(mproc__tasks *tasks, uint32_t index, uint64_t word,
                         const mproc__death *death, mproc__recovered *recovered)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint32_t doom = mproc__task_doom(word);
    int status = doom == MPROC__DOOM_TIMED_OUT ? MPROC_ETIMEDOUT : MPROC_EWORKERDIED;
    if (doom == MPROC__DOOM_CANCELLED || doom == MPROC__DOOM_TERMINATED) {
        int why = doom == MPROC__DOOM_CANCELLED
                      ? mproc__fail(MPROC_ECANCELLED, "the task was cancelled while it ran")
                      : mproc__pool_drop(&tasks->shm->rule);
        recovered->n_reported++;
        report(tasks, index, why, mproc_last_error());
        return;
    }
    if (slot->kind != MPROC__TASK_CALL) {
        note_death(tasks, index, status, death);
        post_again(tasks, index, &recovered->n_reposted);
        return;
    }
    mproc__slot_drop_parcel(tasks, index, MPROC__PARCEL_RESULT);
    slot->result = MPROC__FORM_NONE;
    if (mproc__task_retry(tasks, index, false)) {
        recovered->n_retried++;
        return;
    }
    recovered->n_reported++;
    if (status == MPROC_ETIMEDOUT) {
        report(tasks, index, status, "the task's time was up: its worker was killed");
        return;
    }
    mproc__task_set_death(tasks, index, &death->how);
    slot->status = status;
    (void)mproc__task_conclude(tasks, index, true);
}

static void bury_task(mproc__tasks *tasks, uint32_t w, uint32_t index, const mproc__death *death,
                      mproc__recovered *recovered)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint64_t word = mproc__load64_acquire(&slot->state);
    uint32_t state = mproc__task_state(word);
    if (mproc__task_worker(word) != w) {
        return;
    }
    bool is_doomed = mproc__task_doom(word) != MPROC__DOOM_NONE;
    if (state == MPROC__TASK_DELAYED) {
        recovered->due_ns = mplat_now(); // the worker may not have told when it is due
    }
    if (state == MPROC__TASK_STARTED || (state == MPROC__TASK_TAKEN && is_doomed)) {
        bury_started(tasks, index, word, death, recovered);
    } else if (state == MPROC__TASK_TAKEN) {
        post_again(tasks, index, &recovered->n_reposted);
    }
}

/** What is in a lane no more, and PENDING; if nobody takes it meanwhile. */
static void post_lost(mproc__tasks *tasks, uint64_t record, mproc__recovered *recovered)
{
    uint32_t index = mproc__record_index(record);
    if (index >= mproc__load32_acquire(&tasks->shm->n_slots)) {
        return;
    }
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint64_t word = mproc__load64_acquire(&slot->state);
    if (mproc__task_state(word) == MPROC__TASK_PENDING && mproc__record_of(word, index) == record) {
        // The same record once more: who has taken it since finds it stale. Its lane may be another task's by now;
        // with lanes of other priorities hands stay as good as empty.
        if (mproc__lane_post(tasks, MPROC__LANE_NORMAL, &record, 1) >= 0) {
            recovered->n_reposted++;
        }
    }
}

static void bury_hand(mproc__tasks *tasks, uint32_t w, mproc__recovered *recovered)
{
    struct mproc__worker_shm *worker = &tasks->workers[w];
    uint32_t n = mproc__load32_acquire(&worker->n_hand);
    n = n <= MPROC__HAND ? n : MPROC__HAND;
    for (uint32_t i = MPROC__HAND - n; i < MPROC__HAND; i++) {
        post_lost(tasks, mproc__load64_relaxed(&worker->hand[i]), recovered);
    }
    mproc__store32_release(&worker->n_hand, 0);
}

static void rescan_ports(mproc__tasks *tasks)
{
    uint32_t n = mproc__load32_acquire(&tasks->shm->n_ports);
    for (uint32_t i = 0; i < n; i++) {
        struct mproc__port_shm *port = mproc__port_at(tasks, i);
        (void)mproc__add32(&port->rescan, 1);
        (void)mplat_wake(&port->done, INT32_MAX);
    }
}

void mproc__tasks_bury_worker(mproc__tasks *tasks, uint32_t w, const mproc__death *death,
                              mproc__recovered *ret_recovered)
{
    struct mproc__worker_shm *worker = &tasks->workers[w];
    uint32_t current = mproc__load32_acquire(&worker->current);
    uint32_t n_slots = mproc__load32_acquire(&tasks->shm->n_slots);
    *ret_recovered = (mproc__recovered){.n_reported = 0};
    if (worker->n_nested != 0) {
        for (uint32_t i = 0; i < n_slots; i++) {
            bury_task(tasks, w, i, death, ret_recovered);
        }
    } else if (current != 0 && current <= n_slots) {
        bury_task(tasks, w, current - 1, death, ret_recovered);
    }
    bury_hand(tasks, w, ret_recovered);
    if (current != 0 && current <= n_slots) { // it may have been about to post it again
        uint64_t word = mproc__load64_acquire(&mproc__slot_at(tasks, current - 1)->state);
        post_lost(tasks, mproc__record_of(word, current - 1), ret_recovered);
    }
    worker->n_nested = 0;
    worker->is_idle = 0;
    mproc__store64_release((uint64_t *)&worker->deadline_ns, 0);
    mproc__store32_release(&worker->current, 0);
    mproc__lanes_bury(tasks, w);
    rescan_ports(tasks);
}

/* ---- a port's -------------------------------------------------------------------------------- */

/** Take a slot away from a port that is gone. False: it is yet to be pushed. */
static bool withdraw(mproc__tasks *tasks, uint32_t index)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint64_t old = mproc__load64_acquire(&slot->state);
    while ((old & MPROC__TASK_ABANDONED) == 0) { // else it is nobody's any more
        switch (mproc__task_state(old)) {
        case MPROC__TASK_PENDING:
        case MPROC__TASK_DELAYED:
            if (mproc__cas64(&slot->state, &old, mproc__task_word(old, MPROC__TASK_OWNED))) {
                mproc__task_free(tasks, index);
                return true;
            }
            break;
        case MPROC__TASK_TAKEN:
        case MPROC__TASK_STARTED:
            if (mproc__cas64(&slot->state, &old,
                             (old & ~(uint64_t)MPROC__TASK_NOTED) | MPROC__TASK_ABANDONED)) {
                return true;
            }
            break;
        case MPROC__TASK_DONE:
            if ((old & MPROC__TASK_NOTED) != 0 && mproc__task_worker(old) != MPROC__TASK_NOBODY &&
                !mproc__task_was_left(tasks, index)) {
                return false;
            }
            mproc__task_free(tasks, index);
            return true;
        case MPROC__TASK_OWNED:
            mproc__task_free(tasks, index);
            return true;
        default:
            return true;
        }
    }
    return true;
}

static void bury_port(mproc__tasks *tasks, uint32_t port)
{
    bool is_done = true;
    uint32_t n_slots = mproc__load32_acquire(&tasks->shm->n_slots);
    // Those that have been pushed are left: their worker has gone on, or is gone.
    (void)mproc__port_pop(tasks, port);
    for (uint32_t i = 0; i < n_slots; i++) {
        if (mproc__slot_at(tasks, i)->port == port) {
            is_done = withdraw(tasks, i) && is_done;
        }
    }
    if (is_done) {
        mproc__port_free(tasks, port);
    }
}

void mproc__tasks_bury_ports(mproc__tasks *tasks)
{
    uint32_t n = mproc__load32_acquire(&tasks->shm->n_ports);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t member = mproc__load64_acquire(&mproc__port_at(tasks, i)->member);
        if (member != 0 && mproc__member_is_gone(member)) {
            bury_port(tasks, i);
        }
    }
}

/* ---- deadlines ------------------------------------------------------------------------------- */

int64_t mproc__tasks_post_due(mproc__tasks *tasks, int64_t now)
{
    int64_t next = 0;
    uint32_t n_slots = mproc__load32_acquire(&tasks->shm->n_slots);
    for (uint32_t i = 0; i < n_slots; i++) {
        const struct mproc__slot_shm *slot = mproc__slot_at(tasks, i);
        if (mproc__task_state(mproc__load64_acquire(&slot->state)) != MPROC__TASK_DELAYED) {
            continue;
        }
        const struct mproc__cold_shm *cold = mproc__cold_at(tasks, i, false);
        int64_t due = cold != NULL ? cold->due_ns : now;
        if (due <= now) {
            uint32_t unused = 0;
            post_again(tasks, i, &unused);
        } else {
            next = next == 0 || due < next ? due : next;
        }
    }
    return next;
}

/** What worker w runs, and how its state word is; false: nothing. */
static bool find_running(mproc__tasks *tasks, uint32_t w, uint32_t *ret_index, uint64_t *ret_word)
{
    uint32_t current = mproc__load32_acquire(&tasks->workers[w].current);
    if (current == 0 || current > mproc__load32_acquire(&tasks->shm->n_slots)) {
        return false;
    }
    *ret_index = current - 1;
    *ret_word = mproc__load64_acquire(&mproc__slot_at(tasks, *ret_index)->state);
    return mproc__task_state(*ret_word) == MPROC__TASK_STARTED &&
           mproc__task_worker(*ret_word) == w;
}

static bool doom(mproc__tasks *tasks, uint32_t index, uint64_t word, enum mproc__doom why)
{
    return mproc__task_doom(word) == MPROC__DOOM_NONE &&
           mproc__cas64(&mproc__slot_at(tasks, index)->state, &word,
                        word | (uint64_t)why << MPROC__TASK_DOOM_SHIFT);
}

bool mproc__tasks_expire(mproc__tasks *tasks, uint32_t w, int64_t now)
{
    const uint64_t *deadline = (const uint64_t *)&tasks->workers[w].deadline_ns;
    uint64_t before = mproc__load64_acquire(deadline);
    uint32_t index;
    uint64_t word;
    // It is 0 between two tasks: unchanged, it is of the one that was seen running meanwhile.
    return before != 0 && (int64_t)before <= now && find_running(tasks, w, &index, &word) &&
           mproc__load64_acquire(deadline) == before &&
           doom(tasks, index, word, MPROC__DOOM_TIMED_OUT);
}

bool mproc__tasks_is_doomed(mproc__tasks *tasks, uint32_t w)
{
    uint32_t index;
    uint64_t word;
    return find_running(tasks, w, &index, &word) && mproc__task_doom(word) != MPROC__DOOM_NONE;
}

/* ---- the end of the pool --------------------------------------------------------------------- */

static void end_one(mproc__tasks *tasks, uint32_t index, int status, const char *story,
                    bool with_doom)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint64_t old = mproc__load64_acquire(&slot->state);
    uint32_t state = mproc__task_state(old);
    while (state == MPROC__TASK_PENDING || state == MPROC__TASK_DELAYED) {
        uint64_t mark = mproc__task_word(old, MPROC__TASK_TAKEN) | MPROC__TASK_WORKER;
        if (mproc__cas64(&slot->state, &old, mark)) {
            report(tasks, index, status, story);
            return;
        }
        state = mproc__task_state(old);
    }
    if (with_doom && state == MPROC__TASK_STARTED) {
        (void)doom(tasks, index, old, MPROC__DOOM_TERMINATED);
    }
}

void mproc__tasks_end_all(mproc__tasks *tasks, int status, const char *story, bool with_doom)
{
    uint32_t n_slots = mproc__load32_acquire(&tasks->shm->n_slots);
    for (uint32_t i = 0; i < n_slots; i++) {
        end_one(tasks, i, status, story, with_doom);
    }
}

uint32_t mproc__tasks_count_pending(mproc__tasks *tasks)
{
    uint32_t n = 0;
    uint32_t n_slots = mproc__load32_acquire(&tasks->shm->n_slots);
    for (uint32_t i = 0; i < n_slots; i++) {
        uint64_t word = mproc__load64_acquire(&mproc__slot_at(tasks, i)->state);
        n += mproc__task_state(word) == MPROC__TASK_PENDING ? 1 : 0;
    }
    return n;
}

bool mproc__tasks_are_done(mproc__tasks *tasks)
{
    uint32_t n_slots = mproc__load32_acquire(&tasks->shm->n_slots);
    for (uint32_t i = 0; i < n_slots; i++) {
        uint32_t state = mproc__task_state(mproc__load64_acquire(&mproc__slot_at(tasks, i)->state));
        if (state >= MPROC__TASK_PENDING && state <= MPROC__TASK_DELAYED) {
            return false;
        }
    }
    return true;
}
