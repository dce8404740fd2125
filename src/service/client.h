/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h: what a process knows of a pool as one who gives it tasks; see submit.h for its users' face.
 *
 * Locks    One lock of this process guards all of it: the caches, the lists, and a future's place in them.
 * Groups   A future may be made of others, its parts, which nobody else has. It is done when they are.
 * Slots    A future has its slot until it is closed. The slot of one that is NOTED is given back when it has been
 *          popped, too: until then it is in limbo.
 */
#ifndef MPROC_SERVICE_CLIENT_H
#define MPROC_SERVICE_CLIENT_H

#include "service/submit.h"

#define MPROC__CLIENT_SLOTS 8192 /* that are kept for the next tasks */
#define MPROC__CLIENT_FUNCTIONS 64

/** Something that is told when futures are done: a walk, or a map. */
typedef struct mproc__party {
    struct mproc__wish *first, *last; /**< of those that are done and not taken, in order */
    size_t n_awaited;                 /**< that are not done */
} mproc__party;

/** A party's wish to be told of one future; any number of parties may wait for the same. */
typedef struct mproc__wish {
    struct mproc_future *future;
    mproc__party *party; /**< NULL: it is over */
    bool is_told;
    struct mproc__wish *before, *next; /**< in the party's list, once it is told */
    struct mproc__wish *other;         /**< the next of the same future */
} mproc__wish;

/** Several tasks that are one future, which has no slot itself. */
typedef struct mproc__group {
    struct mproc_future *first, *last; /**< its parts, by `next` */
    void *undone;                      /**< the part before which all are done; atomic */
    size_t n_left;                     /**< parts that are not known to be done */
    /** What has come of all, which are done: as mproc__future_read. */
    int (*read)(struct mproc__group *group, mproc_value *ret_value);
} mproc__group;

struct mproc_future {
    mproc__client *client;
    void *owner;
    uint32_t index;
    uint32_t users;             /**< the handle, and the callbacks' thread */
    bool is_noted;              /**< it is pushed, or was */
    bool is_popped;             /**< and found */
    bool is_taken_back;         /**< cancelled before it was begun: the slot is OWNED */
    bool is_told;               /**< what it is a part of knows that it is done */
    mproc__wish *wishes;        /**< of those who are to be told */
    mproc__wish own;            /**< that of its owner, if it is noted from the beginning */
    struct mproc_future *next;  /**< the next part, or free one */
    mproc__group *group;        /**< what it is made of; NULL: it is one task */
    struct mproc_future *whole; /**< what it is a part of, or NULL */
    struct mproc__call *call;   /**< its callbacks, until they are called; or NULL */
};

/** By slot: whose it is. */
typedef struct mproc__tenant {
    struct mproc_future *future; /**< NULL: nobody's, or in limbo */
    bool is_in_limbo;
    bool was_popped; /**< while it was nobody's: see mproc__client_abandon */
    bool is_left;    /**< between two looks of party.c: it is on the stack, or never will be */
} mproc__tenant;

/** Those futures that mproc__client_next tells of to one owner. */
typedef struct mproc__owned {
    void *owner;
    mproc__party party;
    struct mproc__owned *next;
} mproc__owned;

struct mproc__client {
    mproc__tasks tasks;
    mproc__hold hold;
    mproc__member_id member; /**< whose; a copy of the process makes its own */
    uint32_t users;          /**< handles and futures */
    mproc__client *next;

    uint32_t port; /**< MPROC__NO_PORT: none yet */
    uint32_t rescan;
    uint32_t n_slots;
    uint32_t slots[MPROC__CLIENT_SLOTS];
    struct mproc_future *free; /**< futures */
    struct {
        mproc__function function;
        uint32_t number;
    } functions[MPROC__CLIENT_FUNCTIONS];
    mproc__tenant *tenants[MPROC__SEGMENTS]; /**< by segment; NULL: none of it yet */
    mproc__owned *owned;
};

/** The lock. */
void mproc__clients_lock(void);
void mproc__clients_unlock(void);

