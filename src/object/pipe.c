/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe.c: mproc_pipe: connections over rings in the arena.
 *
 * Layout  struct mproc__pipe_shm, a block that both ends' blocks hold; see family/pipe.h
 * Bell    If the system is to be able to wait, too (doorbell.h), who puts a message into an empty ring rings
 *         first; who finds the ring empty hushes. Both hold put.mutex meanwhile, and is_rung tells whether
 *         it has been done.
 * Always  B1  while a message is in a ring, its receivers' end is readable
 *         B2  while is_rung is set, it is: it is set after the ring, and cleared before the hush
 * Commit  the rings'
 * Death   the rings'; with an end's last holder its block comes to the graveyard, and that tells the other
 *         end. The last holder may be a process that was killed: the watch buries it. Who was killed between
 *         the ring and its commit, or the receipt and its hush, leaves an end that is readable for nothing,
 *         until somebody looks.
 */
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/note.h"
#include "family/pipe.h"
#include "family/watch.h"
#include "object/doorbell.h"

#include <stddef.h>
#include <string.h>

#define DEFAULT_BYTES ((uint64_t)64 << 10)
#define MOST_BYTES ((uint64_t)1 << 30)

_Static_assert(offsetof(struct mproc__pipe_end_shm, transport) ==
                       offsetof(struct mproc__connection_shm, transport) &&
                   offsetof(struct mproc__pipe_end_shm, rights) ==
                       offsetof(struct mproc__connection_shm, rights) &&
                   MPROC__TRANSPORT_RING == 0,
               "a connection's head");

static const struct mproc__pipe_end_shm *end_of(const mproc_connection *connection)
{
    return connection->object.shm;
}

static struct mproc__pipe_shm *pipe_of(const mproc_connection *connection)
{
    return mproc__block_at(end_of(connection)->pipe);
}

/* ---- create ---------------------------------------------------------------------------------- */

static int make_end(mproc__hold pipe, uint32_t side, uint32_t rights, mproc_connection **ret_end)
{
    mproc_connection *made;
    int rc = mproc__connection_create(MPROC__TRANSPORT_RING, rights,
                                      sizeof(struct mproc__pipe_end_shm), 1, &made);
    if (rc < 0) {
        return rc;
    }
    struct mproc__pipe_end_shm *end = made->object.shm;
    end->side = side;
    end->pipe = pipe.offset; // before it is held: so it is told of each end that holds it
    rc = mproc__block_embed(made->object.offset, pipe.offset);
    if (rc < 0) {
        end->pipe = 0;
        mproc_connection_close(made);
        return rc;
    }
    *ret_end = made;
    return MPROC_OK;
}

/** How large a ring is to be. */
static uint64_t ring_bytes(const mproc_pipe_options *options)
{
    uint64_t bytes = MPROC__RING_SMALLEST;
    uint64_t wanted = options->max_bytes != 0 ? options->max_bytes : DEFAULT_BYTES;
    while (bytes < wanted && bytes < MOST_BYTES) {
        bytes *= 2;
    }
    return bytes;
}

/** Give both ends a bell. */
static int hang_bells(mproc_connection **ends)
{
    mplat_handle bells[2];
    int rc = mplat_doorbell_make(bells);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__doorbell_hang(&ends[0]->object, bells[0]);
    if (rc < 0) {
        mplat_doorbell_close(bells[1]);
        return rc;
    }
    return mproc__doorbell_hang(&ends[1]->object, bells[1]);
}

