/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks_end.c: from TAKEN to DONE, in the worker. See tasks.h.
 */
#include "base/check.h"
#include "base/status.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "service/payload.h"
#include "service/tasks_part.h"
#include "service/tracing.h"

/** What a word becomes when a task is in another state, nobody's and undoomed. */
uint64_t mproc__task_word(uint64_t old, enum mproc__task_state state)
{
    const uint64_t gone = MPROC__TASK_STATE | MPROC__TASK_DOOM;
    return (old & ~gone) | (uint64_t)state;
}

void mproc__task_wake(struct mproc__slot_shm *slot, uint64_t old)
{
    if (old & MPROC__TASK_AWAITED) {
        (void)mplat_wake(mproc__low32(&slot->state), INT32_MAX);
    }
}

/* ---- a port's stack -------------------------------------------------------------------------- */

#define POP ((uint32_t)1 << 24)

static void push(mproc__tasks *tasks, uint32_t index, struct mproc__slot_shm *slot)
{
    if (slot->port == MPROC__NO_PORT) {
        return; // it has just been given up
    }
    struct mproc__port_shm *port = mproc__port_at(tasks, slot->port);
    uint32_t notes = mproc__bell_notes(&port->bell);
    uint32_t old = mproc__load32_acquire(&port->done);
    do {
        mproc__store32_relaxed(&slot->next, old & MPROC__TASK_INDEX);
    } while (!mproc__cas32(&port->done, &old, (old & ~MPROC__TASK_INDEX) | (index + 1)));
    MPROC__KILLPOINT("tasks.pushed"); /* DEATH: who sleeps looks again */
    mproc__bell_ring(&port->bell, &port->done, INT32_MAX, notes);
}

uint32_t mproc__port_pop(mproc__tasks *tasks, uint32_t port)
{
    uint32_t *done = &mproc__port_at(tasks, port)->done;
    uint32_t old = mproc__load32_acquire(done);
    while ((old & MPROC__TASK_INDEX) != 0 &&
           !mproc__cas32(done, &old, (old & ~MPROC__TASK_INDEX) + POP)) {
    }
    return old & MPROC__TASK_INDEX;
}

bool mproc__task_was_left(mproc__tasks *tasks, uint32_t index)
{
    uint64_t word = mproc__load64_acquire(&mproc__slot_at(tasks, index)->state);
    uint32_t w = mproc__task_worker(word);
    if (mproc__task_state(word) != MPROC__TASK_DONE || w >= tasks->shm->n_workers) {
        return false; // the supervisor's, with whom the pool ends
    }
    const struct mproc__worker_shm *worker = &tasks->workers[w]; // T3
    return mproc__load32_acquire(&worker->current) != index + 1 &&
           mproc__load32_acquire(&worker->n_nested) == 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

void mproc__task_free(mproc__tasks *tasks, uint32_t index)
{
    mproc__slot_drop_parcels(tasks, index);
    mproc__slots_give(tasks, &index, 1);
}

bool mproc__task_conclude(mproc__tasks *tasks, uint32_t index, bool is_late)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint64_t old = mproc__load64_relaxed(&slot->state);
    uint64_t mark;
    do {
        if (mproc__task_doom(old) != MPROC__DOOM_NONE && !is_late) {
            return false;
        }
        if (old & MPROC__TASK_ABANDONED) {
            mproc__tracing_tell(tasks, index);
            mproc__task_free(tasks, index);
            return true;
        }
        mark = mproc__task_word(old, MPROC__TASK_DONE) | (is_late ? MPROC__TASK_WORKER : 0);
    } while (!mproc__cas64(&slot->state, &old, mark)); /* COMMIT */
    MPROC__KILLPOINT(
        "tasks.done"); /* DEATH: who sleeps looks again, and finds what was not pushed */
    mproc__task_wake(slot, old);
    if (old & MPROC__TASK_NOTED) {
        push(tasks, index, slot);
    }
    return true;
}

int mproc__task_repost(mproc__tasks *tasks, uint32_t index, bool is_late)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint32_t lane = slot->lane; // when it is PENDING, it may soon be another task's
    uint64_t old = mproc__load64_relaxed(&slot->state);
    uint64_t mark;
    do {
        if (mproc__task_doom(old) != MPROC__DOOM_NONE && !is_late) {
            return MPROC_ECANCELLED;
        }
        uint64_t posting = (old + ((uint64_t)1 << MPROC__TASK_POSTING_SHIFT)) & MPROC__TASK_POSTING;
        mark = mproc__task_word(old, MPROC__TASK_PENDING);
        mark = (mark & ~(uint64_t)MPROC__TASK_POSTING) | posting;
    } while (!mproc__cas64(&slot->state, &old, mark)); /* COMMIT */
    MPROC__KILLPOINT("tasks.pending"); /* DEATH: it is its current one, and is posted again */
    uint64_t record = mproc__record_of(mark, index);
    int rc = mproc__lane_post(tasks, lane, &record, 1);
    mproc__task_wake(slot, old); // a worker that waits for it may do it itself
    return rc;
}

/** Use up a retry, once for each posting: who dies at it has paid, and who buries him need not. */
static bool pay(struct mproc__cold_shm *cold, uint64_t word)
{
    uint32_t left = cold->retries & MPROC__RETRIES_MAX;
    uint32_t posting = (((uint32_t)word & MPROC__TASK_POSTING) >> MPROC__TASK_POSTING_SHIFT) + 1;
    if (cold->retries >> MPROC__RETRIES_BITS == posting) {
        return true;
    }
    if (left == 0) {
        return false;
    }
    mproc__store32_release(&cold->retries,
                           posting << MPROC__RETRIES_BITS | (left - 1)); /* COMMIT */
    return true;
}