/** A slot's tenant; NULL: never one of ours. */
mproc__tenant *mproc__client_tenant(const mproc__client *client, uint32_t index);

/** Keep a slot for the next task, or give some back. Its parcels have been dropped. Under the lock. */
void mproc__client_keep_locked(mproc__client *client, uint32_t index);

/** The party of an owner; NULL: none, or no memory to make it. Under the lock. */
mproc__owned *mproc__client_owned_locked(mproc__client *client, void *owner, bool make);

/** Number a function, and make a future with a slot, which becomes one more user of the client. */
int mproc__client_begin(mproc__client *client, mproc__function function, uint32_t *ret_function,
                        mproc_future **ret_future);

/** A future without a slot. */
int mproc__client_begin_whole(mproc__client *client, mproc_future **ret_future);

/** A future ends, and with it the use of its client; its slot, if it has it still, is DONE or OWNED. */
void mproc__client_end(mproc_future *future, bool has_slot);

/** The same under the lock, which it releases; its slot holds no parcels. */
void mproc__client_end_unlock(mproc_future *future, bool has_slot);

/** A future has given it up: it is ABANDONED. */
void mproc__client_abandon(mproc_future *future);

/** Whether it has ended. */
bool mproc__future_is_done(const mproc_future *future);

/** Have a party told of a future that is noted. Under the lock. */
void mproc__wish_begin_locked(mproc__wish *wish, mproc_future *future, mproc__party *party);

/** Have who is to be told of its end told when it is done, or at once. Under the lock. */
void mproc__future_expect_locked(mproc_future *future);

/** Have a party not be told; it may have been. Over is over. Under the lock. */
void mproc__wish_end_locked(mproc__wish *wish);

/** Find out who is done, and tell the parties. Under the lock. */
void mproc__client_drain_locked(mproc__client *client);

/** Have this thread's stir change when one of the client's is done. */
void mproc__client_watch(mproc__client *client);

/** The first that is done of a party, whose wish is over with that; NULL: none. Under the lock. */
mproc__wish *mproc__party_take_locked(mproc__party *party);

/** Whether the pool's owner is gone; then with a sentence, MPROC_EPEER. */
int mproc__client_check(const mproc__client *client);

/** A task was cancelled before anybody had begun it: who waits for it is told. */
void mproc__future_take_back(mproc_future *future);

/** In a worker of the pool: run one of a party's tasks here that nobody has begun. False: there is none. */
bool mproc__client_help(mproc__client *client, const mproc__party *party);

/** Likewise a certain one. */
bool mproc__future_help(const mproc_future *future);

/** One user less of a future; the last one frees it. */
void mproc__future_release(mproc_future *future);

/** What a task reports as its status, its value or its sentence. */
int mproc__future_read(mproc_future *future, mproc_value *ret_value);

/** A new future is the caller's: it is called back if the options say so. `ret_future` may be NULL. */
int mproc__future_hand_out(mproc_future *future, const mproc_task_options *options,
                           mproc_future **ret_future);

/* group.c: */

/**
 * Make a future of several: at first of none.
 *
 * @param group  of mproc__calloc, and the first part of what it is in: freed with the future. `read` is set
 */
int mproc__group_begin(mproc__client *client, mproc__group *group, mproc_future **ret_whole);

/** Make a future part of another one, which nobody else knows yet. */
void mproc__group_add(mproc_future *whole, mproc_future *part);

/** As for one task. */
bool mproc__group_is_done(mproc__group *group);
int mproc__group_await(mproc__group *group, mproc__deadline deadline);
int mproc__group_cancel(mproc__group *group, bool kill_running);

/** Give up the parts, and free it. */
void mproc__group_end(mproc__group *group);

/* callbacks.c: */

/** Have a future's callbacks called. 0, or what the system says. */
int mproc__callbacks_add(mproc_future *future, const mproc_task_options *options);

/** It is done. Under the lock. */
void mproc__callbacks_tell_locked(struct mproc__call *call);

/** This process ends: its thread is forgotten, if nobody is to be called back any more. */
void mproc__callbacks_end(void);

#endif