static int make_both(mproc__hold pipe, const mproc_pipe_options *options, mproc_connection **ends)
{
    const uint32_t both = MPROC__CONNECTION_READS | MPROC__CONNECTION_WRITES;
    bool is_one_way = options->is_one_way;
    struct mproc__pipe_shm *shm = mproc__block_at(pipe.offset);
    int rc = mproc__ring_create(&shm->ring[1], ring_bytes(options), 0, false);
    if (rc >= 0 && !is_one_way) {
        rc = mproc__ring_create(&shm->ring[0], ring_bytes(options), 0, false);
    }
    if (rc < 0 ||
        (rc = make_end(pipe, 0, is_one_way ? MPROC__CONNECTION_READS : both, &ends[0])) < 0) {
        return rc;
    }
    rc = make_end(pipe, 1, is_one_way ? MPROC__CONNECTION_WRITES : both, &ends[1]);
    if (rc < 0) {
        mproc_connection_close(ends[0]);
        return rc;
    }
    shm->has_bell = options->kernel;
    if (options->kernel && (rc = hang_bells(ends)) < 0) {
        mproc_connection_close(ends[0]);
        mproc_connection_close(ends[1]);
    }
    return rc;
}

int mproc_pipe_create(mproc_connection **ret_first, mproc_connection **ret_second,
                      const mproc_pipe_options *options)
{
    static const mproc_pipe_options defaults;
    options = options != NULL ? options : &defaults;
    if (ret_first == NULL || ret_second == NULL) {
        return mproc__fail(MPROC_EINVAL, "create: there is no place for the pipe's ends");
    }
    mproc__hold pipe;
    mproc_connection *ends[2];
    int rc = mproc__family_enter();
    if (rc < 0 || (rc = mproc__block_create(MPROC__KIND_PIPE, sizeof(struct mproc__pipe_shm), 0,
                                            true, &pipe)) < 0) {
        return rc;
    }
    rc = make_both(pipe, options, ends);
    mproc__block_release(pipe); // the ends hold it now
    if (rc >= 0) {
        *ret_first = ends[0];
        *ret_second = ends[1];
    }
    return rc;
}

/** Time is up. Who never sleeps must learn of deaths, too. */
static int nothing_yet(void)
{
    mproc__watch_look();
    return MPROC_ETIMEDOUT;
}

/* ---- the bell -------------------------------------------------------------------------------- */

/** Before a message is put: by who has the putting end. 0; MPROC_EPEER; or it could not be rung. */
static int ring_bell(const mproc_connection *connection, bool is_again)
{
    const mproc__doorbell *bell = mproc__doorbell_of(&connection->object);
    uint32_t *is_rung = &pipe_of(connection)->is_rung[end_of(connection)->side];
    if (bell == NULL || (mproc__load32_relaxed(is_rung) != 0 && !is_again)) {
        return MPROC_OK;
    }
    int rc = mplat_doorbell_ring(bell->end);
    MPROC__KILLPOINT("pipe.rung"); /* DEATH: there is nothing to be received: that is hushed */
    if (rc >= 0) {
        mproc__store32_release(is_rung, 1);
    }
    return rc;
}

/**
 * Nothing was found: have the bell say so.
 *
 * @param is_asked  ask the system, too, whether the other end is gone
 * @return MPROC_ETIMEDOUT (nothing is there), 0 (look again), MPROC_ECLOSED (and nothing will be)
 */
static int hush_bell(const mproc_connection *connection, bool is_asked)
{
    const mproc__doorbell *bell = mproc__doorbell_of(&connection->object);
    uint32_t side = 1 - end_of(connection)->side;
    struct mproc__pipe_shm *pipe = pipe_of(connection);
    mproc__ring_end end;
    if (bell == NULL || (!is_asked && mproc__load32_acquire(&pipe->is_rung[side]) == 0)) {
        return MPROC_ETIMEDOUT;
    }
    // Who is about to put something has rung: that is waited for. A closed ring tells of itself.
    if (mproc__ring_put_begin(&pipe->ring[side], MPROC__NEVER, &end) < 0) {
        return MPROC_OK;
    }
    int rc = MPROC_OK;
    if (mproc__ring_count(&pipe->ring[side]) == 0) {
        mproc__store32_release(&pipe->is_rung[side], 0);
        MPROC__KILLPOINT("pipe.hushed"); /* DEATH: it is rung once more than needed */
        rc = mplat_doorbell_hush(bell->end) < 0 ? MPROC_ECLOSED : MPROC_ETIMEDOUT;
    }
    mproc__ring_put_end(&end);
    return rc;
}

