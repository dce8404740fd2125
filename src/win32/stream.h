/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h: what stream.c, listen.c and named_pipe.c share.
 *
 * Sockets and pipes alike are read and written by overlapped calls, so that all of them can be waited for
 * by their events. One read is always under way into a buffer of the stream's own: what it has brought is
 * what there is to be read.
 */
#ifndef MPROC_WIN32_STREAM_H
#define MPROC_WIN32_STREAM_H

#include "platform.h"

#include <winsock2.h>

#include <windows.h>

#define MPROC__WIN_STREAM_BUFFER MPLAT_STREAM_AHEAD

#define MPROC__WIN_PIPE_INSTANCES 16 /* so many clients can be there before they are accepted */

/** A pipe that waits for a client. */
typedef struct mproc__win_instance {
    HANDLE handle;
    OVERLAPPED connect; /**< with the event of the listener, which all of them share */
    bool is_waiting;    /**< for a client, just now */
    bool has_client;
} mproc__win_instance;

struct mplat_stream {
    enum mplat_family family;
    bool is_listener, is_server;
    HANDLE handle;   /**< a pipe or socket; of a listener on pipes: none */
    OVERLAPPED read; /**< its event: also that a listener may have somebody */
    OVERLAPPED write;
    bool is_reading; /**< a read is under way */
    bool is_end;     /**< what is in the buffer ends a message */
    bool has_data;   /**< a read has brought what is in the buffer, maybe nothing */
    int ended;       /**< the system's error from which on nothing more comes, or ERROR_SUCCESS */
    LONG is_interrupted;
    DWORD at, end; /**< of the buffer */
    bool is_public;
    wchar_t *name; /**< of a listener on pipes, as the rest here */
    mproc__win_instance *instances;
    size_t n_instances;
    size_t next; /**< which one is asked first whether it has a client */
    unsigned char buffer[MPROC__WIN_STREAM_BUFFER];
};

static inline SOCKET mproc__win_socket(const mplat_stream *stream)
{
    return (SOCKET)(uintptr_t)stream->handle;
}

/** Have the library of sockets started. */
bool mproc__win_sockets(void);

/** A stream of a handle, which it owns from here on, also on failure. */
int mproc__win_stream(HANDLE handle, enum mplat_family family, mplat_stream **ret_stream);

/** Close a pipe or socket that is no stream yet. */
void mproc__win_close(HANDLE handle, enum mplat_family family);

/** Have a read under way, unless it has brought something already or there is nothing more. */
void mproc__win_read_begin(mplat_stream *stream);

/* named_pipe.c: as the calls of platform.h. */
int mproc__win_pipe_listen(const mplat_address *address, int backlog, bool is_public,
                           mplat_stream **ret_listener);
int mproc__win_pipe_accept(mplat_stream *listener, mplat_stream **ret_stream);
int mproc__win_pipe_connect(const mplat_address *address, int64_t deadline,
                            mplat_stream **ret_stream);

/** Have all instances wait for clients; true: one is there already. */
bool mproc__win_pipe_await(mplat_stream *listener);

/** Close the instances. */
void mproc__win_pipe_close(mplat_stream *listener);

#endif
