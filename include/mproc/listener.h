/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/listener.h: connections with processes outside of the family.
 *
 * Such a process may be a Python program: framing and authentication are those of Python's
 * multiprocessing.connection, 3.8 and later, and nothing is in between. mproc_connection_send_bytes is
 * Python's send_bytes; what mproc_connection_send sends is MessagePack, which Python reads by
 * msgpack.unpackb(connection.recv_bytes()).
 *
 *     mproc_listener *listener;
 *     mproc_connection *connection;
 *     mproc_listener_create(&listener, &(mproc_listener_options){
 *         .address = "unix:/run/user/1000/app", .authkey = "secret", .authkey_size = 6});
 *     mproc_listener_accept(listener, &connection, MPROC_FOREVER);
 *     mproc_connection_send_bytes(connection, "hello", 5, MPROC_FOREVER);
 *
 * An address is a text:
 *
 *     unix:/path       a Unix socket. Python: '/path'
 *     unix:@name       a Unix socket of Linux without a file. Python: '\0name'
 *     pipe:name        a named pipe of Windows. Python: r'\\.\pipe\name'
 *     tcp:host:port    TCP, "tcp:[::1]:port" for IPv6. Python: ('host', port)
 *
 * Nothing that strangers send is trusted: what they may send before they have shown that they know the
 * key is some hundred bytes; memory is taken as bytes come, not as a message claims to be long; objects
 * of the family are neither sent to them nor accepted from them. TCP and MD5, by which Python before
 * 3.12 authenticates, keep nobody from listening on the way: across machines use a tunnel.
 *
 * One process at a time has a connection to a stranger, and any number of its threads may use it at once. It
 * passes it on as it does other objects, in arguments, messages, lists, with all that has come and has not been
 * received. From then on it gets MPROC_ESTATE; so does a copy made by fork that was not given it. Whoever receives it
 * has it from its first use on; if several do, the first one to use it. Nothing is lost that nobody takes: when
 * the message could not be sent, or is gone, or who received it ends without having used it, the connection is
 * again that of who passed it on. What a process had taken in when it was killed is gone with it, and nobody
 * else can go on. (Python: both processes have it, and read each other's messages in parts.)
 *
 * As other ends, it should be closed by who has passed it on: the stranger sees the end when no process has it
 * open, nor a message is on its way with it.
 *
 * On it the calls of connection.h differ so:
 *
 * - It cannot be passed on while another thread of the process is in a call that sends or receives with it:
 *   MPROC_ESTATE. Who waits for it with mproc_wait for other things as well is told so: MPROC_ESTATE there.
 * - A message with an object of the family in it is not sent: MPROC_ETYPE.
 * - Sending times out with MPROC_ETIMEDOUT. If the message was sent in part by then, no other can follow
 *   it: MPROC_ESTATE. What the system buffers, 64 KiB or more as a rule, takes no time.
 * - recv of bytes that are no value is MPROC_EMALFORMED; recv_bytes still receives them.
 * - A message of more than max_bytes is MPROC_ETOOBIG, and the last one.
 * - What has come of a message stays, however often a call times out before the rest comes.
 * - Closed by one thread while another one waits in a call, or in mproc_wait: that one returns MPROC_ESTATE.
 * - mproc_connection_handle is a socket, or an event of Windows. It tells that more has come since
 *   mproc_connection_poll timed out; only that call knows whether it is a whole message.
 */
#ifndef MPROC_LISTENER_H
#define MPROC_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/connection.h"
#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** What strangers connect to. This process's alone; it is no object of the family. */
typedef struct mproc_listener mproc_listener;

/** What is special about a listener; zero: nothing. */
typedef struct mproc_listener_options {
    /** Where it listens. NULL: at an address of its own that nobody can guess, on this machine. */
    const char *address;
    /** How many may wait to be accepted; 0: 128, or what the system allows. Python: backlog */
    int backlog;
    /** What both sides must know; copied. NULL: whoever connects is accepted. Python: authkey */
    const void *authkey;
    size_t authkey_size; /**< bytes; not 0 if there is a key */
    /** How long a client may take for each step of the handshake, in nanoseconds; 0: 10 seconds. */
    mproc_timeout handshake_timeout;
    /** How many clients may be in the handshake; 0: 256. One more, and the oldest one is dropped. */
    size_t max_handshakes;
    /** How long a message may be; 0: 256 MiB. */
    uint64_t max_bytes;
    /**
     * Let other users of this machine connect, too. Without it a socket file has mode 0600, a pipe is the
     * user's own, and who connects to an abstract name must be of the same user, or root. TCP is public
     * always.
     */
    bool is_public;
} mproc_listener_options;

/** What has become of those who connected, so far. */
typedef struct mproc_listener_info {
    uint64_t accepted;   /**< they are connections now */
    uint64_t refused;    /**< another key or none, another user, or they sent something else */
    uint64_t dropped;    /**< too slow in the handshake, or too many in it */
    size_t n_handshakes; /**< are in the handshake just now */
} mproc_listener_info;

/** Whose process is at the other end of a connection. */
typedef struct mproc_peer {
    int64_t pid;   /**< 0: not known, or on another machine */
    int64_t user;  /**< -1: not known, or the system has no such number */
    int64_t group; /**< likewise */
} mproc_peer;

/**
 * Listen.
 *
 * A socket file that a process left behind which was killed is replaced at once.
 *
 * Python: multiprocessing.connection.Listener(address, family, backlog, authkey)
 *
 * @param ret_listener  the new listener; close it with mproc_listener_close
 * @param options       NULL: all defaults
 * @return 0; MPROC_EEXIST (somebody listens there); MPROC_ENOTSUP (not on this system); MPROC_ETOOBIG (the
 *         address is too long for the system); MPROC_EACCES, MPROC_ENOENT (the folder, or the host);
 *         MPROC_EMFILE, MPROC_ENOMEM, MPROC_ENOSPC, MPROC_ESYSTEM; MPROC_EINVAL
 * @owner  the caller, until mproc_listener_close
 * @safety any thread
 */
MPROC_API MPROC_NODISCARD int mproc_listener_create(mproc_listener **ret_listener,
                                                    const mproc_listener_options *options);

/**
 * Accept the next connection whose other side knows the key.
 *
 * All who have connected are in the handshake at once, so nobody who is slow or silent keeps others
 * waiting. Who does not know the key is turned away, and that is no failure of this call. The handshake
 * goes on while a thread is in this call.
 *
 * Python: Listener.accept()
 *
 * @param ret_connection  close it with mproc_connection_close
 * @param timeout         nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_ETIMEDOUT; MPROC_EMFILE (out of descriptors; who is there still waits); MPROC_ENOMEM,
 *         MPROC_ENOSPC; MPROC_ESTATE (another thread closes the listener, or it is another process's);
 *         MPROC_EINVAL for NULL
 * @blocking  until somebody is accepted
 * @safety any number of threads of the process
 */
MPROC_API MPROC_NODISCARD int mproc_listener_accept(mproc_listener *listener,
                                                    mproc_connection **ret_connection,
                                                    mproc_timeout timeout);

/**
 * The address, for mproc_client_connect: with the port that the system chose. Python: Listener.address
 *
 * @return valid until the listener is closed; "" for NULL
 */
MPROC_API const char *mproc_listener_address(const mproc_listener *listener);

/** What has become of those who connected. 0, or MPROC_EINVAL for NULL. */
MPROC_API int mproc_listener_get_info(mproc_listener *listener, mproc_listener_info *ret_info);

/**
 * Stop listening. Who waits in mproc_listener_accept returns MPROC_ESTATE; connections that were accepted
 * stay. The address is free when this returns; a pipe's name when those connections are closed, too.
 * NULL is fine.
 *
 * Python: Listener.close()
 *
 * @blocking  until no other thread is in mproc_listener_accept, some microseconds
 */
MPROC_API void mproc_listener_close(mproc_listener *listener);

/** What is special about a client; zero: nothing. */
typedef struct mproc_client_options {
    const void *authkey;             /**< as the listener's */
    size_t authkey_size;             /**< as the listener's */
    mproc_timeout handshake_timeout; /**< for all of the handshake; 0: 10 seconds */
    uint64_t max_bytes;              /**< as the listener's */
} mproc_client_options;

/**
 * Connect to a listener, and make sure that both sides know the key.
 *
 * Python: multiprocessing.connection.Client(address, family, authkey)
 *
 * @param ret_connection  close it with mproc_connection_close
 * @param address         see above
 * @param options         NULL: all defaults
 * @param timeout         nanoseconds, MPROC_NOWAIT or MPROC_FOREVER; finding a host by its name does not
 *                        count
 * @return 0; MPROC_ENOENT (nobody listens there, or there is no such host); MPROC_ETIMEDOUT; MPROC_EACCES
 *         (the listener has another key, or the system denies it); MPROC_ECLOSED or MPROC_EPEER (it ended
 *         the connection in the handshake); MPROC_EMALFORMED, MPROC_ETOOBIG (what it sent was no
 *         handshake); MPROC_ENOTSUP (not on this system: the address, or the digest that the listener asks
 *         for); MPROC_EMFILE, MPROC_ENOMEM, MPROC_ENOSPC, MPROC_ESYSTEM; MPROC_EINVAL
 * @blocking  until then
 * @safety any thread
 */
MPROC_API MPROC_NODISCARD int mproc_client_connect(mproc_connection **ret_connection,
                                                   const char *address,
                                                   const mproc_client_options *options,
                                                   mproc_timeout timeout);

/**
 * Whose process is at the other end, as the system knows it: of Unix sockets all, of named pipes its pid,
 * of TCP nothing.
 *
 * @return 0; MPROC_ENOTSUP (the connection is a pipe of the family); MPROC_EINVAL for NULL
 */
MPROC_API int mproc_connection_get_peer(const mproc_connection *connection, mproc_peer *ret_peer);

MPROC_END_DECLS

#endif