/** Nothing was found. As hush_bell; MPROC_OK also after a wait. */
static int wait_for_item(const mproc_connection *connection, const mproc__ring_end *seen,
                         mproc__deadline deadline)
{
    bool is_late = mproc__deadline_passed(deadline);
    int rc = hush_bell(connection, is_late);
    if (is_late && rc < 0) {
        (void)nothing_yet();
    } else if (rc == MPROC_ETIMEDOUT) {
        mproc__note_begin(connection->object.offset, deadline);
        mproc__ring_await_item(seen, deadline);
        mproc__note_end();
        rc = MPROC_OK;
    }
    return rc;
}

/* ---- send ------------------------------------------------------------------------------------ */

static int put(mproc_connection *connection, mproc__message *message, mproc__deadline deadline)
{
    struct mproc__pipe_shm *pipe = pipe_of(connection);
    uint32_t side = end_of(connection)->side;
    struct mproc__ring_shm *ring = &pipe->ring[side];
    const uint32_t *is_gone = &pipe->is_gone[1 - side];
    for (;;) {
        mproc__ring_end end;
        if (mproc__load32_acquire(is_gone)) {
            return MPROC_EPEER;
        }
        int rc = mproc__ring_put_begin(ring, deadline, &end);
        if (rc < 0) {
            return rc;
        }
        rc = ring_bell(connection, false);
        bool is_put = rc >= 0 && mproc__message_put(message, &end, &rc);
        mproc__ring_put_commit(&end);
        if (!is_put && rc >= 0) {
            rc = ring_bell(connection, true); // there is no room: does anybody receive?
        }
        mproc__ring_put_end(&end);
        if (is_put || rc < 0) {
            return rc;
        }
        if (mproc__deadline_passed(deadline)) {
            return nothing_yet();
        }
        if (!mproc__load32_acquire(is_gone)) { // once more: the head seen may be the last one
            mproc__note_begin(connection->object.offset, deadline);
            mproc__ring_await_room(&end, deadline);
            mproc__note_end();
        }
    }
}

static int send_ring(mproc_connection *connection, mproc__message *message,
                     mproc__deadline deadline)
{
    int rc = mproc__message_prepare(message);
    if (rc >= 0) {
        rc = put(connection, message, deadline);
        mproc__message_drop(message);
    }
    return rc;
}

/* ---- receive --------------------------------------------------------------------------------- */

static struct mproc__ring_shm *ring_to(const mproc_connection *connection)
{
    return &pipe_of(connection)->ring[1 - end_of(connection)->side];
}

/** Take a large message, which is copied when the others can go on. */
static int take_luggage(mproc__ring_end *end, const mproc__ring_item *item, mproc__receipt *receipt,
                        mproc__luggage *luggage)
{
    void *place;
    int rc = mproc__receipt_check(receipt, item->size);
    if (rc < 0 || (rc = receipt->make_room(receipt, item->size, &place)) < 0) {
        return rc;
    }
    if (mproc__luggage_take(end, item, place, luggage) < 0) { // there is no memory for that
        memcpy(place, item->data, (size_t)item->size);
        mproc__ring_get_consume(end, item);
    }
    return MPROC_OK;
}

/** Take the message that is looked at over. 0, or what the receipt says: it stays. */
static int take(mproc__ring_end *end, const mproc__ring_item *item, mproc__receipt *receipt,
                mproc__luggage *luggage)
{
    if (mproc__luggage_is(item)) {
        return take_luggage(end, item, receipt, luggage);
    }
    int rc = mproc__receipt_open(receipt, item);
    if (rc >= 0) {
        mproc__ring_get_consume(end, item);
    }
    return rc;
}

