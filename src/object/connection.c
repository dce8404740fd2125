/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.c: mproc_connection: what all transports have in common, see connection.h.
 */
#include "object/connection.h"

#include "base/check.h"
#include "base/status.h"
#include "object/waitable.h"

#include <string.h>

static const struct mproc__transport *const transports[] = {
    [MPROC__TRANSPORT_RING] = &mproc__transport_ring,
    [MPROC__TRANSPORT_STREAM] = &mproc__transport_stream,
};

static const struct mproc__connection_shm *shm_of(const mproc_connection *connection)
{
    return connection->object.shm;
}

static const struct mproc__transport *transport_of(const struct mproc_object *object)
{
    const struct mproc__connection_shm *shm = object->shm;
    MPROC__CHECK(shm->transport < MPROC__COUNT(transports));
    return transports[shm->transport];
}

int mproc__connection_create(enum mproc__transport_number transport, uint32_t rights, uint64_t size,
                             uint32_t n_inside, mproc_connection **ret_connection)
{
    struct mproc_object *object;
    int rc = mproc__object_create(MPROC__KIND_CONNECTION, size, n_inside, &object);
    if (rc >= 0) {
        struct mproc__connection_shm *shm = object->shm;
        *shm = (struct mproc__connection_shm){.transport = transport, .rights = rights};
        *ret_connection = MPROC__CONTAINER(object, mproc_connection, object);
    }
    return rc;
}

bool mproc__connection_is_strangers(const struct mproc_object *object)
{
    return object->kind == MPROC__KIND_CONNECTION &&
           transport_of(object) == &mproc__transport_stream;
}

int mproc__connection_pass(uint64_t container, const struct mproc_object *object,
                           uint64_t *ret_reference)
{
    return transport_of(object)->pass(container, object, ret_reference);
}

int mproc__connection_open_local(struct mproc_object *object, uint64_t ticket)
{
    const struct mproc__transport *transport = transport_of(object);
    return transport->open_local != NULL ? transport->open_local(object, ticket) : MPROC_OK;
}

void mproc__connection_close_local(struct mproc_object *object, bool is_held)
{
    const struct mproc__connection_local *local = object->local;
    local->transport->close_local(object, is_held);
}

static int no_connection(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the connection is NULL", verb);
}

static int no_place(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: there is no place for what it returns", verb);
}

/** Whether a connection is there, and can do this. */
static int check(const mproc_connection *connection, uint32_t right, const char *verb)
{
    if (connection == NULL) {
        return no_connection(verb);
    }
    if (shm_of(connection)->rights & right) {
        return MPROC_OK;
    }
    return mproc__fail(MPROC_ESTATE, "%s: the connection can only %s", verb,
                       right == MPROC__CONNECTION_READS ? "send" : "receive");
}

/* ---- send ------------------------------------------------------------------------------------ */

static int send_one(mproc_connection *connection, mproc__message *message, mproc_timeout timeout)
{
    int rc =
        transport_of(&connection->object)->send(connection, message, mproc__deadline_in(timeout));
    switch (rc) {
    case MPROC_EPEER:
        return mproc__fail_shortly(rc, "send: nobody has the connection's other end any more");
    case MPROC_ETIMEDOUT:
        return mproc__fail_shortly(rc, "send: timed out; the connection is full");
    default:
        return rc;
    }
}

int mproc_connection_send(mproc_connection *connection, mproc_value value, mproc_timeout timeout)
{
    mproc__message message = {.value = &value};
    int rc = check(connection, MPROC__CONNECTION_WRITES, "send");
    return rc < 0 ? rc : send_one(connection, &message, timeout);
}

int mproc_connection_send_bytes(mproc_connection *connection, const void *data, size_t size,
                                mproc_timeout timeout)
{
    mproc__message message = {.bytes = {data, size}};
    int rc = check(connection, MPROC__CONNECTION_WRITES, "send_bytes");
    if (rc >= 0 && data == NULL && size > 0) {
        rc = mproc__fail(MPROC_EINVAL, "send_bytes: the bytes are NULL");
    }
    return rc < 0 ? rc : send_one(connection, &message, timeout);
}

/* ---- receive --------------------------------------------------------------------------------- */

int mproc__receipt_check(mproc__receipt *receipt, uint64_t size)
{
    receipt->size = size;
    return size <= receipt->most
               ? MPROC_OK
               : mproc__fail(MPROC_ETOOBIG, "recv: the next message has %llu bytes, more than %llu",
                             (unsigned long long)size, (unsigned long long)receipt->most);
}

int mproc__receipt_open(mproc__receipt *receipt, const mproc__ring_item *item)
{
    int rc = mproc__receipt_check(receipt, item->size);
    return rc < 0 ? rc : receipt->open(receipt, item);
}

static int receive(mproc_connection *connection, mproc__receipt *receipt, mproc_timeout timeout)
{
    int rc = transport_of(&connection->object)
                 ->receive(connection, receipt, mproc__deadline_in(timeout));
    switch (rc) {
    case MPROC_ECLOSED:
        return mproc__fail_shortly(rc, "recv: nobody has the connection's other end any more");
    case MPROC_ETIMEDOUT:
        return mproc__fail_shortly(rc, "recv: timed out; nothing has come");
    default:
        return rc;
    }
}

static int open_value(mproc__receipt *receipt, const mproc__ring_item *item)
{
    return mproc__message_open(item, receipt->place);
}

