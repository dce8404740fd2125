/* SPDX-License-Identifier: Apache-2.0 */
/*
 * party.c: which of a process's futures are done, and who is told of that.
 *
 * The port's stack says which slots are; what a dead worker did not push is found by a look at all of them.
 */
#include "service/client.h"

#include "base/status.h"
#include "service/tasks_part.h"
#include "service/worker.h"

static uint64_t state_of(const mproc_future *future)
{
    return mproc__load64_acquire(&mproc__slot_at(&future->client->tasks, future->index)->state);
}

bool mproc__future_is_done(const mproc_future *future)
{
    if (future->group != NULL) {
        return mproc__group_is_done(future->group);
    }
    return future->is_taken_back || mproc__task_state(state_of(future)) == MPROC__TASK_DONE;
}

static void tell_locked(mproc_future *future)
{
    if (future->whole != NULL) {
        bool is_news = !future->is_told;
        future->is_told = true;
        future = future->whole;
        future->group->n_left -= is_news ? 1 : 0;
        if (!is_news || future->group->n_left > 0) {
            return;
        }
    }
    if (future->call != NULL) {
        mproc__callbacks_tell_locked(future->call);
    }
    for (mproc__wish *wish = future->wishes; wish != NULL; wish = wish->other) {
        mproc__party *party = wish->party;
        if (!wish->is_told) {
            wish->is_told = true;
            wish->next = NULL;
            wish->before = party->last;
            *(party->last != NULL ? &party->last->next : &party->first) = wish;
            party->last = wish;
            party->n_awaited--;
        }
    }
}

void mproc__wish_begin_locked(mproc__wish *wish, mproc_future *future, mproc__party *party)
{
    *wish = (mproc__wish){.future = future, .party = party, .other = future->wishes};
    future->wishes = wish;
    party->n_awaited++;
}

void mproc__wish_end_locked(mproc__wish *wish)
{
    mproc__party *party = wish->party;
    if (party == NULL) {
        return;
    }
    mproc__wish **link = &wish->future->wishes;
    while (*link != wish) {
        link = &(*link)->other;
    }
    *link = wish->other;
    if (wish->is_told) {
        *(wish->before != NULL ? &wish->before->next : &party->first) = wish->next;
        *(wish->next != NULL ? &wish->next->before : &party->last) = wish->before;
    } else {
        party->n_awaited--;
    }
    wish->party = NULL;
}

mproc__wish *mproc__party_take_locked(mproc__party *party)
{
    mproc__wish *wish = party->first;
    if (wish != NULL) {
        mproc__wish_end_locked(wish);
    }
    return wish;
}

/** A slot was found on the stack, or will never be. */
static void note_popped_locked(mproc__client *client, uint32_t index)
{
    mproc__tenant *tenant = mproc__client_tenant(client, index);
    if (tenant == NULL) {
        return;
    }
    if (tenant->future != NULL) {
        tenant->future->is_popped = true;
        tell_locked(tenant->future);
    } else if (tenant->is_in_limbo) {
        tenant->is_in_limbo = false;
        mproc__client_keep_locked(client, index);
    } else {
        tenant->was_popped = true;
    }
}

static void pop_locked(mproc__client *client)
{
    mproc__tasks *tasks = &client->tasks;
    uint32_t link = mproc__port_pop(tasks, client->port);
    uint32_t order = 0; // the stack has the last one first
    while (link != 0) {
        struct mproc__slot_shm *slot = mproc__slot_at(tasks, link - 1);
        uint32_t next = mproc__load32_relaxed(&slot->next);
        mproc__store32_relaxed(&slot->next, order);
        order = link;
        link = next;
    }
    while (order != 0) {
        uint32_t next = mproc__load32_relaxed(&mproc__slot_at(tasks, order - 1)->next);
        note_popped_locked(client, order - 1);
        order = next;
    }
}

static bool is_unpopped(const mproc__tenant *tenant)
{
    return tenant->is_in_limbo ||
           (tenant->future != NULL && tenant->future->is_noted && !tenant->future->is_popped);
}

/** Call a function for all slots that there may be something to find out about. */
static void for_unpopped_locked(mproc__client *client,
                                void (*fn)(mproc__client *client, mproc__tenant *tenant,
                                           uint32_t index))
{
    for (uint32_t segment = 0; segment < MPROC__SEGMENTS; segment++) {
        mproc__tenant *tenants = client->tenants[segment];
        uint32_t n = segment == 0 ? MPROC__FIRST_SLOTS : MPROC__SEGMENT_SLOTS;
        uint32_t first = segment == 0 ? 0 : MPROC__FIRST_SLOTS + (segment - 1) * n;
        for (uint32_t i = 0; tenants != NULL && i < n; i++) {
            if (is_unpopped(&tenants[i])) {
                fn(client, &tenants[i], first + i);
            }
        }
    }
}

