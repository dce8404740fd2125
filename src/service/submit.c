/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit.c: from an order to a task that is PENDING, and the wait for its end.
 */
#include "service/submit.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/note.h"
#include "family/sleep.h"
#include "family/stir.h"
#include "family/thread.h"
#include "service/client.h"
#include "service/payload.h"
#include "service/tasks_part.h"
#include "service/worker.h"
#include "service/tracing.h"

#include <stdio.h>
#include <string.h>

/* ---- orders ---------------------------------------------------------------------------------- */

static int check_options(const mproc__client *client, const mproc_task_options *options)
{
    if (options == NULL) {
        return MPROC_OK;
    }
    if (options->priority < MPROC_PRIORITY_MIN || options->priority > MPROC_PRIORITY_MAX) {
        return mproc__fail(MPROC_EINVAL, "a priority is %d to %d, not %d", MPROC_PRIORITY_MIN,
                           MPROC_PRIORITY_MAX, options->priority);
    }
    if (options->timeout < 0 || options->retries < 0 || options->retry_delay < 0) {
        return mproc__fail(MPROC_EINVAL, "a task's timeout, retries and delay are not negative");
    }
    return options->timeout > 0 && client->tasks.shm->rule.is_local != 0
               ? mproc__fail(MPROC_ENOTSUP, "a thread cannot be killed: its tasks have no timeout")
               : MPROC_OK;
}

static int check(const mproc__client *client, const mproc_task_options *options)
{
    const struct mproc__rule_shm *rule = &client->tasks.shm->rule;
    int rc = mproc__client_check(client);
    if (rc >= 0 && mproc__load32_acquire(&rule->phase) != MPROC__POOL_OPEN) {
        rc = mproc__pool_refuse(rule);
    }
    return rc < 0 ? rc : check_options(client, options);
}

/** What few tasks need. */
static int write_cold(mproc__tasks *tasks, uint32_t index, const mproc_task_options *options)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    bool is_needed =
        options != NULL && (options->timeout > 0 || options->retries > 0 || options->name != NULL);
    bool is_traced = tasks->shm->is_traced != 0;
    struct mproc__cold_shm *cold = mproc__cold_at(tasks, index, is_needed || is_traced);
    if (cold == NULL) {
        return is_needed || is_traced ? mproc__fail(MPROC_ENOMEM, "no memory for a task's options")
                                      : MPROC_OK;
    }
    cold->name[0] = '\0'; // of the slot's last task
    if (is_traced) {
        slot->flags |= MPROC__TASK_TIMED;
        cold->submitted_ns = mplat_now();
        cold->started_ns = cold->ended_ns = 0;
    }
    if (is_needed) {
        cold->timeout_ns = options->timeout;
        cold->retries = (uint32_t)options->retries <= MPROC__RETRIES_MAX
                            ? (uint32_t)options->retries
                            : MPROC__RETRIES_MAX;
        cold->retry_delay_ns = options->retry_delay;
        (void)snprintf(cold->name, sizeof(cold->name), "%.63s",
                       options->name != NULL ? options->name : "");
        slot->flags |= options->timeout > 0 ? MPROC__TASK_HAS_TIMEOUT : 0;
        slot->flags |= options->retries > 0 ? MPROC__TASK_HAS_RETRIES : 0;
        slot->flags |= options->retries > 0 && options->retry_errors ? MPROC__TASK_RETRY_ERRORS : 0;
    }
    return MPROC_OK;
}

