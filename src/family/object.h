/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.h: what all shared objects' handles have in common.
 *
 * An object's public handle (mproc_block, mproc_lock ...) is private memory of one process and is a
 * struct mproc_object; what is shared lies in its block in the arena. Its reference is the offset of
 * that block: a plain integer that any value can carry.
 */
#ifndef MPROC_FAMILY_OBJECT_H
#define MPROC_FAMILY_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "mproc/value.h"

/** What a block of the arena is; part of its header, so that a reference can be checked. */
enum mproc__kind {
    MPROC__KIND_LEDGER = 1,    /**< private: a segment of a member's ledger */
    MPROC__KIND_START = 2,     /**< private: what a starting process needs to know */
    MPROC__KIND_TEST = 3,      /**< private: made by tests */
    MPROC__KIND_ROOM = 4,      /**< private: more places, see room.h and marks.h */
    MPROC__KIND_STORE = 5,     /**< private: memory of a dict or list, see store.h */
    MPROC__KIND_SEGMENT = 6,   /**< private: where a ring's messages lie, see ring.h */
    MPROC__KIND_PARCEL = 7,    /**< private: a message that lies elsewhere */
    MPROC__KIND_PIPE = 8,      /**< private: what connects two ends, see pipe.h */
    MPROC__KIND_LEASE = 9,     /**< private: a message that may come back, see lease.h */
    MPROC__KIND_LISTENER = 10, /**< private: the lock of a listener, which is no object itself */
    MPROC__KIND_LANE = 11,     /**< private: a ring in which the tasks of a pool wait */
    MPROC__KIND_TASKS = 12,    /**< private: slots and tables of a pool, see service/tasks.h */
    MPROC__KIND_TICKET = 13,   /**< private: a connection on its way, see doorbell.h */
/* From 16 on public objects, see MPROC__OBJECTS. */
#define MPROC__KIND_OF_OBJECT(name, NAME, kind, text) MPROC__KIND_##NAME = (kind),
    MPROC__OBJECTS(MPROC__KIND_OF_OBJECT)
#undef MPROC__KIND_OF_OBJECT
};

struct mproc_object;

/** What an object of the service floor has in its `local` begins with this. */
struct mproc__object_local {
    /** Give it up, with what `local` is; before the hold, if this process has that still. */
    void (*close)(struct mproc_object *object, bool is_held);
};

/**
 * How the block of an object begins that means something to one process only, to which it belongs: to others its
 * handles are good for nothing but to be passed on.
 */
struct mproc__own_shm {
    int64_t pid;    /**< whose it is; 0: not any more. By its process, under the private lock */
    uint64_t local; /**< where its struct mproc__own_local is there */
};

/** What all handles of such an object in its process have in common. */
struct mproc__own_local {
    struct mproc__object_local face;
    uint32_t handles; /**< how many there are; the private lock */
};

/** For their face.close: whether this was the last handle, so that the local part is to be freed. */
bool mproc__own_leave(struct mproc_object *object, bool is_held);

/** Every object's handle. */
struct mproc_object {
    uint32_t kind;   /**< enum mproc__kind */
    uint32_t ledger; /**< the entry of this process's ledger that records the hold */
    uint64_t offset; /**< of the object's block */
    void *shm;       /**< its payload, as this process has it mapped */
    uint32_t epoch;  /**< whose ledger that is: a copy of the process must not give it back */
    bool is_lent;    /**< a value that was read owns it: see mproc__object_let_go */
    void *local;     /**< what it has in this process alone, as its kind needs it, see object.c */
    struct mproc_object *part; /**< handle of an object inside, made when it is first asked for */
    struct mproc__trace
        *trace; /**< where it was opened, if that is to be known: see object/leaks.h */
};

#define MPROC__HANDLE_OF_OBJECT(name, NAME, kind, text) \
    struct mproc_##name {                               \
        struct mproc_object object;                     \
    };
MPROC__OBJECTS(MPROC__HANDLE_OF_OBJECT)
#undef MPROC__HANDLE_OF_OBJECT

/**
 * Create an object's block, zeroed, and a handle for it.
 *
 * @param size      bytes of its payload
 * @param n_inside  how many other objects it can hold
 * @return 0, MPROC_ENOMEM, MPROC_ENOSPC
 */
int mproc__object_create(uint32_t kind, uint64_t size, uint32_t n_inside,
                         struct mproc_object **ret_object);

/**
 * Take a hold on the object at `offset` for a handle of its own.
 *
 * @return 0, MPROC_ECORRUPT (no object there) or MPROC_ENOMEM
 */
int mproc__object_attach(uint64_t offset, struct mproc_object **ret_object);

/* For codecs (family/codec.h) of values that lie in a block: */

/** Have the block, whose mproc__hold is `hold`, hold an object of a value that is written to it. */
int mproc__object_embed(void *hold, struct mproc_object *object, uint64_t *ret_reference);

/** mproc__object_attach for an object of a value that is read, and owns it; `unused` is. */
int mproc__object_receive(void *unused, uint64_t reference, struct mproc_object **ret_object);

/** The handle of the object at `offset` inside `object`; closed with it. NULL: no memory for it. */
struct mproc_object *mproc__object_part(struct mproc_object *object, uint64_t offset);

/** How sentences name a kind: "a lock". */
const char *mproc__object_text(uint32_t kind);

/**
 * What closing it means to the program: of a handle that a value owns, the hold is given up at once, and the
 * handle stays, good for nothing, until the value closes it. NULL is fine.
 */
void mproc__object_let_go(struct mproc_object *object);

/** Close any object's handle; NULL is fine. */
void mproc__object_close(struct mproc_object *object);

#endif
