/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.c: see wire.h.
 */
#include "object/wire.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/codec.h"
#include "family/family.h"
#include "family/stir.h"
#include "family/thread.h"

#include <apr_time.h>
#include <limits.h>

int mproc__wire_create(mplat_stream *stream, uint64_t most, mproc__wire **ret_wire)
{
    mproc__wire *wire = mproc__malloc(sizeof(*wire));
    if (wire == NULL) {
        mplat_stream_close(stream);
        return mproc__fail(MPROC_ENOMEM, "no memory for a connection");
    }
    *wire =
        (mproc__wire){.local = {&mproc__transport_stream}, .stream = stream, .pid = mplat_pid()};
    mproc__frame_init(&wire->in, mplat_stream_has_messages(stream), most);
    *ret_wire = wire;
    return MPROC_OK;
}

void mproc__wire_close(mproc__wire *wire)
{
    if (wire != NULL) {
        mplat_stream_close(wire->stream);
        mproc__frame_fini(&wire->in);
        mproc__free(wire);
    }
}

/* ---- receive --------------------------------------------------------------------------------- */

/** Nothing more is taken in, for good. */
static int end(mproc__wire *wire, int status)
{
    wire->ended = status;
    return status;
}

static int read_some(mproc__wire *wire)
{
    void *place;
    size_t room;
    size_t size = 0;
    bool is_end = false;
    int rc = mproc__frame_room(&wire->in, &place, &room);
    if (rc < 0) {
        return rc;
    }
    rc = mplat_stream_read(wire->stream, place, room, &size, &is_end);
    if (rc >= 0) {
        mproc__frame_fill(&wire->in, size, is_end);
        return MPROC_OK;
    }
    if (rc == MPROC_ECLOSED && mproc__frame_is_partial(&wire->in)) {
        rc = mproc__fail_shortly(MPROC_EPEER, "the connection ended in the middle of a message");
    }
    return rc == MPROC_ETIMEDOUT ? rc : end(wire, rc);
}

int mproc__wire_pump(mproc__wire *wire)
{
    for (;;) {
        if (wire->ended < 0) {
            return mproc__fail_shortly(wire->ended, "the connection has ended");
        }
        int rc = mproc__frame_step(&wire->in);
        if (rc > 0 || rc == MPROC_ENOMEM) {
            return rc > 0 ? MPROC_OK : rc;
        }
        rc = rc < 0 ? end(wire, rc) : read_some(wire);
        if (rc < 0) {
            return rc;
        }
    }
}

/** Whether a call can go on: asked with the lock. */
static int check_open(const mproc__wire *wire)
{
    if (mproc__load32_acquire(&wire->is_closing) != 0) {
        return mproc__fail_shortly(MPROC_ESTATE, "another thread has closed the connection");
    }
    return wire->shm == NULL || mproc__wire_has_turn(wire)
               ? MPROC_OK
               : mproc__fail_shortly(MPROC_ESTATE, "another thread has passed the connection on");
}

int mproc__wire_receive(mproc__wire *wire, mproc__deadline deadline)
{
    for (;;) {
        bool is_ready;
        int rc = check_open(wire);
        if (rc < 0 || (rc = mproc__wire_pump(wire)) != MPROC_ETIMEDOUT) {
            return rc;
        }
        if (mproc__deadline_passed(deadline)) {
            return MPROC_ETIMEDOUT;
        }
        rc = mplat_stream_wait(&wire->stream, &is_ready, 1, MPLAT_NO_HANDLE, deadline);
        if (rc < 0 && rc != MPROC_ETIMEDOUT) {
            return rc;
        }
    }
}

/* ---- send ------------------------------------------------------------------------------------ */

int mproc__wire_send(mproc__wire *wire, const void *data, size_t size, mproc__deadline deadline)
{
    unsigned char head[MPROC__FRAME_HEAD];
    bool has_messages = mplat_stream_has_messages(wire->stream);
    const mplat_piece pieces[] = {{head, mproc__frame_head(size, head)}, {data, size}};
    size_t written = 0;
    int rc = check_open(wire);
    if (rc < 0) {
        return rc;
    }
    if (wire->is_cut) {
        return mproc__fail_shortly(
            MPROC_ESTATE, "send: an earlier message was sent in part, so none can follow it");
    }
    if (has_messages && size > INT_MAX) {
        return mproc__fail(MPROC_ETOOBIG, "send: the system takes messages up to %d bytes here",
                           INT_MAX);
    }
    rc = has_messages ? mplat_stream_write(wire->stream, pieces + 1, 1, deadline, &written)
                      : mplat_stream_write(wire->stream, pieces, 2, deadline, &written);
    wire->is_cut = rc < 0 && written > 0;
    return rc;
}

