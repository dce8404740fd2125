/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_pass.c: wires from process to process, see wire.h.
 *
 * Layout  the ticket's payload is a struct ticket_shm, then what has come of a message, then what the stream has
 *         read ahead
 * Always  P1  at most one wire has the turn: it changes by who has it, with both locks, or by a CAS from a ticket's
 *         P2  who has received a ticket and has not used the connection yet holds the ticket: so one that is gone
 *             and has the turn keeps it from everybody, until who passed it on takes it back
 * Commit  the store of the turn, and the CAS
 * Death   before the commit the ticket goes with its maker; after it, with the message
 */
#include "object/wire.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/bag.h"
#include "family/family.h"
#include "family/stir.h"
#include "family/thread.h"
#include "object/ticket.h"

#include <stddef.h>
#include <string.h>

#define IS_TICKETS ((uint64_t)1) /* of a turn: nobody has taken it yet */

struct ticket_shm {
    mplat_bagged bagged;
    uint64_t turn; /* constant from the commit on, as all of it */
    mplat_stream_rest rest;
    int32_t ended;
    uint32_t is_cut;
    mproc__frame in;
};

static mproc__wire *wires;

/* ---- this process's -------------------------------------------------------------------------- */

static void join_locked(mproc__wire *wire)
{
    wire->handles = 1;
    wire->next = wires;
    wires = wire;
}

void mproc__wire_join(mproc__wire *wire)
{
    mproc__private_lock();
    join_locked(wire);
    mproc__private_unlock();
}

bool mproc__wire_part(mproc__wire *wire)
{
    mproc__private_lock();
    bool is_last = --wire->handles == 0;
    mproc__wire **at = &wires;
    while (is_last && *at != wire) {
        at = &(*at)->next;
    }
    if (is_last) {
        *at = wire->next;
    }
    mproc__private_unlock();
    return is_last;
}

/** Have one handle more of a wire of the connection, the one that came by a ticket if there is one. */
static bool share_locked(struct mproc_object *object, const struct ticket_shm *ticket)
{
    mproc__wire *wire = wires;
    while (wire != NULL && (wire->connection != object->offset || wire->epoch != object->epoch ||
                            wire->pid != mplat_pid() ||
                            (ticket != NULL && (wire->turn & ~IS_TICKETS) != ticket->turn))) {
        wire = wire->next;
    }
    if (wire != NULL) {
        wire->handles++;
    }
    object->local = wire;
    return wire != NULL;
}

static bool share(struct mproc_object *object, const struct ticket_shm *ticket)
{
    mproc__private_lock();
    bool is_shared = share_locked(object, ticket);
    mproc__private_unlock();
    return is_shared;
}

/* ---- the turn -------------------------------------------------------------------------------- */

bool mproc__wire_has_turn(const mproc__wire *wire)
{
    uint64_t turn = mproc__load64_acquire(&wire->turn);
    return (turn & IS_TICKETS) == 0 && mproc__load64_acquire(&wire->shm->turn) == turn;
}

void mproc__wire_drop_ticket(mproc__wire *wire)
{
    mproc__private_lock();
    mproc__hold ticket = wire->ticket;
    wire->ticket = (mproc__hold){0, 0};
    mproc__private_unlock();
    if (ticket.offset != 0 && mproc__family_enter() >= 0) {
        mproc__block_release(ticket);
    }
}

/** Whether the turn is one that this wire may take: its ticket's, or that of one that is gone. */
static bool may_take(mproc__wire *wire, uint64_t turn)
{
    mproc__private_lock();
    bool is_new = (mproc__load64_relaxed(&wire->turn) & IS_TICKETS) != 0;
    uint64_t expected = is_new ? wire->turn : wire->passed.turn;
    uint64_t offset = wire->passed.offset;
    uint64_t serial = wire->passed.serial;
    mproc__private_unlock();
    return turn == expected && (is_new || !mproc__bag_is_wanted(offset, serial));
}

/** Take it, or find that another thread has. */
static bool take(mproc__wire *wire, uint64_t turn)
{
    mproc__private_lock();
    uint64_t number = mproc__load64_relaxed(&wire->turn) & ~IS_TICKETS;
    if (mproc__cas64(&wire->shm->turn, &turn, number)) { /* COMMIT */
        mproc__store64_relaxed(&wire->shm->pid, (uint64_t)wire->pid);
        mproc__store64_release(&wire->turn, number);
    }
    mproc__private_unlock();
    return mproc__wire_has_turn(wire);
}

int mproc__wire_take_turn(mproc__wire *wire)
{
    if (mproc__wire_has_turn(wire)) {
        return MPROC_OK;
    }
    uint64_t turn = mproc__load64_acquire(&wire->shm->turn);
    if (may_take(wire, turn) && take(wire, turn)) {
        mproc__wire_drop_ticket(wire);
        return MPROC_OK;
    }
    if (mproc__wire_has_turn(wire)) { // another thread was quicker
        return MPROC_OK;
    }
    if (turn & IS_TICKETS) {
        return mproc__fail(MPROC_ESTATE, "the connection is to a stranger, and has been passed on");
    }
    return mproc__fail(MPROC_ESTATE,
                       "the connection is to a stranger, and process %lld has been passed it",
                       (long long)mproc__load64_relaxed(&wire->shm->pid));
}

/* ---- passing --------------------------------------------------------------------------------- */