static void find_left(mproc__client *client, mproc__tenant *tenant, uint32_t index)
{
    tenant->is_left = mproc__task_was_left(&client->tasks, index);
}

static void note_left(mproc__client *client, mproc__tenant *tenant, uint32_t index)
{
    if (tenant->is_left) {
        note_popped_locked(client, index);
    }
}

/**
 * After a worker's death: some may have been DONE, and not pushed. Those that were are on the stack by then, and
 * must be taken from there before anything else is done with them.
 */
static void rescan_locked(mproc__client *client)
{
    for_unpopped_locked(client, find_left);
    pop_locked(client);
    for_unpopped_locked(client, note_left);
}

void mproc__client_drain_locked(mproc__client *client)
{
    if (client->port == MPROC__NO_PORT) {
        return;
    }
    const struct mproc__port_shm *port = mproc__port_at(&client->tasks, client->port);
    uint32_t rescan = mproc__load32_acquire(&port->rescan);
    pop_locked(client);
    if (rescan != client->rescan) {
        client->rescan = rescan;
        rescan_locked(client);
    }
}

void mproc__client_watch(mproc__client *client)
{
    if (client->port != MPROC__NO_PORT) {
        mproc__bell_watch(&mproc__port_at(&client->tasks, client->port)->bell);
    }
}

/** Have it pushed when it is done. False: it is. */
static bool note(mproc_future *future)
{
    uint64_t *state = &mproc__slot_at(&future->client->tasks, future->index)->state;
    uint64_t old = mproc__load64_acquire(state);
    while (!future->is_taken_back && mproc__task_state(old) != MPROC__TASK_DONE) {
        if ((old & MPROC__TASK_NOTED) != 0 || mproc__cas64(state, &old, old | MPROC__TASK_NOTED)) {
            return true;
        }
    }
    return false;
}

static void expect_locked(mproc_future *future)
{
    if (!future->is_noted) {
        future->is_noted = note(future);
    }
    if (!future->is_noted || mproc__future_is_done(future)) {
        tell_locked(future);
    }
}

void mproc__future_expect_locked(mproc_future *future)
{
    if (future->group == NULL) {
        expect_locked(future);
        return;
    }
    for (mproc_future *part = future->group->first; part != NULL; part = part->next) {
        expect_locked(part);
    }
    if (future->group->n_left == 0) {
        tell_locked(future);
    }
}

void mproc__future_take_back(mproc_future *future)
{
    mproc__client *client = future->client;
    mproc__clients_lock();
    future->is_taken_back = true;
    tell_locked(future);
    mproc__clients_unlock();
    (void)mplat_wake(mproc__low32(&mproc__slot_at(&client->tasks, future->index)->state),
                     INT32_MAX);
    mproc__bell_stir(&mproc__port_at(&client->tasks, client->port)->bell);
}

/** Whether its end matters to a party. */
static bool is_of(const mproc_future *future, const mproc__party *party)
{
    const mproc__wish *wish = NULL;
    if (future != NULL) {
        wish = (future->whole != NULL ? future->whole : future)->wishes;
    }
    while (wish != NULL && wish->party != party) {
        wish = wish->other;
    }
    return wish != NULL;
}

/** One that is PENDING; its record. Under the lock. */
static bool find_pending_locked(const mproc__client *client, const mproc__party *party,
                                uint32_t *ret_index, uint64_t *ret_record)
{
    for (uint32_t segment = 0; segment < MPROC__SEGMENTS; segment++) {
        const mproc__tenant *tenants = client->tenants[segment];
        uint32_t n = segment == 0 ? MPROC__FIRST_SLOTS : MPROC__SEGMENT_SLOTS;
        for (uint32_t i = 0; tenants != NULL && i < n; i++) {
            const mproc_future *future = tenants[i].future;
            uint64_t word = is_of(future, party) ? state_of(future) : 0;
            if (mproc__task_state(word) == MPROC__TASK_PENDING) {
                *ret_index = future->index;
                *ret_record = mproc__record_of(word, future->index);
                return true;
            }
        }
    }
    return false;
}

bool mproc__client_help(mproc__client *client, const mproc__party *party)
{
    uint32_t index;
    uint64_t record;
    if (!mproc__worker_is_here(&client->tasks)) {
        return false;
    }
    mproc__clients_lock();
    bool is_found = find_pending_locked(client, party, &index, &record);
    mproc__clients_unlock();
    return is_found && mproc__worker_help(index, record);
}