/* ---- the transport --------------------------------------------------------------------------- */

static struct mproc__wire_shm *shm_of(const mproc_connection *connection)
{
    return connection->object.shm;
}

const mproc__wire *mproc__wire_of(const mproc_connection *connection)
{
    const mproc__wire *wire = connection->object.local;
    return mproc__wire_is_of(connection) && wire != NULL && wire->pid == mplat_pid() ? wire : NULL;
}

void mproc__wire_leave(mproc__wire *wire)
{
    (void)mproc__add32(&wire->users, UINT32_MAX);
}

int mproc__wire_enter(const mproc_connection *connection, mproc__wire **ret_wire)
{
    *ret_wire = NULL;
    if (mproc__wire_of(connection) == NULL) {
        return mproc__fail(
            MPROC_ESTATE, "the connection is to a stranger, and process %lld has not been given it",
            (long long)mplat_pid());
    }
    mproc__wire *wire = connection->object.local;
    (void)mproc__add32(&wire->users, 1);
    int rc = mproc__load32_acquire(&wire->is_closing) == 0
                 ? mproc__family_enter()
                 : mproc__fail_shortly(MPROC_ESTATE, "another thread has closed the connection");
    if (rc >= 0) {
        rc = mproc__wire_take_turn(wire);
    }
    if (rc < 0) {
        mproc__wire_leave(wire);
        return rc;
    }
    *ret_wire = wire;
    return MPROC_OK;
}

static int lock(struct mproc__mutex_shm *mutex, mproc__deadline deadline)
{
    // A thread of this process that died in a call took the process along.
    int rc = mproc__mutex_acquire(mutex, mproc__thread_self(), deadline, NULL);
    return rc < 0 ? rc : MPROC_OK;
}

/** Let others receive; and stir those who could not look meanwhile, or whose handle does not tell all. */
static void unlock_receiving(mproc__wire *wire)
{
    const mproc__frame *in = &wire->in;
    bool has_more = wire->ended < 0 || in->is_whole || in->at < in->end;
    (void)mproc__mutex_release(&wire->shm->receiving);
    mproc__fence(); // as in mproc__wire_wait_look: one of both sees the other
    if (mproc__load32(&wire->is_wanted) != 0) {
        has_more = mproc__exchange32(&wire->is_wanted, 0) != 0 || has_more;
    }
    if (has_more) {
        mproc__stir_marked(&wire->marks);
    }
}

static int send_encoded(mproc__wire *wire, const mproc_value *value, mproc__deadline deadline)
{
    static const mproc__codec strangers; // no objects of the family
    char few[256];
    size_t size;
    int rc = mproc__codec_size(&strangers, value, &size, NULL);
    if (rc < 0) {
        return rc;
    }
    char *bytes = size <= sizeof(few) ? few : mproc__malloc(size);
    if (bytes == NULL) {
        return mproc__fail(MPROC_ENOMEM, "send: no memory for a message of %zu bytes", size);
    }
    rc = mproc__codec_write(&strangers, value, bytes);
    if (rc >= 0) {
        rc = mproc__wire_send(wire, bytes, size, deadline);
    }
    if (bytes != few) {
        mproc__free(bytes);
    }
    return rc;
}

static int transport_send(mproc_connection *connection, mproc__message *message,
                          mproc__deadline deadline)
{
    mproc__wire *wire;
    struct mproc__mutex_shm *mutex = &shm_of(connection)->sending;
    int rc = mproc__wire_enter(connection, &wire);
    if (rc < 0) {
        return rc;
    }
    if ((rc = lock(mutex, deadline)) >= 0) {
        rc = message->value != NULL
                 ? send_encoded(wire, message->value, deadline)
                 : mproc__wire_send(wire, message->bytes.data, message->bytes.size, deadline);
        (void)mproc__mutex_release(mutex);
    }
    mproc__wire_leave(wire);
    return rc;
}

static int transport_receive(mproc_connection *connection, mproc__receipt *receipt,
                             mproc__deadline deadline)
{
    mproc__wire *wire;
    int rc = mproc__wire_enter(connection, &wire);
    if (rc < 0) {
        return rc;
    }
    if ((rc = lock(&wire->shm->receiving, deadline)) >= 0) {
        rc = mproc__wire_receive(wire, deadline);
        if (rc >= 0) {
            const mproc__ring_item item = {
                .data = wire->in.data, .size = wire->in.size, .kind = MPROC__RECORD_BYTES};
            rc = mproc__receipt_open(receipt, &item);
            if (rc >= 0) {
                mproc__frame_next(&wire->in);
            }
        }
        unlock_receiving(wire);
    }
    mproc__wire_leave(wire);
    return rc;
}

