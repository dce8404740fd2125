/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c: a process that gives tasks to a pool: its port, its slots, and who is told of what is done.
 */
#include "service/client.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/stir.h"
#include "service/tasks_part.h"
#include "service/worker.h"

#include <apr_thread_proc.h>
#include <string.h>

static mproc__client *all; /* of this process */

/* It is held for moments, but in them the pool's mutex may have to be waited for: the private lock must not be. */
static uint32_t lock;

#define LOOKS 100

#define TAKEN_AT_ONCE 64

void mproc__clients_lock(void)
{
    for (int i = 0; mproc__exchange32(&lock, 1) != 0; i++) {
        if (i < LOOKS) {
            MPROC__PAUSE();
        } else {
            apr_thread_yield();
        }
    }
}

void mproc__clients_unlock(void)
{
    mproc__store32_release(&lock, 0);
}

/** In a copy of this process: they are another one's; handles keep them, to nobody's use. */
static void forget(void)
{
    all = NULL;
    lock = 0;
}

/* ---- clients --------------------------------------------------------------------------------- */

static mproc__client *find_locked(uint64_t pool)
{
    mproc__client *client = all;
    while (client != NULL && client->tasks.offset != pool) {
        client = client->next;
    }
    if (client != NULL) {
        client->users++;
    }
    return client;
}

static int make(uint64_t pool, mproc__client **ret_client)
{
    mproc__client *client = mproc__calloc(1, sizeof(*client));
    if (client == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a pool's handle");
    }
    int rc = mproc__block_attach(pool, &client->hold);
    if (rc < 0) {
        mproc__free(client);
        return rc;
    }
    client->member = mproc__self_id();
    client->users = 1;
    client->port = MPROC__NO_PORT;
    mproc__tasks_open(&client->tasks, pool);
    *ret_client = client;
    return MPROC_OK;
}

static void destroy(mproc__client *client)
{
    while (client->owned != NULL) {
        mproc__owned *owned = client->owned;
        client->owned = owned->next;
        mproc__free(owned);
    }
    for (uint32_t i = 0; i < MPROC__SEGMENTS; i++) {
        mproc__free(client->tenants[i]);
    }
    while (client->free != NULL) {
        mproc_future *future = client->free;
        client->free = future->next;
        mproc__free(future);
    }
    mproc__block_release(client->hold);
    mproc__free(client);
}

int mproc__client_open(uint64_t pool, mproc__client **ret_client)
{
    static bool is_known;
    mproc__client *made = NULL;
    mproc__clients_lock();
    mproc__client *client = find_locked(pool);
    mproc__clients_unlock();
    if (client == NULL) {
        int rc = make(pool, &made);
        if (rc < 0) {
            return rc;
        }
        mproc__clients_lock();
        client = find_locked(pool);
        if (client == NULL) {
            if (!is_known) {
                is_known = true;
                mproc__on_forget(forget);
            }
            made->next = all;
            all = client = made;
            made = NULL;
        }
        mproc__clients_unlock();
    }
    if (made != NULL) {
        destroy(made); // another thread was quicker
    }
    *ret_client = client;
    return MPROC_OK;
}

/** Nobody uses it any more: what it has goes back to the pool. */
static void give_up(mproc__client *client)
{
    for (uint32_t i = 0; i < client->n_slots; i++) {
        mproc__slot_drop_parcels(&client->tasks, client->slots[i]);
    }
    if (client->n_slots > 0) {
        mproc__slots_give(&client->tasks, client->slots, client->n_slots);
    }
    // With slots in limbo the port stays, until this process is gone.
    bool is_clean = client->port != MPROC__NO_PORT;
    for (uint32_t i = 0; i < MPROC__SEGMENTS && is_clean; i++) {
        uint32_t n = i == 0 ? MPROC__FIRST_SLOTS : MPROC__SEGMENT_SLOTS;
        for (uint32_t k = 0; k < n && is_clean && client->tenants[i] != NULL; k++) {
            is_clean = !client->tenants[i][k].is_in_limbo;
        }
    }
    if (is_clean) {
        mproc__port_free(&client->tasks, client->port);
    }
    destroy(client);
}

