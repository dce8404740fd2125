/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager_server.c: the server of a manager: lets strangers in, and has threads serve those who ask for something.
 *
 * Threads   The main one accepts. A session that is asking has a thread of its own, so whatever it waits for holds up
 *           nobody else, the system shares the processors out fairly between sessions, and a lock's holder is a thread,
 *           as everywhere. A session that has asked for nothing for a while, and holds nothing, is parked: one thread,
 *           the warden, waits for all of these at once, and starts a thread for each that wakes up. So a thousand
 *           idle clients cost a table.
 * Always    S1  a session is its thread's when BUSY, the warden's when not
 *           S2  who makes a session PARKED or GONE sets `wake` afterwards; the warden clears it before it looks
 * Locks     `lock`: the list of sessions and their states
 * Death     Of the process: the system ends all connections; the threads' locks are released as any dead thread's are.
 *           Of a client: see session.h.
 */
#include "base/alloc.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"
#include "family/family.h"
#include "family/sleep.h"
#include "family/thread.h"
#include "mproc/listener.h"
#include "mproc/lock.h"
#include "mproc/log.h"
#include "mproc/wait.h"
#include "object/stranger.h"
#include "service/manager.h"
#include "service/session.h"

#include <stdio.h>

/* How long a thread waits for its client's next request before it parks the session. */
#define LINGER_NS ((int64_t)50 * 1000000)

enum state { PARKED, BUSY, GONE };

typedef struct seat seat;
typedef struct server server;

/** A client. */
struct seat {
    mproc__session *session;
    server *server;
    mplat_thread *thread; /**< the last one; NULL: none */
    enum state state;
    seat *next;
};

struct server {
    mproc_manager *manager;
    mproc_listener *listener;
    mproc_lock *lock;
    mproc_event *wake;
    uint32_t is_stopping; /**< atomic */
    mplat_thread *warden;

    /* The lock: */
    seat *seats;
    uint32_t n_seats;

    mproc_wait_item *items; /**< the warden's: two events, and who is parked */
    seat **parked;          /**< who the items behind the events are */
};

#define FIRST_PARKED 2

static void lock(server *s)
{
    (void)!mproc_lock_acquire(s->lock, MPROC_FOREVER);
}

static void unlock(server *s)
{
    (void)mproc_lock_release(s->lock);
}

static bool is_stopping(const server *s)
{
    return mproc__load32_acquire(&s->is_stopping) != 0;
}

static void hand_back(seat *who, enum state state)
{
    server *s = who->server;
    lock(s);
    who->state = state;
    unlock(s);
    (void)mproc_event_set(s->wake);
}

/* ---- a session's thread ---------------------------------------------------------------------- */

static bool is_pointless(void *arg)
{
    seat *who = arg;
    return is_stopping(who->server) || mproc__session_is_cut(who->session);
}

static void serve(void *arg)
{
    seat *who = arg;
    const struct mproc__patience patience = {is_pointless, who};
    int rc = mproc__family_enter();
    while (rc >= 0 && !is_stopping(who->server)) {
        mproc__patience = &patience;
        rc = mproc__session_serve(who->session, LINGER_NS);
        mproc__patience = NULL;
        if (rc == MPROC_ETIMEDOUT && mproc__thread_holds == 0) {
            hand_back(who, PARKED);
            return;
        }
        rc = rc == MPROC_ETIMEDOUT ? MPROC_OK : rc;
    }
    mproc__session_free(who->session);
    who->session = NULL;
    mproc__thread_leave(); // so its locks are free before anybody can know that it is gone
    if (mproc__family_enter() >= 0) {
        hand_back(who, GONE);
    }
}

/* ---- the warden ------------------------------------------------------------------------------ */

static void bury(server *s, seat **at)
{
    seat *who = *at;
    *at = who->next;
    s->n_seats--;
    mplat_thread_join(who->thread);
    mproc__session_free(who->session);
    mproc__free(who);
}

/** Look who is parked, and clear away who is gone. How many items there are to wait for. */
static size_t look(server *s)
{
    size_t n = FIRST_PARKED;
    lock(s);
    for (seat **at = &s->seats; *at != NULL;) {
        seat *who = *at;
        if (who->state == GONE || (who->state == PARKED && is_stopping(s))) {
            bury(s, at);
            continue;
        }
        if (who->state == PARKED) {
            s->items[n] = MPROC_WAIT_ITEM(mproc__session_connection(who->session));
            s->parked[n++] = who;
        }
        at = &who->next;
    }
    unlock(s);
    return n;
}

static void start(seat *who)
{
    mplat_thread_join(who->thread); // it has handed the session back, and only ends
    who->thread = NULL;
    lock(who->server);
    who->state = BUSY;
    unlock(who->server);
    if (mplat_thread_start(serve, who, &who->thread) < 0) {
        mproc_log(MPROC_LOG_WARNING, "a manager turns a client away: %s", mproc_last_error());
        hand_back(who, GONE);
    }
}

static bool has_seats(server *s)
{
    lock(s);
    bool has = s->n_seats > 0;
    unlock(s);
    return has;
}

