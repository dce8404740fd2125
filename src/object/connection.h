/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.h: connections have one face and several transports: how messages get to the other end.
 *
 * Why       mproc_connection checks arguments, makes values of messages, and finds words for failures.
 *           How a message travels is a transport's business: over rings in the arena (pipe.c), or, framed,
 *           over a stream.
 * Layout    Each connection's block begins with struct mproc__connection_shm; what a transport needs
 *           behind it, and the blocks that it holds, are its own business, as is object.local, what this
 *           process has of it (a descriptor, half a frame), or NULL.
 */
#ifndef MPROC_OBJECT_CONNECTION_H
#define MPROC_OBJECT_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "family/object.h"
#include "mproc/connection.h"
#include "object/message.h"

/** connection_shm.transport: an index of the table in connection.c. */
enum mproc__transport_number { MPROC__TRANSPORT_RING, MPROC__TRANSPORT_STREAM, MPROC__TRANSPORTS };

/* connection_shm.rights */
#define MPROC__CONNECTION_READS 1u
#define MPROC__CONNECTION_WRITES 2u

struct mproc__connection_shm {
    uint32_t transport; /**< constant, as all of it */
    uint32_t rights;
};

/** What is done with the next message. */
typedef struct mproc__receipt {
    /** Take it over; below 0: it stays, and that is what the transport's receive returns. */
    int (*open)(struct mproc__receipt *receipt, const mproc__ring_item *item);
    /** Make room for a message of bytes, which is copied to *ret_place later; below 0: as above. */
    int (*make_room)(struct mproc__receipt *receipt, uint64_t size, void **ret_place);
    uint64_t most; /**< larger ones are refused */
    uint64_t size; /**< of the message, also of one that is refused */
    void *place;   /**< where it goes */
} mproc__receipt;

/** How messages travel. Deadlines that have passed already: do what needs no waiting. */
struct mproc__transport {
    /** mproc_connection_recv decodes every message: send does not leave bytes as they are. */
    bool is_encoded;

    /**
     * Send a message, filled in but not prepared, whole or not at all.
     *
     * @return 0; MPROC_ETIMEDOUT; MPROC_EPEER (the other end is gone); or another status with a sentence
     */
    int (*send)(mproc_connection *connection, mproc__message *message, mproc__deadline deadline);

    /**
     * Have the next message opened by mproc__receipt_open, with item->kind MPROC__RECORD_BYTES if there is
     * no other. A transport may ask mproc__receipt_check before it has all of it.
     *
     * @return 0; MPROC_ETIMEDOUT; MPROC_ECLOSED (no more comes); what the receipt returned: the message
     *         stays; or another status with a sentence
     */
    int (*receive)(mproc_connection *connection, mproc__receipt *receipt, mproc__deadline deadline);

    /** Wait for a whole message or the end. 0, MPROC_ETIMEDOUT, or another status with a sentence. */
    int (*poll)(mproc_connection *connection, mproc__deadline deadline);

    /**
     * For mproc_wait: whether there is a whole message or the end, and have the calling thread's stir changed
     * when there may be one (family/stir.h). NULL, both of them, of a stream: see wire.h.
     */
    bool (*is_ready)(const mproc_connection *connection);
    void (*watch)(mproc_connection *connection);

    /**
     * Have the block at `container` hold the connection, for whoever receives that: what is to be written there.
     * 0, or a status with a sentence.
     */
    int (*pass)(uint64_t container, const struct mproc_object *object, uint64_t *ret_reference);

    /** What the system knows it by; NULL: nothing. 0, or a status with a sentence. */
    int (*handle)(const mproc_connection *connection, mproc_os_handle *ret_handle);

    /** Fill in object->local of a handle that has been attached, by what `pass` made, or 0; NULL: nothing to do. */
    int (*open_local)(struct mproc_object *object, uint64_t ticket);

    /**
     * Give up object->local, if it is not NULL, before the hold. Not held: in a copy made by the
     * application's own fork(); then the object's block may be another one by now.
     */
    void (*close_local)(struct mproc_object *object, bool is_held);
};

/** How object->local begins. */
struct mproc__connection_local {
    const struct mproc__transport *transport;
};

extern const struct mproc__transport mproc__transport_ring;   /* pipe.c */
extern const struct mproc__transport mproc__transport_stream; /* wire.c */

/**
 * Make a connection, of which only the head is filled in.
 *
 * @param rights    MPROC__CONNECTION_READS and _WRITES
 * @param size      of its block, which begins with struct mproc__connection_shm
 * @param n_inside  how many other blocks it can hold
 * @return 0, MPROC_ENOMEM or MPROC_ENOSPC
 */
int mproc__connection_create(enum mproc__transport_number transport, uint32_t rights, uint64_t size,
                             uint32_t n_inside, mproc_connection **ret_connection);

/** Whether a message of this size is taken. 0, or MPROC_ETOOBIG. */
int mproc__receipt_check(mproc__receipt *receipt, uint64_t size);

/** Check a message and take it over. 0, or what was returned: then it stays. */
int mproc__receipt_open(mproc__receipt *receipt, const mproc__ring_item *item);

/** Whether a connection, which may be NULL, can be waited for: 0, MPROC_EINVAL or MPROC_ESTATE. */
int mproc__connection_check_wait(const mproc_connection *connection);

/** Whether it is a connection to a stranger, of whatever process. */
bool mproc__connection_is_strangers(const struct mproc_object *object);

/* For object.c: see struct mproc__transport. */
int mproc__connection_pass(uint64_t container, const struct mproc_object *object,
                           uint64_t *ret_reference);
int mproc__connection_open_local(struct mproc_object *object, uint64_t ticket);
void mproc__connection_close_local(struct mproc_object *object, bool is_held);

#endif