void mproc__client_close(mproc__client *client)
{
    if (client == NULL || client->member != mproc__self_id()) {
        return;
    }
    mproc__clients_lock();
    bool is_last = --client->users == 0;
    for (mproc__client **link = &all; is_last && *link != NULL; link = &(*link)->next) {
        if (*link == client) {
            *link = client->next;
            break;
        }
    }
    if (is_last && client->port != MPROC__NO_PORT) {
        mproc__client_drain_locked(client);
    }
    mproc__clients_unlock();
    if (is_last && mproc__family_enter() >= 0) {
        give_up(client);
    }
}

mproc__tasks *mproc__client_tasks(mproc__client *client)
{
    return &client->tasks;
}

int mproc__client_of(mproc_pool *pool, mproc__client **ret_client)
{
    struct mproc__pool_local *local;
    int rc = mproc__family_enter();
    if (rc < 0 || (rc = mproc__pool_local_of(pool, &local)) < 0) {
        return rc;
    }
    mproc__client *client = mproc__load_pointer_acquire(&local->client);
    if (client != NULL && client->member == mproc__self_id()) {
        *ret_client = client;
        return MPROC_OK;
    }
    // The first time; or in a copy of the process that had it.
    rc = mproc__client_open(pool->object.offset, &client);
    if (rc < 0) {
        return rc;
    }
    mproc__clients_lock();
    mproc__client *superfluous = local->client;
    bool is_ours = superfluous == NULL || superfluous->member != mproc__self_id();
    if (is_ours) {
        mproc__store_pointer_release(&local->client, client);
    }
    *ret_client = local->client;
    mproc__clients_unlock();
    if (!is_ours) {
        mproc__client_close(client); // another thread was quicker
    }
    return MPROC_OK;
}

int mproc__client_check(const mproc__client *client)
{
    const struct mproc__rule_shm *rule = &client->tasks.shm->rule;
    return mproc__pool_is_orphaned(rule)
               ? mproc__fail(MPROC_EPEER, "the process that owns the pool is gone")
               : MPROC_OK;
}

/* ---- slots ------------------------------------------------------------------------------------ */

mproc__tenant *mproc__client_tenant(const mproc__client *client, uint32_t index)
{
    uint32_t place;
    uint32_t segment = mproc__segment_of(index, &place);
    return client->tenants[segment] != NULL ? &client->tenants[segment][place] : NULL;
}

void mproc__client_keep_locked(mproc__client *client, uint32_t index)
{
    if (client->n_slots == MPROC__CLIENT_SLOTS) {
        const uint32_t n = MPROC__CLIENT_SLOTS / 2;
        for (uint32_t i = n; i < MPROC__CLIENT_SLOTS; i++) {
            mproc__slot_drop_parcels(&client->tasks, client->slots[i]);
        }
        mproc__slots_give(&client->tasks, client->slots + n, n);
        client->n_slots -= n;
    }
    client->slots[client->n_slots++] = index;
}

static int find_function_locked(mproc__client *client, mproc__function function,
                                uint32_t *ret_number)
{
    uintptr_t key;
    memcpy(&key, &function, sizeof(key));
    size_t place = (key >> 4) % MPROC__CLIENT_FUNCTIONS;
    if (client->functions[place].function != function) {
        int rc = mproc__function_number(&client->tasks, function, ret_number);
        if (rc < 0) {
            return rc;
        }
        client->functions[place].number = *ret_number;
        client->functions[place].function = function;
    }
    *ret_number = client->functions[place].number;
    return MPROC_OK;
}

static int take_slot_locked(mproc__client *client, uint32_t *ret_index)
{
    int rc = MPROC_OK;
    if (client->port == MPROC__NO_PORT) {
        rc = mproc__port_claim(&client->tasks, &client->port);
        if (rc < 0) {
            client->port = MPROC__NO_PORT;
            return rc;
        }
    }
    if (client->n_slots == 0) {
        rc = mproc__slots_take(&client->tasks, client->port, client->slots, TAKEN_AT_ONCE);
        if (rc < 0) {
            return rc;
        }
        client->n_slots = (uint32_t)rc;
    }
    *ret_index = client->slots[client->n_slots - 1];
    uint32_t place;
    uint32_t segment = mproc__segment_of(*ret_index, &place);
    if (client->tenants[segment] == NULL) {
        uint32_t n = segment == 0 ? MPROC__FIRST_SLOTS : MPROC__SEGMENT_SLOTS;
        client->tenants[segment] = mproc__calloc(n, sizeof(mproc__tenant));
        if (client->tenants[segment] == NULL) {
            return mproc__fail(MPROC_ENOMEM, "no memory for a task");
        }
    }
    client->n_slots--;
    return MPROC_OK;
}

