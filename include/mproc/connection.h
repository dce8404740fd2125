/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/connection.h: connections, each of which has another end, and pipes, which are two of them.
 *
 * What is sent at one end is received at the other one, message by message, in the order in which it
 * was sent. A message is a value, with any objects of the family in it, or bytes.
 *
 *     mproc_connection *ours, *theirs;
 *     mproc_pipe_create(&ours, &theirs, NULL);
 *     mproc_process_start(&child, answer, MPROC_ARGS(theirs), NULL);
 *     mproc_connection_close(theirs);
 *     mproc_connection_send(ours, MPROC_VALUE("hello"), MPROC_FOREVER);
 *     ...
 *     mproc_value reply;
 *     mproc_connection_recv(ours, &reply, MPROC_FOREVER);
 *     printf("%s\n", reply.as.string.data);
 *     mproc_value_clear(&reply);
 *
 * Any number of processes may have the same end, and any number of threads may use it at once: each
 * message is received whole, by one of them. (Python: the data in a pipe may become corrupted.)
 *
 * An end is gone when nobody has it any more: no process, and no message that is still to be received,
 * however that came about. Then the other end receives what has been sent, and after that MPROC_ECLOSED;
 * to send there is MPROC_EPEER. So each process should close the ends that it does not use, as in
 * Python: above all who has given one to a child. A child made by fork has all of its parent's.
 *
 * A pipe's end that is in a message of the same pipe, and in no other place, keeps the pipe for as long
 * as the family lives: nobody can receive it.
 */
#ifndef MPROC_CONNECTION_H
#define MPROC_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/process.h"
#include "mproc/timeout.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** One end of something through which messages go: this process's handle of it. */
typedef struct mproc_connection mproc_connection;

/** What is special about a pipe; zero: nothing. */
typedef struct mproc_pipe_options {
    /** The first end can only receive, the second one only send. Python: duplex=False */
    bool is_one_way;
    /**
     * How many bytes may be on the way in each direction before a sender has to wait for the receiver; each
     * message has a few more than its own. Rounded up to a power of two, 32 KiB at least and 1 GiB at most; 0:
     * 64 KiB. Of messages that are larger than a quarter of that there is room for four, however large
     * they are. Python: what the system's pipes have
     */
    size_t max_bytes;
    /**
     * The system's own calls can wait for the pipe's ends, poll() and epoll, say: see mproc_connection_handle.
     * Each message costs some system calls more then, as a rule two.
     */
    bool kernel;
} mproc_pipe_options;

/**
 * Create a pipe between processes of the family: two connections that are each other's ends.
 *
 * Python: multiprocessing.Pipe(duplex)
 *
 * @param ret_first,ret_second  its ends; close them with mproc_connection_close
 * @param options               NULL: all defaults
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM, MPROC_ENOSPC; with .kernel also MPROC_EMFILE
 * @owner  the caller, until mproc_connection_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_pipe_create(mproc_connection **ret_first,
                                                mproc_connection **ret_second,
                                                const mproc_pipe_options *options);

/**
 * Send a value, which mproc_connection_recv at the other end receives.
 *
 * Python: Connection.send(obj)
 *
 * @param value    copied; its owner stays the caller. Objects in it are held by the message
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return 0; MPROC_ETIMEDOUT (there is no room); MPROC_EPEER (the other end is gone; Python:
 *         BrokenPipeError); MPROC_ESTATE (this end can only receive); MPROC_ENOMEM or MPROC_ENOSPC (the
 *         arena is full); MPROC_ETOOBIG (nested too deep, or a part of 4 GiB and more); MPROC_EINVAL. If
 *         it is not 0, nothing was sent.
 * @blocking  while there is no room; also with MPROC_NOWAIT for other sends under way, some hundred
 *            nanoseconds each, unless a process is stopped in one
 * @safety any thread of any member process
 * @death  killed in it, the message was sent or not
 */
MPROC_API int mproc_connection_send(mproc_connection *connection, mproc_value value,
                                    mproc_timeout timeout);

/**
 * Send bytes, which mproc_connection_recv_bytes at the other end receives. `data` may be NULL if size
 * is 0. As mproc_connection_send. Python: Connection.send_bytes(buffer, offset, size)
 */
MPROC_API int mproc_connection_send_bytes(mproc_connection *connection, const void *data,
                                          size_t size, mproc_timeout timeout);

/**
 * Receive a value.
 *
 * Python: Connection.recv()
 *
 * @param ret_value  owns its data; free it with mproc_value_clear. Of mproc_connection_send_bytes it is
 *                   MPROC_BYTES
 * @return 0; MPROC_ETIMEDOUT (there is none); MPROC_ECLOSED (and the other end is gone; Python:
 *         EOFError); MPROC_ESTATE (this end can only send); MPROC_ENOMEM (it can still be received);
 *         MPROC_ECORRUPT (somebody has written over it); MPROC_EINVAL for NULL
 * @blocking  until there is a message; for other receivers, as mproc_connection_send for senders
 * @safety any thread of any member process
 * @death  killed in it, the message can still be received, or is gone with the process
 */
