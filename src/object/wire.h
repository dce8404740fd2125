/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h: a connection to a stranger: messages, framed, over a stream of the system's.
 *
 * Why       It is the transport of connections that mproc_listener and mproc_client make.
 * Layout    The wire is this process's own memory; the connection's block has the locks, one for those who
 *           send and one for those who receive, and says whose turn it is. A copy of this process cannot use
 *           it: the stream is closed there.
 * Passing   Half a message lies in its process's memory, so only one process can go on with it: whose wire has the
 *           turn. To pass it on, both locks are taken, what has been read ahead goes into a ticket (ticket.h)
 *           with a copy of the system's end, and the turn becomes the ticket's. Of those who have received the
 *           ticket the first one to use the connection takes the turn; until then it keeps the ticket. When
 *           a ticket is gone and still has the turn, nobody can take it: then it is the old wire's again.
 * Death     Of this process: the system closes its end, and the turn is gone with it unless it was a ticket's. The
 *           stranger sees the end when no other process has one.
 */
#ifndef MPROC_OBJECT_WIRE_H
#define MPROC_OBJECT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "family/block.h"
#include "family/mutex.h"
#include "object/connection.h"
#include "object/frame.h"
#include "platform.h"

struct mproc__wire_shm {
    struct mproc__connection_shm head;
    uint64_t
        turn;     /**< atomic: whose: a ticket's number, even; one more: it is still the ticket's */
    uint64_t pid; /**< atomic: of who took it; for sentences only */
    struct mproc__mutex_shm sending, receiving;
};

typedef struct mproc__wire {
    struct mproc__connection_local local;
    struct mproc__wire
        *next;        /**< of this process's, the newest one first; its private lock's, as these: */
    uint32_t handles; /**< of the connection */
    mproc__hold ticket; /**< by which it came, until it has taken the turn; offset 0: none */
    struct {
        uint64_t turn, offset, serial; /**< of the ticket by which it was passed on last */
    } passed;

    struct mproc__wire_shm
        *shm;            /**< NULL: there is no connection yet; constant, as all of these: */
    uint64_t connection; /**< offset of its block ... */
    uint32_t epoch;      /**< ... in the eyes of whom: see mproc__handle_epoch */
    mplat_stream *stream;
    int64_t pid; /**< whose the wire is */

    mproc__frame in; /**< whoever receives */
    int ended;       /**< the status from which on nothing more comes; 0: not yet */
    uint64_t
        turn; /**< atomic: the connection's when it is ours; odd: the ticket's, it is yet to be taken */
    bool is_cut;         /**< whoever sends: a message was sent in part, so none can follow */
    uint32_t users;      /**< atomic: threads inside the transport's calls */
    uint32_t is_closing; /**< atomic: who is inside leaves, nobody enters */
    uint64_t marks;      /**< of who waits for this and other things, see family/stir.h */
    uint32_t is_wanted;  /**< atomic: one of them could not look, for it was busy */
} mproc__wire;

/** A wire of a stream, which it owns from here on, also on failure. 0 or MPROC_ENOMEM. */
int mproc__wire_create(mplat_stream *stream, uint64_t most, mproc__wire **ret_wire);

/** Close it; NULL is fine. */
void mproc__wire_close(mproc__wire *wire);

/**
 * Take in what has come, until a message is whole: wire->in has it.
 *
 * @return 0; MPROC_ETIMEDOUT (it is not yet); MPROC_ECLOSED (no more comes); MPROC_EPEER; MPROC_ETOOBIG,
 *         MPROC_EMALFORMED (and nothing more is taken in); MPROC_ENOMEM
 */
int mproc__wire_pump(mproc__wire *wire);

/** The same, waiting for it. MPROC_ESTATE: somebody else closes it. */
int mproc__wire_receive(mproc__wire *wire, mproc__deadline deadline);

/** Send one message. 0, MPROC_ETIMEDOUT, MPROC_EPEER, MPROC_ESTATE, MPROC_ETOOBIG. */
int mproc__wire_send(mproc__wire *wire, const void *data, size_t size, mproc__deadline deadline);

/** A connection of a wire, which it owns from here on, also on failure. 0, MPROC_ENOMEM, MPROC_ENOSPC. */
int mproc__wire_connect(mproc__wire *wire, mproc_connection **ret_connection);

/** Whether a connection is one of a wire, of whatever process. */
bool mproc__wire_is_of(const mproc_connection *connection);

/**
 * Begin a call, which takes the turn. Until mproc__wire_leave the wire and the connection's block stay; its
 * handle may go.
 *
 * @return 0, or MPROC_ESTATE: it is another process's, or being closed
 */
int mproc__wire_enter(const mproc_connection *connection, mproc__wire **ret_wire);
void mproc__wire_leave(mproc__wire *wire);

/* ---- passing: wire_pass.c -------------------------------------------------------------------- */

/** Be one of this process's wires, with one handle; its connection is filled in. */
void mproc__wire_join(mproc__wire *wire);

/** Give a handle up; true: it was the last one, and the wire is none of this process's any more. */
bool mproc__wire_part(mproc__wire *wire);

/** Take the turn, unless the wire has it. 0, or MPROC_ESTATE. */
int mproc__wire_take_turn(mproc__wire *wire);

/** Whether it has the turn. */
bool mproc__wire_has_turn(const mproc__wire *wire);

/** Give up the ticket by which it came, if it has one. */
void mproc__wire_drop_ticket(mproc__wire *wire);

/* As a transport's. */
int mproc__wire_pass(uint64_t container, const struct mproc_object *object,
                     uint64_t *ret_reference);
int mproc__wire_open(struct mproc_object *object, uint64_t ticket);

/* ---- for mproc_wait -------------------------------------------------------------------------- */

/** Have the calling thread's stir changed when a look may be worth it and the handle does not tell. */
void mproc__wire_wait_watch(mproc__wire *wire);

/**
 * Whether there is a whole message, or no more comes. What has come is taken in for that, without waiting.
 *
 * @param ret_is_busy  not known, for somebody else is receiving, who will change the stir of those who watch
 * @return 1; 0; MPROC_ESTATE (somebody closes it, or has passed it on); MPROC_ENOMEM
 */
int mproc__wire_wait_look(mproc__wire *wire, bool *ret_is_busy);

/** Keep others from receiving until unhold; false: somebody does. Meanwhile look_held is to look, not look. */
bool mproc__wire_wait_hold(mproc__wire *wire);
void mproc__wire_wait_unhold(mproc__wire *wire);
int mproc__wire_wait_look_held(mproc__wire *wire, bool *ret_is_busy);

/** What fires, after such a look that was not busy, when another one is worth it. */
mplat_handle mproc__wire_wait_handle(const mproc__wire *wire);

/** The wire of a connection; NULL: it has none in this process. */
const mproc__wire *mproc__wire_of(const mproc_connection *connection);

#endif