static void watch(void *arg)
{
    server *s = arg;
    int rc = mproc__family_enter();
    mproc_event stop = mproc__manager_stop(s->manager);
    while (rc >= 0) {
        (void)mproc_event_clear(s->wake);
        size_t n = look(s);
        if (is_stopping(s)) {
            if (!has_seats(s)) {
                break;
            }
            (void)!mproc_event_wait(s->wake, MPROC_FOREVER);
            continue;
        }
        s->items[0] = MPROC_WAIT_ITEM(s->wake);
        s->items[1] = MPROC_WAIT_ITEM(&stop);
        int found = mproc_wait(s->items, n, MPROC_FOREVER);
        if (found < 0) {
            mproc_log(MPROC_LOG_WARNING, "a manager cannot wait for its clients: %s",
                      mproc_last_error());
            (void)!mproc_event_wait(s->wake, LINGER_NS);
        }
        if (mproc_event_is_set(&stop)) {
            mproc__store32_release(&s->is_stopping, 1);
            mproc__listener_stop(s->listener);
            continue;
        }
        for (size_t i = FIRST_PARKED; i < n && found > 0; i++) {
            if (s->items[i].is_ready) {
                start(s->parked[i]);
            }
        }
    }
}

/* ---- the main thread ------------------------------------------------------------------------- */

static void seat_client(server *s, mproc_connection *connection)
{
    seat *who = mproc__calloc(1, sizeof(*who));
    if (who == NULL) {
        mproc_connection_close(connection);
        return;
    }
    who->server = s;
    if (mproc__session_create(s->manager, connection, &who->session) < 0) {
        mproc__free(who);
        return;
    }
    lock(s);
    bool is_welcome = s->n_seats < mproc__manager_of(s->manager)->max_clients;
    if (is_welcome) {
        who->next = s->seats;
        s->seats = who;
        s->n_seats++;
    }
    unlock(s);
    if (is_welcome) {
        (void)mproc_event_set(s->wake);
    } else {
        mproc__session_free(who->session);
        mproc__free(who);
    }
}

static int listen_there(server *s)
{
    struct mproc__manager_shm *shm = mproc__manager_of(s->manager);
    const mproc_listener_options options = {
        .address = shm->wish[0] != '\0' ? shm->wish : NULL,
        .authkey = shm->key,
        .authkey_size = shm->key_size,
        .max_bytes = shm->max_bytes,
        .is_public = shm->is_public != 0,
    };
    int rc = mproc_listener_create(&s->listener, &options);
    if (rc >= 0) {
        (void)snprintf(shm->address, sizeof(shm->address), "%s",
                       mproc_listener_address(s->listener));
    }
    return rc;
}

static int set_up(server *s)
{
    size_t most = mproc__manager_of(s->manager)->max_clients + (size_t)FIRST_PARKED;
    s->items = mproc__calloc(most, sizeof(*s->items));
    s->parked = mproc__calloc(most, sizeof(void *));
    int rc = s->items != NULL && s->parked != NULL
                 ? MPROC_OK
                 : mproc__fail(MPROC_ENOMEM, "no memory for a manager's server");
    if (rc < 0 || (rc = mproc_lock_create(&s->lock, NULL)) < 0 ||
        (rc = mproc_event_create(&s->wake)) < 0 || (rc = listen_there(s)) < 0) {
        return rc;
    }
    return mplat_thread_start(watch, s, &s->warden);
}

static void tear_down(server *s)
{
    mplat_thread_join(s->warden);
    mproc_listener_close(s->listener);
    mproc_event_close(s->wake);
    mproc_lock_close(s->lock);
    mproc__free(s->items);
    mproc__free(s->parked);
}

static void enter_phase(struct mproc__manager_shm *shm, uint32_t phase)
{
    mproc__store32_release(&shm->phase, phase); /* COMMIT */
    (void)mplat_wake(&shm->phase, INT32_MAX);
}

int mproc__manager_run(mproc_manager *manager, void (*ready)(void *arg), void *arg)
{
    server s = {.manager = manager};
    struct mproc__manager_shm *shm = mproc__manager_of(manager);
    int rc = mproc__family_enter();
    if (rc >= 0) {
        mproc__store64_release(&shm->server_thread, mproc__thread_self());
        rc = set_up(&s);
    }
    if (rc >= 0) {
        enter_phase(shm, MPROC__MANAGER_SERVING);
        if (ready != NULL) {
            ready(arg);
        }
    }
    while (rc >= 0 && !is_stopping(&s)) {
        mproc_connection *connection;
        int accepted = mproc_listener_accept(s.listener, &connection, MPROC_FOREVER);
        if (accepted >= 0) {
            seat_client(&s, connection);
        } else if (!is_stopping(&s)) {
            // Out of descriptors or memory: who is there already goes on, and who ends gives some back.
            mproc_event stop = mproc__manager_stop(manager);
            (void)!mproc_event_wait(&stop, LINGER_NS);
        }
    }
    tear_down(&s);
    enter_phase(shm, rc >= 0 ? MPROC__MANAGER_OVER : MPROC__MANAGER_IDLE);
    return rc;
}