/** Write the task into its slot, which is the caller's. */
static int write_task(mproc__tasks *tasks, uint32_t index, const mproc__order *order,
                      uint32_t function)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    int priority = order->options != NULL ? order->options->priority : 0;
    slot->function = (uint16_t)function;
    slot->kind = (uint8_t)order->kind;
    slot->lane = (uint8_t)((int)MPROC__LANE_NORMAL + priority);
    slot->flags = 0;
    slot->status = MPROC_OK;
    slot->result = MPROC__FORM_NONE;
    slot->args = MPROC__FORM_NONE;
    int rc = write_cold(tasks, index, order->options);
    if (rc < 0) {
        return rc;
    }
    if (order->parcel.offset != 0) {
        mproc__task_attach(tasks, index, MPROC__PARCEL_ARGS, order->parcel, MPROC__FORM_BYTES);
        return MPROC_OK;
    }
    return order->bytes != NULL ? mproc__task_set_bytes(tasks, index, order->bytes, order->size)
                                : mproc__task_set_args(tasks, index, order->args);
}

/** From OWNED to PENDING, and into a lane. */
static int post(mproc__tasks *tasks, uint32_t index, bool is_noted)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint64_t word = mproc__load64_relaxed(&slot->state);
    word = (word & MPROC__TASK_GENERATION) + ((uint64_t)1 << 32);
    word |= MPROC__TASK_PENDING | (is_noted ? MPROC__TASK_NOTED : 0);
    mproc__store64_release(&slot->state, word); /* COMMIT */
    MPROC__KILLPOINT("submit.pending");         /* DEATH: it is withdrawn with its port */
    uint64_t record = mproc__record_of(word, index);
    int rc = mproc__lane_post(tasks, slot->lane, &record, 1);
    if (rc >= 0) {
        // Who ends the pool says so, and then looks for what is PENDING. Posting was an RMW.
        mproc__fence_after_rmw();
        const struct mproc__rule_shm *rule = &tasks->shm->rule;
        bool is_late = mproc__load32_acquire(&rule->is_over) != 0 ||
                       mproc__load32_acquire(&rule->phase) >= MPROC__POOL_TERMINATED;
        rc = is_late ? mproc__pool_refuse(rule) : MPROC_OK;
    }
    // If somebody has begun it nevertheless, so be it.
    return rc < 0 && mproc__task_cancel(tasks, index, false) == 1 ? rc : MPROC_OK;
}

/** Find all that it takes, but for what may fail for its own reasons. */
static int begin(mproc__client *client, const mproc__order *order, uint32_t *ret_function,
                 mproc_future **ret_future)
{
    int rc = mproc__client_begin(client, order->function, ret_function, ret_future);
    if (rc < 0) {
        return rc;
    }
    mproc_future *future = *ret_future;
    future->owner = order->owner;
    if (!order->is_noted) {
        return MPROC_OK;
    }
    mproc__clients_lock();
    future->is_noted = true;
    mproc__owned *owned = mproc__client_owned_locked(client, order->owner, true);
    if (owned != NULL) {
        mproc__wish_begin_locked(&future->own, future, &owned->party);
    }
    mproc__clients_unlock();
    if (owned == NULL) {
        future->is_taken_back = true;
        mproc__client_end(future, true);
        rc = mproc__fail(MPROC_ENOMEM, "no memory for a task");
    }
    return rc;
}

int mproc__submit(mproc__client *client, const mproc__order *order, mproc_future **ret_future)
{
    uint32_t function;
    mproc_future *future = NULL;
    int rc = check(client, order->options);
    if (rc >= 0) {
        rc = begin(client, order, &function, &future);
    }
    if (rc < 0) {
        if (order->parcel.offset != 0) {
            mproc__block_release(order->parcel);
        }
        return rc;
    }
    rc = write_task(&client->tasks, future->index, order, function);
    rc = rc < 0 ? rc : post(&client->tasks, future->index, order->is_noted);
    if (rc < 0) {
        future->is_taken_back = true;
        mproc__future_release(future);
        return rc;
    }
    *ret_future = future;
    return MPROC_OK;
}

/* ---- the end of one --------------------------------------------------------------------------- */