/** Whether it may be run again, after a death or an error; then it will be. */
bool mproc__task_retry(mproc__tasks *tasks, uint32_t index, bool is_error)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    bool may = slot->kind == MPROC__TASK_CALL && (slot->flags & MPROC__TASK_HAS_RETRIES) != 0 &&
               (!is_error || (slot->flags & MPROC__TASK_RETRY_ERRORS) != 0);
    struct mproc__cold_shm *cold = may ? mproc__cold_at(tasks, index, false) : NULL;
    if (cold == NULL || !pay(cold, mproc__load64_relaxed(&slot->state))) {
        return false;
    }
    if (cold->retry_delay_ns <= 0) {
        return mproc__task_repost(tasks, index, !is_error) >= 0;
    }
    cold->due_ns = mplat_now() + cold->retry_delay_ns;
    uint64_t old = mproc__load64_relaxed(&slot->state);
    do {
        if (mproc__task_doom(old) != MPROC__DOOM_NONE && is_error) {
            return false;
        }
    } while (!mproc__cas64(&slot->state, &old, mproc__task_word(old, MPROC__TASK_DELAYED)));
    mproc__pool_order_post(&tasks->shm->rule, cold->due_ns);
    return true;
}

/* ---- what workers do ------------------------------------------------------------------------- */

static void report_cancelled(mproc__tasks *tasks, uint32_t index)
{
    mproc__slot_at(tasks, index)->status = MPROC_ECANCELLED;
    mproc__task_set_story(tasks, index, "the task was cancelled");
    (void)mproc__task_conclude(tasks, index, true);
}

/** The task has a deadline, from now on: the supervisor is to know of it. */
static void set_deadline(mproc__tasks *tasks, uint32_t w, uint32_t index)
{
    const struct mproc__cold_shm *cold = mproc__cold_at(tasks, index, false);
    int64_t timeout = cold != NULL ? cold->timeout_ns : 0;
    if (timeout > 0) {
        int64_t deadline = mplat_now() + timeout;
        mproc__store64_release((uint64_t *)&tasks->workers[w].deadline_ns, (uint64_t)deadline);
        mproc__pool_order_at(&tasks->shm->rule, deadline);
    }
}

/** A task inside of another one has none: to kill its worker would be to kill the other one. */
static bool has_deadline(const mproc__tasks *tasks, uint32_t w, const struct mproc__slot_shm *slot)
{
    return (slot->flags & MPROC__TASK_HAS_TIMEOUT) != 0 && tasks->workers[w].n_nested == 0;
}

bool mproc__task_start(mproc__tasks *tasks, uint32_t w, uint32_t index)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    if (has_deadline(tasks, w, slot)) {
        set_deadline(tasks, w, index);
    }
    uint64_t old = mproc__load64_relaxed(&slot->state);
    do {
        if (mproc__task_doom(old) != MPROC__DOOM_NONE) {
            report_cancelled(tasks, index);
            return false;
        }
    } while (!mproc__cas64(&slot->state, &old, mproc__task_word(old, MPROC__TASK_STARTED)));
    MPROC__KILLPOINT("tasks.started"); /* DEATH: of the task */
    return true;
}

bool mproc__task_finish(mproc__tasks *tasks, uint32_t w, uint32_t index, int status)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    bool is_local = tasks->shm->rule.is_local != 0;
    slot->status = status;
    if (has_deadline(tasks, w, slot)) {
        mproc__store64_release((uint64_t *)&tasks->workers[w].deadline_ns, 0);
    }
    if (status < 0 && (slot->flags & MPROC__TASK_RETRY_ERRORS) != 0 &&
        mproc__task_doom(mproc__load64_relaxed(&slot->state)) == MPROC__DOOM_NONE &&
        mproc__task_retry(tasks, index, true)) {
        return true;
    }
    if (mproc__task_conclude(tasks, index, false)) {
        return true;
    }
    if (is_local) { // nobody can kill it: it has come to its end late
        report_cancelled(tasks, index);
    }
    return is_local;
}

/** What a task's word becomes by its being cancelled, or a status. */
static int cancel(mproc__tasks *tasks, uint32_t index, uint64_t old, bool kill_running,
                  uint64_t *ret_mark)
{
    uint32_t state = mproc__task_state(old);
    bool is_running = state == MPROC__TASK_STARTED || state == MPROC__TASK_TAKEN;
    *ret_mark = mproc__task_word(old, MPROC__TASK_OWNED);
    if (!is_running) {
        return state == MPROC__TASK_DONE ? MPROC_ESTATE : 1;
    }
    uint32_t w = mproc__task_worker(old);
    if (!kill_running || w >= tasks->shm->n_workers) {
        return MPROC_ESTATE;
    }
    if (tasks->shm->rule.is_local != 0 ||
        mproc__load32_acquire(&tasks->workers[w].current) != index + 1) {
        return MPROC_ENOTSUP; // it runs inside of another one
    }
    bool is_doomed = mproc__task_doom(old) != MPROC__DOOM_NONE;
    *ret_mark = is_doomed ? old : old | MPROC__DOOM_CANCELLED << MPROC__TASK_DOOM_SHIFT;
    return MPROC_OK;
}

int mproc__task_cancel(mproc__tasks *tasks, uint32_t index, bool kill_running)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint64_t old = mproc__load64_acquire(&slot->state);
    for (;;) {
        uint64_t mark;
        int rc = cancel(tasks, index, old, kill_running, &mark);
        if (rc < 0 || mark == old) {
            return rc;
        }
        if (mproc__cas64(&slot->state, &old, mark)) { /* COMMIT */
            if (rc == 0) {
                mproc__pool_order(&tasks->shm->rule);
            }
            return rc;
        }
    }
}