static int make_room(mproc__receipt *receipt, uint64_t size, void **ret_place)
{
    return mproc__message_make_room(size, receipt->place, ret_place);
}

static int open_encoded(mproc__receipt *receipt, const mproc__ring_item *item)
{
    mproc__ring_item value = *item;
    value.kind = MPROC__RECORD_VALUE;
    return mproc__message_open(&value, receipt->place);
}

int mproc_connection_recv(mproc_connection *connection, mproc_value *ret_value,
                          mproc_timeout timeout)
{
    int rc = check(connection, MPROC__CONNECTION_READS, "recv");
    if (rc < 0 || ret_value == NULL) {
        return rc < 0 ? rc : no_place("recv");
    }
    bool is_encoded = transport_of(&connection->object)->is_encoded;
    mproc__receipt receipt = {.open = is_encoded ? open_encoded : open_value,
                              .make_room = make_room,
                              .most = UINT64_MAX,
                              .place = ret_value};
    return receive(connection, &receipt, timeout);
}

static int check_bytes(const mproc__ring_item *item)
{
    return item->kind == MPROC__RECORD_BYTES
               ? MPROC_OK
               : mproc__fail(MPROC_ETYPE, "recv_bytes: the next message is not bytes");
}

static int open_bytes(mproc__receipt *receipt, const mproc__ring_item *item)
{
    int rc = check_bytes(item);
    return rc < 0 ? rc : mproc__message_open(item, receipt->place);
}

int mproc_connection_recv_bytes(mproc_connection *connection, mproc_value *ret_bytes,
                                size_t max_bytes, size_t *ret_size, mproc_timeout timeout)
{
    int rc = check(connection, MPROC__CONNECTION_READS, "recv_bytes");
    if (rc < 0 || ret_bytes == NULL) {
        return rc < 0 ? rc : no_place("recv_bytes");
    }
    mproc__receipt receipt = {
        .open = open_bytes, .make_room = make_room, .most = max_bytes, .place = ret_bytes};
    rc = receive(connection, &receipt, timeout);
    if (ret_size != NULL && (rc >= 0 || rc == MPROC_ETOOBIG)) {
        *ret_size = (size_t)receipt.size;
    }
    return rc;
}

static int open_into(mproc__receipt *receipt, const mproc__ring_item *item)
{
    int rc = check_bytes(item);
    if (rc >= 0 && item->size > 0) {
        memcpy(receipt->place, item->data, (size_t)item->size);
    }
    return rc;
}

static int have_room(mproc__receipt *receipt, uint64_t size, void **ret_place)
{
    (void)size;
    *ret_place = receipt->place;
    return MPROC_OK;
}

int mproc_connection_recv_bytes_into(mproc_connection *connection, void *buffer, size_t capacity,
                                     size_t *ret_size, mproc_timeout timeout)
{
    int rc = check(connection, MPROC__CONNECTION_READS, "recv_bytes_into");
    if (rc < 0 || ret_size == NULL || (buffer == NULL && capacity > 0)) {
        return rc < 0 ? rc : no_place("recv_bytes_into");
    }
    mproc__receipt receipt = {
        .open = open_into, .make_room = have_room, .most = capacity, .place = buffer};
    rc = receive(connection, &receipt, timeout);
    if (rc >= 0 || rc == MPROC_ETOOBIG) {
        *ret_size = (size_t)receipt.size;
    }
    return rc;
}

int mproc_connection_poll(mproc_connection *connection, mproc_timeout timeout)
{
    int rc = check(connection, MPROC__CONNECTION_READS, "poll");
    if (rc >= 0) {
        rc = transport_of(&connection->object)->poll(connection, mproc__deadline_in(timeout));
    }
    return rc == MPROC_ETIMEDOUT
               ? mproc__fail_shortly(rc, "poll: timed out; there is nothing to be received")
               : rc;
}

/* ---- for who waits for other things, too ------------------------------------------------------ */

int mproc__connection_check_wait(const mproc_connection *connection)
{
    return check(connection, MPROC__CONNECTION_READS, "wait");
}

static uint32_t look(const struct mproc_object *object)
{
    (void)object;
    return 0; // a message that has come and gone again was another one's
}

static bool is_ready(const struct mproc_object *object, uint32_t before)
{
    (void)before;
    return transport_of(object)->is_ready((const mproc_connection *)(const void *)object);
}

static void watch(struct mproc_object *object)
{
    transport_of(object)->watch(MPROC__CONTAINER(object, mproc_connection, object));
}

const struct mproc__waitable mproc__connection_waitable = {
    .look = look, .is_ready = is_ready, .watch = watch, .needs_peers = true};

/* ---- state ----------------------------------------------------------------------------------- */

bool mproc_connection_is_readable(const mproc_connection *connection)
{
    return connection != NULL && (shm_of(connection)->rights & MPROC__CONNECTION_READS) != 0;
}

bool mproc_connection_is_writable(const mproc_connection *connection)
{
    return connection != NULL && (shm_of(connection)->rights & MPROC__CONNECTION_WRITES) != 0;
}

int mproc_connection_handle(const mproc_connection *connection, mproc_os_handle *ret_handle)
{
    if (connection == NULL || ret_handle == NULL) {
        return connection == NULL ? no_connection("handle") : no_place("handle");
    }
    const struct mproc__transport *transport = transport_of(&connection->object);
    return transport->handle != NULL
               ? transport->handle(connection, ret_handle)
               : mproc__fail(MPROC_ENOTSUP, "handle: the system knows nothing of this connection");
}