mproc__owned *mproc__client_owned_locked(mproc__client *client, void *owner, bool make)
{
    mproc__owned **link = &client->owned;
    mproc__owned *found = NULL;
    while (*link != NULL && found == NULL) {
        mproc__owned *owned = *link;
        if (owned->owner == owner) {
            found = owned;
        } else if (owned->party.n_awaited == 0 && owned->party.first == NULL) {
            *link = owned->next; // nobody will ask again
            mproc__free(owned);
        } else {
            link = &owned->next;
        }
    }
    if (found == NULL && make && (found = mproc__calloc(1, sizeof(*found))) != NULL) {
        found->owner = owner;
        found->next = client->owned;
        client->owned = found;
    }
    return found;
}

/** A future of the client's, zeroed. */
static int make_future_locked(mproc__client *client, mproc_future **ret_future)
{
    mproc_future *future = client->free;
    if (future != NULL) {
        client->free = future->next;
    } else if ((future = mproc__malloc(sizeof(*future))) == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a future");
    }
    *future = (mproc_future){.client = client, .users = 1};
    *ret_future = future;
    return MPROC_OK;
}

/** As many are kept as there were at once: what a slot takes is kept, too. */
static void keep_future_locked(mproc__client *client, mproc_future *future)
{
    future->next = client->free;
    client->free = future;
}

int mproc__client_begin(mproc__client *client, mproc__function function, uint32_t *ret_function,
                        mproc_future **ret_future)
{
    mproc_future *future = NULL;
    uint32_t index;
    *ret_function = MPROC__NO_FUNCTION;
    mproc__clients_lock();
    int rc = function != NULL ? find_function_locked(client, function, ret_function) : MPROC_OK;
    if (rc >= 0) {
        rc = make_future_locked(client, &future);
    }
    if (rc >= 0 && (rc = take_slot_locked(client, &index)) < 0) {
        keep_future_locked(client, future);
    }
    if (rc >= 0) {
        // As long as it is not posted, it must not look as the slot's last task did, which is DONE: see party.c.
        uint64_t *state = &mproc__slot_at(&client->tasks, index)->state;
        mproc__store64_relaxed(state,
                               mproc__task_word(mproc__load64_relaxed(state), MPROC__TASK_OWNED));
        future->index = index;
        *mproc__client_tenant(client, index) = (mproc__tenant){.future = future};
        client->users++;
        *ret_future = future;
    }
    mproc__clients_unlock();
    return rc;
}

int mproc__client_begin_whole(mproc__client *client, mproc_future **ret_future)
{
    mproc__clients_lock();
    int rc = make_future_locked(client, ret_future);
    client->users += rc >= 0 ? 1 : 0;
    mproc__clients_unlock();
    return rc;
}

static void give_back_slot_locked(mproc_future *future)
{
    mproc__client *client = future->client;
    mproc__tenant *tenant = mproc__client_tenant(client, future->index);
    tenant->future = NULL;
    bool is_popped = future->is_popped || tenant->was_popped || future->is_taken_back;
    tenant->was_popped = false;
    if (future->is_noted && !is_popped) {
        tenant->is_in_limbo = true;
        mproc__client_drain_locked(client);
    } else {
        mproc__client_keep_locked(client, future->index);
    }
}

void mproc__client_end_unlock(mproc_future *future, bool has_slot)
{
    mproc__client *client = future->client;
    if (has_slot) {
        give_back_slot_locked(future);
    }
    keep_future_locked(client, future);
    bool is_last = client->users == 1;
    client->users -= is_last ? 0 : 1;
    mproc__clients_unlock();
    if (is_last) {
        mproc__client_close(client);
    }
}

void mproc__client_end(mproc_future *future, bool has_slot)
{
    if (has_slot) {
        mproc__slot_drop_parcels(&future->client->tasks, future->index);
    }
    mproc__clients_lock();
    mproc__client_end_unlock(future, has_slot);
}

void mproc__client_abandon(mproc_future *future)
{
    mproc__clients_lock();
    mproc__client_tenant(future->client, future->index)->future = NULL;
    mproc__clients_unlock();
}
