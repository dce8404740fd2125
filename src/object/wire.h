/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h: a connection to a stranger: messages, framed, over a stream of the system's.
 *
 * Why       It is the transport of connections that mproc_listener and mproc_client make.
 * Layout    The wire is this process's own memory; the connection's block has the locks, one for those who
 *           send and one for those who receive, and says in which process the wire is. No other one can
 *           use it, a copy of this one neither: the stream is closed there.
 * Death     Of this process: the system closes the stream, and the stranger sees the end.
 */
#ifndef MPROC_OBJECT_WIRE_H
#define MPROC_OBJECT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "family/mutex.h"
#include "object/connection.h"
#include "object/frame.h"
#include "platform.h"

typedef struct mproc__wire {
    struct mproc__connection_local local;
    mplat_stream *stream;
    int64_t pid;         /**< whose it is */
    mproc__frame in;     /**< whoever receives */
    int ended;           /**< the status from which on nothing more comes; 0: not yet */
    bool is_cut;         /**< whoever sends: a message was sent in part, so none can follow */
    uint32_t users;      /**< atomic: threads inside the transport's calls */
    uint32_t handles;    /**< atomic: of the connection */
    uint32_t is_closing; /**< atomic: who is inside leaves, nobody enters */
    struct mproc__mutex_shm *receiving; /**< in the connection's block; NULL: there is none yet */
    uint64_t marks;     /**< of who waits for this and other things, see family/stir.h */
    uint32_t is_wanted; /**< atomic: one of them could not look, for it was busy */
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

/* ---- for mproc_wait -------------------------------------------------------------------------- */

/**
 * Begin to wait for it together with other things. Until mproc__wire_wait_end the wire stays; the
 * connection's handle may go.
 *
 * @return 0, or MPROC_ESTATE: it is another process's, or being closed
 */
int mproc__wire_wait_begin(const mproc_connection *connection, mproc__wire **ret_wire);
void mproc__wire_wait_end(mproc__wire *wire);

/** Have the calling thread's stir changed when a look may be worth it and the handle does not tell. */
void mproc__wire_wait_watch(mproc__wire *wire);

/**
 * Whether there is a whole message, or no more comes. What has come is taken in for that, without waiting.
 *
 * @param ret_is_busy  not known, for somebody else is receiving, who will change the stir of those who watch
 * @return 1; 0; MPROC_ESTATE (somebody closes it); MPROC_ENOMEM
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