MPROC_API MPROC_NODISCARD int mproc_connection_recv(mproc_connection *connection,
                                                    mproc_value *ret_value, mproc_timeout timeout);

/**
 * Receive bytes, in memory of their own.
 *
 * Python: Connection.recv_bytes(maxlength)
 *
 * @param ret_bytes  MPROC_BYTES; free it with mproc_value_clear
 * @param max_bytes  how many they may be; SIZE_MAX: any number
 * @param ret_size   how many they are; also with MPROC_ETOOBIG; may be NULL
 * @return as mproc_connection_recv; MPROC_ETOOBIG (they are more) and MPROC_ETYPE (the message is no
 *         bytes): it can still be received. (Python closes the connection then.)
 */
MPROC_API MPROC_NODISCARD int mproc_connection_recv_bytes(mproc_connection *connection,
                                                          mproc_value *ret_bytes, size_t max_bytes,
                                                          size_t *ret_size, mproc_timeout timeout);

/**
 * Receive bytes into memory of the caller's.
 *
 * Python: Connection.recv_bytes_into(buffer, offset)
 *
 * @param buffer,capacity  where the bytes go
 * @param ret_size         how many they are; also with MPROC_ETOOBIG
 * @return as mproc_connection_recv_bytes; MPROC_ETOOBIG: they do not fit (Python: BufferTooShort, and
 *         they are lost to the pipe)
 */
MPROC_API MPROC_NODISCARD int mproc_connection_recv_bytes_into(mproc_connection *connection,
                                                               void *buffer, size_t capacity,
                                                               size_t *ret_size,
                                                               mproc_timeout timeout);

/**
 * Wait until there is something to be received: a whole message, or that the other end is gone.
 * Another thread or process that has this end may be quicker to receive it.
 *
 * Python: Connection.poll(timeout)
 *
 * @return 0 (Python: True); MPROC_ETIMEDOUT (Python: False); MPROC_ESTATE (this end can only send);
 *         MPROC_EINVAL for NULL
 * @blocking  until then
 * @safety any thread of any member process
 */
MPROC_API MPROC_NODISCARD int mproc_connection_poll(mproc_connection *connection,
                                                    mproc_timeout timeout);

/** Whether this end can receive; false for NULL. Python: Connection.readable */
MPROC_API bool mproc_connection_is_readable(const mproc_connection *connection);

/** Whether this end can send; false for NULL. Python: Connection.writable */
MPROC_API bool mproc_connection_is_writable(const mproc_connection *connection);

/**
 * What the system's own calls can wait for: of a connection to a stranger, and of a pipe made with .kernel = true.
 *
 *     mproc_pipe_create(&ours, &theirs, &(mproc_pipe_options){.kernel = true});
 *     mproc_connection_handle(ours, &handle);
 *     struct pollfd item = {.fd = (int)handle, .events = POLLIN};
 *     poll(&item, 1, -1);
 *     rc = mproc_connection_recv(ours, &value, MPROC_NOWAIT);
 *
 * A pipe's is readable while there is a message to be received, and when the other end is gone. On Linux it is a
 * descriptor, for poll(), select() and epoll; on Windows a SOCKET, for WSAPoll() and select(), or with WSAEventSelect()
 * or a WSARecv() of 0 bytes for what waits for HANDLEs or completion ports. It is to be waited for, and for nothing else:
 * neither read nor written to, nor closed; it is the connection's, and goes with this process's last handle of it.
 *
 * Somebody else may be quicker to receive the message. And it can be readable for nothing, once: a killed sender, who
 * was about to send something, leaves it so. So who has waited receives with MPROC_NOWAIT, and after MPROC_ETIMEDOUT
 * waits again; who is told of changes only (EPOLLET) receives until then.
 *
 * That the process which had the other end was killed is known to the system at once. An end that was on its way to it,
 * in arguments or a message that nobody will receive, is gone when any thread of the family that calls mproc, or waits in
 * it, has noticed. A copy made by the application's own fork() has the descriptors as well until it ends or executes
 * another program: so long the system does not see the end.
 *
 * Python: Connection.fileno()
 *
 * @param ret_handle  the connection's
 * @return 0; MPROC_ENOTSUP (it has none: it is a pipe made without .kernel); MPROC_ESTATE (of a connection to a
 *         stranger: another process has it); MPROC_EINVAL
 */
MPROC_API MPROC_NODISCARD int mproc_connection_handle(const mproc_connection *connection,
                                                      mproc_os_handle *ret_handle);

/** Take one more hold on a connection, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_connection_attach(mproc_connection **ret_connection,
                                                      const mproc_connection *connection);

/**
 * Give up this process's hold on the connection. What has been sent is not lost by that. With the last
 * hold this end is gone.
 *
 * Python: Connection.close()
 *
 * @param connection  NULL is fine. Of one that was unpacked from arguments or from a value, the hold is
 *                    given up at once; the handle, no longer to be used, stays theirs
 */
MPROC_API void mproc_connection_close(mproc_connection *connection);

MPROC_END_DECLS

#endif