/** Run it here, if this is a worker of its pool and nobody else has begun it. */
static bool help(const mproc_future *future, uint64_t word)
{
    return mproc__task_state(word) == MPROC__TASK_PENDING &&
           mproc__worker_is_here(&future->client->tasks) &&
           mproc__worker_help(future->index, mproc__record_of(word, future->index));
}

bool mproc__future_help(const mproc_future *future)
{
    return help(future, mproc__load64_acquire(
                            &mproc__slot_at(&future->client->tasks, future->index)->state));
}

static void sleep_for(const mproc_future *future, uint64_t word, mproc__deadline deadline)
{
    const struct mproc__rule_shm *rule = &future->client->tasks.shm->rule;
    uint64_t *state = &mproc__slot_at(&future->client->tasks, future->index)->state;
    bool is_noted =
        (word & MPROC__TASK_AWAITED) != 0 || mproc__cas64(state, &word, word | MPROC__TASK_AWAITED);
    if (is_noted) {
        mproc__thread_id owner = mproc__load64_acquire(&rule->owner_thread);
        (void)mproc__sleep(mproc__low32(state), (uint32_t)(word | MPROC__TASK_AWAITED), deadline,
                           owner != 0 ? mproc__thread_life(owner) : NULL);
    }
}

int mproc__future_await(mproc_future *future, mproc__deadline deadline)
{
    if (mproc__future_is_done(future)) {
        return MPROC_OK;
    }
    if (future->group != NULL) {
        return mproc__group_await(future->group, deadline);
    }
    uint64_t *state = &mproc__slot_at(&future->client->tasks, future->index)->state;
    int rc = mproc__family_enter();
    mproc__lanes_hurry(&future->client->tasks);
    mproc__note_begin(future->client->tasks.offset, deadline);
    bool has_looked = deadline == 0;
    while (rc >= 0 && !mproc__future_is_done(future)) {
        uint64_t word = mproc__load64_acquire(state);
        if (mproc__task_state(word) == MPROC__TASK_DONE || help(future, word)) {
            continue;
        }
        if (!has_looked) {
            has_looked = !mproc__spin(mproc__low32(state), (uint32_t)word);
            continue;
        }
        rc = mproc__client_check(future->client);
        if (rc >= 0 && mproc__deadline_passed(deadline)) {
            rc = mproc__fail_shortly(MPROC_ETIMEDOUT, "timed out; the task has not ended");
        } else if (rc >= 0) {
            sleep_for(future, word, deadline);
        }
    }
    mproc__note_end();
    return rc;
}

int mproc__future_status(const mproc_future *future)
{
    if (future->group != NULL) {
        return future->group->read(future->group, NULL);
    }
    return future->is_taken_back ? MPROC_ECANCELLED
                                 : mproc__slot_at(&future->client->tasks, future->index)->status;
}

void *mproc__future_owner(const mproc_future *future)
{
    return future->owner;
}

/** Whether a slot need not drop what a descriptor says. */
static bool may_keep(uint32_t descriptor, const mproc__client *client)
{
    return (descriptor & MPROC__FORM_PARCEL) == 0 ||
           (descriptor >> MPROC__FORM_SHIFT != 0 && client->n_slots < MPROC__CLIENT_SLOTS / 2);
}

/** It is done, and there is nothing in its slot that takes time to drop. Under the lock. */
static bool ends_at_once_locked(const mproc_future *future)
{
    mproc__tasks *tasks = &future->client->tasks;
    const struct mproc__slot_shm *slot = mproc__slot_at(tasks, future->index);
    return future->group == NULL && !future->is_taken_back &&
           mproc__task_state(mproc__load64_acquire(&slot->state)) == MPROC__TASK_DONE &&
           may_keep(slot->args, future->client) && may_keep(slot->result, future->client) &&
           tasks->shm->is_traced == 0;
}