/** Write what another process needs to go on behind what is in the bag. */
static void fill_in(const mproc__wire *wire, const mplat_stream_rest *rest, const void *ahead,
                    struct ticket_shm *ticket)
{
    char *bytes = (char *)(ticket + 1);
    ticket->turn = wire->shm->turn + 2;
    ticket->rest = *rest;
    ticket->ended = wire->ended;
    ticket->is_cut = wire->is_cut;
    ticket->in = mproc__frame_copy(&wire->in);
    if (wire->in.have > 0) {
        memcpy(bytes, wire->in.data, (size_t)wire->in.have);
    }
    if (rest->size > 0) {
        memcpy(bytes + wire->in.have, ahead, rest->size);
    }
}

/** With both locks, so that nobody reads or writes meanwhile. */
static int pass_locked(mproc__wire *wire, uint64_t container, uint64_t *ret_reference)
{
    mplat_stream_rest rest;
    const void *ahead;
    mproc__hold hold;
    if (!mproc__wire_has_turn(wire)) {
        return mproc__fail(MPROC_ESTATE, "another thread has passed the connection on");
    }
    intptr_t native = mplat_stream_rest_of(wire->stream, &rest, &ahead);
    int rc = mproc__ticket_create(
        wire->connection, sizeof(struct ticket_shm) + wire->in.have + rest.size, native, &hold);
    if (rc < 0) {
        return rc;
    }
    struct ticket_shm *ticket = mproc__block_at(hold.offset);
    fill_in(wire, &rest, ahead, ticket);
    rc = mproc__block_embed(container, hold.offset);
    if (rc >= 0) {
        mproc__private_lock();
        wire->passed.turn = ticket->turn | IS_TICKETS;
        wire->passed.offset = hold.offset;
        wire->passed.serial = ticket->bagged.serial;
        mproc__private_unlock();
        MPROC__KILLPOINT(
            "wire.pass"); /* DEATH: the ticket goes with the message, which is not put */
        mproc__store64_release(&wire->shm->turn, ticket->turn | IS_TICKETS); /* COMMIT */
        *ret_reference = hold.offset;
    }
    mproc__block_release(hold);
    return rc;
}

int mproc__wire_pass(uint64_t container, const struct mproc_object *object, uint64_t *ret_reference)
{
    mproc__wire *wire;
    int rc = mproc__wire_enter((const mproc_connection *)(const void *)object, &wire);
    if (rc < 0) {
        return rc;
    }
    bool is_held = mproc__wire_wait_hold(wire);
    bool has_both = is_held && mproc__mutex_try(&wire->shm->sending, mproc__thread_self());
    if (has_both) {
        rc = pass_locked(wire, container, ret_reference);
        (void)mproc__mutex_release(&wire->shm->sending);
    } else {
        rc = mproc__fail(MPROC_ESTATE, "the connection cannot be passed on while another thread "
                                       "is sending or receiving with it");
    }
    if (is_held) {
        mproc__wire_wait_unhold(wire);
        mproc__stir_marked(&wire->marks); // who waits for it is told
    }
    mproc__wire_leave(wire);
    return rc;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/** A wire of a ticket; without its connection. */
static int make_wire(const struct ticket_shm *ticket, uint64_t size, intptr_t native,
                     mproc__wire **ret_wire)
{
    const char *bytes = (const char *)(ticket + 1);
    mproc__frame in = ticket->in;
    mplat_stream *stream;
    mproc__wire *wire;
    mplat_stream_rest rest = ticket->rest;
    uint64_t room = size - sizeof(*ticket);
    bool is_sound = in.have <= room && rest.size <= room - in.have;
    rest.size = is_sound ? rest.size : UINT32_MAX; // that is refused, and the end closed
    int rc = mplat_stream_adopt(native, &rest, is_sound ? bytes + in.have : NULL, &stream);
    if (rc < 0 || (rc = mproc__wire_create(stream, in.most, &wire)) < 0) {
        return rc;
    }
    wire->in = in;
    wire->ended = ticket->ended;
    wire->is_cut = ticket->is_cut != 0;
    wire->turn = ticket->turn | IS_TICKETS;
    rc = mproc__frame_give(&wire->in, bytes, room);
    if (rc < 0) {
        mproc__wire_close(wire);
        return rc;
    }
    *ret_wire = wire;
    return MPROC_OK;
}

/** Make it this handle's, unless another thread was quicker to receive the same ticket. */
static void settle(mproc__wire *wire, struct mproc_object *object, const struct ticket_shm *ticket,
                   mproc__hold hold)
{
    wire->shm = object->shm;
    wire->connection = object->offset;
    wire->epoch = object->epoch;
    wire->ticket = hold;
    mproc__private_lock();
    bool is_shared = share_locked(object, ticket);
    if (!is_shared) {
        join_locked(wire);
        object->local = wire;
    }
    mproc__private_unlock();
    if (is_shared) {
        mproc__wire_drop_ticket(wire);
        mproc__wire_close(wire);
    }
}

int mproc__wire_open(struct mproc_object *object, uint64_t ticket)
{
    const struct ticket_shm *shm = ticket != 0 ? mproc__block_at(ticket) : NULL;
    mproc__hold hold;
    mproc__wire *wire;
    intptr_t native;
    if (share(object, shm) || ticket == 0) {
        return MPROC_OK; // without a wire each call tells
    }
    uint64_t size = mproc__block_size(ticket);
    if (size < sizeof(*shm)) {
        return mproc__fail(MPROC_ECORRUPT, "somebody has written over a connection on its way");
    }
    int rc = mproc__block_attach(ticket, &hold);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__ticket_open(ticket, true, &native);
    if (rc < 0 || (rc = make_wire(shm, size, native, &wire)) < 0) {
        mproc__block_release(hold);
        return rc;
    }
    settle(wire, object, shm, hold);
    return MPROC_OK;
}
