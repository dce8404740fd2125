/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol.h: what a manager's clients and its server say to each other. docs/manager-protocol.md tells it whole.
 *
 * Messages are MessagePack values, in the frames and after the handshake of listener.h. The client asks, the server
 * answers, one at a time: a client that asks again before it has its answer is cut off, since that is how a server
 * whose thread waits for something tells that its client has not gone away.
 */
#ifndef MPROC_SERVICE_PROTOCOL_H
#define MPROC_SERVICE_PROTOCOL_H

#include "base/deadline.h"
#include "family/codec.h"
#include "mproc/connection.h"

#define MPROC__PROTOCOL_NAME "mproc manager"
#define MPROC__PROTOCOL_VERSION 1

/* The first item of a request, which is a list. */
enum mproc__ask {
    MPROC__ASK_HELLO = 0, /**< name, version; the answer is as of a call: version */
    MPROC__ASK_CALL =
        1, /**< reference, method, arguments, timeout in ns or nil; answer: status, result or sentence */
    MPROC__ASK_BATCH =
        2, /**< a list of lists of reference, method, arguments; answer: a list of such answers */
    MPROC__ASK_DROP = 3, /**< a list of references, which the client has no more; no answer */
};

/** The manager itself, as an object with methods. */
#define MPROC__REFERENCE_MANAGER 0u

/** The kind of what a reference stands for: its upper 16 bits. */
static inline uint32_t mproc__reference_kind(uint64_t reference)
{
    return (uint32_t)(reference >> 48);
}

/** The most calls in a batch. */
#define MPROC__BATCH_MAX 65536u

/**
 * Send a value as one message.
 *
 * @param codec  makes references of objects
 * @return 0; MPROC_ETYPE, MPROC_ETOOBIG, MPROC_ENOMEM (nothing was sent); as mproc_connection_send
 */
int mproc__protocol_send(mproc_connection *connection, const mproc__codec *codec,
                         const mproc_value *value, mproc_timeout timeout, bool *ret_was_encoded);

#endif