static int transport_poll(mproc_connection *connection, mproc__deadline deadline)
{
    mproc__wire *wire;
    int rc = mproc__wire_enter(connection, &wire);
    if (rc < 0) {
        return rc;
    }
    if ((rc = lock(&wire->shm->receiving, deadline)) >= 0) {
        rc = mproc__wire_receive(wire, deadline);
        rc = wire->ended < 0 ? MPROC_OK : rc; // which recv will tell
        unlock_receiving(wire);
    }
    mproc__wire_leave(wire);
    return rc;
}

static int transport_handle(const mproc_connection *connection, mproc_os_handle *ret_handle)
{
    mproc__wire *wire;
    int rc = mproc__wire_enter(connection, &wire);
    if (rc >= 0) {
        *ret_handle = mplat_stream_handle(wire->stream).os;
        mproc__wire_leave(wire);
    }
    return rc;
}

/* ---- for mproc_wait -------------------------------------------------------------------------- */

bool mproc__wire_is_of(const mproc_connection *connection)
{
    return shm_of(connection)->head.transport == MPROC__TRANSPORT_STREAM;
}

void mproc__wire_wait_watch(mproc__wire *wire)
{
    mproc__stir_mark(&wire->marks);
}

bool mproc__wire_wait_hold(mproc__wire *wire)
{
    return mproc__mutex_try(&wire->shm->receiving, mproc__thread_self());
}

void mproc__wire_wait_unhold(mproc__wire *wire)
{
    unlock_receiving(wire);
}

int mproc__wire_wait_look_held(mproc__wire *wire, bool *ret_is_busy)
{
    *ret_is_busy = false;
    int open = check_open(wire); // it may be another process's to read
    if (open < 0) {
        return open;
    }
    int rc = mproc__wire_pump(wire);
    open = check_open(wire); // after the pump, too, which may have reset the handle
    if (open < 0) {
        return open;
    }
    bool is_ready = rc >= 0 || wire->ended < 0; // what that is, recv will tell
    return is_ready ? 1 : rc == MPROC_ETIMEDOUT ? 0 : rc;
}

int mproc__wire_wait_look(mproc__wire *wire, bool *ret_is_busy)
{
    bool is_held = mproc__wire_wait_hold(wire);
    if (!is_held) {
        (void)mproc__exchange32(&wire->is_wanted, 1);
        mproc__fence();
        is_held = mproc__wire_wait_hold(wire);
    }
    *ret_is_busy = !is_held;
    if (!is_held) {
        return check_open(wire);
    }
    int rc = mproc__wire_wait_look_held(wire, ret_is_busy);
    unlock_receiving(wire);
    return rc;
}

mplat_handle mproc__wire_wait_handle(const mproc__wire *wire)
{
    return mplat_stream_handle(wire->stream);
}

/* ---- handles --------------------------------------------------------------------------------- */

static void close_local(struct mproc_object *object, bool is_held)
{
    mproc__wire *wire = object->local;
    if (wire == NULL) {
        return;
    }
    object->local = NULL;
    if (!mproc__wire_part(wire)) {
        return;
    }
    if (wire->pid == mplat_pid()) {
        (void)mproc__exchange32(&wire->is_closing, 1);
        if (is_held && mproc__wire_has_turn(wire)) {
            mplat_stream_interrupt(wire->stream); // that ends it for all who have the system's end
        }
        mproc__stir_marked(&wire->marks);
        while (mproc__load32(&wire->users) > 0) {
            apr_sleep(50); // they have been told, and only leave
        }
    }
    if (is_held) {
        mproc__wire_drop_ticket(wire);
    }
    mproc__wire_close(wire);
}

const struct mproc__transport mproc__transport_stream = {
    .is_encoded = true,
    .send = transport_send,
    .receive = transport_receive,
    .poll = transport_poll,
    .pass = mproc__wire_pass,
    .handle = transport_handle,
    .open_local = mproc__wire_open,
    .close_local = close_local,
};

int mproc__wire_connect(mproc__wire *wire, mproc_connection **ret_connection)
{
    mproc_connection *made;
    int rc = mproc__connection_create(MPROC__TRANSPORT_STREAM,
                                      MPROC__CONNECTION_READS | MPROC__CONNECTION_WRITES,
                                      sizeof(struct mproc__wire_shm), 0, &made);
    if (rc < 0) {
        mproc__wire_close(wire);
        return rc;
    }
    wire->shm = shm_of(made);
    wire->shm->pid = (uint64_t)wire->pid;
    wire->connection = made->object.offset;
    wire->epoch = made->object.epoch;
    made->object.local = wire;
    mproc__wire_join(wire);
    *ret_connection = made;
    return MPROC_OK;
}
