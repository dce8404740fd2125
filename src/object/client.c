/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c: connecting to a listener outside of the family.
 */
#include "base/deadline.h"
#include "base/status.h"
#include "family/family.h"
#include "mproc/listener.h"
#include "object/auth.h"
#include "object/stranger.h"
#include "object/where.h"
#include "object/wire.h"

/** Both sides show that they know the key. */
static int shake_hands(mproc__wire *wire, const mproc_client_options *options,
                       mproc__deadline deadline)
{
    mproc__auth auth;
    mproc__auth_reply reply;
    int rc = mproc__auth_begin(&auth, false, options->authkey, options->authkey_size, &reply);
    while (rc == 0) {
        rc = mproc__wire_receive(wire, deadline);
        if (rc < 0) {
            break;
        }
        rc = mproc__auth_step(&auth, wire->in.data, (size_t)wire->in.size, &reply);
        mproc__frame_next(&wire->in);
        if (reply.size > 0) {
            int sent = mproc__wire_send(wire, reply.data, reply.size, deadline);
            rc = rc >= 0 && sent < 0 ? sent : rc;
        }
    }
    return rc == MPROC_ETIMEDOUT
               ? mproc__fail(rc, "connect: timed out; the listener did not finish the handshake")
               : rc;
}

static int connect_to(const mplat_address *address, const mproc_client_options *options,
                      mproc__deadline deadline, mproc__wire **ret_wire)
{
    mplat_stream *stream;
    mproc__wire *wire;
    const uint64_t most = mproc__stranger_most(options->max_bytes);
    bool has_key = options->authkey != NULL;
    int rc = mplat_connect(address, deadline, &stream);
    if (rc < 0 || (rc = mproc__wire_create(stream, has_key ? MPROC__AUTH_MOST : most, &wire)) < 0) {
        return rc;
    }
    if (has_key) {
        int64_t patience = mproc__stranger_patience(options->handshake_timeout);
        rc = shake_hands(wire, options, mproc__deadline_slice(deadline, patience));
    }
    if (rc < 0) {
        mproc__wire_close(wire);
        return rc;
    }
    wire->in.most = most;
    *ret_wire = wire;
    return MPROC_OK;
}

int mproc_client_connect(mproc_connection **ret_connection, const char *address,
                         const mproc_client_options *options, mproc_timeout timeout)
{
    static const mproc_client_options defaults;
    mplat_address where;
    mproc__wire *wire;
    options = options != NULL ? options : &defaults;
    if (ret_connection == NULL || address == NULL) {
        return mproc__fail(MPROC_EINVAL, "connect: there is no %s",
                           address == NULL ? "address" : "place for the connection");
    }
    int rc = mproc__stranger_check_key("connect", options->authkey, options->authkey_size);
    if (rc < 0 || (rc = mproc__where_parse(address, &where)) < 0 ||
        (rc = mproc__family_enter()) < 0) {
        return rc;
    }
    rc = connect_to(&where, options, mproc__deadline_in(timeout), &wire);
    return rc < 0 ? rc : mproc__wire_connect(wire, ret_connection);
}

int mproc_connection_get_peer(const mproc_connection *connection, mproc_peer *ret_peer)
{
    mplat_peer peer;
    if (connection == NULL || ret_peer == NULL) {
        return mproc__fail(MPROC_EINVAL, "get_peer: there is no %s",
                           connection == NULL ? "connection" : "place for the answer");
    }
    const mproc__wire *wire = mproc__wire_of(connection);
    if (wire == NULL) {
        return mproc__fail(MPROC_ENOTSUP, "get_peer: the connection is none to a stranger");
    }
    mplat_stream_peer(wire->stream, &peer);
    *ret_peer = (mproc_peer){peer.pid, peer.user, peer.group};
    return MPROC_OK;
}