void mproc__future_release(mproc_future *future)
{
    mproc__client *client = future->client;
    bool is_ours = client->member == mproc__self_id() && mproc__family_enter() >= 0;
    mproc__clients_lock();
    bool is_last = --future->users == 0;
    while (is_last && future->wishes != NULL) {
        mproc__wish_end_locked(future->wishes);
    }
    if (is_last && is_ours && ends_at_once_locked(future)) {
        mproc__client_end_unlock(future, true);
        return;
    }
    mproc__clients_unlock();
    if (!is_last || !is_ours) {
        return;
    }
    if (future->group != NULL) {
        mproc__group_end(future->group);
        mproc__client_end(future, false);
        return;
    }
    uint64_t *state = &mproc__slot_at(&client->tasks, future->index)->state;
    uint64_t old = mproc__load64_acquire(state);
    bool is_abandoned = false;
    while (!is_abandoned && !future->is_taken_back && mproc__task_state(old) != MPROC__TASK_DONE) {
        uint64_t mark = (old & ~(uint64_t)MPROC__TASK_NOTED) | MPROC__TASK_ABANDONED;
        mproc__client_abandon(future);                  // from that moment on it may be another's
        is_abandoned = mproc__cas64(state, &old, mark); /* COMMIT */
    }
    if (!is_abandoned) {
        mproc__tracing_tell(&client->tasks, future->index);
    }
    mproc__client_end(future, !is_abandoned);
}

/* ---- the next of many -------------------------------------------------------------------------- */

/** Look once. 1; 0: none is done; MPROC_ENOENT: nor will be. */
static int look_for_next(mproc__client *client, void *owner, mproc_future **ret_future,
                         const mproc__party **ret_party)
{
    mproc__clients_lock();
    mproc__owned *owned = mproc__client_owned_locked(client, owner, false);
    if (owned == NULL || owned->party.first == NULL) {
        mproc__client_drain_locked(client);
    }
    mproc__wish *wish = owned != NULL ? mproc__party_take_locked(&owned->party) : NULL;
    bool is_vain = wish == NULL && (owned == NULL || owned->party.n_awaited == 0);
    *ret_party = owned != NULL ? &owned->party : NULL;
    mproc__clients_unlock();
    *ret_future = wish != NULL ? wish->future : NULL;
    return wish != NULL ? 1
           : is_vain    ? mproc__fail_shortly(MPROC_ENOENT, "no task is under way")
                        : 0;
}

/** Look at the port's stack for a while; whether something has been pushed. */
static bool spin_for_next(const mproc__client *client)
{
    if (client->port == MPROC__NO_PORT) {
        return false;
    }
    const uint32_t *done = &mproc__port_at(&client->tasks, client->port)->done;
    uint32_t seen = mproc__load32_acquire(done);
    return (seen & MPROC__TASK_INDEX) != 0 || mproc__spin(done, seen);
}

int mproc__client_next(mproc__client *client, void *owner, mproc__deadline deadline,
                       mproc_future **ret_future)
{
    int rc = mproc__family_enter();
    for (bool must_watch = false; rc >= 0;) {
        const mproc__party *party;
        uint32_t *stir = mproc__stir_mine();
        uint32_t seen = mproc__load32_acquire(stir);
        if (must_watch) {
            mproc__client_watch(client);
            mproc__fence(); // S1 in stir.h
        }
        rc = look_for_next(client, owner, ret_future, &party);
        if (rc != 0) {
            return rc < 0 ? rc : MPROC_OK;
        }
        if (mproc__client_help(client, party)) {
            continue;
        }
        mproc__lanes_hurry(&client->tasks);
        rc = mproc__client_check(client);
        if (rc >= 0 && mproc__deadline_passed(deadline)) {
            rc = mproc__fail_shortly(MPROC_ETIMEDOUT, "timed out; no task has ended");
        } else if (rc >= 0 && !must_watch) {
            must_watch = !spin_for_next(client);
        } else if (rc >= 0) {
            mproc__stir_await(stir, seen, deadline);
        }
    }
    return rc;
}