static int receive_ring(mproc_connection *connection, mproc__receipt *receipt,
                        mproc__deadline deadline)
{
    struct mproc__ring_shm *ring = ring_to(connection);
    mproc__luggage luggage = {{0, 0}, NULL};
    for (;;) {
        mproc__ring_end end;
        mproc__ring_item item;
        int rc = mproc__ring_get_begin(ring, deadline, &end);
        if (rc < 0) {
            return rc;
        }
        bool is_there = (rc = mproc__ring_get_next(&end, &item)) > 0;
        if (is_there) {
            rc = take(&end, &item, receipt, &luggage);
        }
        mproc__ring_get_end(&end);
        mproc__luggage_unpack(&luggage);
        if (is_there && rc < 0) {
            mproc__ring_pass_on(ring);
        }
        if (is_there && mproc__ring_count(ring) == 0) {
            (void)hush_bell(connection, false);
        }
        if (is_there || rc < 0) {
            return rc;
        }
        rc = wait_for_item(connection, &end, deadline);
        if (rc < 0) {
            return rc;
        }
    }
}

static int poll_ring(mproc_connection *connection, mproc__deadline deadline)
{
    struct mproc__ring_shm *ring = ring_to(connection);
    int rc = mproc__family_enter();
    for (bool has_slept = false; rc >= 0; has_slept = true) {
        uint64_t tail = mproc__load64_acquire(&ring->tail);
        if (mproc__ring_count(ring) > 0 || mproc__ring_is_closed(ring)) {
            if (has_slept) {
                mproc__ring_pass_on(ring);
            }
            return MPROC_OK;
        }
        const mproc__ring_end seen = {.ring = ring, .other = tail};
        rc = wait_for_item(connection, &seen, deadline);
    }
    return rc == MPROC_ECLOSED ? MPROC_OK : rc; // which recv will tell
}

/* ---- for who waits for other things, too ------------------------------------------------------ */

static bool is_ready(const mproc_connection *connection)
{
    const struct mproc__ring_shm *ring = ring_to(connection);
    return mproc__ring_count(ring) > 0 || mproc__ring_is_closed(ring);
}

static void watch(mproc_connection *connection)
{
    mproc__bell_watch(&ring_to(connection)->getters);
}

/* ---- handles --------------------------------------------------------------------------------- */

static int handle(const mproc_connection *connection, mproc_os_handle *ret_handle)
{
    const mproc__doorbell *bell = mproc__doorbell_of(&connection->object);
    if (bell == NULL) {
        return mproc__fail(MPROC_ENOTSUP,
                           "handle: the system knows nothing of a pipe that was not made so");
    }
    *ret_handle = bell->end.os;
    return MPROC_OK;
}

static int pass(uint64_t container, const struct mproc_object *object, uint64_t *ret_reference)
{
    if (mproc__doorbell_of(object) != NULL) {
        return mproc__doorbell_send(container, object, ret_reference);
    }
    *ret_reference = object->offset;
    return mproc__block_embed(container, object->offset);
}

static int open_local(struct mproc_object *object, uint64_t ticket)
{
    const struct mproc__pipe_end_shm *end = object->shm;
    const struct mproc__pipe_shm *pipe = mproc__block_at(end->pipe);
    return pipe->has_bell ? mproc__doorbell_open(object, ticket) : MPROC_OK;
}

static void close_local(struct mproc_object *object, bool is_held)
{
    (void)is_held;
    mproc__doorbell_close(object);
}

const struct mproc__transport mproc__transport_ring = {
    .send = send_ring,
    .receive = receive_ring,
    .poll = poll_ring,
    .is_ready = is_ready,
    .watch = watch,
    .pass = pass,
    .handle = handle,
    .open_local = open_local,
    .close_local = close_local,
};
