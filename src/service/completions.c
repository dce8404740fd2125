/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completions.c: waiting for many futures, in the order in which they end or until enough have.
 */
#include "mproc/future.h"

#include "base/alloc.h"
#include "base/status.h"
#include "family/family.h"
#include "family/stir.h"
#include "service/client.h"

#include <stdlib.h>

struct mproc_completions {
    mproc__party party;
    size_t count;
    mproc__client **clients; /**< each pool's */
    size_t n_clients;
    struct place {
        mproc_future *future;
        size_t place;
    } places[]; /**< by address */
};

static int compare(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct place *)a)->future;
    uintptr_t right = (uintptr_t)((const struct place *)b)->future;
    return left < right ? -1 : left > right ? 1 : 0;
}

static void add_client(mproc_completions *c, mproc__client *client)
{
    size_t i = 0;
    while (i < c->n_clients && c->clients[i] != client) {
        i++;
    }
    if (i == c->n_clients) {
        c->clients[c->n_clients++] = client;
    }
}

int mproc_completions_create(mproc_completions **ret_completions, mproc_future *const *futures,
                             size_t count)
{
    if (ret_completions == NULL || (futures == NULL && count > 0)) {
        return mproc__fail(MPROC_EINVAL, "completions: there are no futures");
    }
    mproc_completions *c = mproc__calloc(1, sizeof(*c) + count * sizeof(c->places[0]));
    mproc__client **clients = mproc__calloc(count + 1, sizeof(mproc__client *));
    int rc = c != NULL && clients != NULL
                 ? mproc__family_enter()
                 : mproc__fail(MPROC_ENOMEM, "no memory to wait for %zu tasks", count);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        if (futures[i] == NULL) {
            rc = mproc__fail(MPROC_EINVAL, "completions: future %zu is NULL", i);
        }
    }
    if (rc < 0) {
        mproc__free(c);
        mproc__free((void *)clients);
        return rc;
    }
    c->clients = clients;
    c->count = count;
    for (size_t i = 0; i < count; i++) {
        c->places[i] = (struct place){futures[i], i};
        add_client(c, futures[i]->client);
        mproc__future_join(futures[i], &c->party);
    }
    qsort(c->places, count, sizeof(c->places[0]), compare);
    *ret_completions = c;
    return MPROC_OK;
}

/** Find out who is done, and take one. */
static mproc_future *take(mproc_completions *c, size_t *ret_left)
{
    mproc__clients_lock();
    for (size_t i = 0; i < c->n_clients; i++) {
        mproc__client_drain_locked(c->clients[i]);
    }
    mproc_future *future = mproc__party_take_locked(&c->party);
    *ret_left = c->party.n_awaited;
    mproc__clients_unlock();
    return future;
}

static int await(mproc_completions *c, mproc__deadline deadline, mproc_future **ret_future)
{
    for (;;) {
        uint32_t *stir = mproc__stir_mine();
        uint32_t seen = mproc__load32_acquire(stir);
        for (size_t i = 0; i < c->n_clients; i++) {
            mproc__client_watch(c->clients[i]);
        }
        mproc__fence(); // S1 in stir.h
        size_t left;
        mproc_future *future = take(c, &left);
        if (future != NULL || left == 0) {
            *ret_future = future;
            return future != NULL ? 1 : 0;
        }
        bool has_helped = false;
        for (size_t i = 0; i < c->n_clients; i++) {
            int rc = mproc__client_check(c->clients[i]);
            if (rc < 0) {
                return rc;
            }
            has_helped = has_helped || mproc__client_help(c->clients[i], &c->party);
        }
        if (has_helped) {
            continue;
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT, "timed out; not all tasks have ended");
        }
        mproc__stir_await(stir, seen, deadline);
    }
}

int mproc_completions_next(mproc_completions *completions, size_t *ret_index, mproc_timeout timeout)
{
    mproc_future *future = NULL;
    if (completions == NULL || ret_index == NULL) {
        return mproc__fail(MPROC_EINVAL, "next: there are no completions, or no place for one");
    }
    int rc = mproc__family_enter();
    rc = rc < 0 ? rc : await(completions, mproc__deadline_in(timeout), &future);
    if (rc == 1) {
        const struct place key = {.future = future};
        const struct place *found = bsearch(&key, completions->places, completions->count,
                                            sizeof(completions->places[0]), compare);
        *ret_index = found->place;
    }
    return rc;
}

void mproc_completions_close(mproc_completions *completions)
{
    if (completions == NULL) {
        return;
    }
    mproc__clients_lock();
    for (size_t i = 0; i < completions->count; i++) {
        mproc_future *future = completions->places[i].future;
        if (future->party == &completions->party) {
            mproc__future_leave_locked(future);
        }
    }
    mproc__clients_unlock();
    mproc__free((void *)completions->clients);
    mproc__free(completions);
}

static bool is_enough(int until, size_t n_ended, bool has_error, size_t count)
{
    return n_ended == count || (until == MPROC_FIRST_COMPLETED && n_ended > 0) ||
           (until == MPROC_FIRST_ERROR && has_error);
}

int mproc_futures_wait(mproc_future *const *futures, size_t count, int until, bool *ret_ready,
                       mproc_timeout timeout)
{
    mproc_completions *c = NULL;
    mproc__deadline deadline = mproc__deadline_in(timeout);
    if (until < MPROC_ALL_COMPLETED || until > MPROC_FIRST_ERROR || count > INT32_MAX) {
        return mproc__fail(MPROC_EINVAL, "wait: there is no such thing to wait for");
    }
    int rc = mproc_completions_create(&c, futures, count);
    size_t n_ended = 0;
    bool has_error = false;
    while (rc >= 0 && !is_enough(until, n_ended, has_error, count)) {
        mproc_future *future = NULL;
        rc = await(c, deadline, &future);
        if (rc == 1) {
            n_ended++;
            has_error = has_error || mproc__future_status(future) < 0;
        }
    }
    int n_ready = 0;
    for (size_t i = 0; c != NULL && i < count; i++) {
        bool is_ready = mproc__future_is_done(futures[i]);
        n_ready += is_ready ? 1 : 0;
        if (ret_ready != NULL) {
            ret_ready[i] = is_ready;
        }
    }
    mproc_completions_close(c);
    return rc < 0 ? rc : n_ready;
}
