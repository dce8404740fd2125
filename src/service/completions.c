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

struct mproc_completions {
    mproc__party party;
    size_t count;
    mproc__client **clients; /**< each pool's */
    size_t n_clients;
    mproc__wish wishes[]; /**< by the future's place */
};

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
    mproc_completions *c = mproc__calloc(1, sizeof(*c) + count * sizeof(c->wishes[0]));
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
        add_client(c, futures[i]->client);
        mproc__clients_lock();
        mproc__wish_begin_locked(&c->wishes[i], futures[i], &c->party);
        mproc__future_expect_locked(futures[i]);
        mproc__clients_unlock();
    }
    *ret_completions = c;
    return MPROC_OK;
}

/** Find out who is done, and take one. */
static mproc__wish *take(mproc_completions *c, size_t *ret_left)
{
    mproc__clients_lock();
    for (size_t i = 0; i < c->n_clients; i++) {
        mproc__client_drain_locked(c->clients[i]);
    }
    mproc__wish *wish = mproc__party_take_locked(&c->party);
    *ret_left = c->party.n_awaited;
    mproc__clients_unlock();
    return wish;
}

static int await(mproc_completions *c, mproc__deadline deadline, mproc__wish **ret_wish)
{
    for (;;) {
        uint32_t *stir = mproc__stir_mine();
        uint32_t seen = mproc__load32_acquire(stir);
        for (size_t i = 0; i < c->n_clients; i++) {
            mproc__client_watch(c->clients[i]);
        }
        mproc__fence(); // S1 in stir.h
        size_t left;
        mproc__wish *wish = take(c, &left);
        if (wish != NULL || left == 0) {
            *ret_wish = wish;
            return wish != NULL ? 1 : 0;
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
    mproc__wish *wish = NULL;
    if (completions == NULL || ret_index == NULL) {
        return mproc__fail(MPROC_EINVAL, "next: there are no completions, or no place for one");
    }
    int rc = mproc__family_enter();
    rc = rc < 0 ? rc : await(completions, mproc__deadline_in(timeout), &wish);
    if (rc == 1) {
        *ret_index = (size_t)(wish - completions->wishes);
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
        mproc__wish_end_locked(&completions->wishes[i]);
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
        mproc__wish *wish = NULL;
        rc = await(c, deadline, &wish);
        if (rc == 0) {
            break; // somebody has closed one
        }
        if (rc == 1) {
            n_ended++;
            has_error = has_error || mproc__future_status(wish->future) < 0;
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
