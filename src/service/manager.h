/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager.h: what managers have in the arena and in their process, and who does what for them.
 *
 * Why       The family needs no manager to share objects: they lie in the arena. It needs one to give them names, and
 *           to let in those who have no arena: their requests are carried out on the same objects (invoke.h), by a
 *           server (manager_server.c) that has a session (session.h) for each of them. What a stranger has of it is a
 *           remote (remote.h).
 * Layout    The manager's block holds a dict, the names, and an event, by which the server is told to end.
 * Locks     phase is changed by CAS; what has no other comment is constant
 * Death     Of the server: its thread's token is the phase's proof (thread.h); a server that is no more has left
 *           nothing that others would need. Of who has created the manager: the family has the block.
 */
#ifndef MPROC_SERVICE_MANAGER_H
#define MPROC_SERVICE_MANAGER_H

#include "base/deadline.h"
#include "family/block.h"
#include "family/object.h"
#include "mproc/dict.h"
#include "mproc/event.h"
#include "mproc/manager.h"
#include "platform.h"
#include "service/remote.h"

enum mproc__manager_phase {
    MPROC__MANAGER_IDLE = 0,
    MPROC__MANAGER_STARTING = 1,
    MPROC__MANAGER_SERVING = 2,
    MPROC__MANAGER_OVER = 3, /**< it can be started again */
};

#define MPROC__MANAGER_TEXT 256u

struct mproc__manager_shm {
    struct mproc__own_shm
        own;            /**< of who has created it, or has connected: struct mproc__manager_local */
    uint32_t is_remote; /**< it is somebody else's, and of this block only `own` means anything */
    uint32_t phase;     /**< enum mproc__manager_phase; who waits for the server sleeps on it */
    uint64_t names;     /**< offset of the dict */
    uint64_t stop;      /**< offset of the event */
    uint64_t server_thread; /**< its main thread's id; by it, before it serves */

    /* What it was created with: */
    uint64_t max_bytes;
    uint32_t max_clients;
    uint32_t max_objects;
    uint32_t is_public;
    uint32_t key_size;
    unsigned char key[MPROC__MANAGER_TEXT];
    char wish[MPROC__MANAGER_TEXT]; /**< the address that was asked for; empty: any */

    char address[MPROC__MANAGER_TEXT]; /**< by the server, before it serves */
};

/** What the process has of it that has created it or has connected. */
struct mproc__manager_local {
    struct mproc__own_local own;
    mproc__remote *remote;  /**< of one that is connected to */
    mproc_process *process; /**< the server that it has started; NULL: none. The private lock */
};

static inline struct mproc__manager_shm *mproc__manager_of(const mproc_manager *manager)
{
    return manager->object.shm;
}

/** What this process has of it; NULL: nothing, another one has created it or has connected. */
static inline struct mproc__manager_local *mproc__manager_local_of(const mproc_manager *manager)
{
    return mproc__manager_of(manager)->own.pid == mplat_pid() ? manager->object.local : NULL;
}

/** The event by which the server ends, as the public calls take it: there need be no handle. */
static inline mproc_event mproc__manager_stop(const mproc_manager *manager)
{
    uint64_t at = mproc__manager_of(manager)->stop;
    return (mproc_event){
        .object = {.kind = MPROC__KIND_EVENT, .offset = at, .shm = mproc__block_at(at)}};
}

/**
 * Serve until the stop event is set; the phase is STARTING, and is OVER afterwards, or IDLE if it cannot serve.
 *
 * @param ready  told when it serves; NULL: nobody
 */
int mproc__manager_run(mproc_manager *manager, void (*ready)(void *arg), void *arg);

#endif
